"""Tag acquisition: one thread empties a time tagger's buffer, another one writes its tags to the disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sources.devices.acquisition import DeviceFault
from sources.devices.ring import Ring
from sources.devices.tag_passage import Passage
from sources.devices.tag_spool import TIMER, Loss, TagSpool, encoded
from sources.qutag import RECORD_BYTES
from sources.reading.record_state import LONGEST
from streamer.chunk import NO_CHANNEL, NO_TIME

RING_BYTES = 64 << 20  # 0.6 s at 10 million tags per second
DRAIN_S = 2.0  # longest time to empty the buffer after the measurement was stopped
STALL_S = 3.0  # a clock that stands still for so long is that of a device which is gone
_PIECE = 1 << 17  # tags that are handed over at once
_FEW = 1 << 13  # tags of a read after which there is time for a rest
_REST_S = 0.004
_TIMER = np.array([TIMER], np.uint8)


@dataclass(slots=True)
class TagBlock:
    """What one read of a device gives.

    Attributes:
        time, channel: int64[n] and uint8[n], in the order of the device; channels as in a quTAG file, which has 100 to
            104 and 200 to 203 for markers and the timer. Both hold until the next read only.
        reached: tick below which nothing more comes, lateness apart; None as long as the device has told no time.
        losses: among these tags and before `reached`, in order.
        begins: tick at which the device began to watch; with the first block that has a `reached`.
    """

    time: NDArray[np.int64] = field(default_factory=lambda: NO_TIME)
    channel: NDArray[np.uint8] = field(default_factory=lambda: NO_CHANNEL)
    reached: int | None = None
    losses: list[Loss] = field(default_factory=list)
    begins: int | None = None


class TagDevice(Protocol):
    """A time tagger that is set up, and measures when told to; every method may raise DeviceFault.

    Attributes:
        tick_s: unit of its times.
        hardware: model, version, serial number.
        channels: that tags may come from.
        warnings: before anything is measured.
    """

    tick_s: float
    hardware: str
    channels: tuple[int, ...]
    warnings: list[str]

    def start(self) -> None:
        """Measure from now on."""
        ...

    def read(self) -> TagBlock:
        """The tags that came since the last read; does not wait for any."""
        ...

    def stop(self) -> None:
        """Take no more tags in; those that are there can still be read."""
        ...

    def look(self) -> list[str]:
        """What the device warned of, one line each; never raises."""
        ...

    def close(self) -> None:
        """Let go of it; never raises; may be called twice."""
        ...


@dataclass
class Tally:
    """What went wrong, counted.

    Attributes:
        losses: reason -> [gaps, ticks, tags known to be missing].
        lines: all else, as it happened.
    """

    losses: dict[str, list[int]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


class TagAcquisition:
    """One measurement.

    Attributes:
        passage: where its tags can be had.
        spool: the files.
        tally: what went wrong.
        reason: why it ended; "" when it was stopped.
        begins: tick at which the device began to watch; None as long as it has told no time.
        told: it has told that, or never will.
    """

    def __init__(
        self,
        device: TagDevice,
        spool: TagSpool,
        duration_s: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is measured yet; `clock` gives seconds."""
        self._device, self.spool, self._duration_s, self._clock = device, spool, duration_s, clock
        self._stopping = threading.Event()
        self.passage = Passage(spool.path, self._stopping.set, self.close)
        self.tally = Tally()
        self.reason = ""
        self.unspooled = 0
        self.begins: int | None = None
        self.told = threading.Event()
        self._ring: Ring[Loss] | None = None
        self._reader: threading.Thread | None = None
        self._writer: threading.Thread | None = None
        self._reached: int | None = None
        self._written: int | None = None
        self._moved = 0.0

    def start(self) -> bool:
        """Begin the spool and measure; False, with `spool.failed`, when the spool cannot be written."""
        if not self.spool.begin():
            return False
        self._ring = Ring(RING_BYTES, (_PIECE + 1) * RECORD_BYTES)
        # Daemon threads: an interpreter that ends calls `close` by way of atexit, and waits for nothing else.
        self._writer = threading.Thread(target=self._spool, args=(self._ring,), name="spool", daemon=True)
        self._reader = threading.Thread(target=self._read, args=(self._ring,), name="acquisition", daemon=True)
        self._writer.start()
        self._reader.start()
        return True

    def close(self) -> None:
        """Stop, wait until the buffer is drained and spool and device are closed; may be called twice."""
        self._stopping.set()
        if self._reader is None or self._writer is None:
            self._device.close()
            self.passage.finish()
        else:
            self._reader.join()
            self._writer.join()

    # ---- the thread that reads the device

    def _read(self, ring: Ring[Loss]) -> None:
        try:
            self._measure(ring)
        except DeviceFault as fault:
            self.reason = f"device: {fault}"
            self.tally.lines.append(f"the device failed: {fault}; everything it sent before is there")
        except Exception as error:  # whoever waits for tags must be told, whatever it was
            self.reason = f"acquisition failed: {error!r}"
            self.tally.lines.append(self.reason)
        finally:
            self.tally.lines += self._device.look()
            self._device.close()
            ring.close()
            self.told.set()

    def _measure(self, ring: Ring[Loss]) -> None:
        device, clock = self._device, self._clock
        device.start()
        begun = self._moved = clock()
        until = float("inf") if self._duration_s is None else begun + self._duration_s
        while not self._stopping.is_set():
            if clock() >= until:
                self.reason = "duration reached"
                break
            block = device.read()
            self._check_clock(block)
            self._hand_over(ring, block)
            if len(block.time) < _FEW:
                self._stopping.wait(min(_REST_S, max(0.0, until - clock())))
        device.stop()
        last = clock() + DRAIN_S
        while True:
            block = device.read()
            self._hand_over(ring, block)
            if not len(block.time):
                return
            if clock() > last:
                self.tally.lines.append(f"the buffer was not empty {DRAIN_S:g} s after the end; its rest was left")
                return

    def _check_clock(self, block: TagBlock) -> None:
        """A device that is gone need not say so: its clock stands still."""
        if block.reached != self._reached:
            self._reached, self._moved = block.reached, self._clock()
        elif self._reached is not None and self._clock() - self._moved > STALL_S:
            raise DeviceFault(f"its clock has stood still for {STALL_S:g} s; check power and cable", 0)
        if block.reached is not None and not 0 <= block.reached <= LONGEST:
            days = LONGEST * self._device.tick_s / 86400
            raise DeviceFault(f"its clock says tick {block.reached}, beyond {days:.0f} days; switch it off and on", 0)

    def _hand_over(self, ring: Ring[Loss], block: TagBlock) -> None:
        """Put losses, then the tags, then how late it is, into the ring; wait for the disk if it is full."""
        for loss in block.losses:
            told = self.tally.losses.setdefault(loss.reason, [0, 0, 0])
            told[0] += 1
            told[1] += loss.gap.stop - loss.gap.start
            told[2] += loss.gap.lost
            ring.mark(loss)
        if block.begins is not None:
            self._put_time(ring, block.begins)
            self.begins = block.begins
            self.told.set()
        size = len(block.time)
        for first in range(0, size, _PIECE):
            room = self._room(ring)
            ring.put(encoded(block.time[first : first + _PIECE], block.channel[first : first + _PIECE], room))
        if block.reached is not None and (block.losses or block.reached != self._written):
            self._put_time(ring, block.reached)

    def _put_time(self, ring: Ring[Loss], ticks: int) -> None:
        ring.put(encoded(np.array([ticks], np.int64), _TIMER, self._room(ring)))
        self._written = ticks

    def _room(self, ring: Ring[Loss]) -> memoryview:
        while (room := ring.room(_REST_S)) is None:
            pass  # the writer ends only when the ring is closed, so there will be room
        return room

    # ---- the thread that writes

    def _spool(self, ring: Ring[Loss]) -> None:
        try:
            while (item := ring.take()) is not None:
                if isinstance(item, Loss):
                    self.spool.note(item)
                    self.passage.lose(item.gap)
                else:
                    self._store(item)
        except Exception as error:  # whoever waits for tags must be told, whatever it was
            self.tally.lines.append(f"spooling failed: {error!r}")
            while ring.take() is not None:  # the reader must not wait for room for ever
                pass
        finally:
            self.spool.close()
            self.passage.finish()

    def _store(self, block: memoryview) -> None:
        """Into the spool first of all; into memory only where the disk takes no more."""
        if not self.spool.failed:
            written = self.spool.append(block)
            self.passage.extend(written)
            block = block[RECORD_BYTES * written :]
            if not len(block):
                return
        self.unspooled += len(block) // RECORD_BYTES
        self.passage.hand_over(memoryview(bytes(block)), self._stopping)

    # ---- after the end

    def warnings(self) -> list[str]:
        """What went wrong, one line each."""
        lines = []
        for reason, (gaps, ticks, lost) in self.tally.losses.items():
            missing = f"{lost} tags known to be missing" if lost else "nobody knows how many tags are missing"
            lines.append(f"{reason}: {gaps} gaps, {ticks * self._device.tick_s:.3g} s in all, {missing}")
        lines += self.tally.lines
        if self.spool.failed:
            lines.append(
                f"the recording is incomplete: {self.unspooled} records were not spooled ({self.spool.failed}); make "
                "room on the disk"
            )
        if self.spool.events_failed:
            lines.append(f"losses are not written down ({self.spool.events_failed}); they are in this list only")
        elif self.tally.losses:
            lines.append(f"a replay of {self.spool.path} knows nothing of the gaps; they are in {self.spool.events}")
        return lines
