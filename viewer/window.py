"""Window: the panels in their places, and the timer that brings them what is new."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from streamer.result import Result
from viewer import style
from viewer.feed import Feed, News
from viewer.panel import Panel, mode_of
from viewer.panels.decay import DecayPanel
from viewer.panels.flid import FlidPanel
from viewer.panels.g2 import G2Panel
from viewer.panels.gate import GatePanel
from viewer.panels.status import StatusPanel
from viewer.panels.stopping import StoppingPanel
from viewer.panels.trace import TracePanel
from viewer.qt import QtCore, QtGui, QtWidgets, pyqtSignal

TICK_MS = 33
SHARE = 0.22  # of one core that drawing Results may take: where frames cost more, fewer are drawn; lines still follow
DRAGGING_SHARE = 0.7  # while a line is dragged its effect should be seen at once
STRETCH = {"T3": (10, 14, 9, 9), "T2": (3, 14, 3, 3)}


class Window(QtWidgets.QMainWindow):
    """The viewer's one window. `ticked(news)` follows each look at the feed; `closed` comes once, at the end."""

    ticked = pyqtSignal(object)
    closed = pyqtSignal()

    def __init__(self, feed: Feed) -> None:
        """Lay out the panels; `start` begins to look at the feed."""
        super().__init__()
        self.feed = feed
        self.setWindowTitle(f"streamer · {feed.address}")
        self.setStyleSheet(style.STYLESHEET)
        self.resize(1400, 900)
        self.trace, self.decay, self.g2 = TracePanel(), DecayPanel(), G2Panel()
        self.gate, self.flid, self.status = GatePanel(), FlidPanel(), StatusPanel()
        self.stopping = StoppingPanel()
        self.panels: tuple[Panel, ...] = (
            self.trace, self.decay, self.g2, self.gate, self.flid, self.stopping, self.status
        )  # fmt: skip
        self._lay_out()
        for panel in self.panels:
            panel.asked.connect(feed.ask)
        self.results: dict[str, Result] = {}
        self.run: str | None = None
        self._stale: set[Panel] = set()
        self._drawn_at, self._drawn_cpu = -float("inf"), 0.0
        self.frames = 0
        self.status.show_link(News(), feed.address)
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)

    def _lay_out(self) -> None:
        ground = QtWidgets.QWidget()
        ground.setObjectName("ground")
        grid = QtWidgets.QGridLayout(ground)
        grid.setContentsMargins(6, 6, 6, 6)
        grid.setSpacing(6)
        for panel in self.panels[:-1]:  # room goes by the stretches below, not by what a panel would like
            panel.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Ignored)
        above = QtWidgets.QHBoxLayout()
        above.setSpacing(6)
        above.addWidget(self.trace, 8)
        above.addWidget(self.stopping, 3)  # hidden without stop rules: all the width is the trace's
        grid.addLayout(above, 0, 0, 1, 4)
        for column, panel in enumerate((self.decay, self.g2, self.gate, self.flid)):
            grid.addWidget(panel, 1, column)
        self._grid = grid
        self._share_width("T3")
        self.status.corner.addWidget(self.stopping.offer)
        grid.addWidget(self.status, 2, 0, 1, 4)
        grid.setRowStretch(0, 8)
        grid.setRowStretch(1, 12)
        self.setCentralWidget(ground)

    def _share_width(self, mode: str | None) -> None:
        """Decay, g2, gate and FLID side by side; without nanotimes three of them have only a sentence to show."""
        for column, stretch in enumerate(STRETCH.get(mode or "T3", STRETCH["T3"])):
            self._grid.setColumnStretch(column, stretch)

    def start(self) -> None:
        """Begin to look at the feed."""
        self._timer.start()

    def tick(self) -> None:
        """Take what is new, and draw it unless the last frame, painting included, has used up its share of time."""
        news = self.feed.take()
        self._guard("window", lambda: self._absorb(news))
        spent = time.thread_time() - self._drawn_cpu
        share = DRAGGING_SHARE if any(panel.gripped for panel in self.panels) else SHARE
        if self._stale and not self.isMinimized() and time.monotonic() - self._drawn_at >= spent / share:
            self.draw_all()
        self._guard("status", lambda: self.status.show_link(news, self.feed.address))
        self.ticked.emit(news)

    def draw_all(self) -> None:
        """Draw everything that waits."""
        self._drawn_at, self._drawn_cpu = time.monotonic(), time.thread_time()
        self.frames += 1
        self._share_width(mode_of(self.results))
        while self._stale:
            panel = self._stale.pop()
            self._guard(_name(panel), lambda p=panel: p.draw(self.results))  # type: ignore[misc]

    def settle(self) -> None:
        """Stop looking at the feed, draw everything that waits and lay it out: ready for a picture."""
        self._timer.stop()
        self.draw_all()
        QtWidgets.QApplication.processEvents()
        QtWidgets.QApplication.processEvents()  # axes that became wider move their plots

    def _absorb(self, news: News) -> None:
        if news.run != self.run:
            self.run = news.run
            self.results = {}
            self._stale.clear()
            for panel in self.panels:
                self._guard(_name(panel), panel.clear)
        new = news.results
        self.results.update(new)
        if new:
            for panel in self.panels:
                bare = not any(name in self.results for name in panel.wants)  # its sentence may depend on the status
                if bare or any(name in new for name in panel.wants):
                    self._stale.add(panel)
        for answer in news.answers:
            for panel in self.panels:
                self._guard(_name(panel), lambda p=panel, a=answer: p.answer(a.request, a.reply))  # type: ignore[misc]
            if not answer.reply.get("ok"):
                what, why = f"{answer.request.get('do')}: ", str(answer.reply.get("error") or "refused")
                self.status.note(why if why.startswith(what) else what + why)
        if news.trouble:
            (self.status.fault if news.fatal else self.status.note)(news.trouble)

    def _guard(self, name: str, action: Callable[[], Any]) -> None:
        """An exception in one panel is a line in the status; the others go on."""
        try:
            action()
        except Exception as error:
            self.status.fault(f"{name}: {type(error).__name__}: {' '.join(str(error).split())}")

    def closeEvent(self, event: QtGui.QCloseEvent | None) -> None:
        """Stop the timer and tell that the window is gone."""
        self._timer.stop()
        super().closeEvent(event)
        self.closed.emit()


def _name(panel: Panel) -> str:
    return type(panel).__name__.removesuffix("Panel").lower()
