"""The viewer as a program: a window on a daemon, or a picture of it where there is no screen."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from streamer.errors import InputError

if TYPE_CHECKING:
    from viewer.feed import Feed, News
    from viewer.window import Window

SNAPSHOT_SIZE = (1600, 1000)
SETTLE_S = 1.0


def has_display() -> bool:
    """Whether a window can be seen: outside Windows and macOS an X11 or Wayland display must be named."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run(
    address: str,
    *,
    snapshot: Path | None = None,
    deadline_s: float = 60.0,
    close_on_end: bool = False,
    feed: Feed | None = None,
) -> int:
    """Show the daemon at `address` until the window is closed, or save a picture of its final Results.

    With `snapshot` nothing is shown: when the run has ended (or after `deadline_s` seconds) the whole window is
    saved there as a PNG of 1600 x 1000 pixels. `close_on_end` closes the window when the run ends. `feed` replaces
    the connection (for tests).

    Returns 0, or 1 when a picture was asked for and no Result came before the deadline.

    Raises InputError when Qt is missing, the address is wrong, the picture cannot be written, or there is no
    display and no picture was asked for.
    """
    if snapshot is not None:
        _check_writable(snapshot)
    _choose_platform(snapshot is not None)
    from viewer.feed import Feed
    from viewer.qt import QtCore, QtWidgets
    from viewer.window import Window

    QtCore.qInstallMessageHandler(_pass_on)
    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication([sys.argv[0] or "streamer"])
    feed = feed or Feed(address)
    window = Window(feed)
    loop = QtCore.QEventLoop()
    window.closed.connect(loop.quit)
    watch = _Watch(window, snapshot, deadline_s, close_on_end)
    window.ticked.connect(watch.look)
    feed.start()
    window.start()
    if snapshot is not None:
        window.resize(*SNAPSHOT_SIZE)
        window.setAttribute(QtCore.Qt.WidgetAttribute.WA_DontShowOnScreen)  # if Qt was loaded with a screen before
    window.show()
    try:
        # Through the loop's queue: a Ctrl-C just before the loop begins would otherwise end a loop that does not run.
        interrupt = lambda: QtCore.QTimer.singleShot(0, window.close)  # noqa: E731
        with _closing_on_interrupt(interrupt), _faults_to(window):
            loop.exec()
    finally:
        window.hide()
        feed.close()
        window.deleteLater()
        app.processEvents()
    if watch.fatal:
        raise InputError(watch.fatal)
    if snapshot is not None and not watch.received:
        print(f"viewer: no Result from {address} within {deadline_s:g} s, no picture made", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _pass_on(_kind: object, _context: object, message: str | None) -> None:
    """Qt's own messages go to stderr, but for one that the offscreen platform repeats for every change of layout."""
    if message and "propagateSizeHints" not in message:
        print(f"viewer: Qt: {message}", file=sys.stderr)  # noqa: T201


class _Watch:
    """Decides, after each look at the feed, whether the window has done its work."""

    def __init__(self, window: Window, snapshot: Path | None, deadline_s: float, close_on_end: bool) -> None:
        self._window, self._snapshot, self._close_on_end = window, snapshot, close_on_end
        self._deadline = time.monotonic() + deadline_s
        self._settled: float | None = None
        self.received = 0
        self.fatal: str | None = None

    def look(self, news: News) -> None:
        self.received = news.received
        if news.fatal and (self._snapshot is not None or not news.received):
            self.fatal = f"viewer: {news.trouble}"
            self._window.close()
            return
        now = time.monotonic()
        over = self._snapshot is not None and now >= self._deadline
        if over or ((self._snapshot is not None or self._close_on_end) and self._final(now)):
            if self._snapshot is not None and self.received:
                self._window.settle()
                try:
                    save(self._window, self._snapshot)
                except InputError as error:  # raised here it would end in the event loop
                    self.fatal = str(error)
            self._window.close()

    def _final(self, now: float) -> bool:
        """Every name is final, or some have been for a second (a run without photons has a status only)."""
        final = [bool(result.provenance.get("final")) for result in self._window.results.values()]
        if not any(final):
            self._settled = None
            return False
        if self._settled is None:  # not put off by later news: an ended daemon goes on telling its status
            self._settled = now + SETTLE_S
        named = self._window.results.keys() >= {"status", "trace", "summary"}
        return (all(final) and named) or now >= self._settled


def save(window: Window, path: Path) -> None:
    """Save a picture of the whole window; InputError when it cannot be written."""
    if not window.grab().save(str(path), "PNG"):
        raise InputError(f"{path}: cannot write the picture; remedy: give a path in a folder that you may write to")


def _check_writable(path: Path) -> None:
    """Say at once, not after the measurement, that the picture has no place."""
    if not path.parent.is_dir():
        raise InputError(f"{path}: its folder does not exist; remedy: make {path.parent} first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; remedy: give the name of a PNG file")


def _choose_platform(picture: bool) -> None:
    """Tell Qt, before it is imported, to draw in memory where a picture is asked for."""
    if picture:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        if sys.platform == "win32":  # the offscreen platform looks for fonts in Qt's own folder, which has none
            os.environ.setdefault("QT_QPA_FONTDIR", str(Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"))
    elif not has_display() and not os.environ.get("QT_QPA_PLATFORM"):
        raise InputError(
            "viewer: no display (DISPLAY and WAYLAND_DISPLAY are empty); remedy: ask for a picture instead of a "
            "window, or connect with ssh -X"
        )


@contextmanager
def _closing_on_interrupt(close: Callable[[], Any]) -> Iterator[None]:
    """Ctrl-C closes the window; Python runs the handler at the window's next timer tick, on every system."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        close()

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _faults_to(window: Window) -> Iterator[None]:
    """An exception in a slot becomes a line in the status; PyQt would abort the program."""
    before = sys.excepthook

    def shown(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        window.status.fault(f"{kind.__name__}: {' '.join(str(error).split())}")

    sys.excepthook = shown
    try:
        yield
    finally:
        sys.excepthook = before
