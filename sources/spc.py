"""SPC source: a Becker & Hickl FIFO recording (.spc) as a stream of Chunks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.layouts.spc_decoder import SpcDecoder
from sources.layouts.spc_header import recognise
from sources.layouts.spc_records import GAPS, INVALID, SLIPPED
from sources.layouts.spc_units import OPTIONS, Opening, Units
from sources.reading.events import Reader
from sources.reading.record_file import RecordFormat, RecordReader
from sources.reading.record_state import UNKNOWN
from sources.reading.recording import Source, open_recording
from streamer.chunk import StreamInfo

__all__ = ["open_source", "recognise", "record_format"]

_NEAR_S, _FAR_S = 80e-9, 1e-6  # below the dead time of a card, and well above it
_EXPECTED_NEAR = 10.0  # pairs below the dead time that must be missing to show it
_CARD_BIT = 8  # routing bit that tells the two cards of an SPC-132 apart


def record_format(path: Path, options: Mapping[str, str]) -> RecordFormat:
    """What the first record, the setup file and the options say of an SPC file.

    Args:
        path: the file.
        options: those of `open_source` that belong to this format.

    Raises:
        InputError: no sure layout, or units that are missing or contradict each other.
    """
    opening = Opening(path, options)
    units, family, setup = opening.units(), opening.family, opening.setup
    records, warnings, period = opening.records(), list(opening.warnings), math.inf
    if units.width_s and units.laser_s and units.laser_s < units.width_s * family.bins:
        period = units.laser_s / units.width_s
    if units.width_s and not units.laser_s:
        warnings.append("the laser period is not known, so no lifetime is computed; period_ns= says it")
    info = StreamInfo(
        mode="T3" if units.width_s else "T2",
        tick_s=units.tick_s,
        resolution_s=units.width_s or 0.0,
        source=f"spc:{path}",
        file=str(path),
        format=f"SPC {family.title}",
        hardware=(setup.hardware if setup else "") or "Becker & Hickl",
        sync_rate_hz=1 / units.laser_s if units.laser_s else None,
        duration_s=setup.collect_s if setup else None,
        warnings=tuple(warnings),
        doubts=opening.doubts if units.width_s else {},
        pulse_s=_pulse(units, family.bins),
        pulse_known=not units.width_s or units.laser_s is not None,
    )
    near, far = (math.floor(span / units.tick_s) for span in (_NEAR_S, _FAR_S))
    decoder = SpcDecoder(path, family, period, period * units.divider, near, far, raw=opening.first.raw)

    def doubts() -> dict[str, str]:
        return _close_pairs(decoder.steps, info.tick_s)

    size = family.record_bytes
    return RecordFormat(info, size, size, records, decoder, remarks=_remarks, doubts=doubts)


def _pulse(units: Units, bins: int) -> float | None:
    """`StreamInfo.pulse_s`."""
    if not units.width_s or (units.pulsed and units.laser_s):
        return None
    return units.laser_s or bins * units.width_s


def _remarks(state: NDArray[np.int64]) -> list[str]:
    """What only the end can know, one line each."""
    warnings = []
    if state[INVALID]:
        warnings.append(
            f"{state[INVALID]} records are marked invalid by the card (outside the TAC's window, or without a router "
            "code) and were left out"
        )
    if state[GAPS]:
        slipped = f", and at least {state[SLIPPED]} overflows of the clock" if state[SLIPPED] else ""
        warnings.append(
            f"the card's FIFO was full {state[GAPS]} times: photons are lost there{slipped}, and times behind it may "
            "be too early"
        )
    if state[UNKNOWN]:
        warnings.append(f"{state[UNKNOWN]} records are neither photon, marker nor overflow and were left out")
    return warnings


def _open(path: Path, options: Mapping[str, str], chunk_records: int) -> Reader:
    return RecordReader(path, record_format(path, options), chunk_records)


def _close_pairs(steps: NDArray[np.int64], tick_s: float) -> dict[str, str]:
    """A doubt of g2 where channels behind one router show the card's dead time.

    A card takes one photon at a time, so g2 near zero delay is 0 between them whatever the emitter. In the recordings
    that this was tried on, an SPC-150 has photons 95 ns apart and never closer; the two cards of an SPC-132, which its
    routing bit 3 tells apart, have close pairs across, and none within one.

    Args:
        steps: int64[2, 16, 16] of `SpcDecoder`.
        tick_s: macro tick in seconds.
    """
    near, far = math.floor(_NEAR_S / tick_s) + 1, math.floor(_FAR_S / tick_s) + 1
    both = steps + steps.transpose(0, 2, 1)
    shown = np.triu(both[0], 1) * near > _EXPECTED_NEAR * max(far - near, 1)
    for a, b in np.argwhere(shown & (both[1] == 0)).tolist():
        if tick_s < _NEAR_S and (a ^ b) < _CARD_BIT:
            return {
                "pairs": f"channels {a} and {b} share one card, which takes no second photon within its dead time: of "
                f"{both[0, a, b]} close pairs none is within {_NEAR_S * 1e9:.0f} ns, whatever the emitter"
            }
    return {}


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open an SPC file; `where` is its path.

    Without the width of an ADC channel (no .set beside the file, no `resolution_ps`) the stream is T2 in ticks of the
    macro clock. With it, it is T3; a macro tick is a laser pulse only where setup or option says so.

    Options, beside those of every recording (`sources.reading.recording.open_recording`):
        format: spc130, spc600_256 or spc600_4096, where the layout cannot be told.
        set: path of the setup file; by default the .set with the name of the recording.
        resolution_ps: width of an ADC channel.
        period_ns: laser period.
        tick_ns: macro clock, where the file does not say it, or not exactly.
        macro_clock: "sync" where a macro tick is a laser pulse, "internal" where it is the card's own.

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read as SPC.
    """
    return open_recording("spc", where, options, _open, OPTIONS)
