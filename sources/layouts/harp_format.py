"""Harp format: what the headers of all PicoQuant files of 32-bit records come to, PTU and those before it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.layouts.ptu_header import PtuHeader
from sources.layouts.ptu_records import Layout
from sources.reading.record_file import HarpDecoder, RecordFormat
from sources.reading.record_state import SYNCS, UNKNOWN
from streamer.chunk import StreamInfo
from streamer.errors import InputError


def harp_format(path: Path, name: str, kind: str, header: PtuHeader, sync_channel: int | None = None) -> RecordFormat:
    """The records of a file of 32-bit records, as its header says.

    Args:
        path: the file.
        name: of the source.
        kind: of the file, such as "PTU" or "HT3".
        header: what it says.
        sync_channel: T2: channel on which sync events become photons; None leaves them out.

    Raises:
        InputError: `sync_channel` where there are no sync events.
    """
    layout = header.layout
    if sync_channel is not None and not layout.sync_events:
        raise InputError(f"{path}: sync_channel: {layout.name} records have no sync events; leave the option out")
    info = StreamInfo(
        mode=layout.mode,
        tick_s=header.tick_s,
        resolution_s=header.resolution_s,
        source=f"{name}:{path}",
        file=str(path),
        format=f"{kind} {layout.name}",
        hardware=header.hardware,
        sync_rate_hz=header.sync_rate_hz,
        duration_s=header.duration_s,
        warnings=header.warnings,
        doubts=header.doubts,
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
