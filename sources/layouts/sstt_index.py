"""SSTT index: the text file that names the channel files of a "Small Simple Time-Tagged" recording.

Facts: rabouwlab/libtimetag, include/sstt_file.h, include/sstt_file2.h and src/__init__.py. Two tables stand in the
file, each behind a line that names it, with tabs between the columns, the first line being the headings:
EXPERIMENT_HEADER (Time_unit_seconds, device_type, ...) and CHANNEL_HEADER (ChannelID, Filename, NumPhotons, ...).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from streamer.errors import InputError

MAGIC, SECOND = b"Simple Small Time Tagged", b"Simple Small Time Tagged (V2)"
_LARGEST = 1 << 20  # bytes of an index
_UNIT_1_S = 81e-12  # of a quTAU, which libtimetag takes where the index tells none
_MOST_CHANNELS = 64


@dataclass(frozen=True, slots=True)
class ChannelEntry:
    """One line of the channel table.

    Attributes:
        number: of the channel, 0 to 255.
        path: of its file.
        photons: promised; None where the index tells no number above 0.
        pulses: it is the sync of a laser.
        divider: every so many pulses were recorded.
    """

    number: int
    path: Path
    photons: int | None
    pulses: bool
    divider: int


@dataclass(frozen=True, slots=True)
class SsttIndex:
    """What the index says.

    Attributes:
        version: 1 or 2.
        unit_s: length of a tick; device: such as "qutag".
        channels: in the order of the table.
        warnings: one line each.
    """

    version: int
    unit_s: float
    device: str
    channels: tuple[ChannelEntry, ...]
    warnings: tuple[str, ...]


def read_index(path: Path) -> SsttIndex:
    """Read an index.

    Raises:
        InputError: no index, or one that leaves unit, files or channel numbers in doubt.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not data:
        raise InputError(f"{path}: the file is empty; copy it again")
    if data.startswith(b"SSTT2"):
        raise InputError(f"{path}: is one channel of an SSTT recording; give its index, the file that ends in .sstt")
    if not data.startswith(MAGIC) or len(data) > _LARGEST:
        raise InputError(f"{path}: is not an SSTT index, which begins with {MAGIC.decode()!r}")
    lines = data.decode("utf-8", "replace").splitlines()
    version = 2 if data.startswith(SECOND) else 1
    warnings = []
    experiment = _table(path, lines, "EXPERIMENT_HEADER", 1)
    about = experiment[0] if experiment else {}
    if "Time_unit_seconds" in about:
        unit_s = _unit(path, about["Time_unit_seconds"])
    elif version == 1:
        unit_s = _UNIT_1_S
        warnings.append("the index tells no time unit; 81 ps (quTAU) is taken, as libtimetag does")
    else:
        raise InputError(
            f"{path}: EXPERIMENT_HEADER, Time_unit_seconds: must be there, got nothing; copy the index again"
        )
    rows = _table(path, lines, "CHANNEL_HEADER", _MOST_CHANNELS)
    if not rows:
        raise InputError(f"{path}: CHANNEL_HEADER: must name at least one channel, got none; copy the index again")
    channels = tuple(_entry(path, row) for row in rows)
    numbers = [channel.number for channel in channels]
    if len(set(numbers)) < len(numbers) or len({channel.path for channel in channels}) < len(numbers):
        raise InputError(f"{path}: CHANNEL_HEADER: must name each channel and file once, got channels {numbers}")
    return SsttIndex(version, unit_s, about.get("device_type", ""), channels, tuple(warnings))


def _table(path: Path, lines: list[str], name: str, most: int) -> list[dict[str, str]]:
    """The rows behind a line `name`, up to an empty one."""
    if name not in lines:
        return []
    headings: list[str] | None = None
    rows: list[dict[str, str]] = []
    for number, line in enumerate(lines[lines.index(name) + 1 :], lines.index(name) + 2):
        cells = line.rstrip("\t").split("\t")
        if headings is None:
            headings = cells
        elif not line.strip():
            break
        elif len(cells) != len(headings):
            raise InputError(
                f"{path}: line {number}: must have {len(headings)} columns as its headings, got {len(cells)}; "
                "copy the index again"
            )
        elif len(rows) == most:
            if most > 1:
                raise InputError(f"{path}: line {number}: {name} must have at most {most} rows, got more")
            break
        else:
            rows.append(dict(zip(headings, cells, strict=True)))
    return rows


def _unit(path: Path, text: str) -> float:
    try:
        unit_s = float(text)
    except ValueError:
        unit_s = math.nan
    if not 1e-15 <= unit_s <= 1e-3:
        raise InputError(f"{path}: Time_unit_seconds: must be a number from 1e-15 to 0.001, got {text!r}")
    return unit_s


def _entry(path: Path, row: dict[str, str]) -> ChannelEntry:
    number = _whole(path, row, "ChannelID", None)
    if not 0 <= number <= 255:
        raise InputError(f"{path}: ChannelID: must be from 0 to 255, got {number}")
    name = row.get("Filename", "").strip().strip('"')
    plain = {PurePosixPath(name).name, PureWindowsPath(name).name} == {name} and "\0" not in name
    if not plain or name in ("", ".", ".."):
        raise InputError(
            f"{path}: channel {number}, Filename: must name a file in the folder of the index, got {name!r}"
        )
    photons = _whole(path, row, "NumPhotons", 0)
    divider = _whole(path, row, "TotalSyncDivider", 1)
    pulses = _whole(path, row, "IsPulsesChannel", 0) != 0
    return ChannelEntry(number, path.parent / name, photons if photons > 0 else None, pulses, max(divider, 1))


def _whole(path: Path, row: dict[str, str], key: str, missing: int | None) -> int:
    text = row.get(key)
    if text is None and missing is not None:
        return missing
    try:
        return int(text or "")
    except ValueError:
        raise InputError(f"{path}: CHANNEL_HEADER, {key}: must be a whole number, got {text!r}") from None
