"""SPC header: the first record of a Becker & Hickl file, and which of the three record layouts fits the rest.

The files have no magic number. What tells them from anything else is a first record that says a possible macro clock,
and a macro time that never goes back between two overflows; read in a wrong layout, it does at every second photon.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.layouts.spc_records import FAMILIES, Family

PROBE = 1 << 18  # bytes looked at to find the layout
_LONGEST_CLOCK = 1_000_000  # 0.1 ns: a sync of 10 kHz
_MOST_ROUTING_BITS = 4
_ENOUGH = 10  # steps of the macro time that must be seen
_WRONG = 0.2  # share of them that goes back where the layout is wrong; a half is expected
_RIGHT = 0.02  # share that may go back in a damaged file
_READ_BACK = 1 << 16


@dataclass(frozen=True, slots=True)
class FirstRecord:
    """What the software writes before the first photon.

    Attributes:
        clock_s: macro clock in seconds, rounded to 0.1 ns.
        raw: the file is flagged as raw data, a diagnostic mode.
    """

    clock_s: float
    raw: bool


def first_record(data: bytes, family: Family) -> FirstRecord | None:
    """The first record; None when it cannot be one of this layout."""
    if len(data) < family.record_bytes:
        return None
    if family.record_bytes == 6:
        flags, clock = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little")
        sure = flags & 0xF0FF == 0x1000 and data[4:6] == b"\0\0"
        bits, raw = flags >> 8 & 0xF, False
    else:
        word = int.from_bytes(data[:4], "little")
        clock, bits, raw = word & 0xFFFFFF, word >> 27 & 0xF, bool(word >> 26 & 1)
        sure = bool(word >> 31) and not word >> 24 & 1
        bits = bits if family.markers or not word >> 25 & 1 else _MOST_ROUTING_BITS + 1
    if not sure or not 10 <= clock <= _LONGEST_CLOCK or (bits > _MOST_ROUTING_BITS and family.record_bytes == 4):
        return None
    return FirstRecord(clock * 1e-10, raw)


@dataclass(frozen=True, slots=True)
class Fit:
    """How well records look in one layout.

    Attributes:
        steps: pairs of timed records without an overflow between them, and not of the same tick.
        back: of these, pairs in which time goes back.
        entries: records that only count overflows.
        odd: records that this layout does not have.
        records: all of them.
    """

    steps: int
    back: int
    entries: int
    odd: int
    records: int

    @property
    def wrong(self) -> bool:
        """This cannot be the layout."""
        return self.odd > _RIGHT * self.records or (self.steps >= _ENOUGH and self.back > _WRONG * self.steps)

    @property
    def right(self) -> bool:
        """This can be the layout, and it has been put to the test."""
        return not self.wrong and self.steps >= _ENOUGH and self.back <= max(_RIGHT * self.steps, 1)


def fit(data: bytes, family: Family) -> Fit:
    """Look at the records behind the first one."""
    records = len(data) // family.record_bytes - 1
    if records < 1:
        return Fit(0, 0, 0, 0, 0)
    macro, flags = _times_and_flags(data, family, records)
    invalid, overflow, mark = flags & 8 != 0, flags & 4 != 0, flags & 1 != 0
    entry = invalid & overflow & ~mark
    timed = ~invalid & ~mark
    odd = mark & ~invalid if family.markers else mark
    if family.markers:
        timed |= invalid & mark
    epoch = np.cumsum(overflow)[timed]
    step = np.diff(macro[timed])[np.diff(epoch) == 0]
    return Fit(int((step != 0).sum()), int((step < 0).sum()), int(entry.sum()), int(odd.sum()), records)


def _times_and_flags(data: bytes, family: Family, records: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Macro times, and flags as in `sources.layouts.spc_records`, int64[records] each."""
    if family.record_bytes == 6:
        halves = np.frombuffer(data, "<u2", 3 * records, 6).astype(np.int64)
        first, second, third = halves[::3], halves[1::3], halves[2::3]
        flags = (first >> 12 & 1) << 3 | (first >> 13 & 1) << 2 | (first >> 14 & 1) << 1 | first >> 15
        return (second & 0xFF) << 16 | third, flags
    words = np.frombuffer(data, "<u4", records, 4).astype(np.int64)
    return words >> family.fields[0] & family.fields[1], words >> 28


def fitting(data: bytes) -> dict[str, Fit]:
    """The layouts whose first record is possible and that are not surely wrong, with how well they fit."""
    fits = {key: fit(data, family) for key, family in FAMILIES.items() if first_record(data, family) is not None}
    return {key: one for key, one in fits.items() if not one.wrong}


def recognise(path: Path, head: bytes) -> bool:
    """Is this an SPC file, in one layout or another? Never raises."""
    if not any(first_record(head, family) for family in FAMILIES.values()):
        return False
    try:
        with path.open("rb") as file:
            data = file.read(PROBE)
    except (OSError, ValueError):
        return False
    return any(max(one.steps, one.entries) >= _ENOUGH for one in fitting(data).values())


def filler(path: Path, family: Family, records: int) -> int:
    """How many of the last records (all bits 0) are no photons.

    Such a record would be a photon at macro time 0 with the longest nanotime. It cannot be one when the record before
    it is later in the same turn of the clock, nor when there are several.

    Raises:
        OSError: the file cannot be read.
    """
    size, empty = family.record_bytes, 0
    with path.open("rb") as file:
        while empty < records:
            count = min(_READ_BACK, records - empty)
            file.seek(size * (1 + records - empty - count))
            data = file.read(size * count)
            kept = (len(data.rstrip(b"\0")) + size - 1) // size
            empty += count - kept
            if kept:
                last = _last_time(data[: kept * size], family)
                return empty if empty > 1 or (empty and last > 0) else 0
    return empty


def _last_time(data: bytes, family: Family) -> int:
    """Macro time of the last record, 0 when it has none."""
    record = data[-family.record_bytes :]
    macro, flags = _times_and_flags(bytes(family.record_bytes) + record, family, 1)
    timed = not flags[0] & 9 or (family.markers and flags[0] & 9 == 9)
    return int(macro[0]) if timed else 0
