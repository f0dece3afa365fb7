"""quTAG source: the 10-byte binary time tags of qutools' quTAG as a stream of Chunks.

A record is a little-endian int64 time and an int16 channel. Before the records stand 40 bytes ("binary" of the vendor's
library) or none ("raw"); the vendor says only that the header is for its own use and is to be skipped (tdcbase.h,
TDC_writeTimestamps). The 5-byte "compressed" files keep 37 bits of the time and are refused. Times count from when the
device was started, so the stream begins with its first tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from sources.reading import options as read_option
from sources.reading.events import Gap, Reader
from sources.reading.record_file import RecordFormat, RecordReader
from sources.reading.record_state import BACKSTEPS, LATEST, LONGEST, MARKERS, PHOTONS, TICKS, UNKNOWN
from sources.reading.recording import Source, open_recording
from streamer.chunk import StreamInfo
from streamer.errors import InputError

MAGIC = b"\x87\xb3\x91\xfa"  # of the one public recording with a header, and what timetag/ETA looks for
HEADER_BYTES, RECORD_BYTES = 40, 10
HORIZON_S = 1e-6  # tags of different channels come up to some 100 ns late; channel delays are at most 100 ns each way
_TICK_PS = 1.0
_LAST_CHANNEL = 20  # TDC_MAX_CHANNEL_NO: of several devices in a chain
_SURE = 16  # so many records that look like tags are tags
_BACK_PS, _AHEAD_PS = 10_000_000, 1 << 50  # by which time may go back, and on (19 minutes without a tag), between two

# What a channel number stands for (tdcbase.h, TDC_enableMarkers and TDC_writeTimestamps): a tag of its own number, a
# rising edge of marker 0..3 (100..103), the device's millisecond tick (104), or a falling edge (200..203).
_MARKERS = {100 + k: 1 << k for k in range(4)} | {200 + k: 16 << k for k in range(4)}
_TIMER = 104
_KNOWN = frozenset((*range(_LAST_CHANNEL + 1), *_MARKERS, _TIMER))
MARKER_BITS: NDArray[np.uint8] = np.zeros(256, np.uint8)  # by channel number; 0: no marker
for _channel, _bit in _MARKERS.items():
    MARKER_BITS[_channel] = _bit
MARKER_BITS.flags.writeable = False

_U64, _I64 = np.uint64, np.int64
_BLOCK = 2048  # records looked at for anything but tags before they are gone through one by one
_HALVES = types.Array(types.uint16, 1, "C", readonly=True)
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_OUT64, _OUT8 = types.Array(types.int64, 1, "C"), types.Array(types.uint8, 1, "C")


@njit(types.int64(_HALVES, _BYTES, _OUT64, _OUT8, _OUT64, _OUT8, _OUT64), cache=True, nogil=True)
def decode(halves, bits, time, channel, marker_time, marker, state):  # type: ignore[no-untyped-def]
    """Append the tags and markers of a block of records.

    Args:
        halves: uint16[5 * r], the records: a record is at an even address, but not at one its int64 could be read from.
        bits: uint8[256], marker bits by channel number.
        time, channel: int64 and uint8 with room for r entries from state[PHOTONS] on.
        marker_time, marker: int64 and uint8 with room for r entries from state[MARKERS] on.
        state: int64[16], see `sources.reading.record_state`; here TICKS is the latest millisecond tick of the device.

    Returns:
        How many records: all.
    """
    records = halves.size // 5
    n = state[PHOTONS]
    begin, done = n, 0
    while done < records:
        size = min(records - done, _BLOCK)
        odd = _U64(0)
        for k in range(size):
            at = _U64(5 * (done + k))
            tag = (
                _U64(halves[at])
                | _U64(halves[at + _U64(1)]) << _U64(16)
                | _U64(halves[at + _U64(2)]) << _U64(32)
                | _U64(halves[at + _U64(3)]) << _U64(48)
            )
            code = halves[at + _U64(4)]
            time[n + k] = _I64(tag)
            channel[n + k] = np.uint8(code)
            odd += _U64(code > _LAST_CHANNEL) + _U64(tag > _U64(LONGEST))
        if odd == 0:
            n += size
        else:
            for k in range(size):
                here = 5 * (done + k)
                number = _I64(halves[here + 4])
                when = (
                    _I64(halves[here])
                    | _I64(halves[here + 1]) << 16
                    | _I64(halves[here + 2]) << 32
                    | _I64(halves[here + 3]) << 48
                )
                if when < 0 or when > LONGEST:
                    state[UNKNOWN] += 1
                elif number <= _LAST_CHANNEL:
                    time[n] = when
                    channel[n] = np.uint8(number)
                    n += 1
                elif number == _TIMER:
                    state[TICKS] = max(state[TICKS], when)
                elif number < 256 and bits[number] > 0:
                    state[LATEST] = max(state[LATEST], when)
                    marker_time[state[MARKERS]] = when
                    marker[state[MARKERS]] = bits[number]
                    state[MARKERS] += 1
                else:
                    state[UNKNOWN] += 1
        done += size
    backsteps = _I64(0)
    for k in range(max(begin, 1), n):
        backsteps += _I64(time[k] < time[k - 1])
    state[BACKSTEPS] += backsteps
    state[PHOTONS] = n
    return records


class TagDecoder:
    """Decoder of 10-byte tags (see `sources.reading.record_file.Decoder`)."""

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
        """See `Decoder.decode`."""
        decode(block.view(np.uint16), MARKER_BITS, time, channel, marker_time, marker, state)
        return []


@dataclass(frozen=True)
class Header:
    """What stands before the records.

    Attributes:
        offset: byte of the first record.
        records: whole records.
        begins: tick of the first tag, or of the device's clock if that is earlier; None where there is none yet.
        surplus: bytes behind the last whole record.
    """

    offset: int
    records: int
    begins: int | None
    surplus: int


def recognise(path: Path, head: bytes) -> bool:
    """Is this a quTAG binary file, with its header, or without one but with records that can be nothing else?"""
    return head.startswith(MAGIC) or any(
        len(head) >= offset + _SURE * RECORD_BYTES and _like_tags(head[offset:]) for offset in (HEADER_BYTES, 0)
    )


def read_header(path: Path) -> Header:
    """Find the records of a file.

    Raises:
        InputError: no such file, nothing in it, or records that are not 10-byte tags.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4096)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not head:
        raise InputError(f"{path}: the file is empty; record or copy it again")
    if head.startswith(MAGIC):
        if len(head) < HEADER_BYTES:
            raise InputError(f"{path}: the header has {len(head)} of {HEADER_BYTES} bytes; copy the file again")
        offset = HEADER_BYTES
    else:
        offset = HEADER_BYTES if _like_tags(head[HEADER_BYTES:]) and not _like_tags(head) else 0
    if len(head) >= offset + RECORD_BYTES and not _like_tags(head[offset:]):
        raise InputError(
            f"{path}: byte {offset}: its records are not quTAG tags of 10 bytes (int64 time, int16 channel up to "
            f"{_LAST_CHANNEL} or a marker's); files in the 5-byte compressed format must be written as binary"
        )
    records, surplus = divmod(size - offset, RECORD_BYTES)
    first = _records(head[offset:])
    known = first["time"][(first["channel"] <= _LAST_CHANNEL) | (first["channel"] == _TIMER)]
    near = known[known < known[0] + _BACK_PS] if len(known) else known
    return Header(offset, records, int(near.min()) if len(near) else None, surplus)


def _records(data: bytes) -> NDArray[np.void]:
    """Whole records as a structured array."""
    kind = np.dtype([("time", "<i8"), ("channel", "<u2")])
    return np.frombuffer(data, kind, len(data) // RECORD_BYTES)


def _like_tags(data: bytes) -> bool:
    """At least one record, known channels only, and times that hardly go back and not far ahead."""
    records = _records(data)
    time = records["time"]
    if not len(records) or not _KNOWN.issuperset(records["channel"].tolist()):
        return False
    if time.min() < 0 or time.max() > LONGEST or (len(time) > 1 and time.max() == time.min()):
        return False
    step = np.diff(time)
    return not len(step) or (int(step.min()) > -_BACK_PS and int(step.max()) < _AHEAD_PS)


def record_format(path: Path, tick_ps: float = _TICK_PS) -> RecordFormat:
    """What is known of a quTAG file; `tick_ps` is the device's time base, which no file tells.

    Raises:
        InputError: see `read_header`.
    """
    header = read_header(path)
    warnings = []
    if header.surplus:
        warnings.append(f"the file ends within a record: its last {header.surplus} bytes were left out")
    info = StreamInfo(
        mode="T2",
        tick_s=tick_ps * 1e-12,
        source=f"qutag:{path}",
        file=str(path),
        format="quTAG binary" if header.offset else "quTAG raw",
        hardware="quTAG",
        warnings=tuple(warnings),
    )
    return RecordFormat(
        info, header.offset, RECORD_BYTES, header.records, TagDecoder(),
        horizon=round(HORIZON_S / info.tick_s), begins=header.begins, remarks=_remarks,
    )  # fmt: skip


def _remarks(state: NDArray[np.int64]) -> list[str]:
    """What only the end can know, one line each."""
    if not state[UNKNOWN]:
        return []
    return [
        f"{state[UNKNOWN]} records were left out: their channel is none of 0 to {_LAST_CHANNEL} nor a marker's "
        f"(100 to 104, 200 to 203), or their time is none from 0 to {LONGEST}"
    ]


def _open(path: Path, options: Mapping[str, str], chunk_records: int) -> Reader:
    text = options.get("tick_ps", str(_TICK_PS))
    return RecordReader(
        path, record_format(path, read_option.number("qutag", "tick_ps", text, 0.01, 1e6)), chunk_records
    )


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open a quTAG file; `where` is its path.

    Options, beside those of every recording (`sources.reading.recording.open_recording`; horizon_ns is 1000 here):
        tick_ps: time base in ps; 1 for a quTAG, 80.955 for the older quTAU, whose files are the same otherwise.

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read as quTAG tags.
    """
    return open_recording("qutag", where, options, _open, ("tick_ps",))
