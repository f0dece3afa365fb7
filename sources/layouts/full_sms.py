"""Full_SMS: the HDF5 layout of that single-molecule program, read as a recording with what it does not say named.

Groups "Particle N" hold "Absolute Times (ns)" and "Micro Times (s)" of one detector, and from version 1.07 on those of
a second one as "Absolute Times 2 (ns)" and "Micro Times 2 (ns)" (github.com/BioPhysicsUP/Full_SMS). The file says
neither the unit of the card's nanotimes nor the laser period. The unit is found: the nanotimes are multiples of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sources.layouts.hdf5_tree import Hdf5Column, Hdf5File
from sources.photon_hdf5 import Hdf5Table, choose, given
from sources.reading.photon_table import NANOTIME, TIME, Scale, TableReader
from streamer.chunk import StreamInfo
from streamer.errors import InputError

_PARTICLE = re.compile(r"Particle ([1-9]\d*)")
_TIMES = "Absolute Times (ns)"
_SECOND = "Absolute Times 2 (ns)"
_SLICE = 1 << 18
_FEWEST = 16  # distinct nanotimes: fewer may by chance all be multiples of twice the unit
_MOST = 1 << 16
_ALIKE_NS = 1e-6  # nanotimes of one bin differ by rounding only
_SHORTEST_NS = 1e-4
_LONGEST_S = 1e-3  # no card's nanotime is longer, so what is must be nanoseconds


def is_full_sms(file: Hdf5File) -> bool:
    """Is the file of this layout?"""
    return any(_PARTICLE.fullmatch(name) for name in file.names())


def open_full_sms(file: Hdf5File, options: Mapping[str, str], chunk_records: int) -> TableReader:
    """The reader of one particle; options as for `sources.photon_hdf5.open_source`.

    Raises:
        InputError: a layout that is not this one, or nanotimes that are no multiples of one unit.
    """
    particles = sorted(int(match[1]) for name in file.names() if (match := _PARTICLE.fullmatch(name)))
    group = f"/Particle {choose(file.path, 'particles', particles, options)}"
    if file.has(f"{group}/{_SECOND}"):
        file.refuse(f"{group}/{_SECOND}", "has a second detector in a list of its own, which is not read")
    if "tick_ns" in options:
        raise InputError(f"{file.path}: tick_ns: the file says 1 ns; leave the option out")
    times = file.column(f"{group}/{_TIMES}")
    if times is None:
        file.refuse(f"{group}/{_TIMES}", "is missing")
    if times.dtype.kind not in "iu":
        file.refuse(times.where, f"must be whole numbers, got {times.dtype}")
    named = next((unit for unit in ("s", "ns") if file.has(f"{group}/Micro Times ({unit})")), "")
    columns, scales = {TIME: times}, {TIME: Scale(_TIMES)}
    warnings = ["the Full_SMS layout says no detector: all photons are of channel 0"]
    timed: dict[str, Any] = {"mode": "T2"}
    micro = file.column(f"{group}/Micro Times ({named})") if named else None
    if micro is not None:
        ns_per_unit, unit_ns, bins = _measured(micro, named, given(options, "resolution_ps", 1e12), warnings)
        columns[NANOTIME] = micro
        scales[NANOTIME] = Scale(micro.where, Fraction(ns_per_unit / unit_ns), exact=False)
        timed = {"mode": "T3", "resolution_s": unit_ns * 1e-9, "pulse_s": given(options, "period_ns", 1e9)}
        if timed["pulse_s"] is None:
            timed |= {"pulse_s": bins * unit_ns * 1e-9, "pulse_known": False}
            warnings.append("the Full_SMS layout does not say the laser period; period_ns=N does")
    info = StreamInfo(
        tick_s=1e-9,
        source=f"photon_hdf5:{file.path}",
        file=str(file.path),
        format="Full_SMS HDF5",
        sync_rate_hz=1 / timed["pulse_s"] if timed.get("pulse_s") and timed.get("pulse_known", True) else None,
        warnings=tuple(warnings),
        **timed,
    )
    return TableReader(file.path, info, Hdf5Table(file, columns, scales), chunk_records)


def _measured(micro: Hdf5Column, named: str, told_s: float | None, warnings: list[str]) -> tuple[float, float, int]:
    """(ns per entry's unit, unit of the card in ns, range of its nanotimes in units), by one pass over them."""
    distinct: NDArray[np.float64] = np.empty(0)
    for start in range(0, micro.length, _SLICE):
        part = micro.read(start, min(start + _SLICE, micro.length)).astype(np.float64)
        if not (np.isfinite(part) & (part >= 0)).all():
            at = int(np.argmin(np.isfinite(part) & (part >= 0)))
            raise InputError(f"{micro.path}: {micro.where}[{start + at}]: must be 0 or more, got {part[at]}")
        distinct = np.union1d(distinct, part)
        if len(distinct) > _MOST and told_s is None:
            raise InputError(
                f"{micro.path}: {micro.where}: has more than {_MOST} different nanotimes, so they are no multiples of "
                "a card's unit; set resolution_ps"
            )
    largest = float(distinct[-1]) if len(distinct) else 0.0
    ns = 1e9 if named == "s" and largest <= _LONGEST_S else 1.0
    if named == "s" and ns == 1.0:
        warnings.append(f"{micro.where} reach {largest:g}, so they are ns, not s")
    unit = told_s * 1e9 if told_s is not None else common_unit(distinct * ns)
    if unit is None:
        raise InputError(f"{micro.path}: {micro.where}: are multiples of no unit; set resolution_ps to the card's")
    warnings.append(
        f"the nanotimes were turned into multiples of {unit * 1000:.9g} ps"
        + ("" if told_s is not None else ", which all of them are; resolution_ps=N says another unit")
    )
    bins = round(largest * ns / unit) + 1
    return ns, unit, 1 << (bins - 1).bit_length()


def common_unit(values: NDArray[np.float64]) -> float | None:
    """The largest unit of which all values (in ns) are multiples, or None; Euclid's algorithm on many numbers at once.

    Bins of a card are of one width, so of enough nanotimes some are neighbours, and their distance is the unit.
    """
    if len(values) < _FEWEST:
        return None
    rest = values[values > _ALIKE_NS]
    unit = float(rest.min())
    while True:
        left = rest - np.rint(rest / unit) * unit
        left = np.abs(left[np.abs(left) > _ALIKE_NS])
        if not len(left):
            break
        unit = float(left.min())
        if unit < _SHORTEST_NS:
            return None
    counts = np.rint(rest / unit)
    return float(counts @ rest / (counts @ counts))
