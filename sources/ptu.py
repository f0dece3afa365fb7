"""PTU source: a PicoQuant recording as a stream of Chunks, at full speed or paced like the measurement."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sources.layouts.harp_format import harp_format
from sources.layouts.ptu_header import read_header
from sources.reading import options as read_option
from sources.reading.events import Reader
from sources.reading.record_file import RecordFormat, RecordReader
from sources.reading.recording import Source, open_recording


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
    return harp_format(path, "ptu", "PTU", read_header(path), sync_channel)


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
