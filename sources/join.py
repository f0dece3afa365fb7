"""Join source: several files of one run as one stream, with a gap between each and the next."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sources.reading import options as read_option
from sources.reading.pacing import paced
from sources.reading.recording import Source
from sources.reading.run_files import (
    begins_anew,
    date_of,
    exists,
    goes_on,
    is_pattern,
    matching,
    pause_s,
    source_of,
    unlike,
    wrong_clock,
)
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError

AUTO, CONTINUE, RESTART = "auto", "continue", "restart"
_GAP_S = 0.010  # where nothing tells how long nobody counted
_LONGEST_GAP_S = 1e9
_LONGEST_PAUSE_S = 3600.0  # between two files of one run, unless somebody says so


@dataclass(frozen=True)
class Part:
    """One file of the run.

    Attributes:
        path: of the file.
        source: that reads it.
    """

    path: Path
    source: Source

    def said(self, line: str) -> str:
        """A line with the file's name before it."""
        return f"{self.path.name}: {line}"


class JoinedSource:
    """Several sources, one after the other, as one Source.

    Attributes:
        info: of the first file, with every file's warnings.
    """

    def __init__(
        self, parts: Sequence[Part], where: str, clock: str = AUTO, gap_s: float | None = None,
        speed: float | None = None,
    ) -> None:  # fmt: skip
        """Nothing is read yet.

        Args:
            parts: the files in order, at least one; none of their sources is iterated yet.
            where: what was asked for.
            clock: "auto", "continue" or "restart", see `open_source`.
            gap_s: time between the end of one file and the beginning of the next, where the clock restarts; None for
                what the headers' dates tell.
            speed: multiple of real time; None for as fast as it goes.

        Raises:
            InputError: files that cannot be one stream.
        """
        self._parts, self._clock, self._gap_s, self._speed = list(parts), clock, gap_s, speed
        self._remarks: list[str] = []
        self.info = _joined(self._parts, where, self._remarks)
        self._stopping = threading.Event()
        self._reason = ""
        self._reading = 0  # index of the file being read
        self._before = parts[0]  # the last file that held anything
        self._begun = False

    def chunks(self) -> Iterator[Chunk]:
        """The photons of all files, once.

        Raises:
            InputError: (while iterating) what the sources raise, or a clock that does not continue as it should.
        """
        if self._begun:
            raise RuntimeError(f"{self.info.source}: chunks() may be iterated once; open the source again")
        self._begun = True
        made = self._made()
        return made if self._speed is None else paced(made, self._speed, self.info.tick_s, self._stopping)

    def stop(self, reason: str) -> None:
        """End at the next chunk; from any thread, the first reason counts."""
        if not self._stopping.is_set():
            self._reason = reason
            self._stopping.set()
            self._parts[self._reading].source.stop(reason)

    def end(self) -> StreamEnd:
        """What only the end can know, of every file that was read."""
        read = self._parts[: self._reading + 1]
        ends = [part.source.end() for part in read]
        records = [end.records for end in ends]
        doubts: dict[str, str] = {}
        for part, end in zip(read, ends, strict=True):
            doubts |= {key: part.said(why) for key, why in end.doubts.items() if key not in doubts}
        said = [part.said(line) for part, end in zip(read, ends, strict=True) for line in end.warnings]
        return StreamEnd(
            self._reason or "end of file",
            records=None if None in records else sum(count for count in records if count is not None),
            lost_records=sum(end.lost_records for end in ends),
            sync_records=sum(end.sync_records for end in ends),
            warnings=(*self._remarks, *said),
            doubts=doubts,
        )

    def _made(self) -> Generator[Chunk, None, None]:
        """Chunks as fast as they can be read, on one clock."""
        stop: int | None = None
        offset = origin = 0
        for k, part in enumerate(self._parts):
            self._reading = k
            chunks = part.source.chunks()
            with closing(chunks):  # type: ignore[type-var]
                lead = _lead(chunks)
                if not lead:
                    self._remarks.append(part.said("holds nothing"))
                    continue
                if stop is None:
                    stop = origin = lead[0].start
                else:
                    lasted_s = (stop - origin) * self.info.tick_s
                    offset, stop, origin, lead = self._seated(part, lead, stop, offset, lasted_s)
                self._before = part
                for chunk in _chained(lead, chunks):
                    if self._stopping.is_set():
                        return
                    moved = _moved(chunk, offset, stop)
                    stop = moved.stop
                    yield moved
            if self._stopping.is_set():
                return

    def _seated(
        self, part: Part, lead: list[Chunk], stop: int, offset: int, lasted_s: float
    ) -> tuple[int, int, int, list[Chunk]]:
        """(offset, start, tick where its clock would begin, chunks to begin with) of the next file."""
        name = f"{part.path.name} follows {self._before.path.name}"
        first = _first_event(lead[-1])
        same = goes_on(stop, offset, first) if first is not None and self._clock != RESTART else None
        apart_s = 0.0 if same is None else (same[1] - stop) * self.info.tick_s
        if self._clock != CONTINUE and apart_s > max(_LONGEST_PAUSE_S, 100 * lasted_s):
            raise InputError(
                f"{part.path}: its times begin {apart_s:.6g} s behind the end of {self._before.path.name}, which "
                f"lasted {lasted_s:.4g} s; are they of one run? Say clock=continue or clock=restart"
            )
        if same is not None:
            self._remarks.append(f"{name}: its times go on where that one ended, so its clock is taken for the same")
            lost = sum(chunk.lost for chunk in lead)
            return *same, same[1], [replace(lead[-1], lost=lost)]
        if self._clock == CONTINUE and first is not None:
            raise wrong_clock(part.path, first + offset, stop)
        gap_s, why = self._gap(part, lasted_s)
        self._remarks.append(f"{name}: its clock begins anew, {gap_s:.6g} s after that one's end {why}")
        moved, start = begins_anew(stop, lead[0].start, round(gap_s / self.info.tick_s))
        return moved, start, start, lead

    def _gap(self, part: Part, lasted_s: float) -> tuple[float, str]:
        """Time between two files, and how it is known."""
        if self._gap_s is not None:
            return self._gap_s, "(gap_s)"
        before, after = date_of(self._before.path), date_of(part.path)
        pause = pause_s(before, after, lasted_s)
        if pause is not None:
            return pause, "by the dates in their headers"
        if before is None or after is None:
            why = "their headers give no dates"
        elif before == after:
            why = "both headers give the same date"
        else:
            why = "the dates in their headers leave no time between them"
        return _GAP_S, f"({why}; gap_s=SECONDS says it)"


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open several files as one stream.

    Args:
        where: paths with commas between, or patterns such as `run_*.ptu`, whose files are sorted naturally. A file
            whose content cannot be recognised is given as `name:FILE`.
        options: as text; what is not named below goes to the source of every file.

    Options:
        clock: "auto" (the default): a file whose first photon or marker does not lie before the end of the file before
            it goes on with that one's clock, any other has a clock of its own; "continue" or "restart" for all files.
        gap_s: seconds between the end of one file and the beginning of the next that has a clock of its own. By
            default the dates in the headers tell, or it is 10 ms; which of them is a warning.
        speed: "max" (the default) or a multiple of real time.

    Raises:
        InputError: an option that is not allowed, a file that cannot be read, or files that differ in mode or units.
    """
    own = dict(options)
    speed = read_option.speed("join", own.pop("speed", "max"))
    clock = read_option.choice("join", "clock", own.pop("clock", AUTO), (AUTO, CONTINUE, RESTART))
    gap = own.pop("gap_s", None)
    gap_s = None if gap is None else read_option.number("join", "gap_s", gap, 0, _LONGEST_GAP_S)
    parts = []
    for item in listed(where):
        name, path = source_of(item)
        source: Source = importlib.import_module(f"sources.{name}").open_source(str(path), own)
        parts.append(Part(path, source))
    return JoinedSource(parts, where, clock, gap_s, speed)


def listed(where: str) -> list[str]:
    """The files that are meant, in order.

    Raises:
        InputError: none, a pattern that fits none, or one of them twice.
    """
    items = [where] if where and exists(Path(where)) else [item.strip() for item in where.split(",") if item.strip()]
    found: list[str] = []
    for item in items:
        files = [str(path) for path in matching(item)] if is_pattern(item) else [item]
        if not files:
            raise InputError(f"join: {item}: no file fits this pattern; check the folder and the name")
        found += files
    if not found:
        raise InputError("join: files must be named, such as join:run1.ptu,run2.ptu or join:run_*.ptu")
    twice = sorted({one for one in found if found.count(one) > 1})
    if twice:
        raise InputError(f"join: {twice[0]}: is named twice; its photons would count twice")
    return found


def _joined(parts: Sequence[Part], where: str, remarks: list[str]) -> StreamInfo:
    """What holds for all files; what differs harmlessly is added to `remarks`."""
    infos = [part.source.info for part in parts]
    for part in parts[1:]:
        refusal, remark = unlike(infos[0], part.source.info)
        if refusal:
            raise InputError(f"{part.path}: {refusal}; files of one run must agree, analyse it by itself")
        if remark:
            remarks.append(part.said(remark))
    doubts: dict[str, str] = {}
    for part, info in zip(parts, infos, strict=True):
        doubts |= {key: part.said(why) for key, why in info.doubts.items() if key not in doubts}
    durations = [info.duration_s for info in infos]
    known = all(info.channels for info in infos)
    return replace(
        infos[0],
        source=f"join:{where}",
        file=where,
        format=", ".join(dict.fromkeys(info.format for info in infos)),
        hardware=", ".join(dict.fromkeys(info.hardware for info in infos if info.hardware)),
        channels=tuple(sorted({c for info in infos for c in info.channels})) if known else (),
        duration_s=None if None in durations else sum(time for time in durations if time is not None),
        warnings=tuple(part.said(line) for part in parts for line in part.source.info.warnings),
        truth=infos[0].truth if all(info.truth == infos[0].truth for info in infos) else {},
        t0_ns=infos[0].t0_ns if all(info.t0_ns == infos[0].t0_ns for info in infos) else {},
        doubts=doubts,
    )


def _first_event(chunk: Chunk) -> int | None:
    """Tick of its first photon or marker."""
    first = [int(times.min()) for times in (chunk.time, chunk.marker_time) if len(times)]
    return max(chunk.start, min(first)) if first else None


def _lead(chunks: Iterator[Chunk]) -> list[Chunk]:
    """The chunks up to the first with a photon or marker, those without as what they say of time."""
    lead = []
    for chunk in chunks:
        lead.append(chunk)
        if _first_event(chunk) is not None:
            break
    return lead


def _chained(lead: list[Chunk], chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    yield from lead
    yield from chunks


def _moved(chunk: Chunk, offset: int, floor: int) -> Chunk:
    """The chunk on the stream's clock; it begins no earlier than `floor`."""
    changes: dict[str, Any] = {"start": max(chunk.start + offset, floor), "stop": chunk.stop + offset}
    if offset:
        changes |= {"time": chunk.time + offset, "marker_time": chunk.marker_time + offset}
    return replace(chunk, **changes)
