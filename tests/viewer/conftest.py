"""Fixtures of the viewer's tests: Qt in memory, synthetic Results, a daemon without sockets, waits with a deadline."""

from __future__ import annotations

import importlib.util
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# A real window when test_real_window.py asks for one, else none that could flash up on a developer's screen.
os.environ["QT_QPA_PLATFORM"] = os.environ.get("VIEWER_TEST_PLATFORM", "offscreen")

from streamer.errors import InputError
from viewer.feed import Feed, News

try:
    from viewer.qt import Qt, QtCore, QtGui, QtWidgets, pg
    from viewer.window import Window
except InputError:  # the extra "viewer" is not installed, and no test of this folder can be imported
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def results() -> ModuleType:
    """The module of synthetic Results beside this file."""
    spec = importlib.util.spec_from_file_location("viewer_results", Path(__file__).with_name("results.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def app() -> QtWidgets.QApplication:
    """The one application of the test run."""
    pg.setConfigOption("mouseRateLimit", -1)  # a test moves the mouse faster than a hand
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication(["viewer-tests"])


class FakeDaemon:
    """Both sockets of a daemon, in memory: `publish` Results, read `requests`, set what `reply` says."""

    def __init__(self) -> None:
        self.results: queue.Queue[Any] = queue.Queue()
        self.requests: list[dict[str, Any]] = []
        self.reply: Callable[[dict[str, Any]], dict[str, Any]] = lambda request: {"ok": True}
        self.alive = True
        self.threads: set[int] = set()
        self.opened = 0
        self.closed = 0

    def publish(self, frame: dict[str, Any]) -> None:
        for result in frame.values():
            self.results.put(result)

    def cuts(self) -> list[dict[str, Any]]:
        return [request for request in self.requests if request["do"] == "cut"]

    def open(self, address: str) -> FakeDaemon:
        self.opened += 1
        return self

    def receive(self, timeout_s: float) -> Any:
        self.threads.add(threading.get_ident())
        try:
            item = self.results.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        return item

    def ask(self, request: dict[str, Any], timeout_s: float = 2.0) -> dict[str, Any]:
        self.threads.add(threading.get_ident())
        if not self.alive:
            raise TimeoutError("no answer")
        self.requests.append(dict(request))
        return self.reply(request)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def daemon() -> FakeDaemon:
    """A daemon without sockets."""
    return FakeDaemon()


@pytest.fixture
def feed(daemon: FakeDaemon) -> Iterator[Feed]:
    """A running feed on the daemon without sockets."""
    feed = Feed("tcp://127.0.0.1:7310", daemon.open, daemon.open)
    feed.start()
    yield feed
    feed.close()


@pytest.fixture
def window(app: QtWidgets.QApplication) -> Iterator[Window]:
    """A shown window on a feed that is not started: tests hand it `News` with `tell`."""
    window = Window(Feed("tcp://127.0.0.1:7310"))
    window.show()
    app.processEvents()
    yield window
    window.close()
    window.deleteLater()
    app.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)


@pytest.fixture
def tell(app: QtWidgets.QApplication, window: Window) -> Callable[..., None]:
    """tell(frame): the window takes these Results (a dict by name) and draws them, panel by panel and on the screen."""

    def now(frame: dict[str, Any], **news: Any) -> None:
        run = next((r.provenance.get("run") for r in frame.values()), window.run)
        told = News(frame, **{"run": run, "link": "live", **news})
        window.feed.take = lambda: told  # type: ignore[method-assign]
        window.tick()
        window.draw_all()
        app.processEvents()

    return now


@pytest.fixture
def asked(window: Window) -> list[dict[str, Any]]:
    """Every request that the panels make."""
    requests: list[dict[str, Any]] = []
    for panel in window.panels:
        panel.asked.connect(requests.append)
    return requests


@pytest.fixture
def until(app: QtWidgets.QApplication) -> Callable[..., None]:
    """until(condition): run the event loop until it holds; fail after a deadline."""

    def wait(condition: Callable[[], Any], timeout_s: float = 15.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"did not happen within {timeout_s} s"
            loop = QtCore.QEventLoop()
            QtCore.QTimer.singleShot(5, loop.quit)
            loop.exec()

    return wait


@pytest.fixture
def drag(app: QtWidgets.QApplication) -> Callable[..., None]:
    """drag(plot, start, stop): the left button pressed at data point `start`, moved to `stop`, and let go."""
    none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
    kinds = QtCore.QEvent.Type

    def send(plot: Any, kind: Any, at: QtCore.QPoint, button: Any, buttons: Any) -> None:
        port = plot.viewport()
        place, screen = QtCore.QPointF(at), QtCore.QPointF(port.mapToGlobal(at))
        app.sendEvent(port, QtGui.QMouseEvent(kind, place, screen, button, buttons, Qt.KeyboardModifier.NoModifier))

    def pixel(plot: Any, at: tuple[float, float]) -> QtCore.QPoint:
        return plot.mapFromScene(plot.view.mapViewToScene(QtCore.QPointF(*at)))

    def move(
        plot: Any, start: tuple[float, float], stop: tuple[float, float], release: bool = True, steps: int = 8
    ) -> None:
        app.processEvents()
        begin, end = pixel(plot, start), pixel(plot, stop)
        send(plot, kinds.MouseMove, begin, none, none)  # pyqtgraph asks the item under the mouse before it is pressed
        send(plot, kinds.MouseButtonPress, begin, left, left)
        for step in range(1, steps + 1):
            send(plot, kinds.MouseMove, begin + (end - begin) * step / steps, none, left)
        if release:
            send(plot, kinds.MouseButtonRelease, end, left, none)
        app.processEvents()

    return move
