"""Stand-in for the vendor's Python package: plays back what `plan` says, and insists on what the vendor insists on."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass, field

import numpy as np

MS = 1_000_000_000  # ps


@dataclass
class Read:
    """What one getData gives; `now` None: just behind the last tag."""

    time: object = ()
    channel: object = ()
    kind: object = None
    missed: object = None
    now: int | None = None
    has_overflows: bool = False
    overflows: int = 0
    error: str = ""
    log: tuple[int, str] | None = None


@dataclass
class Plan:
    """A device."""

    reads: list[Read] = field(default_factory=list)
    start: int = 0  # ps, of the stream
    stalls: bool = False  # behind the last read the clock stands still
    serials: tuple[str, ...] = ("1740000ABC",)
    version: str = "2.17.4.0"
    channels: tuple[int, ...] = (-4, -3, -2, -1, 1, 2, 3, 4)
    clock_ps: int = 6000  # dead times are multiples of it
    source: object = None  # (seconds since the start) -> Read, instead of `reads`
    calls: list[tuple] = field(default_factory=list)
    logger: object = None
    open: int = 0


plan = Plan()


def getVersion():
    return plan.version


def setLogger(callback):
    plan.logger = callback


def scanTimeTagger():
    return plan.serials


def createTimeTagger(serial=""):
    if not plan.serials or (serial and serial not in plan.serials):
        raise RuntimeError("No Time Tagger found.\nIs it connected?")
    plan.open += 1
    return _TimeTagger(serial or plan.serials[0])


def freeTimeTagger(tagger):
    assert tagger.open
    tagger.open = False
    plan.open -= 1


class _TimeTagger:
    def __init__(self, serial):
        self.serial, self.open, self.overflows = serial, True, 0

    def _told(self, *call):
        if not self.open:
            raise RuntimeError("the Time Tagger was freed")
        plan.calls.append(call)

    def getSerial(self):
        return self.serial

    def getModel(self):
        return "Time Tagger Ultra"

    def getChannelList(self):
        return list(plan.channels)

    def getDACRange(self):
        return [-2.5, 2.5]

    def setTriggerLevel(self, channel, voltage):
        assert -2.5 <= voltage <= 2.5
        self._told("setTriggerLevel", channel, voltage)

    def setDeadtime(self, channel, deadtime):
        self._told("setDeadtime", channel, deadtime)
        return round(deadtime / plan.clock_ps) * plan.clock_ps

    def setInputDelay(self, channel, delay):
        self._told("setInputDelay", channel, delay)

    def setConditionalFilter(self, trigger, filtered):
        if set(trigger) & set(filtered):
            raise ValueError("trigger and filtered channels overlap")
        self._told("setConditionalFilter", list(trigger), list(filtered))

    def setStreamBlockSize(self, max_events, max_latency):
        assert 256 <= max_events <= 32 << 20
        assert 1 <= max_latency <= 10000
        self._told("setStreamBlockSize", max_events, max_latency)

    def sync(self):
        self._told("sync")
        return True

    def getOverflowsAndClear(self):
        if not self.open:
            raise RuntimeError("the Time Tagger was freed")
        count, self.overflows = self.overflows, 0
        return count


class TimeTagStream:
    def __init__(self, tagger, n_max_events, channels):
        if not n_max_events < 256 << 20:
            raise ValueError("n_max_events exceeds the supported limit")
        assert set(channels) <= set(plan.channels)
        tagger._told("TimeTagStream", n_max_events, list(channels))
        self.tagger, self.most, self.running = tagger, n_max_events, True
        self.begun, self.now, self.rest = clock.monotonic(), plan.start, plan.start

    def stop(self):
        self.running = False

    def getData(self):
        elapsed = round((clock.monotonic() - self.begun) * 1e12)
        if plan.source is not None and self.running:
            read = plan.source(elapsed)
        elif plan.reads:
            read = plan.reads.pop(0)
        else:
            read = Read(now=self.now if plan.stalls or not self.running else max(self.now, plan.start + elapsed))
        if read.log is not None:
            plan.logger(*read.log)
        if read.error:
            raise RuntimeError(read.error)
        self.tagger.overflows += read.overflows
        last = int(np.max(read.time)) + 1 if len(read.time) else self.now
        self.now = max(self.now, last) if read.now is None else read.now
        return _Buffer(read, self.now, self.most)


class _Buffer:
    def __init__(self, read, now, most):
        self.tStart, self.tGetData, self.hasOverflows = plan.start, now, read.has_overflows
        self.time = np.array(read.time, np.int64)[:most]
        self.size = len(self.time)
        self.channel = np.array(read.channel, np.int32)[:most]
        kind = np.zeros(self.size) if read.kind is None else read.kind
        self.kind = np.array(kind, np.uint8)[:most]
        self.missed = np.zeros(self.size, np.uint16) if read.missed is None else np.array(read.missed, np.uint16)
        self.hasOverflows = read.has_overflows or bool(np.isin(self.kind, (2, 3, 4)).any())

    def getTimestamps(self):
        return self.time.copy()

    def getChannels(self):
        return self.channel.copy()

    def getEventTypes(self):
        return self.kind.copy()

    def getMissedEvents(self):
        return self.missed.copy()
