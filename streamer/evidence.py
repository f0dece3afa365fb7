"""Evidence: what stop rules see of a run at a moment of stream time; what is dear to find is found seldom, and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.answers import Tables, find_states, lifetimes_of, occupied, rests_of, sum_parts
from streamer.config import Settings
from streamer.cuts import Cut, state_rows
from streamer.decays import Decays, find_lifetimes
from streamer.estimators.states import Mixture, names
from streamer.plan import Plan

GROWTH = 0.1  # of the stream time, after which states and lifetimes are found anew
SETTLED = 50  # nominal segments of time, before which no states are sought: a few seconds of a blinking dot look steady
DIM = 1 / 3  # of the brightest state's rate: a darkest state above that is not dark
ALL, BRIGHTEST, DARKEST = "all", "brightest", "darkest"
STATES = (ALL, BRIGHTEST, DARKEST, *dict.fromkeys(name for n in range(1, 5) for name in names(n)))


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """The states as they are told at present.

    Attributes:
        names: darkest first.
        rows: levels of each.
        rests: of these, levels at which the emitter rests in it for a whole segment.
        thresholds_cps: that part them.
        mixture: None where the thresholds are given by hand.
    """

    names: tuple[str, ...]
    rows: list[slice]
    rests: list[slice]
    thresholds_cps: tuple[float, ...]
    mixture: Mixture | None


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the stream stands.

    Attributes:
        tick: up to which everything was received.
        live_ticks: of them, watched.
        lost, gaps: records known to be missing, stretches that were not watched.
        doubts: as in StreamInfo, as far as is known by now.
    """

    tick: int
    live_ticks: int
    lost: int
    gaps: int
    doubts: Mapping[str, str]


class Evidence:
    """The tables of a run as rules look at them.

    Args:
        plan, settings, cut: of the run.
        began: first tick of the stream.
        late: the rules began after photons were counted, which are no evidence.

    Attributes:
        tables: accumulator name -> table name -> int64 array, as they stand.
        moment: of the present look.
        broken: rules that failed, a line each.
    """

    def __init__(self, plan: Plan, settings: Settings, cut: Cut, began: int, *, late: bool = False) -> None:
        self.plan, self.settings, self.cut, self.began, self.late = plan, settings, cut, began, late
        self.tables: Tables = {}
        self.moment = Moment(began, 0, 0, 0, {})
        self.broken: list[str] = []
        self._states: States | None = None
        self._decays: Decays | None = None
        self._decay_names: tuple[str, ...] = ()
        self._due_s: dict[str, float] = {}

    def update(self, tables: Tables, moment: Moment) -> None:
        """Come to the next look."""
        self.tables, self.moment = tables, moment

    def _due(self, what: str) -> bool:
        if self.elapsed_s < self._due_s.get(what, 0.0):
            return False
        self._due_s[what] = self.elapsed_s * (1 + GROWTH)
        return True

    @property
    def elapsed_s(self) -> float:
        """Stream time since the first tick: for so long the emitter has been exposed."""
        return (self.moment.tick - self.began) * self.plan.layout.tick_s

    @property
    def live_s(self) -> float:
        """Of it, watched."""
        return self.moment.live_ticks * self.plan.layout.tick_s

    @property
    def photons(self) -> int:
        """Analysed photons in closed segments."""
        return int(self.tables["exposure"]["photons"].sum())

    @property
    def segments(self) -> NDArray[np.int64]:
        """int64[n, 3 + detectors], in time order: start, stop, level, photons of each analysed detector."""
        return self.tables["sequence"]["segments"]

    def seconds(self, segments: NDArray[np.int64]) -> NDArray[np.float64]:
        """Length of segments, float64[n]."""
        return (segments[:, 1] - segments[:, 0]) * np.float64(self.plan.layout.tick_s)

    @property
    def states(self) -> States | None:
        """The states, at most GROWTH of the stream time old; None where nothing can be said yet."""
        layout = self.plan.layout
        by_hand = self.cut.thresholds_cps is not None
        if not by_hand and self.tables["exposure"]["time"][:, 0].sum() < SETTLED * layout.scale.ticks:
            return None
        if self._due("states"):
            thresholds, mixture = find_states(self.tables, layout, self.cut)
            # All levels, not only those visited so far: one that comes later belongs to a state too.
            rows = state_rows(layout.scale, thresholds)
            self._states = States(names(len(rows)), rows, rests_of(self.plan, rows, mixture), thresholds, mixture)
        return self._states

    @property
    def darkness(self) -> tuple[float, float, float] | None:
        """(rate of the darkest state, of the brightest, border of the darkest) in counts/s; None without a dark one."""
        states = self.states
        if states is None or len(states.names) < 2:
            return None
        exposure, tick_s = self.tables["exposure"], self.plan.layout.tick_s
        photons, ticks = exposure["photons"], exposure["time"][:, 0]
        dark, bright = (
            float(photons[row].sum()) / max(float(ticks[row].sum()) * tick_s, 1e-12)
            for row in (states.rows[0], states.rows[-1])
        )
        return (dark, bright, states.thresholds_cps[0]) if dark <= DIM * bright else None

    def place(self, state: str) -> int | None:
        """Number of a state, darkest first; None where there is none of that name now. Not for "all"."""
        states = self.states
        if states is None:
            return None
        if state in (BRIGHTEST, DARKEST):
            return len(states.names) - 1 if state == BRIGHTEST else 0
        return states.names.index(state) if state in states.names else None

    def levels(self, state: str, *, resting: bool = False) -> slice | None:
        """Levels of a state, of "all" with the row `mixed`; None where there is no such state now."""
        if state == ALL:
            return slice(0, self.plan.layout.scale.rows)
        at = self.place(state)
        if at is None:
            return None
        assert self._states is not None
        return (self._states.rests if resting else self._states.rows)[at]

    @property
    def decays(self) -> Decays | None:
        """Lifetimes of all photons and of each state, at most GROWTH of the stream time old; None without nanotimes.

        Before states are told, of all photons only.
        """
        if "lifetime" not in self.tables:
            return None
        states, time = self.states, self.tables["exposure"]["time"]
        if states is None:
            self._decay_names = ()
            return find_lifetimes(self.tables["lifetime"]["decay"].sum(axis=0)[None], self.plan)
        if self._due("decays"):
            rows = occupied(states.rows, time)
            rests = rests_of(self.plan, rows, states.mixture)
            counts = sum_parts(self.tables["lifetime"]["decay"], rows)
            self._decays = lifetimes_of(self.tables, self.plan, rows, rests, counts, states.mixture)
            self._decay_names = states.names
        return self._decays

    def decay_row(self, state: str) -> int | None:
        """Row of a state in `decays`; None where there is none."""
        if self.decays is None:
            return None
        if state == ALL:
            return 0
        names_ = self._decay_names
        if not names_:
            return None
        wanted = {BRIGHTEST: names_[-1], DARKEST: names_[0]}.get(state, state)
        return 1 + names_.index(wanted) if wanted in names_ else None


class Credited:
    """What has been counted of a state, each segment under the states as they were told when it was counted.

    States are told anew while the measurement goes on. If the whole past were filed anew each time, the evidence could
    be chosen among many; filed once, by intensities only, it keeps its promise.
    """

    def __init__(self) -> None:
        self._before: NDArray[Any] | None = None

    def take(self, table: NDArray[Any], levels: slice | None, *, late: bool = False) -> NDArray[Any] | None:
        """Sum over `levels` of what is new in `table` [levels, ...]; None, and nothing is credited, without levels.

        Of rules that began `late`, what the first table holds is no evidence.
        """
        if late and self._before is None:
            self._before = table.copy()
        if levels is None:
            return None
        before, self._before = self._before, table.copy()
        new = table[levels] if before is None else table[levels] - before[levels]
        total: NDArray[Any] = new.sum(axis=0)
        return total
