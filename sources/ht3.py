"""HT3 source: HydraHarp 400 recordings from before PTU, .ht2 and .ht3 (format versions 1.0 and 2.0)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sources.layouts.harp_format import harp_format
from sources.layouts.picoquant_header import (
    Block,
    HeaderFile,
    duration_s,
    has_ident,
    template_doubts,
    text,
)
from sources.layouts.ptu_header import PtuHeader
from sources.layouts.ptu_records import RECORD_TYPES
from sources.reading import options as read_option
from sources.reading.events import Reader
from sources.reading.record_file import RecordFormat, RecordReader
from sources.reading.recording import Source, open_recording

_DEVICE, _SUFFIXES = "HydraHarp", ".ht2 or .ht3"
_TEXT = Block("306x")
_SETTINGS = Block("4x BitsPerRecord:i 4x MeasurementMode:i 8x Resolution:d 4x AcquisitionTime:i 168x")
_HARDWARE = Block("HardwareIdent:16s HardwarePartNo:8s 104x InputChannels:i 28x")
_INPUT = "16x 4x "  # settings and count rate of one input channel
_MOST_INPUTS = 8
_TAGGING = Block("SyncRate:i StopAfter:i 4x ImgHdrSize:i NumberOfRecords:q")
_LAYOUTS = {
    ("1.0", "T2"): RECORD_TYPES[0x00010204],
    ("1.0", "T3"): RECORD_TYPES[0x00010304],
    ("2.0", "T2"): RECORD_TYPES[0x01010204],
    ("2.0", "T3"): RECORD_TYPES[0x01010304],
}
_TICK_T2 = {"1.0": 0.5e-12, "2.0": 1e-12}  # s, of the device


def recognise(path: Path, head: bytes) -> bool:
    """Is this a file of a HydraHarp 400? Histograms (.hhd) are too, and are refused with their reason."""
    return has_ident(head, _DEVICE)


def read_header(path: Path) -> PtuHeader:
    """Read and check the header; no record is read.

    The tick is 0.5 ps (version 1.0) or 1 ps (2.0) in T2, one sync period, 1 / SyncRate, in T3.

    Raises:
        InputError: not an .ht2 or .ht3 file, or a header that leaves the photons in doubt.
    """
    file = HeaderFile(path, _DEVICE, tuple(_TICK_T2), _SUFFIXES)
    file.take(_TEXT)
    settings = file.take(_SETTINGS)
    mode = file.check_mode(settings["MeasurementMode"], {2: "T2", 3: "T3"}, settings["BitsPerRecord"])
    hardware = file.take(_HARDWARE)
    inputs = hardware["InputChannels"]
    if not 1 <= inputs <= _MOST_INPUTS:
        raise file.refuse("InpChansPresent", f"must be 1 to {_MOST_INPUTS}, got {inputs}")
    file.take(Block(_INPUT * inputs))
    tagging = file.take(_TAGGING)
    times = settings["AcquisitionTime"], tagging["StopAfter"]
    template = file.is_template(*times)
    doubts = template_doubts(mode) if template else {}
    rate, in_ps = tagging["SyncRate"], settings["Resolution"]
    if mode == "T3":
        tick_s = 1 / file.positive("SyncRate", rate, "Hz", "for a T3 tick is one sync period")
        resolution_s = file.nanotime_unit(in_ps / 1e12, tick_s)
    else:
        tick_s, resolution_s = _TICK_T2[file.version], 0.0
        if not abs(in_ps / 1e12 / tick_s - 1) < 1e-6:
            doubts["times"] = (
                f"Resolution says {in_ps:g} ps, where a tick of format version {file.version} has {tick_s * 1e12:g} ps"
            )
            file.warnings.append(doubts["times"])
    promised = tagging["NumberOfRecords"]
    records = file.records("NumberOfRecords", promised, tagging["ImgHdrSize"])
    return PtuHeader(
        layout=_LAYOUTS[file.version, mode],
        offset=file.at,
        records=records,
        tick_s=tick_s,
        resolution_s=resolution_s,
        sync_rate_hz=float(rate) if rate > 0 and not (template and mode == "T2") else None,
        hardware=f"{text(hardware['HardwareIdent'])} {text(hardware['HardwarePartNo'])}".strip(),
        duration_s=duration_s(*times),
        warnings=tuple(file.warnings),
        promised=promised if promised > 0 else None,
        doubts=doubts,
    )


def record_format(path: Path, sync_channel: int | None = None) -> RecordFormat:
    """What the header of an .ht2 or .ht3 file says.

    Args:
        path: the file.
        sync_channel: T2: channel on which sync events become photons; None leaves them out.

    Raises:
        InputError: a file or header from which no sure photon can be had, or `sync_channel` where there are none.
    """
    header = read_header(path)
    return harp_format(path, "ht3", f"H{header.layout.mode}", header, sync_channel)


def _open(path: Path, options: Mapping[str, str], chunk_records: int) -> Reader:
    channel = read_option.whole("ht3", "sync_channel", options["sync_channel"], 0, 255) if options else None
    return RecordReader(path, record_format(path, channel), chunk_records)


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open an .ht2 or .ht3 file; `where` is its path.

    Options, beside those of every recording (`sources.reading.recording.open_recording`):
        sync_channel: 0 to 255: T2 sync events become photons of this channel.

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read as .ht2 or .ht3.
    """
    return open_recording("ht3", where, options, _open, ("sync_channel",))
