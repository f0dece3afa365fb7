"""The program: pictures without a display, over real sockets; clean ends; one line for what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from streamer.errors import InputError
from streamer.transport import ControlIn, Hub
from viewer import app as viewer_app
from viewer import style
from viewer.feed import Feed
from viewer.qt import QtGui
from viewer.window import Window


class Publisher:
    """The daemon's three real sockets in a thread: publishes what it is given, keeps what it is asked."""

    def __init__(self, frames: list[dict[str, Any]]) -> None:
        self.frames = frames
        self.requests: list[dict[str, Any]] = []
        self.reply: Callable[[dict[str, Any]], dict[str, Any]] = lambda request: {"ok": True}
        self.address = ""
        self._bound, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Publisher:
        self._thread.start()
        assert self._bound.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10)

    def _serve(self) -> None:
        with Hub("tcp://127.0.0.1:0") as hub:
            self.address = str(hub.address)
            self._bound.set()
            while not self._end.is_set():
                if self.frames:
                    hub.publish(list(self.frames.pop(0).values()))
                for event in hub.poll(0.02):
                    if isinstance(event, ControlIn):
                        self.requests.append(event.request)
                        hub.reply(event.peer, self.reply(event.request))


def picture(path: Path) -> np.ndarray:
    image = QtGui.QImage(str(path)).convertToFormat(QtGui.QImage.Format.Format_RGB32)
    raw = image.constBits()
    raw.setsize(image.sizeInBytes())
    return np.frombuffer(raw, np.uint8).reshape(image.height(), image.width(), 4)[:, :, 2::-1].copy()


def test_snapshot_over_real_sockets(app: Any, tmp_path: Path, results: ModuleType, monkeypatch: Any) -> None:
    places: dict[str, Any] = {}
    saved = viewer_app.save

    def save(window: Window, path: Path) -> None:
        for panel in (panel for panel in window.panels if panel.isVisible()):
            corner = panel.mapTo(window, panel.rect().topLeft())
            places[type(panel).__name__] = (corner.x(), corner.y(), panel.width(), panel.height())
        assert window.status.faults == ()
        saved(window, path)

    monkeypatch.setattr(viewer_app, "save", save)
    frames = [results.make(seconds=5), results.make(seconds=10, seq=2, final=True)]
    out = tmp_path / "view.png"
    with Publisher(frames) as publisher:
        assert viewer_app.run(publisher.address, snapshot=out, deadline_s=30) == 0
    image = picture(out)
    assert image.shape == (1000, 1600, 3)
    ground = np.array(QtGui.QColor(style.PANEL).getRgb()[:3])
    assert len(places) == 6  # without stop rules their panel takes no room
    for name, (x, y, width, height) in places.items():
        inside = image[y + 4 : y + height - 4, x + 4 : x + width - 4].astype(int)
        drawn = np.abs(inside - ground).max(axis=2) > 40
        assert drawn.mean() > 0.01, name
        assert len(np.unique(inside.reshape(-1, 3), axis=0)) > 20, name


def test_snapshot_of_an_ended_run_for_a_late_viewer(app: Any, tmp_path: Path, results: ModuleType) -> None:
    with Publisher([results.make(seconds=5, final=True)]) as publisher:
        assert viewer_app.run(publisher.address, snapshot=tmp_path / "a.png", deadline_s=30) == 0
        assert viewer_app.run(publisher.address, snapshot=tmp_path / "b.png", deadline_s=30) == 0
    assert (tmp_path / "b.png").stat().st_size > 10_000


def test_an_ended_run_that_has_only_a_status_is_drawn(app: Any, tmp_path: Path, results: ModuleType) -> None:
    status = {"status": results.make(final=True)["status"]}
    with Publisher([status] * 1000) as publisher:  # told again and again
        assert viewer_app.run(publisher.address, snapshot=tmp_path / "a.png", deadline_s=1e6) == 0
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_without_a_result_there_is_no_picture(app: Any, tmp_path: Path, capsys: Any) -> None:
    with Publisher([]) as publisher:
        assert viewer_app.run(publisher.address, snapshot=tmp_path / "none.png", deadline_s=0.3) == 1
        address = publisher.address
    assert capsys.readouterr().err == f"viewer: no Result from {address} within 0.3 s, no picture made\n"
    assert not (tmp_path / "none.png").exists()


def test_at_the_deadline_what_is_there_is_drawn(app: Any, tmp_path: Path, results: ModuleType) -> None:
    with Publisher([results.make(seconds=5)]) as publisher:  # never final
        assert viewer_app.run(publisher.address, snapshot=tmp_path / "now.png", deadline_s=1.5) == 0
    assert (tmp_path / "now.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("path", "words"), [("no/such/place.png", "folder does not exist"), (".", "is a folder"), ("x.png", "cannot write")]
)
def test_a_picture_without_a_place_is_told_in_one_line(
    app: Any, tmp_path: Path, results: ModuleType, path: str, words: str, monkeypatch: Any
) -> None:
    if path == "x.png":
        monkeypatch.setattr(QtGui.QPixmap, "save", lambda *_: False)
    with Publisher([results.make(seconds=5, final=True)]) as publisher, pytest.raises(InputError, match=words) as told:
        viewer_app.run(publisher.address, snapshot=tmp_path / path, deadline_s=20)
    assert "\n" not in str(told.value)


def test_a_wrong_address_is_an_input_error(app: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="address 'nonsense'"):
        viewer_app.run("nonsense", snapshot=tmp_path / "x.png", deadline_s=20)
    with pytest.raises(InputError, match="address 'nonsense'"):
        viewer_app.run("nonsense")


def test_close_on_end(app: Any, results: ModuleType) -> None:
    frames = [results.make(seconds=5), results.make(seconds=6, seq=2, final=True)]
    with Publisher(frames) as publisher:
        assert viewer_app.run(publisher.address, close_on_end=True) == 0


@contextmanager
def shown(publisher: Publisher) -> Iterator[Window]:
    feed = Feed(publisher.address)
    window = Window(feed)
    window.show()
    feed.start()
    window.start()
    try:
        yield window
    finally:
        window.close()
        feed.close()
        window.deleteLater()


def test_a_drag_reaches_the_daemon_and_its_echo_comes_back(
    app: Any, until: Any, drag: Any, results: ModuleType
) -> None:
    with Publisher([results.make(seconds=10, states=2)]) as publisher:

        def obey(request: dict[str, Any]) -> dict[str, Any]:
            if request["do"] == "cut":
                publisher.frames.append(
                    results.make(seconds=11, states=2, seq=9, thresholds=tuple(request["thresholds_cps"]))
                )
            return {"ok": True}

        publisher.reply = obey
        with shown(publisher) as window:
            until(lambda: window.trace.thresholds and window.trace.plot.sentence == "")
            plot = window.trace.plot
            drag(plot, (5.0, window.trace.thresholds[0]), (5.0, 40e3))
            wanted = window.trace.thresholds
            until(lambda: window.trace.held.asked is None)
            assert window.trace.thresholds == wanted
            assert publisher.requests[-1] == {"do": "cut", "thresholds_cps": wanted}
            assert window.status.faults == ()


def test_a_restarted_daemon_is_found_again(app: Any, until: Any, results: ModuleType, monkeypatch: Any) -> None:
    monkeypatch.setattr("viewer.feed.SILENT_S", 0.4)
    monkeypatch.setattr("viewer.feed.ASK_S", 0.2)
    first = Publisher([results.make(seconds=10, states=3)])
    with first:
        feed = Feed(first.address)
        window = Window(feed)
        window.show()
        feed.start()
        window.start()
        until(lambda: len(window.trace.handles) == 2)
    try:
        until(lambda: "NOT ANSWERING" in window.status.text)
        assert window.trace.plot.sentence == ""  # what was measured stays on the screen
        second = Publisher([{"status": results.make(run="run-2", mode="T2")["status"]}])
        with rebound(second, first.address):
            until(lambda: window.run == "run-2", 30)
            until(lambda: "LIVE" in window.status.text)
            until(lambda: window.decay.plot.sentence == "no nanotime in T2: no decay")
            assert window.trace.thresholds == []
    finally:
        window.close()
        feed.close()
        window.deleteLater()


@contextmanager
def rebound(publisher: Publisher, address: str) -> Iterator[None]:
    """The publisher at an address that was in use a moment ago."""

    def serve() -> None:
        with Hub(address) as hub:
            publisher._bound.set()
            frame = publisher.frames[0]
            while not publisher._end.is_set():
                hub.publish(list(frame.values()))
                hub.poll(0.05)

    publisher._thread = threading.Thread(target=serve)
    with publisher:
        yield


def test_an_exception_in_a_slot_is_a_line_in_the_status(app: Any, results: ModuleType, monkeypatch: Any) -> None:
    seen: list[tuple[str, ...]] = []

    def fail(self: Window, *_: object) -> None:
        self.trace.auto.clicked.connect(lambda: 1 / 0)
        self.trace.auto.click()
        seen.append(self.status.faults)

    monkeypatch.setattr(Window, "start", lambda self: (fail_later(self, fail), original(self)))
    original = WINDOW_START
    with Publisher([results.make(seconds=5, final=True)]) as publisher:
        assert viewer_app.run(publisher.address, close_on_end=True) == 0
    assert seen == [("ZeroDivisionError: division by zero",)]


WINDOW_START = Window.start


def fail_later(window: Window, action: Callable[[Window], None]) -> None:
    from viewer.qt import QtCore

    QtCore.QTimer.singleShot(0, lambda: action(window))


# -- as a program ------------------------------------------------------------------------------------------------------


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {
        key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    return subprocess.run(
        [sys.executable, "-c", code], env=clean | env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="a display is always there")
def test_no_display_and_no_picture_is_one_line() -> None:
    done = python("from viewer.app import run\nrun('tcp://127.0.0.1:7310')")
    assert "InputError: viewer: no display" in done.stderr


def test_missing_qt_names_the_extra() -> None:
    code = """
import sys
from pathlib import Path
sys.modules['PyQt6'] = None
from viewer.app import run
run('tcp://127.0.0.1:7310', snapshot=Path('x.png'))
"""
    done = python(code)
    assert "InputError: viewer: PyQt6" in done.stderr
    assert "pip install 'photon-streamer[viewer]'" in done.stderr


def test_missing_system_libraries_names_the_packages() -> None:
    code = """
import sys, importlib.abc, importlib.machinery
class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == 'PyQt6.QtGui':
            raise ImportError('libEGL.so.1: cannot open shared object file')
sys.meta_path.insert(0, Broken())
from pathlib import Path
from viewer.app import run
run('tcp://127.0.0.1:7310', snapshot=Path('x.png'))
"""
    done = python(code)
    assert "Qt does not load (libEGL.so.1: cannot open shared object file)" in done.stderr
    assert "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C without its console")
def test_ctrl_c_closes_cleanly() -> None:
    code = """
import threading, os, signal
from viewer.app import run
import viewer.window
before = signal.getsignal(signal.SIGINT)
start = viewer.window.Window.start
def started(self):
    start(self)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
viewer.window.Window.start = started
print('status', run('tcp://127.0.0.1:7310'))
print('handler', signal.getsignal(signal.SIGINT) is before)
"""
    done = python(code, QT_QPA_PLATFORM="offscreen")
    assert done.stderr == ""
    assert done.stdout.split("\n") == ["status 0", "handler True", ""]
    assert done.returncode == 0


def test_import_needs_no_qt() -> None:
    done = python("import sys, viewer.app\nprint([m for m in sys.modules if 'Qt' in m or 'pyqtgraph' in m])")
    assert done.stdout == "[]\n"
