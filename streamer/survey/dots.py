"""One dot of a survey at work: counted up to where a rule, or its share of the budget, stops it; then its row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamer.batch import ahead, looked_at
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.errors import StreamerError
from streamer.estimators.response import Response
from streamer.hook import Hook
from streamer.irf import read_response
from streamer.pipeline import Pipeline
from streamer.registry import open_source
from streamer.survey.purse import within
from streamer.survey.table import REFUSED, STOPPED, UNDECIDED, Row

BUDGET = "budget"
HOOK_S = 5.0  # what a hook may still take at the end of a dot's stream


@dataclass(frozen=True, slots=True)
class Dot:
    """Where a dot comes from.

    Attributes:
        number: in the survey, from 1.
        address: recording or source.
        options: of the source.
        name: in the table; the address where it is left out.
    """

    number: int
    address: str
    options: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What holds for every dot.

    Attributes:
        settings: of each run; `stop` has the rules.
        exposure_s: that each would get without rules; None: as the source says.
    """

    settings: Settings
    exposure_s: float | None = None


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; `row` is of what had come."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.row = row


class Count:
    """A dot at work.

    Args:
        info: of its stream.
        settings: of the run, with the rules as the user gave them.
        allowed_s: exposure that it may use at most; None: any.
        response: of the instrument.

    Raises:
        InputError: stream and settings contradict each other, or a rule cannot be asked of it.

    Attributes:
        spent: it used what it was allowed, and no rule had stopped it.
    """

    def __init__(
        self, info: StreamInfo, settings: Settings, allowed_s: float | None = None, response: Response | None = None
    ) -> None:
        self.pipeline = Pipeline(info, within(settings, allowed_s), response)
        self.allowed_s, self.spent = allowed_s, False

    def feed(self, chunk: Chunk) -> bool:
        """Count what is still this dot's; whether it was stopped just now."""
        if self.over:
            return False
        if self.allowed_s is not None:
            began = chunk.start if self.pipeline.began is None else self.pipeline.began
            last = began + math.floor(self.allowed_s / self.pipeline.info.tick_s)
            if chunk.stop >= last:
                self.spent = True
                if chunk.start >= last:
                    return True
                chunk, _ = chunk.cut(last)
        self.pipeline.feed(chunk)
        self.spent = self.spent and self.pipeline.stopped is None
        return self.over

    @property
    def over(self) -> bool:
        """It is done; what still comes is passed over."""
        return self.spent or self.pipeline.stopped is not None

    @property
    def why(self) -> str:
        """Why it was stopped, one line."""
        return self.pipeline.stopped or spent_line(self.allowed_s)


def spent_line(allowed_s: float | None) -> str:
    """Why a dot was stopped whose share is used up."""
    return f"{BUDGET}: its share of the survey's exposure, {allowed_s or 0.0:.4g} s, is used up"


def row_of(
    number: int, name: str, pipeline: Pipeline, *, planned_s: float | None = None, allowed_s: float | None = None,
    cut_short: str | None = None, part: int | None = None, began_s: float | None = None,
) -> Row:  # fmt: skip
    """What became of a dot; `cut_short` is why something else than a rule ended it."""
    assert pipeline.stopping is not None
    record = pipeline.stopping.record(planned_s)
    stopped = record["stopped"]
    used_s = record["used_s"] if stopped else pipeline.stream_s
    photons = record["photons"] if stopped else int(pipeline.received.sum())
    words = record["words"] or "nothing came"
    spent = cut_short is not None and cut_short.startswith(BUDGET)
    saved_s = None
    if planned_s is not None:
        saved_s = max(planned_s - used_s, 0.0) if stopped or spent else 0.0
    verdict = (record["verdict"] or STOPPED) if stopped else UNDECIDED
    numbers = _g2_numbers(record["evidence"]) or {}
    return Row(
        number, name, verdict, words if cut_short is None or stopped else f"{cut_short}; {words}", part, began_s,
        ", ".join(record["stopped_on"]) if stopped else BUDGET if spent else "",
        used_s, planned_s, saved_s, allowed_s, photons, photons / used_s if used_s else None,
        **{key: numbers.get(key) for key in ("g2_0", "low", "high", "central", "accidental")},
        state=numbers.get("state", ""),
    )  # fmt: skip


def _g2_numbers(evidence: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first evidence on a g2(0) among that of joined rules."""
    if {"g2_0", "low", "high"} <= set(evidence):
        return evidence
    found = (_g2_numbers(one) for one in evidence.values() if isinstance(one, Mapping))
    return next((one for one in found if one is not None), None)


def refused(dot: Dot, error: Exception, part: int | None = None) -> Row:
    """The row of a dot that cannot be read, or of which the question cannot be asked."""
    return Row(dot.number, dot.name or dot.address, REFUSED, " ".join(str(error).split()), part)


def hook_of(info: StreamInfo, settings: Settings) -> Hook | None:
    """The command that moves on to the next dot, where there is something to move: not for a recording."""
    return Hook(settings.on_stop) if info.live and settings.on_stop is not None else None


def call(hook: Hook | None, count: Count, planned_s: float | None) -> None:
    """Start the hook with the dot's record."""
    if hook is not None and count.pipeline.stopping is not None:
        info = count.pipeline.info
        told = {"source": info.source, "file": info.file, "reason": count.why}
        hook.start(told | count.pipeline.stopping.record(planned_s))


def measure(dot: Dot, plan: Plan, allowed_s: float | None = None) -> Row:
    """Count a dot that is a stream of its own; a worker process can run it.

    Raises:
        Interrupted: by Ctrl-C.
    """
    name = dot.name or dot.address
    try:
        source = looked_at(open_source(dot.address, dot.options), dot.address, dot.options, plan.settings)
        planned_s = source.info.duration_s if plan.exposure_s is None else plan.exposure_s
        count = Count(source.info, plan.settings, allowed_s, read_response(plan.settings))
        hook = hook_of(source.info, plan.settings)
        try:
            for chunk in ahead(source.chunks()):
                if count.feed(chunk):
                    source.stop(count.why)
                    call(hook, count, planned_s)
            count.pipeline.finish(source.end())
        except KeyboardInterrupt:
            source.stop("interrupted")
            count.pipeline.finish(StreamEnd("interrupted"))
            raise Interrupted(
                row_of(dot.number, name, count.pipeline, planned_s=planned_s, allowed_s=allowed_s,
                       cut_short="interrupted")
            ) from None  # fmt: skip
        finally:
            if hook is not None:
                hook.wait(HOOK_S)
    except (StreamerError, OSError) as error:
        return refused(dot, error)
    return row_of(
        dot.number, name, count.pipeline, planned_s=planned_s, allowed_s=allowed_s,
        cut_short=count.why if count.spent else None,
    )  # fmt: skip
