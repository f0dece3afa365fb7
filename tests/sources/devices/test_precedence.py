"""Precedence is asked for one thread alone, and a refusal changes nothing."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from sources.devices.precedence import ask_for_precedence


@pytest.mark.skipif(sys.platform != "linux", reason="nice values of threads are Linux's")
def test_only_the_thread_that_asks():
    before, seen = os.getpriority(os.PRIO_PROCESS, 0), []

    def asking():
        ask_for_precedence()
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=asking)
    thread.start()
    thread.join()
    assert seen[0] <= before
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows gives it to everybody")
def test_a_refusal_changes_nothing(monkeypatch):
    asked = []

    def refuse(*arguments):
        asked.append(arguments)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "setpriority", refuse)
    ask_for_precedence()
    assert bool(asked) == (sys.platform == "linux")
