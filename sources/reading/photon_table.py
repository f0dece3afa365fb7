"""Photon table: columns with one entry per photon, of whatever file, as a Reader of ticks, nanotimes and channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sources.reading.events import Events
from sources.reading.record_state import LONGEST
from streamer.chunk import NO_CHANNEL, NO_NANOTIME, NO_TIME, StreamEnd, StreamInfo
from streamer.errors import InputError

TIME, NANOTIME, CHANNEL, MARKER = "time", "nanotime", "channel", "marker"
_MOST = {TIME: LONGEST, NANOTIME: 0xFFFF, CHANNEL: 0xFF, MARKER: 0xFF}
_KIND = {TIME: np.int64, NANOTIME: np.uint16, CHANNEL: np.uint8, MARKER: np.uint8}
_NUMBERS = "biuf"  # kinds of numpy that are numbers of one part
_MOST_AT_ONCE = 1 << 22  # photons of one tick, which are held together: no detector gives so many


@dataclass(frozen=True)
class Scale:
    """How the entries of a column become whole numbers of a unit.

    Attributes:
        column: its name, for messages.
        factor: units per 1 of the column.
        exact: an entry that is not a whole number of units is an error; otherwise it is rounded to the nearest.
        remedy: what to do about entries that do not fit.
    """

    column: str
    factor: Fraction = Fraction(1)
    exact: bool = True
    remedy: str = "correct the file"


class Table(Protocol):
    """Columns of equal length, read a block at a time.

    Attributes:
        scales: role (TIME, NANOTIME, CHANNEL, MARKER) -> what its entries mean; TIME is always there.
    """

    scales: Mapping[str, Scale]

    def read(self, rows: int) -> Mapping[str, NDArray[Any]] | None:
        """The next rows, at most so many, by role, each a one-dimensional array of numbers; None at the end."""
        ...

    def place(self, row: int, role: str) -> str:
        """Where in the file this row of the latest block stands, in the column of that role."""
        ...

    def warnings(self) -> list[str]:
        """What only the end can know, one line each."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class TableReader:
    """A table as a Reader; see `sources.reading.events.Reader`."""

    horizon = 0

    def __init__(
        self,
        path: Path,
        info: StreamInfo,
        table: Table,
        rows: int,
        *,
        begins: int | None = None,
        marker_channels: frozenset[int] = frozenset(),
    ) -> None:
        """Nothing is read yet.

        Args:
            path: for messages.
            info: of the stream; T3 asks for a column NANOTIME.
            table: the columns.
            rows: most rows of one block.
            begins: tick at which the recording began, None where its clock began before.
            marker_channels: channels whose entries are markers; their number is the marker's. A row with an entry
                other than 0 in a column MARKER is one too.
        """
        self.info, self.begins = info, begins
        self._path, self._table, self._rows = path, table, rows
        self._marker_channels = np.array(sorted(marker_channels), np.int64)
        self._photon_rows: NDArray[np.intp] | None = None
        self._latest = self._reached = 0
        self._read = 0

    def read(self, held: Events) -> Events | None:
        """What was held back, and the next block of rows after it.

        Raises:
            InputError: an entry that is none of the numbers that its column may have.
        """
        columns = self._table.read(self._rows)
        if columns is None:
            return None
        if len(held.time) > _MOST_AT_ONCE and held.time[0] == held.time[-1]:
            raise InputError(
                f"{self._path}: {self._table.place(0, TIME)}: more than {_MOST_AT_ONCE} photons have the time "
                f"{held.time[0]}; the column of times or its unit is wrong, choose another"
            )
        time = self._whole(TIME, columns[TIME])
        channel = self._whole(CHANNEL, columns[CHANNEL]) if CHANNEL in columns else np.zeros(len(time), np.uint8)
        nanotime = self._whole(NANOTIME, columns[NANOTIME]) if NANOTIME in columns else NO_NANOTIME
        self._read += len(time)
        if len(time):
            self._reached = max(self._reached, int(time.max()))
        marker_time, marker, self._photon_rows = NO_TIME, NO_CHANNEL, None
        marked: NDArray[np.bool_] | None = None
        value = channel
        if len(self._marker_channels):
            marked = np.isin(channel, self._marker_channels)
        elif MARKER in columns:
            value = self._whole(MARKER, columns[MARKER])
            marked = value != 0
        if marked is not None and marked.any():
            marker_time, marker = time[marked], value[marked]
            self._photon_rows = np.flatnonzero(~marked)
            time, channel = time[self._photon_rows], channel[self._photon_rows]
            nanotime = nanotime[self._photon_rows] if len(nanotime) else nanotime
        backsteps = self._backsteps(time)
        return Events(
            _joined(held.time, time), _joined(held.nanotime, nanotime), _joined(held.channel, channel),
            _joined(held.marker_time, marker_time), _joined(held.marker, marker),
            reached=self._reached, backsteps=backsteps,
        )  # fmt: skip

    def place(self, photon: int) -> str:
        """Where the photon with this index in the latest block stands."""
        return self._table.place(photon if self._photon_rows is None else int(self._photon_rows[photon]), TIME)

    def end(self) -> StreamEnd:
        """What only the end can know."""
        return StreamEnd("", self._read, warnings=tuple(self._table.warnings()))

    def close(self) -> None:
        """Let go of the file."""
        self._table.close()

    def _backsteps(self, time: NDArray[np.int64]) -> int:
        """Photons earlier than the one before them."""
        if not len(time):
            return 0
        steps = int(np.count_nonzero(time[1:] < time[:-1])) + int(time[0] < self._latest)
        self._latest = max(self._latest, int(time.max()))
        return steps

    def _whole(self, role: str, entries: NDArray[Any]) -> NDArray[Any]:
        """The entries as whole numbers of the unit, in the dtype that a chunk has."""
        scale, most = self._table.scales[role], _MOST[role]
        if entries.dtype.kind == "f":
            return self._whole_floats(role, scale, entries).astype(_KIND[role])
        if not len(entries):
            return entries.astype(_KIND[role])
        if scale.factor != 1:
            most = min(most, most * scale.factor.denominator // scale.factor.numerator)
            most = min(most, (1 << 62) // scale.factor.numerator)
        if entries.dtype.itemsize > 1 or entries.dtype.kind == "i" or scale.factor != 1:
            if int(entries.max()) > most:
                self._refuse(role, int(np.argmax(entries > most)), entries, f"must be at most {most}")
            if entries.dtype.kind == "i" and int(entries.min()) < 0:
                self._refuse(role, int(np.argmax(entries < 0)), entries, "must not be negative")
        if scale.factor != 1:
            entries = self._scaled(role, scale, entries)
        return entries.astype(_KIND[role])

    def _scaled(self, role: str, scale: Scale, entries: NDArray[Any]) -> NDArray[np.int64]:
        """Whole entries times the factor, to the nearest."""
        above, below = scale.factor.numerator, scale.factor.denominator
        product = entries.astype(np.int64) * above
        if below == 1:
            return product
        if scale.exact and (rest := product % below).any():
            self._refuse(role, int(np.argmax(rest != 0)), entries, "must be a whole number of units")
        return (product + below // 2) // below

    def _whole_floats(self, role: str, scale: Scale, entries: NDArray[Any]) -> NDArray[Any]:
        """Floats times the factor, to the nearest; what they cannot tell exactly is refused."""
        exact = 1 << (np.finfo(entries.dtype).nmant + 1)
        most = min(_MOST[role], exact)
        product = entries.astype(np.float64) * float(scale.factor)
        whole = np.rint(product)
        fits = (whole >= 0) & (whole <= most)  # not a number fits nowhere
        if scale.exact:
            fits &= whole == product
        if not fits.all():
            at = int(np.argmin(fits))
            value = product[at]
            if not np.isfinite(value):
                rule = "must be a number"
            elif value < 0:
                rule = "must not be negative"
            elif value <= most:
                rule = "must be a whole number of units"
            elif most == exact:
                rule = f"{entries.dtype} tells single units up to {exact} of them only"
            else:
                rule = f"must be at most {most} units"
            self._refuse(role, at, entries, rule)
        return whole

    def _refuse(self, role: str, row: int, entries: NDArray[Any], rule: str) -> None:
        scale = self._table.scales[role]
        raise InputError(
            f"{self._path}: {self._table.place(row, role)}: {scale.column}: {rule}, got {entries[row]!s}; "
            f"{scale.remedy}"
        )


def is_numbers(dtype: np.dtype[Any]) -> bool:
    """Can a column have this type?"""
    return dtype.kind in _NUMBERS and dtype.itemsize <= 8 and dtype.subdtype is None


def _joined(held: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate((held, new)) if len(held) else new
