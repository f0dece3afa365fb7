"""Acquisition: the thread that empties a device's FIFO, looks at its flags, and does nothing else."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from sources.devices.picoquant_models import Flags
from sources.devices.precedence import ask_for_precedence
from sources.devices.ring import Ring
from sources.devices.spool import Spool
from sources.devices.spooled import Break, Spooled
from sources.devices.spooler import Spooler

RING_BYTES = 256 << 20  # 1.6 s at 40 million records per second
IDLE_S = 0.001  # between two reads of a FIFO that has little in it
DRAIN_S = 2.0  # longest time to empty the FIFO after the measurement was stopped
_DISK_SHARE = 0.9  # of the ring in use: then it was the disk
LOOK_S = 1.0  # rates and warnings are asked for this often


class DeviceFault(Exception):
    """A device's library returned an error; the message names function, text and code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Device(Protocol):
    """A device that is set up, and measures when told to; every method may raise DeviceFault.

    Attributes:
        mode: "T2" or "T3".
        tick_s: of its records.
        quiet_s: T3: a clock that runs sends something at least this often.
        masks: bits of `flags`.
        read_max: most records of one `read`.
        burst: reads that may follow one look at the flags: all of them together take less than the FIFO holds, so what
            they take came before an overrun that the next look finds.
    """

    mode: str
    tick_s: float
    quiet_s: float
    masks: Flags
    read_max: int
    burst: int

    def start(self, milliseconds: int) -> None:
        """Empty the FIFO and measure for so long."""
        ...

    def stop(self) -> None:
        """Measure no more."""
        ...

    def flags(self) -> int:
        """What happened, as bits."""
        ...

    def read(self, into: memoryview) -> int:
        """Move records out of the FIFO into memory that has room for `read_max`; return how many."""
        ...

    def over(self) -> bool:
        """Has the time passed that it was to measure?"""
        ...

    def look(self) -> list[str]:
        """Warnings of the device that were not told yet."""
        ...

    def close(self) -> None:
        """Let go of it; never raises."""
        ...


@dataclass
class Tally:
    """What went wrong, counted.

    Attributes:
        overruns: times that the device's FIFO was full.
        discarded: records that it still held then.
        sync_losses, sync_lost_s: times, and how long in all.
        reference_lost_s: how long.
        dropped_reads: reads of the FIFO at which the device said that it had dropped counts.
        lines: all else, as it happened.
    """

    overruns: int = 0
    discarded: int = 0
    sync_losses: int = 0
    sync_lost_s: float = 0.0
    reference_lost_s: float = 0.0
    dropped_reads: int = 0
    lines: list[str] = field(default_factory=list)


class Acquisition:
    """One measurement.

    Attributes:
        spooled: where its records can be had.
        spool: the files.
        tally: what went wrong.
        reason: why it ended; "" when it was stopped.
    """

    def __init__(self, device: Device, spool: Spool, duration_ms: int) -> None:
        """Nothing is measured yet."""
        self._device, self.spool, self._duration_ms = device, spool, duration_ms
        self.spooled = Spooled(self._stopping_set, self.close)
        self.tally = Tally()
        self.reason = ""
        self._stopping = threading.Event()
        self._ring: Ring[Break] | None = None
        self._spooler: Spooler | None = None
        self._thread: threading.Thread | None = None
        self._begun = self._sync_gone = self._looked = self._checked = 0.0
        self._silent: float | None = None  # T3: since when no record came for want of a sync
        self._flags = 0

    def start(self) -> bool:
        """Begin the spool and measure; False, with `spool.failed`, when the spool cannot be written."""
        self._ring = Ring(RING_BYTES, 4 * self._device.read_max)
        self._spooler = Spooler(self._ring, self.spool, self.spooled, self._device.tick_s, self._stopping)
        if not self._spooler.start():
            return False
        # A daemon thread: an interpreter that ends calls `close` by way of atexit, and waits for nothing else.
        self._thread = threading.Thread(target=self._run, name="acquisition", daemon=True)
        self._thread.start()
        return True

    def close(self) -> None:
        """Stop, wait until the FIFO is drained and spool and device are closed; may be called twice."""
        self._stopping.set()
        if self._thread is None:
            self._device.close()
            self.spooled.finish()
        else:
            self._thread.join()

    def _stopping_set(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        assert self._spooler is not None
        ask_for_precedence()
        try:
            self._measure()
        except DeviceFault as fault:
            self.reason = f"device: {fault}"
            self.tally.lines.append(f"the device failed: {fault}; everything it sent before is there")
        except Exception as error:  # whoever waits for records must be told, whatever it was
            self.reason = f"acquisition failed: {error!r}"
            self.tally.lines.append(self.reason)
        finally:
            self._end_sync_loss()
            self._device.close()
            self._spooler.finish()

    def _measure(self) -> None:
        device, masks = self._device, self._device.masks
        full = 4 * device.read_max  # bytes
        device.start(self._duration_ms)
        self._begun = self._checked = self._looked = time.monotonic()
        while not self._stopping.is_set():
            flags = device.flags()
            if flags & masks.full:
                if not self._restart():
                    return
                continue
            if flags & (masks.system | masks.software):
                kind = "hardware" if flags & masks.system else "software"
                self.reason = f"device: {kind} error (flags 0x{flags:04x}); the vendor wants to know of it"
                self.tally.lines.append(f"the device reported a {kind} error and was stopped")
                device.stop()
                return
            self._note(flags)
            got, reads = self._move(), 1
            while got == full and reads < device.burst and not self._stopping.is_set():
                got, reads = self._move(), reads + 1
            if got == 0 and reads == 1:
                if device.over():
                    self.reason = "duration reached"
                    self._empty()
                    device.stop()
                    return
                if flags & masks.sync_lost and device.mode == "T3" and self._silent is None:
                    self._silent = time.monotonic()
            if got is not None and got < full // 2:
                self._stopping.wait(IDLE_S)
            if time.monotonic() - self._looked >= LOOK_S:
                self.tally.lines += device.look()
                self._looked = time.monotonic()
        device.stop()
        try:
            self._empty()
        except DeviceFault as fault:  # unconfirmed whether every library lets the FIFO be read after StopMeas
            self.tally.lines.append(f"what the FIFO held at the stop could not be read ({fault})")

    def _move(self) -> int | None:
        """Bytes read out of the FIFO into the ring; None when the ring has no room because the disk is too slow."""
        assert self._ring is not None
        room = self._ring.room(IDLE_S)
        if room is None:
            return None
        got = 4 * self._device.read(room)
        if got:
            silent_s = 0.0 if self._silent is None else time.monotonic() - self._silent
            if silent_s > self._device.quiet_s:
                self._ring.mark(Break(round(silent_s / self._device.tick_s), False))
            self._silent = None
            self._ring.put(got)
        return got

    def _empty(self) -> None:
        """Take what the FIFO still holds at the end, unless it has overrun."""
        if self._device.flags() & self._device.masks.full:
            self._discard()
            return
        until = time.monotonic() + DRAIN_S
        while self._move() != 0:
            if time.monotonic() > until:
                self.tally.lines.append(f"the FIFO was not empty {DRAIN_S:g} s after the end; its rest was left")
                return

    def _discard(self) -> int:
        """Empty a FIFO that has overrun: nobody knows where in it records are missing. Returns how many it held."""
        until, count = time.monotonic() + DRAIN_S, 0
        waste = memoryview(bytearray(4 * self._device.read_max))
        while (got := self._device.read(waste)) and time.monotonic() < until:
            count += got
        self.tally.overruns += 1
        self.tally.discarded += count
        return count

    def _restart(self) -> bool:
        """After an overrun: a new measurement, in a new file, behind a gap. False when no time is left."""
        assert self._ring is not None
        self._device.stop()
        lost = self._discard()
        left = self._duration_ms - round((time.monotonic() - self._begun) * 1e3)
        if left < 1:
            self.reason = "duration reached"
            return False
        self._device.start(left)
        now = time.monotonic()
        self._silent = None
        self._ring.mark(Break(round((now - self._begun) / self._device.tick_s), True, lost))
        return True

    def _note(self, flags: int) -> None:
        """Count how long flags stay."""
        now = time.monotonic()
        passed, self._checked = now - self._checked, now
        masks = self._device.masks
        if flags & masks.sync_lost:
            if not self._flags & masks.sync_lost:
                self.tally.sync_losses += 1
                self._sync_gone = now
        else:
            self._end_sync_loss()
        if flags & masks.reference_lost:
            self.tally.reference_lost_s += passed
        if flags & masks.dropped:
            self.tally.dropped_reads += 1
        self._flags = flags

    def _end_sync_loss(self) -> None:
        if self._flags & self._device.masks.sync_lost:
            self.tally.sync_lost_s += time.monotonic() - self._sync_gone
            self._flags &= ~self._device.masks.sync_lost

    def warnings(self) -> list[str]:
        """What went wrong, one line each; after the end."""
        tally, lines = self.tally, list(self.tally.lines)
        if tally.overruns:
            waited = self._ring.most / RING_BYTES if self._ring is not None else 0.0
            slow = "disk" if waited > _DISK_SHARE else "machine"
            lines.append(
                f"the device's FIFO overran {tally.overruns} times: the {tally.discarded} records in it were not used, "
                "as others before them are missing; each time a gap follows, and another file; lower the rate, or free "
                f"the {slow} (at most {waited:.0%} of the room for records that wait for the disk was used)"
            )
        if tally.sync_losses:
            longer = f", gaps where longer than {self._device.quiet_s * 1e3:.3g} ms"
            gap = longer if self._device.mode == "T3" else ""
            lines.append(f"the sync was lost {tally.sync_losses} times, for {tally.sync_lost_s:.3g} s in all{gap}")
        if tally.reference_lost_s:
            lines.append(f"the external reference clock was lost for {tally.reference_lost_s:.3g} s; times drift there")
        if tally.dropped_reads:
            lines.append(f"the device said at {tally.dropped_reads} reads that it dropped counts: the rate is too high")
        spooler = self._spooler
        if spooler is not None and spooler.failed:
            lines.append(spooler.failed)
        if self.spool.failed:
            unspooled = spooler.unspooled if spooler is not None else 0
            lines.append(
                f"the recording is incomplete: {unspooled} records were not spooled ({self.spool.failed}); make room "
                "on the disk"
            )
        return lines
