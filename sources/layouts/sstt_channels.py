"""SSTT channels: the files of an SSTT recording, decoded block by block and merged by time.

Facts: rabouwlab/libtimetag, include/sstt_file.h and include/sstt_file2.h. Records are little-endian words whose lowest
bit says overflow; the next is reserved.

    version   header     record    above the two lowest bits
    1         none       8 bytes   microtime 34, time 28; or the number of overflows of the time, 62
    2         18 bytes   6 bytes   time 46; or the number of overflows, 46

The first record of a channel is an overflow that brings it to the device's clock. The microtimes of version 1 were made
from the tags of the pulses channel, which are there to make nanotimes from.
"""

from __future__ import annotations

import io

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from sources.layouts.sstt_index import ChannelEntry
from sources.reading.record_state import LONGEST
from streamer.errors import InputError

CHANNEL_MAGIC = b"SSTT2\0"
_HEADER_BYTES = 18
_PHOTONS, _OVERFLOWS, _UNKNOWN, _NEWEST, _BACKSTEPS = range(5)  # columns of a channel's state

_U64, _I64 = np.uint64, np.int64
_BLOCK = 2048
_WORDS = types.Array(types.uint16, 1, "C", readonly=True)
_TIMES, _BYTES = types.Array(types.int64, 1, "C", readonly=True), types.Array(types.uint8, 1, "C", readonly=True)
_OUT64, _OUT8 = types.Array(types.int64, 1, "C"), types.Array(types.uint8, 1, "C")


@njit(types.int64(_WORDS, types.int64, types.int64, types.int64, _OUT64, _OUT64), cache=True, nogil=True)
def decode(words, per_record, shift, bits, time, state):  # type: ignore[no-untyped-def]
    """Decode a block of one channel's records.

    Args:
        words: uint16[r * per_record].
        per_record: 3 (version 2) or 4 (version 1).
        shift: bits below the time; bits: of the time.
        time: int64[>= r], written from 0 on.
        state: int64[5], read and written: events and overflows so far, records left out, the latest time, and events
            earlier than that.

    Returns:
        How many events; -1 where the overflows add up to more than LONGEST ticks.
    """
    records, mask = words.size // per_record, (_U64(1) << _U64(bits)) - _U64(1)
    n, done, most = 0, 0, _I64(LONGEST) >> bits
    while done < records:
        size = min(records - done, _BLOCK)
        odd, base = _U64(0), state[_OVERFLOWS] << bits
        for k in range(size):
            at = _U64(per_record * (done + k))
            word = _U64(words[at]) | _U64(words[at + _U64(1)]) << _U64(16) | _U64(words[at + _U64(2)]) << _U64(32)
            if per_record == 4:
                word |= _U64(words[at + _U64(3)]) << _U64(48)
            time[n + k] = base + _I64(word >> _U64(shift) & mask)
            odd += word & _U64(3)
        if odd == 0:
            n += size
        else:
            for k in range(size):
                at = _U64(per_record * (done + k))
                word = _U64(words[at]) | _U64(words[at + _U64(1)]) << _U64(16) | _U64(words[at + _U64(2)]) << _U64(32)
                if per_record == 4:
                    word |= _U64(words[at + _U64(3)]) << _U64(48)
                if word & _U64(3) == 0:
                    time[n] = (state[_OVERFLOWS] << bits) + _I64(word >> _U64(shift) & mask)
                    n += 1
                elif word & _U64(3) == 1:
                    more = word >> _U64(2)
                    if more > _U64(most - state[_OVERFLOWS]):
                        return -1
                    state[_OVERFLOWS] += _I64(more)
                else:
                    state[_UNKNOWN] += 1
        done += size
    state[_PHOTONS] += n
    newest, backsteps = state[_NEWEST], _I64(0)
    for k in range(n):
        backsteps += _I64(time[k] < newest)
        newest = max(newest, time[k])
    state[_NEWEST] = max(newest, state[_OVERFLOWS] << bits)
    state[_BACKSTEPS] += backsteps
    return n


@njit(types.void(_OUT64, types.int64, types.int64, types.int64, _OUT64, types.int64), cache=True, nogil=True)
def _merge_two(key, first, middle, stop, out, at):  # type: ignore[no-untyped-def]
    """Two sorted runs, first:middle and middle:stop, to `out` from `at` on; no branch depends on the times."""
    i, j, k = _U64(first), _U64(middle), _U64(at)
    one, other, end = _U64(middle), _U64(stop), _U64(at + stop - first)
    while True:
        # Each step waits for the last one, so steps from both ends go side by side; so many cannot use up a run.
        both = min(one - i, other - j) // _U64(2)
        if both < _U64(8):
            break
        for _ in range(both):
            x, y = key[i], key[j]
            later = _U64(y < x)
            out[k] = min(x, y)
            i, j, k = i + (_U64(1) - later), j + later, k + _U64(1)
            x, y = key[one - _U64(1)], key[other - _U64(1)]
            later = _U64(y > x)
            end -= _U64(1)
            out[end] = max(x, y)
            one, other = one - (_U64(1) - later), other - later
    while i < one and j < other:
        if key[j] < key[i]:
            out[k], j = key[j], j + _U64(1)
        else:
            out[k], i = key[i], i + _U64(1)
        k += _U64(1)
    while i < one:
        out[k], i, k = key[i], i + _U64(1), k + _U64(1)
    while j < other:
        out[k], j, k = key[j], j + _U64(1), k + _U64(1)


@njit(types.int64(_TIMES, _OUT64, _TIMES, _TIMES, _BYTES, _OUT64, _OUT8, _OUT64), cache=True, nogil=True)
def merge(time, at, stop, before, numbers, out, channel, work):  # type: ignore[no-untyped-def]
    """Merge channels by time; equal times in the order of the channels.

    Args:
        time: int64[n], the channels' events one channel after the other.
        at, stop: int64[c], c <= 64, where each channel's events go on and end in `time`; `at` is moved.
        before: int64[c], only a channel's events before this tick are taken.
        numbers: uint8[c].
        out, channel, work: int64[n], uint8[n], int64[n], written.

    Returns:
        How many events; -1, with nothing done, where they spread over 2**57 ticks (40 h of picoseconds).
    """
    channels, base, top = at.size, np.iinfo(np.int64).max, np.iinfo(np.int64).min
    ends, runs, n = np.empty(channels, np.int64), np.empty(channels + 1, np.int64), 0
    for c in range(channels):
        k = at[c]
        while k < stop[c] and time[k] < before[c]:
            base, top = min(base, time[k]), max(top, time[k])
            k += 1
        ends[c] = k
    if top - base >= _I64(1) << 57:
        return -1
    for c in range(channels):
        runs[c] = n
        for k in range(at[c], ends[c]):
            work[n] = (time[k] - base) << 6 | c
            n += 1
        at[c] = ends[c]
    runs[channels] = n
    here, there, many = work, out, channels
    while many > 1:
        for r in range(0, many, 2):
            middle = runs[r + 1]
            last = runs[min(r + 2, many)]
            _merge_two(here, runs[r], middle, last, there, runs[r])
            runs[r // 2] = runs[r]
        many = (many + 1) // 2
        runs[many] = n
        here, there = there, here
    for k in range(n):
        key = here[k]
        channel[k] = numbers[key & 63]
        out[k] = (key >> 6) + base
    return n


class Channel:
    """One channel's file, decoded block by block into a part of an array that all channels share."""

    def __init__(self, entry: ChannelEntry, version: int, room: NDArray[np.int64]) -> None:
        """Look at its header; `room` takes one block.

        Raises:
            InputError: no such file, or not one of this version.
        """
        self.entry = entry
        self._room = room
        self._per_record, self._shift, self._bits = (3, 2, 46) if version == 2 else (4, 36, 28)
        self._words = np.empty(self._per_record * len(room), np.uint16)
        self.state = np.zeros(5, np.int64)
        self.records = self.surplus = 0
        self.over = False
        self._file: io.BufferedReader | None = None
        self._offset = _HEADER_BYTES if version == 2 else 0
        try:
            with entry.path.open("rb") as file:
                head = file.read(self._offset)
        except OSError as error:
            raise InputError(f"{entry.path}: cannot be read ({error.strerror or error})") from None
        if version == 2 and (len(head) < _HEADER_BYTES or not head.startswith(CHANNEL_MAGIC)):
            raise InputError(
                f"{entry.path}: must begin with the {_HEADER_BYTES} bytes of an SSTT2 channel, got {head[:6]!r}; "
                "copy the file again"
            )

    def fill(self, kept: int) -> int:
        """Decode the next block that has an event, to the room behind the first `kept`; return how many."""
        size = 2 * self._per_record
        events = 0
        while not events and not self.over:
            words = self._words[self._per_record * kept :]
            try:
                if self._file is None:
                    self._file = self.entry.path.open("rb")
                    self._file.seek(self._offset)
                got = self._file.readinto(words.data.cast("B"))
            except OSError as error:
                raise InputError(f"{self.entry.path}: cannot be read any more ({error.strerror or error})") from None
            if got < words.nbytes:
                self.over, self.surplus = True, got % size
            words = words[: got // size * self._per_record]
            events = decode(words, self._per_record, self._shift, self._bits, self._room[kept:], self.state)
            if events < 0:
                raise InputError(
                    f"{self.entry.path}: records {self.records + 1} to {self.records + got // size}: the overflows add "
                    f"up to more than {LONGEST} ticks; the file is damaged, copy it again"
                )
            self.records += got // size
        return events

    @property
    def newest(self) -> int:
        """The latest time so far; nothing earlier comes."""
        return int(self.state[_NEWEST])

    @property
    def sorted(self) -> bool:
        """No event so far was earlier than the one before it."""
        return not self.state[_BACKSTEPS]

    @property
    def short(self) -> bool:
        """It is over, and had fewer events than promised."""
        return self.over and int(self.state[_PHOTONS]) < (self.entry.photons or 0)

    def warnings(self) -> list[str]:
        """What only its end can know, one line each."""
        name, found, lines = self.entry.path.name, int(self.state[_PHOTONS]), []
        if self.surplus:
            lines.append(f"{name}: ends within a record: its last {self.surplus} bytes were left out")
        if self.short:
            lines.append(
                f"{name}: has {found} of the {self.entry.photons} events that the index promises; "
                "the recording is read as far as this channel goes"
            )
        elif self.over and self.entry.photons is not None and found != self.entry.photons:
            lines.append(f"{name}: has {found} events, though the index says {self.entry.photons}; all were read")
        if self.state[_UNKNOWN]:
            lines.append(f"{name}: {self.state[_UNKNOWN]} records are neither event nor overflow and were left out")
        return lines

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
