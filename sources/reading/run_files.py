"""Run files: which files make one run, in what order, whether their units agree, and where each one's clock lies."""

from __future__ import annotations

import glob
import re
import struct
from datetime import datetime
from pathlib import Path

from sources.formats import BY_LOOKS, MAGIC, name_of
from streamer.chunk import StreamInfo
from streamer.errors import InputError

SAME = 1e-9  # relative difference of units that rounding can make
SAME_RATE = 1e-4  # of a laser between two files of one run
_HEAD = 1 << 16  # bytes in which a header's date must stand
_DAYS_TO_1970 = 25569  # from the end of 1899, where PicoQuant's dates begin
_TAG = b"File_CreatingTime".ljust(32, b"\0")
_TEXT_DATE = re.compile(rb"(\d\d)/(\d\d)/(\d{4}|\d\d) (\d\d):(\d\d)(?::(\d\d))?")
_TEXT_DATE_IN = 80  # bytes in which the formats before PTU have it


def natural(path: Path) -> list[str | int]:
    """Sorting key in which run_10 comes after run_9."""
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", str(path))]


def is_pattern(where: str) -> bool:
    """Does it stand for several files: wildcards, and no file of that very name?"""
    return any(sign in where for sign in "*?[") and not exists(Path(where))


def exists(path: Path) -> bool:
    """Is there such a file? What can be no name (too long, with a NUL) is none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def matching(pattern: str) -> list[Path]:
    """Files that a pattern stands for, naturally sorted."""
    return sorted((Path(one) for one in glob.glob(pattern) if not Path(one).is_dir()), key=natural)


def source_of(where: str) -> tuple[str, Path]:
    """(name of the source, path) of `FILE`, known by its content, or `name:FILE`.

    Raises:
        InputError: no readable file, or none of the formats.
    """
    name, colon, rest = where.partition(":")
    if colon and name in {*MAGIC.values(), *BY_LOOKS}:
        return name, Path(rest)
    return name_of(Path(where)), Path(where)


def date_of(path: Path) -> float | None:
    """Seconds since 1970 at which a file was made, by its own header; None where that does not say.

    PTU has a number of days (tag File_CreatingTime); PicoQuant's formats before it a text, day before month.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    at = head.find(_TAG)
    if head.startswith(b"PQTTTR") and 0 <= at <= len(head) - 48:
        days: float = struct.unpack_from("<d", head, at + 40)[0]
        return (days - _DAYS_TO_1970) * 86400 if 0 < days < 1e6 else None
    found = _TEXT_DATE.search(head[:_TEXT_DATE_IN])
    if not found or not head.startswith((b"PicoHarp 300", b"HydraHarp", b"TimeHarp 200")):
        return None
    day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return datetime(year if year > 99 else 2000 + year, month, day, hour, minute, second).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def pause_s(before: float | None, after: float | None, lasted_s: float) -> float | None:
    """Time from the end of one file to the beginning of the next, by their dates; None when these do not tell it."""
    if before is None or after is None or before == after:
        return None
    pause = after - before - lasted_s
    return pause if pause > 0 else None


def unlike(one: StreamInfo, other: StreamInfo) -> tuple[str, str]:
    """(why two files cannot be one stream, what only has to be said of their units); "" for nothing."""
    pulsed = one.mode == other.mode == "T3"
    laser = _apart(one.laser_s, other.laser_s) if pulsed else 0.0
    tick = _apart(one.tick_s, other.tick_s)
    same_tick = SAME_RATE if pulsed and one.pulse_s is None else SAME
    rules = (
        (one.mode != other.mode, f"its photons are {other.mode}, the first file's {one.mode}"),
        (
            (one.pulse_s is None, one.pulse_known) != (other.pulse_s is None, other.pulse_known),
            "the one clock counts laser pulses, the other does not",
        ),
        (
            pulsed and _apart(one.resolution_s, other.resolution_s) > SAME,
            f"its nanotimes are in units of {other.resolution_s!r} s, the first file's in {one.resolution_s!r} s",
        ),
        (tick > same_tick, f"its ticks last {other.tick_s!r} s, the first file's {one.tick_s!r} s"),
        (laser > SAME_RATE, f"its laser period is {other.laser_s!r} s, the first file's {one.laser_s!r} s"),
    )
    refusal = next((why for broken, why in rules if broken), "")
    if refusal or max(tick, laser) <= SAME:
        return refusal, ""
    return "", f"its laser period is {1e6 * max(tick, laser):.3g} ppm from the first file's, which is used"


def _apart(one: float, other: float) -> float:
    return abs(one - other) / max(abs(one), abs(other))


def goes_on(stop: int, offset: int, first: int) -> tuple[int, int] | None:
    """(offset, start) of a file whose clock is that of the one before; None when its times do not follow.

    Args:
        stop: tick of the stream at which the one before ended.
        offset: of that one's clock.
        first: tick of its own at which the next one has its first photon or marker.
    """
    if first + offset < stop:
        return None
    start = max(first + offset, stop + 1)  # nothing is counted across, so there is always a gap
    return start - first, start


def begins_anew(stop: int, origin: int, gap: int) -> tuple[int, int]:
    """(offset, start) of a file with a clock of its own, whose recording began at its tick `origin`."""
    start = stop + max(1, gap)
    return start - origin, start


def wrong_clock(path: Path, first: int, stop: int) -> InputError:
    """A file that was said to go on with the clock of the one before, and does not."""
    return InputError(
        f"{path}: clock=continue: its first tick must not lie before tick {stop}, where the file before ended, "
        f"got {first}; check the order of the files, or use clock=restart"
    )
