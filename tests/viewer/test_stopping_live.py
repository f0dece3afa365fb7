"""Stop rules from the window to the source and back: a real daemon, real sockets, a run stopped by a verdict."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from streamer.chunk import StreamEnd
from streamer.config import Settings
from streamer.daemon import Daemon
from streamer.registry import open_source
from streamer.transport import Hub, Sender
from viewer.feed import Feed
from viewer.qt import QtGui
from viewer.window import Window

DEADLINE_S = 60.0
DOT = {"duration": "30", "rate": "40000", "seed": "3"}


@contextmanager
def serving() -> Iterator[Daemon]:
    """A daemon in a thread; its hub is made and used in that thread alone."""
    ready, box = threading.Event(), {}

    def work() -> None:
        with Hub("tcp://127.0.0.1:0") as hub:
            box["daemon"] = Daemon(hub, Settings(studies=()))
            ready.set()
            box["daemon"].serve()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(DEADLINE_S)
    try:
        yield box["daemon"]
    finally:
        box["daemon"].stop("test is over")
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


@pytest.fixture
def running(app: Any) -> Iterator[tuple[Daemon, Window, Sender, Any]]:
    """(daemon, window, sender, its chunks): a steady single emitter, of which nothing was sent yet."""
    source = open_source("simulate:steady", DOT)
    with serving() as daemon:
        feed = Feed(str(daemon.hub.address))
        window = Window(feed)
        window.show()
        feed.start()
        window.start()
        try:
            with Sender(str(daemon.hub.address), source.info) as sender:
                sender.connect(DEADLINE_S)
                yield daemon, window, sender, source.chunks()
        finally:
            window.close()
            feed.close()
            window.deleteLater()


def send(sender: Sender, chunks: Any, number: int) -> None:
    for _ in range(number):
        sender.send(next(chunks), DEADLINE_S)


def set_rules(window: Window, until: Any, text: str) -> None:
    button = window.stopping.edit if window.stopping.isVisible() else window.stopping.offer_button
    button.click()
    dialog = window.stopping.dialog
    assert dialog is not None
    until(lambda: not dialog.waiting)
    dialog.tabs.setCurrentIndex(1)
    dialog.text.setPlainText(text)
    dialog.set_button.click()
    until(lambda: window.stopping.dialog is None or not dialog.waiting)


def said(window: Window) -> str:
    document = QtGui.QTextDocument()
    document.setHtml("<br>".join(label.text() for label in (window.stopping.verdict, window.stopping.outlook)))
    return document.toPlainText()


def test_rules_set_in_the_window_stop_the_run_and_the_verdict_is_shown(running: Any, until: Any) -> None:
    daemon, window, sender, chunks = running
    send(sender, chunks, 10)
    until(lambda: window.trace.plot.sentence == "", DEADLINE_S)
    assert not window.stopping.isVisible()
    set_rules(window, until, 'rule = "g2"\nerror = 2\n')
    assert window.stopping.dialog is not None
    assert "rules.error: Input should be less than 0.5, got 2" in window.stopping.dialog.error
    window.stopping.dialog.reject()
    set_rules(window, until, 'rule = "g2"\nerror = 0.01\n')
    assert window.stopping.dialog is None
    send(sender, chunks, 4)
    until(lambda: "undecided" in said(window))
    assert window.stopping.arm.text() == "● armed"
    assert "evidence counts from 0." in said(window)
    while sender.stopped is None:
        send(sender, chunks, 1)
    assert sender.stopped.startswith("rule: single")
    sender.end(StreamEnd(sender.stopped), DEADLINE_S)
    until(lambda: said(window).startswith("stopped: single"))
    until(lambda: "ENDED" in window.status.text)
    assert "saved" in said(window)
    assert daemon.summary is not None
    assert daemon.summary["stop"]["verdict"] == "single"
    assert window.stopping.plot.sentence == ""
    assert max(window.stopping._curves["single"].getData()[1]) >= 1
    assert window.status.faults == ()


def test_disarmed_rules_let_the_run_go_on_and_tell_when_they_would_have_stopped_it(running: Any, until: Any) -> None:
    _, window, sender, chunks = running
    send(sender, chunks, 4)
    set_rules(window, until, 'any = [{rule = "exposure", seconds = 1.0}, {rule = "g2", error = 1e-9}]')
    send(sender, chunks, 4)
    until(window.stopping.arm.isEnabled, DEADLINE_S)
    window.stopping.arm.click()
    until(lambda: window.stopping.held.asked is None)
    assert window.stopping.arm.text() == "○ disarmed"
    send(sender, chunks, 20)
    until(lambda: said(window).startswith("would have stopped at 1.0 s"))
    assert sender.stopped is None
    window.stopping.arm.click()
    until(lambda: window.stopping.held.asked is None)
    send(sender, chunks, 8)
    until(lambda: said(window).startswith("stopped"))
    set_rules(window, until, "")
    sender.end(StreamEnd("enough"), DEADLINE_S)
    assert window.stopping.isVisible()  # this run was stopped by its rules, whatever the next one has
    assert window.status.faults == ()
