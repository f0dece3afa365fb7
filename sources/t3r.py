"""T3R source: TimeHarp 200 recordings, .t3r (format versions 5.0 and 6.0)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.layouts.picoquant_header import Block, HeaderFile, duration_s, has_ident, shortest, text
from sources.layouts.t3r_records import CHANNELS, beyond, decode, folded
from sources.reading.events import Gap, Reader
from sources.reading.record_file import RecordFormat, RecordReader
from sources.reading.record_state import UNKNOWN
from sources.reading.recording import Source, open_recording
from streamer.chunk import StreamInfo

_DEVICE, _SUFFIXES = "TimeHarp 200", ".t3r"
_TEXT = {"5.0": Block("HardwareVersion:6s 276x"), "6.0": Block("306x")}
_SETTINGS = Block("8x BitsPerRecord:i 4x Boards:i 4x MeasurementMode:i 12x AcquisitionTime:i 168x")
_BOARD = {"5.0": Block("20x Resolution:f"), "6.0": Block("HardwareIdent:16s HardwareVersion:8s 20x Resolution:f")}
_TAGGING = Block("GlobalClock:i 24x SyncRate:i 4x StopAfter:i 4x NumberOfRecords:i SpecialHeader:i")
_CLOCK_NS = 100
_SAMPLE = 1 << 16  # records looked at before the first one is given out
_BEYOND_WARNED, _BEYOND_DOUBTED = 0.001, 0.01


class T3rDecoder:
    """Decoder of TimeHarp 200 records; see `sources.layouts.t3r_records`."""

    def __init__(self, period: float) -> None:
        """`period` of the laser in channels; inf where it is not known."""
        self._fold = folded(period)

    def decode(
        self,
        block: NDArray[np.uint8],
        time: NDArray[np.int64],
        nanotime: NDArray[np.uint16],
        channel: NDArray[np.uint8],
        marker_time: NDArray[np.int64],
        marker: NDArray[np.uint8],
        state: NDArray[np.int64],
    ) -> list[Gap]:
        """See `sources.reading.record_file.Decoder.decode`."""
        decode(block.view(np.uint32), self._fold, time, nanotime, channel, marker_time, marker, state)
        return []


def recognise(path: Path, head: bytes) -> bool:
    """Is this a file of a TimeHarp 200? Histograms (.thd) are too, and are refused with their reason."""
    return has_ident(head, _DEVICE)


def record_format(path: Path) -> RecordFormat:
    """What the header of a .t3r file says.

    The macro clock (100 ns) is not the laser, whose period is 1 / SyncRate. Where that is 0 the laser period is not
    known: `pulse_s` is the range of the nanotime then.

    Raises:
        InputError: not a .t3r file, or a header that leaves the photons in doubt.
    """
    file = HeaderFile(path, _DEVICE, tuple(_TEXT), _SUFFIXES)
    first, settings = file.take(_TEXT[file.version]), file.take(_SETTINGS)
    file.check_mode(settings["MeasurementMode"], {2: "TTTR"}, settings["BitsPerRecord"])
    if settings["Boards"] != 1:
        raise file.refuse("NumberOfBoards", f"must be 1, got {settings['Boards']}")
    board, tagging = file.take(_BOARD[file.version]), file.take(_TAGGING)
    clock_ns = file.positive("TTTRGlobclock", tagging["GlobalClock"], "ns", "for it is the macro clock")
    doubts = {}
    if clock_ns != _CLOCK_NS:
        doubts["times"] = f"TTTRGlobclock says {clock_ns} ns, where the macro clock of a {_DEVICE} has {_CLOCK_NS} ns"
        file.warnings.append(doubts["times"])
    resolution_s, rate = shortest(board["Resolution"]) / 1e9, tagging["SyncRate"]
    pulse_s = 1 / rate if rate > 0 else None
    if pulse_s:
        file.nanotime_unit(resolution_s, pulse_s)
    else:
        file.nanotime_unit(resolution_s, _CLOCK_NS / 1e9, "macro clock")
        file.warnings.append(f"SyncRate says {rate}: the laser period is not known")
    promised, stopped_ms = tagging["NumberOfRecords"], tagging["StopAfter"]
    records = file.records("NumberOfRecords", promised, tagging["SpecialHeader"])
    period = pulse_s / resolution_s if pulse_s else math.inf
    if pulse_s and (doubt := _check_period(file, records, period)):
        doubts["nanotimes"] = doubt
    version = text((first | board)["HardwareVersion"])
    info = StreamInfo(
        mode="T3",
        tick_s=clock_ns / 1e9,
        resolution_s=resolution_s,
        source=f"t3r:{path}",
        file=str(path),
        format=f"T3R TimeHarp200 {file.version}",
        hardware=f"{_DEVICE} {version}".strip(),
        sync_rate_hz=float(rate) if pulse_s else None,
        duration_s=duration_s(settings["AcquisitionTime"], stopped_ms),
        warnings=tuple(file.warnings),
        doubts=doubts,
        pulse_s=pulse_s or CHANNELS * resolution_s,
        pulse_known=pulse_s is not None,
    )
    return RecordFormat(
        info, file.at, 4, records, T3rDecoder(period), promised=promised if promised > 0 else None, remarks=_remarks
    )


def _check_period(file: HeaderFile, records: int, period: float) -> str:
    """Warn when the first records' channels span more than the laser period; a reason for doubt when by much."""
    sample = file.first_records(min(records, _SAMPLE))
    outside, photons = beyond(sample, period)
    if outside <= _BEYOND_WARNED * photons:
        return ""
    line = (
        f"{outside} of the first {photons} photons lie outside one laser period of {period:.6g} channels; "
        "SyncRate or Resolution may be of another run"
    )
    file.warnings.append(line)
    return line if outside > _BEYOND_DOUBTED * photons else ""


def _remarks(state: NDArray[np.int64]) -> list[str]:
    if not state[UNKNOWN]:
        return []
    return [f"{state[UNKNOWN]} records are neither photon, marker nor overflow and were left out"]


def _open(path: Path, options: Mapping[str, str], chunk_records: int) -> Reader:
    return RecordReader(path, record_format(path), chunk_records)


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open a .t3r file; `where` is its path.

    Options are those of every recording (`sources.reading.recording.open_recording`).

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read as .t3r.
    """
    return open_recording("t3r", where, options, _open)
