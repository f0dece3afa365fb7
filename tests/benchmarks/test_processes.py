"""The bench code that starts processes, for a moment each."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import live_latency
from benchmarks.emitter import EMITTERS, run
from benchmarks.live_latency import GRID_S, Heard, latencies_ms, measure
from benchmarks.memory import growth
from benchmarks.recordings import recording
from benchmarks.through_daemon import moved_cuts, passage
from streamer.config import Settings


def test_photons_pass_through_source_socket_and_daemon(tmp_path):
    path = recording("t3", 50_000, tmp_path)
    with passage(str(path), Settings()) as one:
        assert one.account["received"] == 50_000
        assert sum(one.account.values()) == 2 * 50_000
        moved = moved_cuts(one.daemon, 2)
    assert {key: len(values) for key, values in moved.items()} == {"threshold": 2, "gate": 2}


def test_memory_is_told_early_and_late(tmp_path):
    found = growth(str(recording("t3", 50_000, tmp_path)), 1)
    assert found["photons_late"] == 50_000
    assert min(found.values()) > 0


def test_simulator_speed():
    speed = run(EMITTERS["blinking dot, 10 MHz (default)"], 10_000)
    assert speed.pulses > speed.photons > 0


def test_a_photon_is_as_old_as_the_first_result_that_holds_it():
    heard = Heard(np.array([1000.3, 1000.5]), np.array([0.2, 0.4]), {})
    ms = latencies_ms(heard, began=1000.0)
    assert len(ms) == round(0.4 / GRID_S)
    assert ms.max() == pytest.approx(300, abs=1)  # the first photon waited for the first Result
    assert ms[round(0.3 / GRID_S)] == pytest.approx(200, abs=1)
    assert ms.min() == pytest.approx(100, abs=1)


def test_live_run_adds_up():
    heard, note = measure(0.5, 2e5)
    account = heard.status["account"]
    assert account["received"] == account["analysed"] + account["open"] + account["outside"] == note["photons"]
    assert latencies_ms(heard, note["began"]).min() > 0


def test_command_lines_know_their_options(monkeypatch, capsys):
    for program in (bench, live_latency):
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--help"])
        with pytest.raises(SystemExit):
            program.main()
        assert "--" in capsys.readouterr().out
