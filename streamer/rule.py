"""Rule: the contract of everything that can stop a run, and how rules are joined.

A rule is one file in `streamer/stop_rules/`: a class with its parameters, and a watch that looks at the evidence.

    class Rule(rule.Rule):                       # parameters as pydantic fields, each with a description
        def watch(self, plan, settings): ...     # -> Watch; InputError where the question cannot be asked of the stream

    class Watch:
        def look(self, evidence) -> Finding: ...

Looks come on the grid of stream time and see whole segments only, so live, in a replay and in a batch, in any chunking,
a rule sees the same and stops at the same photon. A watch must not know of clocks, chunks or chance.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from streamer.config import Settings
from streamer.evidence import BRIGHTEST, STATES, Evidence
from streamer.plan import Plan

log = logging.getLogger(__name__)

StateName = Annotated[
    Literal[STATES],  # type: ignore[valid-type]
    Field(description='"all", "brightest", "darkest" or the name of a state (dark, grey, bright, ...).'),
]
ROUNDING = 1e-9  # a look's place in seconds is known so closely
LONGEST_S = 1e9  # of anything that is waited for: 30 years
Seconds = Annotated[float, Field(gt=0, le=LONGEST_S, allow_inf_nan=False)]
Pair = Annotated[
    tuple[int, int] | None,
    Field(strict=False, description="Channels [a, b]; the pair that is shown when left out."),
]
Chance = Annotated[float, Field(gt=0, lt=0.5)]

__all__ = ["BRIGHTEST", "Chance", "Finding", "Joined", "Pair", "Rule", "Seconds", "StateName", "Watch"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found.

    Attributes:
        met: the run may stop.
        words: why, or how it stands: one line for a person.
        numbers: the evidence, plain JSON.
        tracks: name -> share of the way to the threshold, 1 or more where it is reached.
        verdict: what was found out, where the rule asks a question.
        left_s: stream time until `met` is as probable as not; None where nothing can be said.
        due_s: exposure at which the next look must come at the latest; None: whenever.
        by: names of the rules that were met.
        known: False where nothing can be said, so that the opposite cannot be said either.
    """

    met: bool
    words: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    tracks: Mapping[str, float] = field(default_factory=dict)
    verdict: str | None = None
    left_s: float | None = None
    due_s: float | None = None
    known: bool = True
    by: tuple[str, ...] = ()


class Watch(Protocol):
    """A rule at work on one run."""

    def look(self, evidence: Evidence) -> Finding:
        """See what has been counted up to now."""
        ...


class Rule(BaseModel):
    """Parameters of a rule; `description` of each field is its documentation."""

    # Strict: a rule that takes true for a number of photons would stop at the first.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    told: ClassVar[str] = ""  # what it stops at, in a few words

    for_s: float = Field(0.0, ge=0, le=LONGEST_S, description="Stop only when it was met for so long, in s.")

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin; InputError where the question cannot be asked of this stream."""
        raise TypeError(f"{type(self).__name__}: a rule must define watch(plan, settings)")


class Guarded:
    """A rule that may break: then it looks no more and is not met, and neither the others nor the counting suffer."""

    def __init__(self, name: str, inner: Watch) -> None:
        self.name, self.inner = name, inner
        self.broken: str | None = None

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        if self.broken is None:
            try:
                found = self.inner.look(evidence)
                return replace(found, by=(self.name,)) if found.met else found
            except Exception as error:  # whatever it is, and whoever wrote the rule
                log.exception("the stop rule %s failed", self.name)
                self.broken = f"rule {self.name}: failed, and looks no more: {type(error).__name__}: {error}"
                evidence.broken.append(self.broken)
        return unknown(self.broken)


class Held:
    """Met only when `inner` was met at every look for `for_s`."""

    def __init__(self, inner: Watch, for_s: float) -> None:
        self.inner, self.for_s = inner, for_s
        self._since: float | None = None

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        found = self.inner.look(evidence)
        if not found.met:
            self._since = None
            return found
        self._since = evidence.elapsed_s if self._since is None else self._since
        held = evidence.elapsed_s - self._since
        if held >= self.for_s * (1 - ROUNDING):
            return replace(found, words=f"{found.words}, for {held:.3g} s")
        words = f"{found.words}, for {held:.3g} of {self.for_s:g} s"
        return replace(found, met=False, words=words, due_s=self._since + self.for_s)


class Joined:
    """Several rules as one: any, all, or (of one) not."""

    def __init__(self, how: str, parts: Sequence[tuple[str, Watch]]) -> None:
        self.how, self.parts = how, tuple(parts)
        self.found: tuple[Finding, ...] = ()

    def look(self, evidence: Evidence) -> Finding:
        """See Watch; every part looks every time, for what it sees may be counted only once."""
        self.found = tuple(watch.look(evidence) for _, watch in self.parts)
        named = [(name, one) for (name, _), one in zip(self.parts, self.found, strict=True)]
        if self.how == "not":
            name, one = named[0]
            met = one.known and not one.met
            return replace(
                one, met=met, words=f"not {name}: {one.words}", tracks={}, verdict=None, left_s=None,
                by=(f"not {name}",) if met else (),
            )  # fmt: skip
        met = (any if self.how == "any" else all)(one.met for one in self.found)
        told = [(name, one) for name, one in named if one.met or not met]
        left = [one.left_s for one in self.found if not one.met]
        known = [one for one in left if one is not None]
        expected = None
        if self.how == "any":
            expected = min(known, default=None)
        elif len(known) == len(left):
            expected = max(known, default=None)
        return Finding(
            met,
            "; ".join(f"{name}: {one.words}" if name else one.words for name, one in told),
            {name: dict(one.numbers) for name, one in named},
            {track if track.startswith(name) else f"{name} {track}": share
             for name, one in named for track, share in one.tracks.items()},
            next((one.verdict for _, one in told if one.met and one.verdict), None),
            expected,
            min((one.due_s for one in self.found if one.due_s is not None), default=None),
            by=tuple(name for name, one in named if one.met) if met else (),
        )  # fmt: skip


def amount(name: str, have: float, want: float, told: str, elapsed_s: float, numbers: Mapping[str, Any]) -> Finding:
    """Finding of a rule that waits until there is enough of something, or too much."""
    left_s = elapsed_s * (want - have) / have if 0 < have < want else None
    return Finding(have >= want * (1 - ROUNDING), told, numbers, {name: have / want}, left_s=left_s)


def unknown(why: str, numbers: Mapping[str, Any] | None = None) -> Finding:
    """Finding of a look at which nothing can be said."""
    return Finding(False, f"nothing can be said: {why}", {"reason": why} | dict(numbers or {}), known=False)
