"""A survey of dots that come to a daemon, one stream after the other, as a scanning program sends them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from streamer.chunk import StreamInfo
from streamer.daemon import Daemon, Save
from streamer.errors import InputError
from streamer.result import Result
from streamer.run import Run
from streamer.survey.dots import Dot, Plan, refused, row_of, spent_line
from streamer.survey.purse import Purse, within
from streamer.survey.table import Row
from streamer.transport import Hub


class Served:
    """A daemon whose every run is a row.

    Args:
        hub: bound sockets.
        plan: of each dot.
        told: called with the row of each run that ended.
        most: end after so many dots.
        purse: the survey's exposure.
        save: as a daemon's.

    Attributes:
        daemon: to be told of signals.
        done: dots so far.
    """

    def __init__(
        self, hub: Hub, plan: Plan, told: Callable[[Row], None], *, most: int | None = None,
        purse: Purse | None = None, save: Save | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.told, self.most, self.purse, self._save_on = plan, told, most, purse, save
        self.done, self._rows_of = 0, set[str]()
        self.daemon = Daemon(hub, plan.settings, self._save)
        self.daemon.on_refused = self._refused
        self._allowed_s: float | None = None
        self._rules = self._tightened = plan.settings.stop
        self._share()

    def serve(self) -> None:
        """Take streams until the last dot, or until the daemon is told to stop."""
        self.daemon.serve(self._watch)

    def _watch(self) -> bool:
        """Look after the present dot's share; whether the survey is complete."""
        run = self.daemon.run
        allowed_s = math.inf if self._allowed_s is None else self._allowed_s
        going_on = run is not None and run.pipeline.end is None and not run.stopping
        if going_on and run is not None and run.pipeline.stream_s >= allowed_s:
            self.daemon.control({"do": "stop", "reason": spent_line(allowed_s)})
        return self.most is not None and self.done >= self.most

    def _save(self, run_id: str, results: Sequence[Result]) -> str:
        """Called at the end of every run, and whenever somebody asks for the results of the present one."""
        run = self.daemon.run
        if run is not None and run.pipeline.end is not None and run.id not in self._rows_of:
            self._rows_of.add(run.id)
            self._take(self._row(run))
        number = self.done + (run is not None and run.pipeline.end is None)
        return "" if self._save_on is None else self._save_on(f"dot_{number:04d}", results)

    def _row(self, run: Run) -> Row:
        """Of a run that has ended."""
        pipeline, number = run.pipeline, self.done + 1
        name = pipeline.info.file or pipeline.info.source
        if pipeline.stopping is None:
            return refused(Dot(number, name), InputError("somebody took its rules away while it was measured"))
        assert pipeline.end is not None
        return row_of(
            number, name, pipeline, allowed_s=self._allowed_s,
            planned_s=pipeline.info.duration_s if self.plan.exposure_s is None else self.plan.exposure_s,
            cut_short=pipeline.end.reason if run.stopping and pipeline.stopped is None else None,
        )  # fmt: skip

    def _refused(self, info: StreamInfo, error: InputError) -> None:
        try:
            self._take(refused(Dot(self.done + 1, info.file or info.source), error))
        except InputError as failed:  # the table cannot be written; the next dot may find the disk mended
            self.daemon.failed = failed

    def _take(self, row: Row) -> None:
        self.done += 1
        if self.purse is not None:
            self.purse.take(row.used_s)
        self._share()
        self.told(row)

    def _share(self) -> None:
        """Tell the rules what the next dot may use; rules that came over the control socket meanwhile are kept."""
        if self.purse is None or not self.purse.left_dots:
            return
        settings = self.daemon.settings
        if settings.stop != self._tightened:
            self._rules = settings.stop
        self._allowed_s = self.purse.deal(1)[1]
        self.daemon.settings = within(settings.model_copy(update={"stop": self._rules}), self._allowed_s)
        self._tightened = self.daemon.settings.stop
