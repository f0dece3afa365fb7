"""PTU source: a PicoQuant recording as a stream of Chunks, at full speed or paced like the measurement."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.layouts.ptu_header import read_header
from sources.layouts.ptu_records import Layout
from sources.reading import options as read_option
from sources.reading.events import Reader
from sources.reading.record_file import HarpDecoder, RecordFormat, RecordReader
from sources.reading.record_state import SYNCS, UNKNOWN
from sources.reading.recording import Source, open_recording
from streamer.chunk import StreamInfo
from streamer.errors import InputError


def recognise(path: Path, head: bytes) -> bool:
    """Is this a PTU file, or a histogram of the same make, which `read_header` refuses with its reason?"""
    return head.startswith((b"PQTTTR", b"PQHIST"))


def record_format(path: Path, sync_channel: int | None = None) -> RecordFormat:
    """What the header of a PTU file says.

    Args:
        path: the file.
        sync_channel: T2: channel on which sync events become photons; None leaves them out.

    Raises:
        InputError: a file or header from which no sure photon can be had, or `sync_channel` where there are none.
    """
    header = read_header(path)
    layout = header.layout
    if sync_channel is not None and not layout.sync_events:
        raise InputError(f"{path}: sync_channel: {layout.name} records have no sync events; leave the option out")
    info = StreamInfo(
        mode=layout.mode,
        tick_s=header.tick_s,
        resolution_s=header.resolution_s,
        source=f"ptu:{path}",
        file=str(path),
        format=f"PTU {layout.name}",
        hardware=header.hardware,
        sync_rate_hz=header.sync_rate_hz,
        duration_s=header.duration_s,
        warnings=header.warnings,
        truth=header.truth,
    )

    return RecordFormat(
        info, header.offset, 4, header.records, HarpDecoder(layout, sync_channel),
        promised=header.promised, remarks=partial(harp_remarks, layout),
    )  # fmt: skip


def harp_remarks(layout: Layout, state: NDArray[np.int64]) -> list[str]:
    """What only the end can know of PicoQuant's records, one line each."""
    warnings = []
    if state[SYNCS]:
        warnings.append(f"{state[SYNCS]} sync events were left out; sync_channel=N makes them photons of channel N")
    if state[UNKNOWN]:
        warnings.append(
            f"{state[UNKNOWN]} records are neither photon, marker nor overflow in {layout.name} and were left out"
        )
    return warnings


def _open(path: Path, options: Mapping[str, str], chunk_records: int) -> Reader:
    channel = read_option.whole("ptu", "sync_channel", options["sync_channel"], 0, 255) if options else None
    return RecordReader(path, record_format(path, channel), chunk_records)


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open a PTU file; `where` is its path.

    Options, beside those of every recording (`sources.reading.recording.open_recording`):
        sync_channel: 0 to 255: T2 sync events become photons of this channel.

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read as PTU.
    """
    return open_recording("ptu", where, options, _open, ("sync_channel",))
