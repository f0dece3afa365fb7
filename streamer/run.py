"""Run: one stream from its first to its last photon, with what only a clock can tell of it."""

from __future__ import annotations

import time
import uuid
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Chunk
from streamer.config import Settings
from streamer.pipeline import Pipeline
from streamer.result import Result

RATE_S = 1.0  # rates are means over the last so many seconds
SHORTEST_S = 0.05  # of stream time that count rates are taken over


def new_id() -> str:
    """Name of a run; never the same twice."""
    return uuid.uuid4().hex[:12]


@dataclass
class Run:
    """One stream.

    Attributes:
        peer, stream: who sends it; the name the source gave it.
        pipeline: what counts it.
        id: of the run; a reset makes a new one.
        started: clock when it began.
        next_seq: number of the chunk to come.
        paused, backlog: chunks that came while paused, at most the credit.
        stopping: why it was asked to end.
        lost: why the source is gone, until it comes back.
        changed: there is something new to publish.
        studied, studied_new, studied_for: Results of the last studies, whether they have not been published yet, and
            the question that was last asked of studies.
        finishing: the stream is over, and the last studies are under way.
    """

    peer: bytes
    stream: str
    pipeline: Pipeline
    id: str = field(default_factory=new_id)
    started: float = field(default_factory=time.monotonic)
    next_seq: int = 0
    paused: bool = False
    backlog: list[tuple[int, Chunk]] = field(default_factory=list)
    stopping: str | None = None
    lost: str | None = None
    changed: bool = True
    studied: tuple[Result, ...] = ()
    studied_new: bool = False
    studied_for: Any = None
    finishing: bool = False
    _received: deque[tuple[float, float, NDArray[np.int64]]] = field(default_factory=deque)

    def anew(self, settings: Settings) -> Run:
        """The same stream and cut with everything forgotten that was counted."""
        pipeline = Pipeline(self.pipeline.info, settings, self.pipeline.response)
        pipeline.cut = self.pipeline.cut
        before = self.pipeline.stopping
        pipeline.rule(None if before is None else before.tree, armed=before is None or before.armed)
        return replace(
            self, pipeline=pipeline, id=new_id(), started=time.monotonic(), changed=True,
            studied=(), studied_for=None, _received=deque(),
        )  # fmt: skip

    def study_results(self, results: list[Result]) -> None:
        """Take what the studies found; it is to be published."""
        self.studied, self.studied_new, self.changed = tuple(results), True, True

    @property
    def state(self) -> str:
        """In one or two words."""
        if self.pipeline.end is not None:
            return "finishing" if self.finishing else "ended"
        if self.lost is not None:
            return "source lost"
        return "paused" if self.paused else "running"

    def rates(self) -> tuple[float, NDArray[np.float64]]:
        """(photons per second of the clock, counts per second of stream time by channel) over the last RATE_S.

        The first is how fast the analysis goes, the second what the detectors saw; they differ when a recording is
        replayed fast.
        """
        now = time.monotonic()
        self._received.append((now, self.pipeline.stream_s, self.pipeline.received.copy()))
        while len(self._received) > 2 and now - self._received[1][0] >= RATE_S:
            self._received.popleft()
        (then, stream_then, before), (_, stream_now, present) = self._received[0], self._received[-1]
        new = (present - before).astype(np.float64)
        span = stream_now - stream_then
        if span < SHORTEST_S:  # time hardly moved, as at the end of a stream: what was seen all along says more
            span, new_rates = max(stream_now, 1e-9), present.astype(np.float64)
        else:
            new_rates = new
        return float(new.sum()) / max(now - then, 1e-3), new_rates / span

    def status(self) -> dict[str, Any]:
        """How it stands, as plain JSON."""
        pipeline = self.pipeline
        info, end = pipeline.info, pipeline.end
        speed, rates = self.rates()
        running_live = info.live and end is None
        elapsed = time.monotonic() - self.started
        return {
            "state": self.state,
            "run": self.id,
            "source": info.source,
            "file": info.file,
            "format": info.format,
            "mode": info.mode,
            "stream_s": pipeline.stream_s,
            "counted_s": pipeline.counted_s,
            "span_s": pipeline.stream_s,
            "duration_s": info.duration_s,
            "photons": int(pipeline.received.sum()),
            "photons_per_s": speed,
            "channel_rates": {str(c): float(rates[c]) for c in np.flatnonzero(pipeline.received)},
            "lag_s": elapsed - pipeline.stream_s if running_live else 0.0,
            "lost_records": pipeline.lost + (end.lost_records if end else 0),
            "gaps": pipeline.gaps,
            "live_s": pipeline.live_ticks * info.tick_s,
            "warnings": pipeline.warnings,
            "account": asdict(pipeline.account),
            "stopped_by": end.reason if end else None,
        }
