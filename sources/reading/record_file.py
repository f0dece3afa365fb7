"""Record file: fixed-size records of one file as a Reader, whatever their format, and whether or not it still grows."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sources.layouts.ptu_records import Layout
from sources.layouts.ptu_records import decode as decode_harp
from sources.reading.events import Events, Gap
from sources.reading.record_state import BACKSTEPS, LATEST, LONGEST, MARKERS, PHOTONS, SYNCS, TICKS, new_state
from streamer.chunk import NO_CHANNEL, NO_TIME, StreamEnd, StreamInfo
from streamer.errors import InputError


class Decoder(Protocol):
    """Turns blocks of records into photons; all it remembers is in `state`, so a block can be decoded again."""

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
        """Append the photons and markers of whole records; return the gaps that they tell of.

        Args:
            block: uint8[k * record_bytes], read-only or not.
            time, channel: int64 and uint8 with room for k entries from state[PHOTONS] on; nanotime: uint16, the same in
                T3, empty in T2.
            marker_time, marker: int64 and uint8 with room for k entries from state[MARKERS] on.
            state: int64[16], see `sources.reading.record_state`.
        """
        ...


class HarpDecoder:
    """Decoder of PicoQuant's 32-bit records."""

    def __init__(self, layout: Layout, sync_channel: int | None = None) -> None:
        """`sync_channel` as for `Layout.rules`."""
        self._rules = layout.rules(sync_channel)

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
        decode_harp(block.view(np.uint32), self._rules, time, nanotime, channel, marker_time, marker, state)
        return []


def no_remarks(state: NDArray[np.int64]) -> list[str]:
    """Nothing to remark."""
    return []


def no_doubts() -> dict[str, str]:
    """Nothing to doubt."""
    return {}


@dataclass(frozen=True)
class RecordFormat:
    """What a header says of the records behind it.

    Attributes:
        info: of the stream.
        offset: byte at which the records begin.
        record_bytes: size of one.
        records: whole records in the file.
        decoder: of them.
        horizon: ticks by which tags are known to come late.
        begins: tick at which the recording began; None when its clock began long before.
        promised: records according to the header, where it says a number above 0; None elsewhere.
        remarks: (state) -> warnings that only the end can know.
        doubts: () -> doubts that only the end can know, as for `StreamEnd`.
    """

    info: StreamInfo
    offset: int
    record_bytes: int
    records: int
    decoder: Decoder
    horizon: int = 0
    begins: int | None = 0
    promised: int | None = None
    remarks: Callable[[NDArray[np.int64]], list[str]] = no_remarks
    doubts: Callable[[], dict[str, str]] = no_doubts


class Supply(Protocol):
    """Where the bytes of the records come from.

    Attributes:
        total: records that there will be, as far as is known now.
    """

    total: int

    def fill(self, into: memoryview) -> int | None:
        """Write whole records; return how many bytes, 0 when none are there yet, None at the end."""
        ...

    def ended(self) -> bool:
        """Was the last record given out?"""
        ...

    def warnings(self) -> list[str]:
        """What went wrong, one line each."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class WholeFile:
    """Supply of a file that is complete."""

    def __init__(self, path: Path, fmt: RecordFormat) -> None:
        """The file is opened when its first record is asked for."""
        self._path, self._format = path, fmt
        self.total = fmt.records
        self._given = 0
        self._file: io.BufferedReader | None = None
        self._warnings: list[str] = []

    def fill(self, into: memoryview) -> int | None:
        """See `Supply.fill`."""
        if self._given >= self.total:
            return None
        size, border = self._format.record_bytes, self._format.promised or 0
        until = border if self._given < border < self.total else self.total
        wanted = min(len(into) // size, until - self._given) * size
        try:
            if self._file is None:
                self._file = self._path.open("rb")
                self._file.seek(self._format.offset + self._given * size)
            got = self._file.readinto(into[:wanted]) // size
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read any more ({error.strerror or error})") from None
        self._given += got
        if got * size < wanted:
            self.total = self._given
            self._warnings.append(f"the file became shorter while it was read: it ends at record {self.total}")
        return got * size

    def skip(self, records: int) -> None:
        """Begin behind so many records; before the first `fill`."""
        self._given = records

    def ended(self) -> bool:
        """See `Supply.ended`."""
        return self._given >= self.total

    def warnings(self) -> list[str]:
        """See `Supply.warnings`."""
        return self._warnings

    def close(self) -> None:
        """See `Supply.close`."""
        if self._file is not None:
            self._file.close()


class RecordReader:
    """Fixed-size records as a Reader; see `sources.reading.events.Reader`.

    Attributes:
        format: what the header says of them.
    """

    def __init__(self, path: Path, fmt: RecordFormat, chunk_records: int, supply: Supply | None = None) -> None:
        """Nothing is read yet.

        Args:
            path: for messages.
            fmt: what the header says.
            chunk_records: most records of one block.
            supply: of the bytes; the whole file, if None.
        """
        self.info, self.horizon, self.begins = fmt.info, fmt.horizon, fmt.begins
        self.format = fmt
        self._path, self._format = path, fmt
        self._over = False
        self._supply: Supply = supply or WholeFile(path, fmt)
        self._chunk_records = max(1, min(chunk_records, fmt.records) if supply is None else chunk_records)
        self._buffer: NDArray[np.uint8] | None = None
        self._state = new_state()
        self._before = self._state
        self._block: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._first = self._records = 0
        self._warnings: list[str] = []
        self._marker_arrays: tuple[NDArray[np.int64], NDArray[np.uint8]] = (NO_TIME, NO_CHANNEL)

    def read(self, held: Events) -> Events | None:
        """What was held back, and the next block of records after it.

        Raises:
            InputError: the file cannot be read any more, or its overflows go beyond what 64 bits hold.
        """
        size = self._format.record_bytes
        if self._buffer is None:
            self._buffer = np.empty(self._chunk_records * size, np.uint8)
        got = self._supply.fill(self._buffer.data)
        if not got:
            return self._nothing(held, over=got is None)
        self._block, self._first = self._buffer[:got], self._records
        self._before = self._state.copy()
        self._state[BACKSTEPS] = 0
        events, gaps = self._decode(self._block, held)
        if self._state[TICKS] > LONGEST:
            raise InputError(
                f"{self._path}: {self._place(lambda state: state[TICKS] > LONGEST)}: the overflows add up to more than "
                f"{LONGEST} ticks; the file is damaged, copy it again"
            )
        self._records += got // size
        if self._records == self._format.promised and not self._supply.ended():
            self._check_surplus()
        events.last = self._over = self._supply.ended()
        events.reached = self._reached()
        events.gaps, events.backsteps = tuple(gaps), int(self._state[BACKSTEPS])
        return events

    def _nothing(self, held: Events, *, over: bool) -> Events | None:
        """No new record: none is there yet, or the supply has found out only now that none will come."""
        if over and self._over:
            return None
        self._over = over
        return replace(held, reached=self._reached(), gaps=(), backsteps=0, last=over)

    def _reached(self) -> int:
        """Tick up to which everything has come; at the end, after events that were left out too."""
        ticks = int(self._state[TICKS])
        return max(ticks, int(self._state[LATEST]) + 1) if self._over else ticks

    def place(self, photon: int) -> str:
        """Where the photon with this index in the latest block stands."""
        return self._place(lambda state: state[PHOTONS] > photon)

    def end(self) -> StreamEnd:
        """What only the end can know."""
        warnings = [*self._supply.warnings(), *self._warnings, *self._format.remarks(self._state)]
        return StreamEnd(
            "", self._records, sync_records=int(self._state[SYNCS]), warnings=tuple(warnings),
            doubts=self._format.doubts(),
        )  # fmt: skip

    def stop(self) -> None:
        """Wake a supply that waits for more."""
        wake = getattr(self._supply, "stop", None)
        if wake is not None:
            wake()

    def close(self) -> None:
        """Let go of the file."""
        self._supply.close()

    def _decode(self, block: NDArray[np.uint8], held: Events) -> tuple[Events, list[Gap]]:
        """What was held back, and the block after it, in fresh arrays."""
        state, records = self._state, len(block) // self._format.record_bytes
        before, size = len(held.time), len(held.time) + records
        state[PHOTONS], state[MARKERS] = before, len(held.marker)
        time, channel = np.empty(size, np.int64), np.empty(size, np.uint8)
        nanotime = np.empty(size if self.info.mode == "T3" else 0, np.uint16)
        marker_time, marker = self._marker_room(len(held.marker) + records)
        if before:
            time[:before], channel[:before] = held.time, held.channel
            nanotime[: len(held.nanotime)] = held.nanotime
        if len(held.marker):
            marker_time[: len(held.marker)], marker[: len(held.marker)] = held.marker_time, held.marker
        gaps = self._format.decoder.decode(block, time, nanotime, channel, marker_time, marker, state)
        n, m = int(state[PHOTONS]), int(state[MARKERS])
        time, nanotime, channel = time[:n], nanotime[:n], channel[:n]
        if n < size // 2:  # whoever keeps a sparse chunk should not keep what was allocated for a full one
            time, nanotime, channel = time.copy(), nanotime.copy(), channel.copy()
        return Events(time, nanotime, channel, marker_time[:m].copy(), marker[:m].copy()), gaps

    def _check_surplus(self) -> None:
        """Records behind the promised number are taken only when all of them are in order of time."""
        state, size = self._state.copy(), self._format.record_bytes
        state[BACKSTEPS] = 0
        rest = WholeFile(self._path, self._format)
        rest.skip(self._records)
        buffer = np.empty(1 << 16, np.uint8)[: (1 << 16) // size * size]
        found, self._state = self._state, state
        newest = Events()
        while (got := rest.fill(buffer.data)) is not None:
            events, _ = self._decode(buffer[:got], newest)
            newest = Events(events.time[-1:], events.nanotime[-1:], events.channel[-1:])
            if state[BACKSTEPS] or state[TICKS] > LONGEST:
                self._warnings.append(
                    f"the {self._supply.total - self._records} records behind the {self._records} that the header "
                    "promises run back in time and were left out"
                )
                self._supply.total = self._records
                break
        rest.close()
        self._state = found

    def _marker_room(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Arrays that the decoder writes markers to, used again for every block: pages never written cost nothing."""
        if self._marker_arrays[0].size < size:
            self._marker_arrays = np.empty(size, np.int64), np.empty(size, np.uint8)
        return self._marker_arrays

    def _place(self, reached: Callable[[NDArray[np.int64]], bool]) -> str:
        """The first record of the latest block with which something is reached, found by decoding shorter parts."""
        size, after = self._format.record_bytes, self._state
        good, bad = 0, len(self._block) // size
        while bad - good > 1:
            middle = (good + bad) // 2
            self._state = self._before.copy()
            self._decode(self._block[: middle * size], Events())
            if reached(self._state):
                bad = middle
            else:
                good = middle
        self._state = after
        return f"record {self._first + bad} of {self._supply.total}"
