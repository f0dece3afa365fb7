"""Follow reader: a growing file, and the files after it, as one Reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sources.reading.events import Events, Gap
from sources.reading.growing_file import GrowingFile
from sources.reading.record_file import RecordReader
from sources.reading.recording import Source
from sources.reading.run_files import begins_anew, date_of, goes_on, pause_s, unlike
from sources.reading.watched import Seen, Watched
from streamer.chunk import StreamEnd, StreamInfo
from streamer.errors import InputError

NEXT_S = 1.0  # a file that has not grown for so long is over when a newer one is there
CLOSED_S = 2.0  # and when its header says that it is complete: some programs write the count while they go on
_LOOK_S = 0.2  # how often one looks for newer files
# What headers are found to contradict only because their file is still being written.
_UNFINISHED = ("the file holds", "the file ends within a record")


def lasting(warnings: tuple[str, ...]) -> tuple[str, ...]:
    """The warnings of a header that do not come from its file being written still."""
    return tuple(line for line in warnings if not any(part in line for part in _UNFINISHED))


@dataclass
class Part:
    """One file being followed.

    Attributes:
        path: of the file.
        supply, reader: of its records.
        info: as the header said at the beginning.
        promised: records that the header says, once its writer has said it.
        kept_current: the writer has changed that number while it went on.
        offset: of its clock on that of the stream.
        origin: tick of the stream at which its clock began.
        date: at which it was made, by its header.
        skipped: records that were passed over.
        later: warnings of the header since it was written to again.
    """

    path: Path
    supply: GrowingFile
    reader: RecordReader
    info: StreamInfo
    promised: int | None
    offset: int
    origin: int
    date: float | None
    kept_current: bool = False
    skipped: int = 0
    later: tuple[str, ...] = ()

    def read(self, held: Events) -> Events:
        """What was held back and the next block after it, on the stream's clock."""
        if not self.offset:
            return self.reader.read(held) or replace(held, last=True)
        new = self.reader.read(Events()) or Events(last=True)
        time, marker_time = new.time + self.offset, new.marker_time + self.offset
        back = bool(len(time) and len(held.time) and time[0] < held.time[-1])
        return Events(
            np.concatenate((held.time, time)),
            np.concatenate((held.nanotime, new.nanotime)),
            np.concatenate((held.channel, new.channel)),
            np.concatenate((held.marker_time, marker_time)),
            np.concatenate((held.marker, new.marker)),
            reached=new.reached + self.offset,
            gaps=tuple(replace(gap, start=gap.start + self.offset, stop=gap.stop + self.offset) for gap in new.gaps),
            backsteps=new.backsteps + back,
            last=new.last,
        )

    def end(self) -> StreamEnd:
        """What only its end can know."""
        end = self.reader.end()
        return replace(end, records=(end.records or 0) - self.skipped, warnings=(*self.later, *end.warnings))


class FollowReader:
    """Files that grow as a Reader; see `sources.reading.events.Reader`.

    It never waits longer than some 50 ms: while nothing comes it returns no photons.
    """

    def __init__(
        self, files: Watched, seen: Seen, info: StreamInfo, chunk_records: int, idle_s: float, skip: int | None = None
    ) -> None:
        """Open the first file.

        Args:
            files: that may follow.
            seen: the first one.
            info: of the stream.
            chunk_records: most records of one block.
            idle_s: without growth for so long the stream ends; inf for never.
            skip: records to be passed over, for a stream that begins now; None for the whole file.

        Raises:
            InputError: the file cannot be read.
        """
        self.info, self.horizon, self.begins = info, seen.format.horizon, seen.format.begins
        self._files, self._chunk_records, self._idle_s = files, chunk_records, idle_s
        self._stopping = threading.Event()
        self._looked = 0.0
        self._latest = -1  # tick of the latest photon
        self._floor: int | None = None  # photons before it are of before the stream began
        self._ended: list[tuple[Path, StreamEnd]] = []
        self._remarks: list[str] = []
        self._reason = ""
        self._over = False
        self._awaited: tuple[Path, int] | None = None
        self._part = self._opened(seen, 0, seen.format.begins or 0)
        if skip is not None:
            self._skip(skip)

    def read(self, held: Events) -> Events | None:
        """What was held back, then what has come since; None after the end."""
        if self._over:
            return None
        events = self._part.read(held)
        if self._part.supply.waiting:
            return self._judged(events)
        return self._noted(events, len(held.time))

    @property
    def complete(self) -> bool:
        """Does the present file's header say how many records it has, and are they there?"""
        return self._part.promised is not None

    def so_far(self, options: Mapping[str, str]) -> Source:
        """The present file as a recording, with what is in it now."""
        return self._files.so_far(self._part.path, options)

    def place(self, photon: int) -> str:
        """Where the photon with this index in the latest block stands."""
        at = self._part.reader.place(photon)
        return f"{self._part.path.name}: {at}" if self._ended else at

    def stop(self) -> None:
        """Wake `read`; from any thread."""
        self._stopping.set()

    def end(self) -> StreamEnd:
        """What only the end can know, of all files."""
        ends = [*self._ended, (self._part.path, self._part.end())]
        several = len(ends) > 1
        said = [f"{path.name}: {line}" if several else line for path, end in ends for line in end.warnings]
        return StreamEnd(
            self._reason,
            sum(end.records or 0 for _, end in ends),
            lost_records=sum(end.lost_records for _, end in ends),
            sync_records=sum(end.sync_records for _, end in ends),
            warnings=(*self._remarks, *said),
        )

    def close(self) -> None:
        """Let go of the file."""
        self._part.reader.close()

    def _opened(self, seen: Seen, offset: int, origin: int) -> Part:
        """A file from its first record on."""
        fmt = seen.format
        complete = fmt.promised if fmt.promised == fmt.records else None
        supply = GrowingFile(seen.path, fmt, self._stopping)
        reader = RecordReader(seen.path, replace(fmt, promised=None), self._chunk_records, supply)
        return Part(seen.path, supply, reader, fmt.info, complete, offset, origin, date_of(seen.path))

    def _skip(self, records: int) -> None:
        """Pass over the records that are there already, for the clock's sake."""
        part = self._part
        part.supply.limit, latest, reached = records, -1, 0
        while part.supply.total < records:
            events = part.reader.read(Events())
            if events is None or part.supply.waiting:  # it was cut in the meantime
                break
            latest = max(latest, int(events.time.max(initial=-1)))
            reached = max(reached, events.reached)
        part.supply.limit, part.skipped = None, part.supply.total
        part.supply.close()
        if part.skipped:
            self.begins = self._floor = max(latest, reached)
            self._remarks.append(f"the stream begins behind record {part.skipped}, which were there before")

    def _noted(self, events: Events, before: int) -> Events:
        """The block, without what is older than a stream that began now; the latest time is kept."""
        new = events.time[before:]
        if len(new):
            self._latest = max(self._latest, int(new.max() if self.horizon else new[-1]))
        if self._floor is None or not self.horizon:  # without a horizon an earlier photon is damage
            return events
        kept = events.time >= self._floor
        if not kept.all():
            nanotime = events.nanotime[kept] if len(events.nanotime) else events.nanotime
            events = replace(events, time=events.time[kept], nanotime=nanotime, channel=events.channel[kept])
        if self._latest > self._floor + self.horizon:
            self._floor = None
        return events

    def _judged(self, events: Events) -> Events:
        """Nothing new came: is this the end, or does another file follow?"""
        part = self._part
        closed = self._closed()
        following = self._following(closed)
        reason = "" if following else self._why_ended(closed)
        if not (following or reason) or not part.supply.finish():
            return events
        last = part.read(events)
        if following is None:
            self._reason, self._over = reason, True
            return last
        marked = int(last.marker_time.max(initial=-1)) + 1
        stop = max(last.reached, self._latest + 1, marked)
        part.reader.close()
        self._ended.append((part.path, part.end()))
        if not part.supply.replaced:
            self._files.done.add(part.path)
        self._part, start = self._seated(following, stop)
        self._awaited = None
        return replace(last, reached=stop, last=False, gaps=(Gap(stop, start),))

    def _closed(self) -> bool:
        """Does the header say that what has been read is all?"""
        part = self._part
        if not part.supply.replaced and part.supply.header_changed():
            try:
                seen = self._files.see(part.path)
            except InputError:
                return False  # it is being written to at this moment
            part.kept_current |= part.promised is not None and part.promised != seen.format.promised
            part.promised = seen.format.promised
            part.later = tuple(one for one in lasting(seen.format.info.warnings) if one not in part.info.warnings)
        # A count that was raised before may be raised again: it is not the last word.
        return not part.kept_current and part.promised == part.supply.total and part.supply.idle_s >= CLOSED_S

    def _why_ended(self, closed: bool) -> str:
        """Why the stream ends now; "" when it does not."""
        supply = self._part.supply
        if self._reason:
            return self._reason
        if closed and not self._files.several and not supply.replaced:
            return "the recording was closed"
        if supply.idle_s < self._idle_s:
            return ""
        if supply.replaced:
            return f"the file was replaced, and there was no recording in its place for {self._idle_s:g} s"
        if closed:
            return f"the recording was closed, and no newer one came for {self._idle_s:g} s"
        return f"no more data for {self._idle_s:g} s"

    def _following(self, closed: bool) -> Seen | None:
        """The file to go on with, once it has its first photon or marker."""
        part, now = self._part, time.monotonic()
        if now < self._looked + _LOOK_S:
            return None
        self._looked = now
        if part.supply.replaced:
            paths = [part.path]
        elif closed or part.supply.idle_s > NEXT_S:
            paths = self._files.after(part.path)
        else:
            return None
        for path in paths:
            try:
                seen = self._files.see(path)
            except InputError:
                continue
            if seen.first is None:
                if self._awaited != (path, seen.format.records):  # it is alive
                    self._awaited = path, seen.format.records
                    part.supply.touch()
                continue
            refusal, remark = unlike(self.info, seen.format.info)
            if refusal:
                self._reason = f"{path.name} followed, but {refusal}"
                return None
            if remark:
                self._remarks.append(f"{path.name}: {remark}")
            return seen
        return None

    def _seated(self, seen: Seen, stop: int) -> tuple[Part, int]:
        """The next file, and the tick of the stream at which it begins."""
        part, first = self._part, seen.first
        assert first is not None
        name = (
            f"{seen.path.name} follows {part.path.name}" if seen.path != part.path else f"{seen.path.name} was replaced"
        )
        same = goes_on(stop, part.offset, first)
        if same is not None:
            self._remarks.append(f"{name}: its times go on where that one ended, so its clock is taken for the same")
            offset, start = same
        else:
            pause = pause_s(part.date, date_of(seen.path), (stop - part.origin) * self.info.tick_s)
            known = (
                "by the dates in their headers" if pause else "by one tick, for nothing tells how long nobody counted"
            )
            self._remarks.append(
                f"{name}: its clock begins anew, {f'{pause:.6g} s ' if pause else ''}after that one's end, {known}"
            )
            origin = first if seen.format.begins is None else seen.format.begins
            offset, start = begins_anew(stop, origin, round((pause or 0.0) / self.info.tick_s))
        return self._opened(seen, offset, start), start
