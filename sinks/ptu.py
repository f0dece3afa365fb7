"""PTU writer: Chunks as a PicoQuant T2 or T3 recording that other programs open.

Records are those of HydraHarp version 2 ("generic"): special 1, channel 6, then time 25 (T2) or nanotime 15 and pulse
10 bits (T3). An overflow record says how many times the time field wrapped. What such records cannot say is kept in
tags of our own: gaps and lost records are counted there and read back as a warning, for a gap becomes silence.
"""

from __future__ import annotations

import json
import math
import struct
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from streamer.chunk import NO_CHANNEL, NO_NANOTIME, NO_TIME, Chunk, StreamInfo
from streamer.errors import InputError

_RECORD_TYPE = {"T2": 0x01010204, "T3": 0x01010304}
_TIME_BITS = {"T2": 25, "T3": 10}
_LAST_CHANNEL, _LAST_NANOTIME, _LAST_MARKER = 62, 0x7FFF, 15
_OVERFLOW = 0xFE000000
_BUFFER = 1 << 16  # records written at a time
_EMPTY, _INT, _FLOAT, _DATE, _TEXT = 0xFFFF0008, 0x10000008, 0x20000008, 0x21000008, 0x4001FFFF  # tag types

# Columns of the encoder's `state`.
_PHOTON, _MARKER, _WRAPS, _LATE = range(4)


@njit(types.int64(types.int64), cache=True, nogil=True)
def _most_wraps(time_bits: int) -> int:
    """Most wraps that one overflow record says: ptufile multiplies them by the wrap in 32 bits, so no more than fit."""
    return min((1 << time_bits) - 1, (1 << (32 - time_bits)) - 1)


@njit(
    types.int64(
        types.Array(types.int64, 1, "C", readonly=True),
        types.Array(types.uint16, 1, "C", readonly=True),
        types.Array(types.uint8, 1, "C", readonly=True),
        types.Array(types.int64, 1, "C", readonly=True),
        types.Array(types.uint8, 1, "C", readonly=True),
        types.int64,
        types.Array(types.uint32, 1, "C"),
        types.Array(types.int64, 1, "C"),
    ),
    cache=True,
    nogil=True,
)
def encode(time, nanotime, channel, marker_time, marker, time_bits, records, state):  # type: ignore[no-untyped-def]
    """Write photons and markers, merged by time, as records until all are written or `records` is full.

    Args:
        time: int64[n], ticks, never decreasing.
        nanotime: uint16[n], at most 32767 (T3); uint16[0] in T2.
        channel: uint8[n], at most 62.
        marker_time, marker: int64[m], never decreasing, and uint8[m], 1 to 15.
        time_bits: width of the time field.
        records: uint32[r], written from its beginning.
        state: int64[4], read and written: photons and markers already written, overflows so far, markers that were
            earlier than the last overflow and so stand at the earliest time that can still be written.

    Returns:
        How many records were written. Call again while photons or markers are left.
    """
    field, most = np.int64((1 << time_bits) - 1), np.int64(_most_wraps(time_bits))
    i, j, wraps, written = state[0], state[1], state[2], 0
    while (i < time.size or j < marker_time.size) and written < records.size:
        marks = j < marker_time.size and (i >= time.size or marker_time[j] <= time[i])
        when = marker_time[j] if marks else time[i]
        missing = (when >> time_bits) - wraps
        if missing > 0:
            count = min(missing, most)
            records[written] = np.uint32(0xFE000000 | count)
            wraps += count
        elif marks:
            if missing < 0:
                state[3] += 1
            rest = when & field if missing == 0 else 0
            records[written] = np.uint32(0x80000000 | (np.int64(marker[j]) << 25) | rest)
            j += 1
        else:
            word = (np.int64(channel[i]) << 25) | (when & field)
            records[written] = np.uint32(word | (np.int64(nanotime[i]) << 10) if nanotime.size > 0 else word)
            i += 1
        written += 1
    state[0], state[1], state[2] = i, j, wraps
    return written


class PtuWriter:
    """A PTU file that grows chunk by chunk; a context manager. An existing file is replaced.

    A file that was not closed, after a crash, has a record count of 0 and all chunks but the one being written.
    The bytes do not depend on how the stream was cut into chunks. A span that ends within the field's last wrap is
    read back up to the beginning of that wrap (1024 laser pulses; 33554432 ticks in T2).

    Attributes:
        records: how many were written so far.
        late_markers: markers that came too late to be written at their time, and stand a little after it.
    """

    def __init__(self, path: Path | str, info: StreamInfo, comment: str = "", created: datetime | None = None) -> None:
        """Create the file and write its header.

        Args:
            path: the file.
            info: units, hardware, sync rate; its `truth` is kept in the comment and read back.
            comment: text for the file's comment tag.
            created: date for the header; now, if None. With it given, equal streams make equal files.

        Raises:
            InputError: the file cannot be created, or the stream's macro clock is not the laser.
        """
        if info.pulse_s is not None:
            raise InputError(
                f"{path}: a PTU file counts laser pulses, but this stream's clock of {info.tick_s * 1e9:g} ns is not "
                "the laser; save it in another format"
            )
        self._path, self._info = Path(path), info
        self._bits = _TIME_BITS[info.mode]
        self._buffer = np.empty(_BUFFER, np.uint32)
        self._state = np.zeros(4, np.int64)
        self._held: tuple[NDArray[np.int64], NDArray[np.uint8]] = (NO_TIME, NO_CHANNEL)
        self._stop = self._gap_ticks = self._lost = 0
        self.records = 0
        header, self._places = _header(info, comment, created or datetime.now(UTC))
        try:
            self._file = self._path.open("wb")
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror or error}; choose another place") from None
        self._file.write(header)
        self._file.flush()

    @property
    def late_markers(self) -> int:
        """How many markers stand after their time."""
        return int(self._state[_LATE])

    def write(self, chunk: Chunk) -> None:
        """Append a chunk; chunks must come in order of time.

        Raises:
            InputError: what a PTU record cannot hold, or times out of order; nothing of the chunk was written.
        """
        if self._file.closed:
            raise ValueError(f"{self._path}: is closed; open a new PtuWriter")
        self._check(chunk)
        self._gap_ticks += chunk.start - self._stop
        self._lost += chunk.lost
        self._stop = chunk.stop
        marker_time = np.concatenate((self._held[0], chunk.marker_time))
        marker = np.concatenate((self._held[1], chunk.marker))
        order = np.argsort(marker_time, kind="stable")
        marker_time, marker = marker_time[order], marker[order]
        # A marker from beyond the span would move the clock past photons that are still to come.
        ripe = int(np.searchsorted(marker_time, chunk.stop))
        self._held = marker_time[ripe:], marker[ripe:]
        self._encode(chunk.time, chunk.nanotime, chunk.channel, marker_time[:ripe], marker[:ripe])
        self._file.flush()

    def close(self) -> None:
        """Write the time since the last event, patch counts and duration into the header, close the file."""
        if self._file.closed:
            return
        try:
            self._encode(NO_TIME, NO_NANOTIME, NO_CHANNEL, *self._held)
            self._silence((self._stop >> self._bits) - int(self._state[_WRAPS]))
            milliseconds = math.ceil(self._stop * self._info.tick_s * 1e3)
            for tag, value in (
                ("TTResult_NumberOfRecords", self.records),
                ("MeasDesc_AcquisitionTime", milliseconds),
                ("TTResult_StopAfter", milliseconds),
                ("Streamer_LostRecords", self._lost),
                ("Streamer_GapTicks", self._gap_ticks),
            ):
                self._file.seek(self._places[tag])
                self._file.write(struct.pack("<q", value))
        finally:
            self._file.close()

    def __enter__(self) -> PtuWriter:
        """The writer itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close; what was written before an error stays readable."""
        self.close()

    def _check(self, chunk: Chunk) -> None:
        place = f"{self._path}: chunk from tick {chunk.start}"
        if not self._stop <= chunk.start <= chunk.stop:
            raise InputError(
                f"{place}: must begin at or after tick {self._stop}, where the last one stopped, and not stop before "
                f"it begins, got [{chunk.start}, {chunk.stop}); write chunks in order of time"
            )
        pulsed = self._info.mode == "T3"
        if len(chunk.channel) != len(chunk.time) or len(chunk.nanotime) != (len(chunk.time) if pulsed else 0):
            raise InputError(
                f"{place}: {len(chunk.time)} times, {len(chunk.channel)} channels and {len(chunk.nanotime)} nanotimes "
                f"do not make {self._info.mode} photons; in T2 there are no nanotimes"
            )
        if len(chunk.marker) != len(chunk.marker_time):
            raise InputError(f"{place}: {len(chunk.marker_time)} marker times for {len(chunk.marker)} markers")
        if len(chunk.time):
            first, last = int(chunk.time[0]), int(chunk.time[-1])
            if first < chunk.start or last >= chunk.stop or bool((chunk.time[1:] < chunk.time[:-1]).any()):
                raise InputError(
                    f"{place}: times must not go back and lie in [{chunk.start}, {chunk.stop}), got {first} to {last}; "
                    "sort the photons first"
                )
        for name, values, low, high in (
            ("channel", chunk.channel, 0, _LAST_CHANNEL),
            ("nanotime", chunk.nanotime, 0, _LAST_NANOTIME),
            ("marker", chunk.marker, 1, _LAST_MARKER),
        ):
            if len(values) and not (low <= values.min() and values.max() <= high):
                got = int(values.max() if values.max() > high else values.min())
                raise InputError(
                    f"{place}: {name}: a PTU record holds {low} to {high}, got {got}; leave those events out, "
                    "or save in another format"
                )

    def _encode(
        self,
        time: NDArray[np.int64],
        nanotime: NDArray[np.uint16],
        channel: NDArray[np.uint8],
        marker_time: NDArray[np.int64],
        marker: NDArray[np.uint8],
    ) -> None:
        state, arrays = self._state, (time, nanotime, channel, marker_time, marker)
        state[_PHOTON] = state[_MARKER] = 0
        while state[_PHOTON] < len(time) or state[_MARKER] < len(marker):
            self._put(self._buffer[: encode(*arrays, self._bits, self._buffer, state)])

    def _silence(self, wraps: int) -> None:
        """Overflow records for so many wraps without an event."""
        most = _most_wraps(self._bits)
        while wraps > 0:
            whole = min(wraps // most, _BUFFER)
            self._buffer[:whole] = _OVERFLOW | most
            self._put(self._buffer[:whole])
            wraps -= whole * most
            if 0 < wraps < most:
                self._put(np.array([_OVERFLOW | wraps], np.uint32))
                wraps = 0

    def _put(self, records: NDArray[np.uint32]) -> None:
        self._file.write(records.astype("<u4", copy=False).data)
        self.records += len(records)


def _header(info: StreamInfo, comment: str, created: datetime) -> tuple[bytes, dict[str, int]]:
    """The tagged header, and at which byte each tag's value stands."""
    notes = [comment] if comment else []
    if info.truth:
        notes.append("truth: " + json.dumps(info.truth))
    text = "\n".join(notes)
    rate = info.sync_rate_hz or (1 / info.tick_s if info.mode == "T3" else 0)
    resolution_s = info.resolution_s if info.mode == "T3" else info.tick_s
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{created.isoformat()} {text} {info!r}")
    tags: list[tuple[str, int, Any]] = [
        ("File_GUID", _TEXT, "{" + str(identity).upper() + "}"),
        ("File_CreatingTime", _DATE, (created.timestamp() / 86400) + 25569),  # days since the end of 1899
        ("File_Comment", _TEXT, text),
        ("CreatorSW_Name", _TEXT, "streamer"),
        ("CreatorSW_Version", _TEXT, "1"),
        ("Measurement_Mode", _INT, int(info.mode[1])),
        ("Measurement_SubMode", _INT, 0),
        ("HW_Type", _TEXT, info.hardware),
        ("HW_Version", _TEXT, ""),
        ("HW_BaseResolution", _FLOAT, resolution_s),
        ("MeasDesc_BinningFactor", _INT, 1),
        ("MeasDesc_AcquisitionTime", _INT, round((info.duration_s or 0) * 1e3)),
        ("MeasDesc_GlobalResolution", _FLOAT, info.tick_s),
        ("MeasDesc_Resolution", _FLOAT, resolution_s),
        ("TTResult_SyncRate", _INT, round(rate)),
        ("TTResult_StopAfter", _INT, 0),
        ("TTResult_NumberOfRecords", _INT, 0),
        ("TTResultFormat_TTTRRecType", _INT, _RECORD_TYPE[info.mode]),
        ("TTResultFormat_BitsPerRecord", _INT, 32),
        ("Streamer_LostRecords", _INT, 0),
        ("Streamer_GapTicks", _INT, 0),
        ("Header_End", _EMPTY, 0),
    ]
    header, places = bytearray(b"PQTTTR\0\0" + b"1.0.00\0\0"), {}
    for name, kind, value in tags:
        header += struct.pack("<32siI", name.encode("ascii"), -1, kind)
        places[name] = len(header)
        if kind == _TEXT:
            data = value.encode("cp1252", "replace") + b"\0"
            data += b"\0" * (-len(data) % 8)
            header += struct.pack("<q", len(data)) + data
        else:
            header += struct.pack("<d" if kind in (_FLOAT, _DATE) else "<q", value)
    return bytes(header), places
