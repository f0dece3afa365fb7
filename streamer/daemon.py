"""Daemon: the shell around the pipeline; it alone has sockets, a wall clock, and the duty to end cleanly."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import psutil

from streamer import stop_rules
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.errors import InputError, ProtocolError
from streamer.hook import Hook
from streamer.irf import read_response
from streamer.pipeline import Pipeline
from streamer.result import Result
from streamer.run import Run
from streamer.transport import ChunkIn, ControlIn, EndIn, Event, HelloIn, Hub, SourceLost
from streamer.worker import Worker

log = logging.getLogger(__name__)

CREDIT = 8  # chunks a source may be ahead of what was counted
POLL_S = 0.05  # how long to listen at a time where something else is waited for
HOOK_S = 5.0  # what a hook may still take at the very end
LINGER_S = 2.0  # how long a source may take to obey a stop before the run is closed without its end
SLOW_SHARE = 0.05  # of the time may go into what takes long and changes little: states, lifetimes, gates
IDLE_S = 0.25  # the status is told this often even when nothing comes, so that a viewer knows that the daemon lives

Save = Callable[[str, Sequence[Result]], str]


class Daemon:
    """Takes one stream at a time, publishes its Results at a steady pace, and answers on the control socket.

    Args:
        hub: bound sockets.
        settings: of every run.
        save: called with the run's id and its final Results; returns where they are.

    Raises:
        InputError: the recording of the response that the settings name cannot be used.

    Attributes:
        run: the present stream, or the last one; its answers may be asked for until the next begins.
        saved: where the results of that run were written.
        failed: why they could not be written.
        summary: its final summary.
        response: of the instrument, read when the daemon began; the settings name it.
        on_refused: told what stream was refused, and why.
        stopped_by: why the loop was asked to end.
        armed: whether the rules may stop the runs to come.
    """

    def __init__(self, hub: Hub, settings: Settings, save: Save | None = None) -> None:
        self.hub, self.settings, self.save = hub, settings, save
        self.response = read_response(settings)
        self.run: Run | None = None
        self.seq = 0
        self.saved: str | None = None
        self.failed: InputError | None = None
        self.summary: dict[str, Any] | None = None
        self.armed = True
        self.on_refused: Callable[[StreamInfo, InputError], None] = lambda info, error: None
        self._id = uuid.uuid4().hex[:12]
        self.stopped_by: str | None = None
        self._published = self._due = 0.0
        self._next_slow = 0.0
        self._told = 0.0
        self._published_per_s = 0.0
        self._process = psutil.Process()
        self._worker = Worker()
        self._hook = None if settings.on_stop is None else Hook(settings.on_stop)
        self._waiting: list[Event] = []

    # ---- the loop

    def stop(self, reason: str) -> None:
        """Ask the loop to end; safe from a signal handler or another thread."""
        self.stopped_by = self.stopped_by or reason

    def serve(self, until: Callable[[], bool] = lambda: False) -> None:
        """Work until `stop` is called or `until()` is true; then end the run: final Results are published and saved."""
        try:
            while self.stopped_by is None and not until():
                self.step()
            self.close(self.stopped_by or "daemon ended")
        finally:
            self._worker.close()
            if self._hook is not None:
                self._hook.wait(HOOK_S)

    def step(self) -> None:
        """Take what has come, at most one publishing interval long, and publish when it is time."""
        interval = 1.0 / self.settings.results_per_s
        news = self.run is not None and self.run.changed and self.run.pipeline.group.start is not None
        # Without news there is nothing to wake up for but a sign of life; whatever comes in wakes the sockets.
        wait = max(0.0, (self._due if news else self._told + IDLE_S) - time.monotonic())
        for event in self._came(wait):
            self._handle(event)
        self._take_studies()
        if self.run is not None and self.run.pipeline.end is not None:
            self._ask_studies()
        now = time.monotonic()
        if now >= self._due:
            if self.run is not None and self.run.changed and self.run.pipeline.group.start is not None:
                # What is quick goes out first: the age of a Result must not depend on what takes long.
                self.publish(slow=False)
                # On a grid: being late once, by the chunks that came together, does not make all that follow late.
                self._due += interval * ((now - self._due) // interval + 1)
                if now >= self._next_slow:
                    self.publish()
                    self._ask_studies()
            elif now - self._told >= IDLE_S:
                self.hub.publish([self.status_result()])
                self._told = now

    def _came(self, wait: float) -> list[Event]:
        """What came while the last studies ran, and what has come since."""
        earlier, self._waiting = self._waiting, []
        return [*earlier, *self.hub.poll(0.0 if earlier else wait)]

    def _take_studies(self) -> None:
        """Fetch what the studies found; it goes out with the next Results."""
        taken = self._worker.take()
        if taken is not None and self.run is not None and taken[0] == self.run.id:
            ended = self.run.pipeline.end is not None
            if ended and not all(result.provenance["final"] for result in taken[1]):
                return  # begun before the end; what was found at the end is newer
            self.run.study_results(taken[1])
            if ended:
                self.summary = next(result.values for result in self.publish() if result.name == "summary")

    def _ask_studies(self) -> None:
        """Begin the studies of what was counted; right after slow answers, so that these need not be found again."""
        run = self.run
        if run is None or self.settings.studies == () or not self._worker.free:
            return
        if run.pipeline.end is None or run.studied_for != run.pipeline.question:
            run.studied_for = run.pipeline.question
            self._worker.ask(run.id, run.pipeline.view())

    def close(self, reason: str) -> None:
        """End the run, if there is one, giving its source a moment to obey."""
        run = self.run
        if run is not None and run.pipeline.end is None:
            run.stopping = reason
            self.hub.stop(run.peer, reason)
            self._resume()
            deadline = time.monotonic() + LINGER_S
            while run.pipeline.end is None and time.monotonic() < deadline:
                for event in self._came(POLL_S):
                    self._handle(event)
            if run.pipeline.end is None:
                self._finish(StreamEnd(reason))

    # ---- events

    def _handle(self, event: Event) -> None:
        match event:
            case HelloIn():
                self._hello(event)
            case ChunkIn():
                self._chunk(event)
            case EndIn():
                if self.run is not None and event.peer == self.run.peer:
                    self._resume()
                    self._finish(event.end)
                    self.hub.totals(event.peer, asdict(self.run.pipeline.account))
            case SourceLost():
                if self.run is not None and event.peer == self.run.peer and self.run.pipeline.end is None:
                    self.run.lost = event.reason
            case ControlIn():
                self.hub.reply(event.peer, self.control(event.request))

    def _hello(self, event: HelloIn) -> None:
        run = self.run
        if run is not None and run.stream == event.stream and run.pipeline.end is None:
            run.peer, run.lost = event.peer, None
            self.hub.welcome(event.peer, run.next_seq, CREDIT)
            if run.stopping:
                self.hub.stop(event.peer, run.stopping)
            return
        if run is not None and run.pipeline.end is None:
            # Its source went away for good and another one comes: what was counted is a finished run.
            run.stopping = run.stopping or f"source lost ({run.lost})"
            self._finish(StreamEnd(run.stopping))
        try:
            pipeline = Pipeline(event.info, self.settings, self.response)
            if pipeline.stopping is not None:
                pipeline.stopping.armed = self.armed
        except InputError as error:
            self.hub.refuse(event.peer, str(error))
            self.on_refused(event.info, error)
            return
        self.run = Run(event.peer, event.stream, pipeline, next_seq=event.first_seq)
        self.saved = self.summary = None
        if event.first_seq > 0:
            # Another daemon had the stream before and took these chunks with it; going on beats losing the rest too.
            pipeline.remarks.append(
                f"the stream was taken up at chunk {event.first_seq}: what an earlier daemon counted of it is not in "
                "these results"
            )
        self.hub.welcome(event.peer, event.first_seq, CREDIT)

    def _chunk(self, event: ChunkIn) -> None:
        run = self.run
        if run is None or event.peer != run.peer or run.pipeline.end is not None:
            return
        run.next_seq = event.seq + 1
        if run.paused:
            run.backlog.append((event.seq, event.chunk))
        else:
            self._count(run, event.seq, event.chunk)

    def _count(self, run: Run, seq: int, chunk: Chunk) -> None:
        try:
            run.pipeline.feed(chunk)
        except ProtocolError as error:
            # Nothing already counted is lost: the run ends here with its reason.
            run.stopping = str(error)
            self.hub.stop(run.peer, str(error))
            self._finish(StreamEnd(str(error), warnings=(str(error),)))
            return
        run.changed = True
        if run.pipeline.stopped is not None and not run.stopping:
            self._rule_stops(run, run.pipeline.stopped)
        self.hub.credit(run.peer, seq, CREDIT)

    def _rule_stops(self, run: Run, reason: str) -> None:
        """Tell the source, whoever listens, and the hook, in this order: each photon more is one too many."""
        assert run.pipeline.stopping is not None
        run.stopping = reason
        self.hub.stop(run.peer, reason)
        told = run.pipeline.stopping.result(run.pipeline.info.duration_s)
        provenance = {"run": run.id, "seq": self.seq, "stream_s": run.pipeline.counted_s, "final": False}
        self.hub.publish([replace(told, provenance={"cut": run.pipeline.cut.to_dict()} | provenance)])
        if self._hook is not None:
            source = {"run": run.id, "source": run.pipeline.info.source, "file": run.pipeline.info.file}
            self._hook.start(source | {"reason": reason} | told.values)

    def _finish(self, end: StreamEnd) -> None:
        run = self.run
        assert run is not None
        if run.stopping and end.reason != run.stopping:
            end = replace(end, reason=run.stopping)
        run.pipeline.finish(end)
        run.study_results(self._last_studies(run))
        run.studied_for = run.pipeline.question
        results = self.publish()
        self.summary = next(result.values for result in results if result.name == "summary")
        self._save(results)

    def _last_studies(self, run: Run) -> list[Result]:
        """The studies of all that was counted, which must be there when the source is told that all is done.

        Meanwhile who asks for the status is answered; whatever else comes in waits.
        """
        run.finishing = True
        try:
            with ThreadPoolExecutor(1) as pool:
                found = pool.submit(run.pipeline.study)
                while not found.done():
                    for event in self.hub.poll(POLL_S):
                        if isinstance(event, ControlIn) and event.request.get("do") == "status":
                            self.hub.reply(event.peer, self.control(event.request))
                        else:
                            self._waiting.append(event)
                    if time.monotonic() - self._told >= IDLE_S:
                        self.hub.publish([self.status_result()])
                        self._told = time.monotonic()
            return found.result()
        finally:
            run.finishing = False

    def _save(self, results: Sequence[Result]) -> None:
        if self.save is None or self.run is None:
            return
        try:
            self.saved, self.failed = self.save(self.run.id, results), None
        except InputError as error:
            # A full disk must not end the daemon: the answers are still there to be looked at, and saved elsewhere.
            self.failed = error
            log.error("%s", error)

    def _resume(self) -> None:
        run = self.run
        if run is not None:
            run.paused = False
            while run.backlog and run.pipeline.end is None:
                self._count(run, *run.backlog.pop(0))

    # ---- control

    def control(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request; wrong requests get one line, never an exception."""
        actions: dict[Any, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "status": lambda _: {"status": self.status()},
            "cut": self._new_cut,
            "rules": self._rules,
            "arm": lambda _: self._arm(True),
            "disarm": lambda _: self._arm(False),
            "pause": self._pause,
            "resume": self._go_on,
            "reset": self._reset,
            "save": self._save_now,
            "stop": self._stop_source,
        }
        asked = request.get("do")
        action = actions.get(asked) if isinstance(asked, str) else None
        if action is None:
            return {"ok": False, "error": f"do: must be one of {', '.join(actions)}, got {request.get('do')!r}"}
        if self.run is None and request["do"] not in ("status", "rules"):
            return {"ok": False, "error": f"{request['do']}: no stream yet; start one with `streamer send SOURCE`"}
        try:
            return {"ok": True} | action(request)
        except (ValueError, InputError) as error:
            return {"ok": False, "error": str(error)}

    def _new_cut(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.run is not None
        pipeline = self.run.pipeline
        pipeline.recut(pipeline.cut.changed(request))
        if pipeline.group.start is not None:
            results = self.publish(slow=False)
            if pipeline.end is not None:
                self._ask_studies()
                self.summary = next(result.values for result in results if result.name == "summary")
        return {"cut": pipeline.cut.to_dict()}

    def _rules(self, request: dict[str, Any]) -> dict[str, Any]:
        """Tell the rules, and put others to work where the request brings some: in this run and those to come."""
        if "rules" in request:
            tree = request["rules"]
            if tree is not None:
                stop_rules.check(tree, "rules")
            armed = request.get("armed", True) is True
            if self.run is not None and self.run.pipeline.end is None and self.run.pipeline.stopped is None:
                self.run.pipeline.rule(tree, armed=armed)
                self.run.changed = True
            self.armed = armed
            self.settings = self.settings.model_copy(update={"stop": tree})
        return {
            "rules": self.settings.stop,
            "armed": self.settings.stop is not None and self.armed,
            "known": stop_rules.described(),
        }

    def _arm(self, armed: bool) -> dict[str, Any]:
        assert self.run is not None
        stopping = self.run.pipeline.stopping
        if stopping is None:
            raise ValueError('arm: there are no rules; give some with {"do": "rules", "rules": {"rule": "g2"}}')
        self.armed = stopping.armed = armed
        self.run.changed = True
        return {"armed": armed}

    def _pause(self, _: dict[str, Any]) -> dict[str, Any]:
        assert self.run is not None
        self.run.paused = self.run.pipeline.end is None
        return {}

    def _go_on(self, _: dict[str, Any]) -> dict[str, Any]:
        self._resume()
        return {}

    def _reset(self, _: dict[str, Any]) -> dict[str, Any]:
        """Forget what was counted and go on with the same stream and cut."""
        run = self.run
        assert run is not None
        if run.pipeline.end is not None:
            raise ValueError(
                "reset: the stream has ended, there is nothing to go on with; start another with `streamer send SOURCE`"
            )
        if run.stopping:
            raise ValueError(f"reset: the source was told to stop ({run.stopping}); wait for the next stream")
        self.run = run.anew(self.settings)
        return {"run": self.run.id}

    def _save_now(self, _: dict[str, Any]) -> dict[str, Any]:
        assert self.run is not None
        if self.save is None:
            raise ValueError("save: the daemon has no folder to write to; start it with --out DIR")
        pipeline = self.run.pipeline
        studied = pipeline.of_this_cut(self.run.studied)
        self._save([*pipeline.results(self.run.stopping, studied=studied), self.status_result()])
        if self.failed is not None:
            raise self.failed
        return {"path": self.saved}

    def _stop_source(self, request: dict[str, Any]) -> dict[str, Any]:
        run = self.run
        assert run is not None
        if run.pipeline.end is None:
            run.stopping = str(request.get("reason") or "asked to stop")
            self.hub.stop(run.peer, run.stopping)
        return {}

    # ---- publishing

    def publish(self, *, slow: bool = True) -> list[Result]:
        """Publish every Result of the run as it stands; without `slow`, what takes long may be of a moment ago."""
        run = self.run
        assert run is not None
        began = time.monotonic()
        studied = run.pipeline.of_this_cut(run.studied)
        results = [*run.pipeline.results(run.stopping, fresh=slow, studied=studied), self.status_result()]
        provenance = {"run": run.id, "seq": self.seq}
        results = [replace(result, provenance=result.provenance | provenance) for result in results]
        self.seq += 1
        known = set() if run.studied_new else {result.name for result in studied}
        self.hub.publish([result for result in results if result.name not in known])
        run.studied_new = False
        run.changed = False
        if slow:
            self._next_slow = began + (time.monotonic() - began) / SLOW_SHARE
        else:
            if self._published:
                self._published_per_s += 0.1 * (1.0 / max(began - self._published, 1e-3) - self._published_per_s)
            self._published = began
        self._told = began
        return results

    def status_result(self) -> Result:
        """The status as a Result."""
        run = self.run
        provenance = {
            "run": run.id if run else self._id,
            "seq": self.seq,
            "stream_s": run.pipeline.counted_s if run else 0.0,
            "cut": run.pipeline.cut.to_dict() if run else {},
            "final": run is not None and run.state == "ended",
        }
        return Result("status", "status", values=self.status(), provenance=provenance)

    def status(self) -> dict[str, Any]:
        """How things stand, as plain JSON."""
        common = {
            "memory_bytes": self._process.memory_info().rss,
            "results_per_s": self._published_per_s,
            "malformed": self.hub.malformed,
        }
        if self.run is None:
            return {"state": "waiting", "run": self._id, "photons": 0, "photons_per_s": 0.0, "warnings": []} | common
        status = self.run.status() | common
        troubles = [str(self.failed)] if self.failed is not None else []
        if self._hook is not None and self._hook.trouble is not None:
            troubles.append(self._hook.trouble)
        status["warnings"] = [*status["warnings"], *troubles]
        return status
