"""PT3 source: PicoHarp 300 recordings from before PTU, .pt2 and .pt3 (format version 2.0)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sources.layouts.harp_format import harp_format
from sources.layouts.picoquant_header import (
    Block,
    HeaderFile,
    duration_s,
    has_ident,
    shortest,
    template_doubts,
    text,
)
from sources.layouts.ptu_header import PtuHeader
from sources.layouts.ptu_records import RECORD_TYPES
from sources.reading.events import Reader
from sources.reading.record_file import RecordFormat, RecordReader
from sources.reading.recording import Source, open_recording

_DEVICE, _SUFFIXES = "PicoHarp 300", ".pt2 or .pt3"
_TEXT = Block("306x")
_SETTINGS = Block("4x BitsPerRecord:i 12x MeasurementMode:i 12x AcquisitionTime:i 168x")
_BOARD = Block("HardwareIdent:16s HardwareVersion:8s 24x Resolution:f 104x")
_TAGGING = Block("12x InputRate0:i 4x StopAfter:i 4x NumberOfRecords:i ImgHdrSize:i")
_LAYOUTS = {"T2": RECORD_TYPES[0x00010203], "T3": RECORD_TYPES[0x00010303]}
_TICK_T2 = 4e-12  # s, of the device


def recognise(path: Path, head: bytes) -> bool:
    """Is this a file of a PicoHarp 300? Histograms (.phd) are too, and are refused with their reason."""
    return has_ident(head, _DEVICE)


def read_header(path: Path) -> PtuHeader:
    """Read and check the header; no record is read.

    The tick is 4 ps in T2. In T3 it is one sync period, 1 / InputRate0. That is the rate before the sync divider, as
    the pulse numbers are: real recordings with a divider of 8 span their acquisition time. Input 0 is a detector in T2,
    so there is no sync rate.

    Raises:
        InputError: not a .pt2 or .pt3 file, or a header that leaves the photons in doubt.
    """
    file = HeaderFile(path, _DEVICE, ("2.0",), _SUFFIXES)
    file.take(_TEXT)
    settings = file.take(_SETTINGS)
    mode = file.check_mode(settings["MeasurementMode"], {2: "T2", 3: "T3"}, settings["BitsPerRecord"])
    board, tagging = file.take(_BOARD), file.take(_TAGGING)
    tick_s, resolution_s, rate = _TICK_T2, 0.0, None
    if mode == "T3":
        rate = file.positive("InputRate0", tagging["InputRate0"], "Hz", "for a T3 tick is one sync period")
        tick_s = 1 / rate
        resolution_s = file.nanotime_unit(shortest(board["Resolution"]) / 1e9, tick_s)
    times = settings["AcquisitionTime"], tagging["StopAfter"]
    template = file.is_template(*times)
    promised = tagging["NumberOfRecords"]
    records = file.records("NumberOfRecords", promised, tagging["ImgHdrSize"])
    return PtuHeader(
        layout=_LAYOUTS[mode],
        offset=file.at,
        records=records,
        tick_s=tick_s,
        resolution_s=resolution_s,
        sync_rate_hz=float(rate) if rate else None,
        hardware=f"{text(board['HardwareIdent'])} {text(board['HardwareVersion'])}".strip(),
        duration_s=duration_s(*times),
        warnings=tuple(file.warnings),
        promised=promised if promised > 0 else None,
        doubts=template_doubts(mode) if template else {},
    )


def record_format(path: Path) -> RecordFormat:
    """What the header of a .pt2 or .pt3 file says.

    Raises:
        InputError: a file or header from which no sure photon can be had.
    """
    header = read_header(path)
    return harp_format(path, "pt3", f"P{header.layout.mode}", header)


def _open(path: Path, options: Mapping[str, str], chunk_records: int) -> Reader:
    return RecordReader(path, record_format(path), chunk_records)


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open a .pt2 or .pt3 file; `where` is its path.

    Options are those of every recording (`sources.reading.recording.open_recording`).

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read as .pt2 or .pt3.
    """
    return open_recording("pt3", where, options, _open)
