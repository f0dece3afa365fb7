"""Feed: Results and answers for the viewer, fetched by threads that own the sockets; the GUI never waits for one.

Two threads, because a request to a daemon that is away waits for its time-out, and Results must not wait with it.
What they bring is bounded: one Result per name (the newest), one pending cut (newer keys replace older ones).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from streamer.result import Result

SILENT_S = 2.0
POLL_S = 0.1
ASK_S = 2.0
MAX_ANSWERS = 64


class ResultSocket(Protocol):
    """What the feed needs of streamer.transport.Subscriber."""

    def receive(self, timeout_s: float) -> Result | None:
        """The next Result, or None after `timeout_s`."""
        ...

    def close(self) -> None:
        """Close the socket."""
        ...


class ControlSocket(Protocol):
    """What the feed needs of streamer.transport.Control."""

    def ask(self, request: dict[str, Any], timeout_s: float = 2.0) -> dict[str, Any]:
        """The daemon's reply; TimeoutError when it does not come."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request: the daemon's reply, or {"ok": False, "error": ...} when it gave none."""

    request: dict[str, Any]
    reply: dict[str, Any]


@dataclass(frozen=True, slots=True)
class News:
    """What came since the last `take`.

    Attributes:
        results: the newest Result of each name, all of one run.
        run: id of the run the daemon is in, None before the first Result.
        link: "waiting" (no daemon yet), "live", or "silent" (no sign of it for more than 2 s).
        silent_s: seconds since its last sign.
        answers: replies to requests, oldest first.
        trouble: one line on what could not be understood or opened, or None.
        fatal: the trouble is the user's to mend (a wrong address); no further news will come.
        received: Results received so far.
    """

    results: dict[str, Result] = field(default_factory=dict)
    run: str | None = None
    link: str = "waiting"
    silent_s: float = 0.0
    answers: tuple[Answer, ...] = ()
    trouble: str | None = None
    fatal: bool = False
    received: int = 0


class Feed:
    """Subscribes to the daemon at `address` and carries requests to it.

    `open_results` and `open_control` make the sockets; they are called inside the threads, so no socket is ever
    touched by the thread of the window. Tests hand in their own.
    """

    def __init__(
        self,
        address: str,
        open_results: Callable[[str], ResultSocket] | None = None,
        open_control: Callable[[str], ControlSocket] | None = None,
    ) -> None:
        """Remember the address; `start` opens the sockets."""
        self.address = address
        self._open_results = open_results or _subscriber
        self._open_control = open_control or _control
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._closing = threading.Event()
        self._latest: dict[str, Result] = {}
        self._run: str | None = None
        self._received = 0
        self._heard: float | None = None
        self._pending: list[dict[str, Any]] = []
        self._answers: deque[Answer] = deque(maxlen=MAX_ANSWERS)
        self._trouble: str | None = None
        self._fatal = False
        self._threads = [
            threading.Thread(target=self._receive_all, name="viewer-results", daemon=True),
            threading.Thread(target=self._ask_all, name="viewer-control", daemon=True),
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def close(self, timeout_s: float = ASK_S + 1.0) -> None:
        """Ask the threads to end, and wait for them at most `timeout_s` together."""
        self._closing.set()
        with self._wake:
            self._wake.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(deadline - time.monotonic(), 0.0))

    def ask(self, request: dict[str, Any]) -> None:
        """Queue a request for the daemon and return at once; its answer comes with a later `take`."""
        with self._wake:
            last = self._pending[-1] if self._pending else None
            if last is not None and last["do"] == request["do"]:
                last.update(request)  # a line dragged faster than the daemon answers: only where it is now matters
            else:
                self._pending.append(dict(request))
            self._wake.notify_all()

    def take(self) -> News:
        """What is new since the last call; never waits for anything but a lock held for microseconds."""
        now = time.monotonic()
        with self._lock:
            results, self._latest = self._latest, {}
            answers, trouble = tuple(self._answers), self._trouble
            self._answers.clear()
            self._trouble = self._trouble if self._fatal else None
            silent_s = 0.0 if self._heard is None else now - self._heard
            link = "waiting" if self._heard is None else "silent" if silent_s > SILENT_S else "live"
            return News(results, self._run, link, silent_s, answers, trouble, self._fatal, self._received)

    def _receive_all(self) -> None:
        """Thread: Results into the dict of the newest ones."""
        try:
            socket = self._open_results(self.address)
        except Exception as error:
            self._give_up(error)
            return
        try:
            while not self._closing.is_set():
                try:
                    result = socket.receive(POLL_S)
                except Exception as error:  # one bad message must not end the view
                    self._note(f"a message was not understood: {error}")
                    self._closing.wait(POLL_S)
                    continue
                if result is not None:
                    self._keep(result)
        finally:
            socket.close()

    def _keep(self, result: Result) -> None:
        run = result.provenance.get("run")
        with self._lock:
            if run != self._run:  # a reset, the next recording or a new daemon: nothing of the old run may stay
                self._latest.clear()
                self._run = run
            self._latest[result.name] = result
            self._received += 1
            self._heard = time.monotonic()

    def _ask_all(self) -> None:
        """Thread: requests to the daemon one by one; in silence, a question whether it is still there."""
        control: ControlSocket | None = None
        try:
            while (request := self._next_request()) is not None:
                probe = not request
                try:
                    control = control or self._open_control(self.address)
                    reply = control.ask({"do": "status"} if probe else request, ASK_S)
                except Exception as error:
                    # A new socket next time: what the old one still holds must not reach a daemon started later.
                    _close(control)
                    control = None
                    if not probe:
                        line = "the daemon did not answer" if isinstance(error, TimeoutError) else str(error)
                        self._answer(request, {"ok": False, "error": line})
                    continue
                with self._lock:
                    self._heard = time.monotonic()
                if not probe:
                    self._answer(request, reply)
        finally:
            _close(control)

    def _next_request(self) -> dict[str, Any] | None:
        """The next request; {} for a sign-of-life question when it is silent; None when closing."""
        with self._wake:
            while not self._closing.is_set():
                if self._pending:
                    return self._pending.pop(0)
                heard = self._heard
                if heard is not None and time.monotonic() - heard > SILENT_S / 2:
                    self._wake.wait(SILENT_S / 4)
                    if not self._pending and not self._closing.is_set():
                        return {}
                else:
                    self._wake.wait(SILENT_S / 4)
            return None

    def _answer(self, request: dict[str, Any], reply: dict[str, Any]) -> None:
        with self._lock:
            self._answers.append(Answer(request, reply))

    def _note(self, line: str) -> None:
        with self._lock:
            self._trouble = " ".join(line.split())

    def _give_up(self, error: Exception) -> None:
        with self._lock:
            self._trouble = " ".join(str(error).split()) or type(error).__name__
            self._fatal = True


def _close(control: ControlSocket | None) -> None:
    close = getattr(control, "close", None)
    if close is not None:
        close()


def _subscriber(address: str) -> ResultSocket:
    from streamer.transport import Subscriber

    return Subscriber(address)


def _control(address: str) -> ControlSocket:
    from streamer.transport import Control

    return Control(address)
