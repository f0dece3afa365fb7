"""Pipeline: chunks in, Results out; no socket, thread, clock or environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer import consistency
from streamer.accumulators import for_layout
from streamer.answers import Answers, answer
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.cuts import Cut
from streamer.delays import Delays
from streamer.errors import ProtocolError
from streamer.estimators.response import Response
from streamer.evidence import Moment
from streamer.group import Group
from streamer.layout import with_period
from streamer.plan import make_plan
from streamer.publish import as_results, unplaced
from streamer.result import Result
from streamer.stopping import Stopping
from streamer.studies import chosen, names
from streamer.studies import run as run_studies
from streamer.study import WANTED, View
from streamer.summary import g2_values, state_values
from streamer.tally import channel_counts, first_fault
from streamer.trace import Trace
from streamer.withhold import withhold


@dataclass(frozen=True, slots=True)
class Account:
    """Where every photon is. received = analysed + open + outside + excluded.

    Attributes:
        received: photons that came in chunks.
        analysed: photons in closed segments, in every table.
        open: photons of the segment that is not over, and those a delay holds back.
        excluded: photons in closed segments on channels that are not analysed.
        outside: photons that a delay moved over the end of a stretch, or that came while the analysis was stopped.
        after: photons that came after a rule had stopped the run, and are no part of it; not among `received`.
    """

    received: int
    analysed: int
    open: int
    outside: int
    excluded: int
    after: int = 0


class Pipeline:
    """One stream, counted and answered.

    Args:
        info: of the stream.
        settings: of the run.
        response: of the instrument, measured, for the studies; whoever calls has read it.

    Raises:
        InputError: stream and settings contradict each other.
    """

    def __init__(self, info: StreamInfo, settings: Settings, response: Response | None = None) -> None:
        self.info, self.settings = with_period(info, settings.period_ns), settings
        self.response = response
        chosen(settings.studies)
        self.plan = make_plan(self.info, settings)
        self.cut = Cut(settings.thresholds_cps, settings.states, settings.gate_ns)
        self.delays = Delays(self.plan.shifts, self.info.period)
        self._first_beyond = consistency.first_beyond(self.info)
        self.group = Group(self.plan.layout, for_layout(self.plan.layout))
        self._trace = Trace(self.plan.layout)
        self.end: StreamEnd | None = None
        self.remarks: list[str] = []  # of the shell, one line each
        self.received = np.zeros(256, np.int64)
        self.markers = self.gaps = self.lost = self.live_ticks = self.beyond = 0
        self.began: int | None = None
        self.first_tick: int | None = None
        self.last_tick: int | None = None
        self.position: int | None = None
        self._answered: tuple[Any, Any, Answers | None] = (None, None, None)
        self.after = 0
        self.stopping = None if settings.stop is None else Stopping(settings.stop, self.plan, settings, self.cut)

    # ---- photons in

    def feed(self, chunk: Chunk) -> None:
        """Count one chunk, up to where a rule stops the run.

        Raises:
            ProtocolError: its photons are not in time order or not in its span.
        """
        if self.position is None and chunk.start == chunk.stop and not len(chunk.marker) and not chunk.lost:
            return  # a sign of life of a stream that has not begun
        fault = first_fault(chunk.time, chunk.start, chunk.stop)
        if fault >= 0:
            raise ProtocolError(
                f"chunk {chunk.start}..{chunk.stop}: photon {fault} at tick {chunk.time[fault]} lies outside or "
                "before its predecessor; the source must send photons in time order"
            )
        if self.position is not None and chunk.start < self.position:
            raise ProtocolError(
                f"chunk {chunk.start}..{chunk.stop}: begins before tick {self.position}, where the last one ended"
            )
        if self.began is None and self.stopping is not None:
            self.stopping.begin(chunk.start, chunk.start)
        rest: Chunk | None = chunk
        while rest is not None and self.stopped is None and self.stopping is not None:
            look = self.stopping.next_look(rest.start)
            if look > rest.stop:
                break
            part, rest = (rest, None) if look == rest.stop else rest.cut(look)
            self._count(part)
            self.stopping.look(self.tables, self.moment, int(self.received.sum()))
        if rest is not None and self.stopped is None:
            self._count(rest)
        elif rest is not None:
            self.after += len(rest.time)

    def _count(self, chunk: Chunk) -> None:
        self.gaps += self.position is not None and chunk.start > self.position
        self.lost += chunk.lost
        self.live_ticks += chunk.stop - chunk.start
        self.position = chunk.stop
        self.began = chunk.start if self.began is None else self.began
        self.markers += len(chunk.marker)
        if len(chunk.time):
            self.received += channel_counts(chunk.channel)
            self.beyond += consistency.beyond(chunk.nanotime, self._first_beyond)
            self.first_tick = int(chunk.time[0]) if self.first_tick is None else self.first_tick
            self.last_tick = int(chunk.time[-1])
        self.group.feed(self.delays.feed(chunk))

    @property
    def stopped(self) -> str | None:
        """Why a rule stopped the run, one line; None where none did."""
        return None if self.stopping is None else self.stopping.words

    @property
    def moment(self) -> Moment:
        """Where the stream stands."""
        return Moment(self.position or 0, self.live_ticks, self.lost, self.gaps, self.found.doubts)

    def rule(self, tree: Mapping[str, Any] | None, *, armed: bool = True) -> None:
        """Put other rules to work, or none, from the next look on; evidence counts from then.

        Raises:
            InputError: the tree is wrong, or a rule cannot be asked of this stream.
        """
        if tree is None:
            self.stopping = None
            return
        late = self.began is not None
        self.stopping = Stopping(tree, self.plan, self.settings, self.cut, late=late, armed=armed)
        if self.began is not None:
            self.stopping.begin(self.began, self.position or 0)

    def recut(self, cut: Cut) -> None:
        """Ask another question. What rules saw under the old one is no evidence for the new one."""
        before, self.cut = self.cut, cut
        other = (before.thresholds_cps, before.states) != (cut.thresholds_cps, cut.states)
        if other and self.stopping is not None and self.stopped is None and self.end is None:
            self.rule(self.stopping.tree, armed=self.stopping.armed)

    def finish(self, end: StreamEnd) -> None:
        """The stream is over."""
        if self.stopped is not None:
            # Whatever else the source says at its end is of how far it had got, and no part of the run.
            end = StreamEnd(self.stopped)
        self.delays.flush()
        self.group.finish()
        self.end = end

    # ---- answers out

    @property
    def tables(self) -> dict[str, dict[str, NDArray[np.int64]]]:
        """Accumulator name -> table name -> int64 array; views, not copies."""
        return {one.name: one.tables for one in self.group.accumulators}

    @property
    def stream_s(self) -> float:
        """Time since the first chunk's start up to which everything was received."""
        return ((self.position or 0) - (self.began or 0)) * self.info.tick_s

    @property
    def counted_s(self) -> float:
        """Time since the first chunk's start up to which everything is in the tables."""
        began = self.began or 0
        return (self.group.open_start - began) * self.info.tick_s if self.group.start is not None else 0.0

    @property
    def account(self) -> Account:
        """Where every photon is."""
        waiting = self.group.open_photons + len(self.delays.held.time)
        analysed = int(self.tables["exposure"]["photons"].sum())
        excluded = self.group.counted - analysed
        return Account(int(self.received.sum()), analysed, waiting, self.delays.outside, excluded, self.after)

    @property
    def found(self) -> consistency.Found:
        """What contradicts itself up to now: doubts, which withhold numbers, and remarks."""
        tick_s = self.info.tick_s
        seen = consistency.Seen(int(self.received.sum()), self.beyond, self.live_ticks * tick_s, self.stream_s)
        doubts, remarks = consistency.compare(self.info, seen, self.end)
        by_hand = isinstance(self.settings.delays_ns, dict) and bool(self.plan.delays_ns)
        return consistency.Found(consistency.reach(doubts, self.info.mode, delays_by_hand=by_hand), remarks)

    @property
    def warnings(self) -> list[str]:
        """What a user should know of stream, plan, settings and end, one line each; what is doubted comes first."""
        doubts, remarks = self.found
        layout, end = self.plan.layout, self.end
        lines = [
            *consistency.lines(doubts), *consistency.unsaid(self.info), *self.plan.warnings, *self.remarks, *remarks,
            *(self.stopping.broken if self.stopping is not None else ()),
            *(consistency.unsaid(end) if end else ()),
            *consistency.setting_remarks(
                mode=layout.mode, period_ns=layout.period * layout.fine_s * 1e9, gate_ns=self.cut.gate_ns,
                bin_s=layout.scale.seconds, segments=len(self.tables["sequence"]["segments"]),
                photons=self.account.analysed if layout.fixed else 0, ended=end is not None,
            ),
        ]  # fmt: skip
        if self.settings.channels is None:
            late = [int(c) for c in np.flatnonzero(self.received) if c not in self.plan.layout.detectors]
            lines += [
                f"channel {c}: {self.received[c]} photons are not analysed, for there was none when it was looked; "
                "set `channels`"
                for c in late
            ]
        return list(dict.fromkeys(lines))

    def answers(self, *, fresh: bool = True) -> Answers:
        """Every number of the present cut, over all photons counted so far; what is in doubt is withheld.

        Not `fresh`: states, lifetimes and gates, which take long to find and change little, may be those of an earlier
        call. After the end everything
        is fresh, so that no answer depends on what was asked before.
        """
        question = self.question
        now = (self.group.counted, self.group.open_start, fresh or self.end is not None)
        asked, then, known = self._answered
        doubts = self.found.doubts
        if known is not None and asked == question and then == now:
            return withhold(known, doubts, self.plan.layout)
        take_over = not fresh and self.end is None and asked == question
        answers = answer(
            self.tables, self.plan, self.cut, self.settings.cw_window_ns, earlier=known if take_over else None
        )
        self._answered = (question, now, answers)
        return withhold(answers, doubts, self.plan.layout)

    def view(self) -> View:
        """What a study sees of everything counted so far; the tables are copies, for another process or thread."""
        tables = {
            name: {key: table.copy() for key, table in self.tables[name].items()}
            for name in WANTED
            if name in self.tables
        }
        return View(
            self.answers(), self.plan, self.settings, tables, self.began or 0, self.counted_s,
            self.cut.to_dict(), self.end is not None, self.response,
        )  # fmt: skip

    def study(self) -> list[Result]:
        """Results of every study that the settings name, over everything counted so far; takes seconds."""
        return run_studies(self.view())

    @property
    def question(self) -> tuple[Any, Any]:
        """What of the cut bears on the states."""
        return self.cut.thresholds_cps, self.cut.states

    def of_this_cut(self, studied: Sequence[Result]) -> tuple[Result, ...]:
        """Those Results of studies that are of the present thresholds and number of states."""
        asked = {**self.cut.to_dict(), "gate_ns": None}
        return tuple(one for one in studied if {**one.provenance["cut"], "gate_ns": None} == asked)

    def results(
        self, stopped_by: str | None = None, *, fresh: bool = True, studied: Sequence[Result] = ()
    ) -> list[Result]:
        """Every Result but the status; provenance has the cut and the stream time, the shell adds run and sequence.

        `studied` are those of `study`, of now or of a moment ago; their own provenance says of when.
        """
        answers = self.answers(fresh=fresh)
        points = self._trace.points(self.tables["sequence"]["segments"], self.began or 0)
        results = as_results(answers, self.tables, points, self.plan, self.cut.gate_ns)
        results.append(Result("summary", "summary", values=self.summary(answers, stopped_by, studied)))
        if self.stopping is not None:
            results.append(self.stopping.result(self.info.duration_s))
        provenance = {"stream_s": self.counted_s, "cut": self.cut.to_dict(), "final": self.end is not None}
        return [*(replace(result, provenance=provenance) for result in results), *studied]

    def summary(
        self, answers: Answers, stopped_by: str | None = None, studied: Sequence[Result] = ()
    ) -> dict[str, Any]:
        """The `--json` object; a number that cannot be known is None with its reason in `warnings`."""
        info, end = self.info, self.end
        timed = "times" not in answers.doubts
        g2, g2_warnings = g2_values(answers, self.plan)
        states, state_warnings = state_values(answers)
        why = unplaced(answers, self.plan)
        gates = [f"gate: {why}; no gated g2, and FLID has nanotimes as the card gives them"] if why else []
        return {
            "file": info.file or None,
            "format": info.format,
            "mode": info.mode,
            "hardware": info.hardware,
            "sync_rate_hz": info.sync_rate_hz,
            "tick_s": info.tick_s,
            "resolution_s": info.resolution_s if info.mode == "T3" else None,
            "duration_s": self.stream_s if timed else None,
            "live_s": self.live_ticks * info.tick_s if timed else None,
            "records": end.records if end else None,
            "markers": self.markers,
            "photons": int(self.received.sum()),
            "photons_per_channel": {str(c): int(self.received[c]) for c in np.flatnonzero(self.received)},
            "first_tick": self.first_tick,
            "last_tick": self.last_tick,
            "lost_records": self.lost + (end.lost_records if end else 0),
            "gaps": self.gaps,
            "sync_records": end.sync_records if end else 0,
            "account": {key: getattr(self.account, key) for key in Account.__slots__},
            "thresholds_cps": list(answers.thresholds_cps) if timed else None,
            "g2": g2,
            "states": states,
            "studies": {one.name: one.values for one in studied if one.name in names()},
            "truth": info.truth or None,
            "doubts": dict(answers.doubts),
            "warnings": [*self.warnings, *g2_warnings, *state_warnings, *gates],
            "stop": None if self.stopping is None else self.stopping.record(info.duration_s),
            "stopped_by": stopped_by or (end.reason if end else None),
        }
