"""Photon-HDF5 source: recordings in the single-molecule community's file format, and two layouts that are near it.

Photon-HDF5 0.3 to 0.5 (Ingargiola et al., Biophys. J. 110, 26 (2016); photon-hdf5.readthedocs.io): each group
/photon_data or /photon_dataN has one entry per photon in `timestamps`, `detectors` and `nanotimes`, in time order, with
units in SI. Detectors listed in measurement_specs/detectors_specs/non_photon_idN are markers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sources.reading import options as read_option
from sources.reading.events import Reader
from sources.reading.photon_table import CHANNEL, NANOTIME, TIME, Scale, TableReader
from sources.reading.recording import Source, open_recording
from streamer.chunk import StreamInfo
from streamer.errors import InputError

if TYPE_CHECKING:
    from sources.layouts.hdf5_tree import Hdf5Column, Hdf5File

OPTIONS = ("spot", "tick_ns", "resolution_ps", "period_ns")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_GROUP = re.compile(r"photon_data(0|[1-9]\d*)?")
_VERSIONS = ("0.3", "0.4", "0.5")
_SAME_RATE = 1e-3  # relative: a timestamp that is a laser pulse says so to the digits of a rate meter


def recognise(path: Path, head: bytes) -> bool:
    """Is this HDF5? What is in it, `open_source` says."""
    return any(head.startswith(_SIGNATURE, at) for at in (0, 512, 1024, 2048))


class Hdf5Table:
    """Datasets of equal length as a table; see `sources.reading.photon_table.Table`."""

    def __init__(
        self,
        file: Hdf5File,
        columns: Mapping[str, Hdf5Column],
        scales: Mapping[str, Scale],
        convert: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] | None = None,
    ) -> None:
        """`convert`: role -> what is done to a slice before its scale is applied.

        Raises:
            InputError: columns of different lengths.
        """
        self.scales, self._file, self._columns, self._convert = scales, file, columns, convert or {}
        self.length = columns[TIME].length
        for column in columns.values():
            if column.length != self.length:
                file.refuse(column.where, f"must have {self.length} entries as the times have, got {column.length}")
        self._first = self._next = 0

    def read(self, rows: int) -> dict[str, NDArray[Any]] | None:
        """See `Table.read`."""
        if self._next >= self.length:
            return None
        self._first, self._next = self._next, min(self._next + rows, self.length)
        block = {role: column.read(self._first, self._next) for role, column in self._columns.items()}
        return {role: self._convert[role](part) if role in self._convert else part for role, part in block.items()}

    def place(self, row: int, role: str) -> str:
        """See `Table.place`."""
        return f"{self._columns[role].where}[{self._first + row}]"

    def warnings(self) -> list[str]:
        """See `Table.warnings`."""
        return []

    def close(self) -> None:
        """See `Table.close`."""
        self._file.close()


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open a Photon-HDF5 file; `where` is its path.

    Options, beside those of every recording (`sources.reading.recording.open_recording`):
        spot: N of /photon_dataN (of "Particle N" in the Full_SMS layout); needed where there are several.
        tick_ns: unit of the timestamps, where the file does not say it.
        resolution_ps: unit of the nanotimes, where the file does not say it.
        period_ns: laser period, where the file does not say it.

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read truly.
    """
    return open_recording("photon_hdf5", where, options, _open, OPTIONS)


def _open(path: Path, options: Mapping[str, str], chunk_records: int) -> Reader:
    from sources.layouts.full_sms import is_full_sms, open_full_sms
    from sources.layouts.hdf5_tree import Hdf5File

    file = Hdf5File(path)
    try:
        if is_full_sms(file):
            return open_full_sms(file, options, chunk_records)
        return _Header(file, options).reader(chunk_records)
    except BaseException as error:
        file.close()
        if isinstance(error, ValueError):  # units that StreamInfo refuses
            raise InputError(f"{path}: {error}; the units of file and options contradict each other") from None
        raise


def given(options: Mapping[str, str], key: str, per_s: float) -> float | None:
    """An option that is a length of time in a unit of which a second has `per_s`, in seconds; None when left out."""
    if key not in options:
        return None
    value = read_option.number("photon_hdf5", key, options[key], 0, 1e12)
    if value == 0:
        raise InputError(f"photon_hdf5: {key}: must be positive, got {options[key]!r}")
    return value / per_s


def choose(path: Path, what: str, known: Sequence[int], options: Mapping[str, str]) -> int:
    """The spot that is asked for; it may be left out where there is one only."""
    listed = ", ".join(str(number) for number in known[:20])
    if "spot" not in options:
        if len(known) == 1:
            return known[0]
        raise InputError(f"{path}: has {len(known)} {what}; set spot to one of {listed}")
    spot = read_option.whole("photon_hdf5", "spot", options["spot"], 0, 1 << 31)
    if spot not in known:
        raise InputError(f"{path}: spot: must be one of its {what} ({listed}), got {spot}")
    return spot


class _Header:
    """What a Photon-HDF5 file says of its photons, being checked."""

    def __init__(self, file: Hdf5File, options: Mapping[str, str]) -> None:
        self.file, self.path, self.options = file, file.path, options
        self.warnings: list[str] = []

    def reader(self, chunk_records: int) -> TableReader:
        """The reader of the one spot that is asked for."""
        version = self._version()
        group = self._group()
        columns = self._columns(group)
        tick_s = self._stated(f"{group}/timestamps_specs/timestamps_unit", "tick_ns", 1e9)
        rate = self._rate(group)
        scales = {
            TIME: Scale("timestamps"),
            CHANNEL: Scale("detectors", remedy="channels must be numbers from 0 to 255; number them anew"),
            NANOTIME: Scale("nanotimes"),
        }
        table = Hdf5Table(self.file, columns, scales)
        timed = self._timing(group, columns, tick_s, rate) if NANOTIME in columns else {"mode": "T2"}
        duration_s = self.file.number("/acquisition_duration")
        duration_s = duration_s if duration_s is not None and 0 < duration_s < np.inf else None
        info = StreamInfo(
            tick_s=tick_s,
            source=f"photon_hdf5:{self.path}",
            file=str(self.path),
            format=f"Photon-HDF5 {version}".strip(),
            hardware=self.file.text("/provenance/software") or self.file.text("/identity/software"),
            sync_rate_hz=rate,
            duration_s=duration_s,
            warnings=tuple(self.warnings),
            **timed,
        )
        return TableReader(
            self.path, info, table, chunk_records, begins=self._begins(columns[TIME], tick_s, duration_s),
            marker_channels=self._markers(group),
        )  # fmt: skip

    def _version(self) -> str:
        name, version = self.file.attribute("format_name"), self.file.attribute("format_version")
        name = self.file.text("/identity/format_name") or name
        version = self.file.text("/identity/format_version") or version
        if name is None or version is None:
            return version or ""
        if name != "Photon-HDF5":
            self.warnings.append(f"format_name says {name or 'nothing'}, not Photon-HDF5; read as such by its layout")
        elif version not in _VERSIONS:
            self.warnings.append(f"format_version is {version or 'not given'}; read as {_VERSIONS[-1]}")
        return version

    def _group(self) -> str:
        """Path of the group of the one spot that is asked for."""
        matches = [match for name in self.file.names() if (match := _GROUP.fullmatch(name))]
        spots = sorted(int(match[1]) for match in matches if match[1])
        if not matches:
            raise InputError(
                f"{self.path}: has no /photon_data group; export the recording as Photon-HDF5 (phconvert), or give "
                "columns as arrays:FILE.npz"
            )
        if any(match[1] is None for match in matches):
            if len(matches) > 1:
                raise InputError(
                    f"{self.path}: has both /photon_data and /photon_data{spots[0]}; leave one of them in the file"
                )
            if "spot" in self.options:
                raise InputError(f"{self.path}: spot: the file has one spot only; leave the option out")
            return "/photon_data"
        spot = choose(self.path, "spots", spots, self.options)
        if len(spots) == 1:
            self.warnings.append(f"the photons are in /photon_data{spot}, not in /photon_data; read as the only spot")
        return f"/photon_data{spot}"

    def _columns(self, group: str) -> dict[str, Hdf5Column]:
        names = {TIME: "timestamps", CHANNEL: "detectors", NANOTIME: "nanotimes"}
        found = {role: self.file.column(f"{group}/{name}") for role, name in names.items()}
        columns = {role: column for role, column in found.items() if column is not None}
        for column in columns.values():
            if column.dtype.kind not in "iu":
                self.file.refuse(column.where, f"must be whole numbers, got {column.dtype}")
        if TIME not in columns:
            self.file.refuse(f"{group}/timestamps", "is missing")
        if CHANNEL not in columns:
            self.warnings.append(f"{group}/detectors is missing: all photons are of channel 0")
        return columns

    def _stated(self, where: str, option: str, per_s: float) -> float:
        """A unit in seconds, from the file or else from the option."""
        says, told = self.file.number(where), given(self.options, option, per_s)
        if says is None:
            if told is None:
                raise InputError(f"{self.path}: {where}: is missing; set {option} to the unit that was used")
            self.warnings.append(f"{where} is missing: {option}={self.options[option]} is used")
            return told
        if not 0 < says < np.inf:
            self.file.refuse(where, f"must be a positive number of seconds, got {says!r}")
        if told is not None and abs(told / says - 1) > _SAME_RATE:
            raise InputError(
                f"{self.path}: {option}: the file says {says * per_s:g}, got {self.options[option]}; leave it out"
            )
        return says

    def _rate(self, group: str) -> float | None:
        """Laser rate in Hz; None where nobody says it."""
        told = given(self.options, "period_ns", 1e9)
        for where in (f"{group}/measurement_specs/laser_repetition_rate", "/setup/laser_repetition_rates"):
            rates = np.unique(self.file.numbers(where))
            rates = rates[rates != 0]  # a cw laser
            if not len(rates):
                continue
            if not (np.isfinite(rates) & (rates > 0)).all():
                self.file.refuse(where, f"must be positive numbers of Hz, got {rates[0]!r}")
            if told is not None:
                if abs(told * rates - 1).min() > _SAME_RATE:
                    self.warnings.append(f"{where} says {rates[0]:g} Hz; period_ns={self.options['period_ns']} is used")
                return 1 / told
            if rates[-1] > rates[0] * (1 + _SAME_RATE):
                self.file.refuse(where, f"has {len(rates)} laser rates; set period_ns to the one of the nanotimes")
            return float(rates[0])
        return None if told is None else 1 / told

    def _timing(
        self, group: str, columns: Mapping[str, Hdf5Column], tick_s: float, rate: float | None
    ) -> dict[str, Any]:
        """mode, resolution and laser period of a stream with nanotimes, as keywords of StreamInfo."""
        specs = f"{group}/nanotimes_specs"
        resolution_s = self._of_all_detectors("tcspc_unit", group)
        if resolution_s is None or self.file.has(f"{specs}/tcspc_unit"):
            resolution_s = self._stated(f"{specs}/tcspc_unit", "resolution_ps", 1e12)
        timed: dict[str, Any] = {"mode": "T3", "resolution_s": resolution_s}
        if np.any(self.file.numbers("/setup/detectors/tcspc_offset")):
            self.warnings.append("/setup/detectors/tcspc_offset is not applied: nanotimes are those that were recorded")
        if rate is not None:
            pulses = abs(tick_s * rate - 1) <= _SAME_RATE
            return timed if pulses else {**timed, "pulse_s": 1 / rate}
        bins = self.file.number(f"{specs}/tcspc_num_bins") or self._of_all_detectors("tcspc_num_bins", group)
        if bins is None or not 1 <= bins < np.inf:
            raise InputError(f"{self.path}: {group}: says neither laser rate nor range of the nanotimes; set period_ns")
        self.warnings.append("the file does not say the laser rate; period_ns=N does")
        return {**timed, "pulse_s": bins * resolution_s, "pulse_known": False}

    def _of_all_detectors(self, name: str, group: str) -> float | None:
        """A number that /setup/detectors has per detector (0 for markers), where all of them have the same."""
        values = self.file.numbers(f"/setup/detectors/{name}")
        if not len(values):
            values = self.file.numbers(f"/setup/detectors/{name}s")  # as one chapter of the definition writes it
        values = np.unique(values[values != 0])
        if len(values) > 1:
            if self.file.has(f"{group}/nanotimes_specs/{name}"):
                self.warnings.append(f"/setup/detectors/{name} differs between detectors; nanotimes_specs is used")
                return None
            self.file.refuse(f"/setup/detectors/{name}", "must be the same for all detectors to be one stream")
        return float(values[0]) if len(values) else None

    def _markers(self, group: str) -> frozenset[int]:
        specs = f"{group}/measurement_specs/detectors_specs"
        names = [name for name in self.file.names(specs) if re.fullmatch(r"non_photon_id\d+", name)]
        return frozenset(int(value) for name in names for value in self.file.numbers(f"{specs}/{name}"))

    def _begins(self, times: Hdf5Column, tick_s: float, duration_s: float | None) -> int | None:
        """0 where the first photon lies within the duration, so that clock and measurement began together."""
        if duration_s is None or not times.length:
            return None
        return 0 if 0 <= int(times.read(0, 1)[0]) * tick_s <= duration_s else None
