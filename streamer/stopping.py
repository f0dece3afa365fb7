"""Stopping: rules looked at on a grid of stream time, so that any way of feeding a stream stops at the same photon.

The grid has a look at every whole multiple of LOOK_S (of whole segments) and, later, one every hundredth of the time
gone by. A stream is cut there, so what a look sees depends on nothing but the photons before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamer.answers import Tables, plain
from streamer.config import Settings
from streamer.cuts import Cut
from streamer.evidence import Evidence, Moment
from streamer.plan import Plan
from streamer.result import Axis, Result
from streamer.rule import LONGEST_S, Finding
from streamer.stop_rules import begin

LOOK_S = 0.05
RARER = 100  # looks are at most this share of the time gone by apart
MOST_POINTS = 600  # of the history that is shown


class Stopping:
    """The rules of a run at work.

    Args:
        tree: of rules, plain, as in the settings.
        plan, settings, cut: of the run.
        late: it began after photons were counted; what they say may have made somebody ask, so it is no evidence.
        armed: whether it may stop the run; its evidence grows in any case.

    Raises:
        InputError: the tree is wrong, or a rule cannot be asked of this stream.

    Attributes:
        found: of the last look.
        stopped: the look that stopped the run.
        stop_tick, stop_photons: tick at which it stopped, and photons received until then.
        looks: how many so far.
        since_s: stream time from which the evidence counts.
        met_s: stream time at which the rules were first met, armed or not.
    """

    def __init__(
        self, tree: Mapping[str, Any], plan: Plan, settings: Settings, cut: Cut, *, late: bool = False,
        armed: bool = True,
    ) -> None:  # fmt: skip
        self.tree, self.armed = dict(tree), armed
        self._watch = begin(tree, plan, settings)
        self._plan, self._settings, self._cut, self._late = plan, settings, cut, late
        scale = plan.layout.scale
        self.step = max(1, round(LOOK_S / scale.seconds)) * scale.ticks
        self._evidence: Evidence | None = None
        self._next = 0
        self.found: Finding | None = None
        self.stopped: Finding | None = None
        self.stop_tick: int | None = None
        self.stop_photons: int | None = None
        self.looks, self.since_s = 0, 0.0
        self.met_s: float | None = None
        self._times: list[float] = []
        self._history: list[dict[str, float]] = []
        self._every = 1

    def begin(self, began: int, position: int) -> None:
        """The stream begins at tick `began`, and stands at `position`."""
        self._evidence = Evidence(self._plan, self._settings, self._cut, began, late=self._late)
        self.since_s = (position - began) * self._plan.layout.tick_s
        self._next = (position // self.step + 1) * self.step

    def next_look(self, start: int) -> int:
        """Tick of the next look for a span that begins at `start`; what fell into a gap is made up for behind it."""
        if self._next <= start:
            self._next = (start // self.step + 1) * self.step
        return self._next

    def look(self, tables: Tables, moment: Moment, photons: int) -> bool:
        """Look; whether the run stops here."""
        assert self._evidence is not None
        evidence = self._evidence
        evidence.update(tables, moment)
        if self._late and self.looks == 0:
            self.since_s = evidence.elapsed_s
        self.looks += 1
        elapsed = moment.tick - evidence.began
        self._next = moment.tick + max(1, elapsed // (RARER * self.step)) * self.step
        self.found = self._watch.look(evidence)
        if self.found.due_s is not None and evidence.elapsed_s < self.found.due_s <= LONGEST_S:
            due = evidence.began + round(self.found.due_s / self._plan.layout.tick_s)
            self._next = min(self._next, max(-(-due // self.step), moment.tick // self.step + 1) * self.step)
        self._remember(evidence.elapsed_s)
        if self.found.met and self.met_s is None:
            self.met_s = evidence.elapsed_s
        if self.found.met and self.armed:
            self.stopped, self.stop_tick, self.stop_photons = self.found, moment.tick, photons
        return self.stopped is not None

    def _remember(self, time_s: float) -> None:
        assert self.found is not None
        if self.looks % self._every and not self.found.met:
            return
        self._times.append(time_s)
        self._history.append(dict(self.found.tracks))
        if len(self._times) > MOST_POINTS:
            self._times, self._history, self._every = self._times[::2], self._history[::2], 2 * self._every

    @property
    def broken(self) -> list[str]:
        """Rules that failed and look no more, a line each."""
        return [] if self._evidence is None else self._evidence.broken

    @property
    def words(self) -> str | None:
        """Why the run was stopped, one line; None where it was not."""
        return None if self.stopped is None else f"rule: {self.stopped.words}"

    def record(self, duration_s: float | None) -> dict[str, Any]:
        """What the run's record says, plain JSON; `duration_s` is what the source had planned."""
        found, layout = self.found, self._plan.layout
        used_s = None
        if self.stop_tick is not None and self._evidence is not None:
            used_s = (self.stop_tick - self._evidence.began) * layout.tick_s
        return {
            "rules": self.tree,
            "armed": self.armed,
            "stopped": self.stopped is not None,
            "words": None if found is None else found.words,
            "verdict": None if found is None else found.verdict,
            "met": found is not None and found.met,
            "met_s": self.met_s,
            "stopped_on": [] if self.stopped is None else list(self.stopped.by),
            "left_s": None if found is None or self.stopped is not None else finite(found.left_s),
            "evidence": {} if found is None else finite(found.numbers),
            "tracks": {} if found is None else finite(found.tracks),
            "since_s": self.since_s,
            "looks": self.looks,
            "tick": self.stop_tick,
            "photons": self.stop_photons,
            "used_s": used_s,
            "planned_s": duration_s,
            "saved_s": None if used_s is None or duration_s is None else max(duration_s - used_s, 0.0),
        }

    def result(self, duration_s: float | None) -> Result:
        """The way to the thresholds, for whoever draws it: shares over stream time, 1 at a threshold."""
        rows = tuple(dict.fromkeys(name for one in self._history for name in one))
        shares = np.array([[one.get(name, np.nan) for one in self._history] for name in rows], np.float64)
        return Result(
            "stopping", "curves", (Axis("time", "s", np.array(self._times, np.float64)),),
            {"share": shares.reshape(len(rows), len(self._times))}, rows, self.record(duration_s),
        )  # fmt: skip


def finite(value: Any) -> Any:
    """Plain JSON: what is no number, or has no end, is None, at any depth."""
    if isinstance(value, Mapping):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return plain(value)
