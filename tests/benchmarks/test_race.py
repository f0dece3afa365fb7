"""The bench code on a file of a moment: it must not rot between two releases."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import table
from benchmarks.contenders import masks, streamer
from benchmarks.question import TASKS, NotOffered
from benchmarks.race import Contender, Runs, race, ratio
from benchmarks.recordings import question
from streamer.registry import open_source

PHOTONS = 20_000


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    return question(PHOTONS, tmp_path_factory.mktemp("recordings"))


def test_recordings_have_just_so_many_photons_and_are_made_once(asked, tmp_path):
    for path in (asked.t3, asked.t2):
        assert sum(len(chunk.time) for chunk in open_source(path).chunks()) == PHOTONS
    first = question(1000, tmp_path)
    made = [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.iterdir())]
    assert question(1000, tmp_path) == first
    assert [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.iterdir())] == made


def test_numpy_masks_and_the_program_find_the_same(asked):
    for task in ("g2 pulsed", "lifetime", "trace"):
        theirs, ours = (one.prepare(task, asked)() for one in (masks, streamer))
        assert {key: ours[key] for key in theirs} == theirs, task
    # Parted by state, a script keeps pairs across two stretches of one state, and loses those across two states.
    states = masks.prepare("states", asked)()
    assert states["decays"] == PHOTONS
    assert abs(states["pairs"] - ours["pairs"]) <= 3


def test_correlate_of_the_script_is_a_histogram_of_differences():
    rng = np.random.default_rng(4)
    time, channel = np.sort(rng.integers(0, 3000, 400)), rng.integers(0, 2, 400)
    a, b = time[channel == 0], time[channel == 1]
    tau = (b[None, :] - a[:, None]).ravel()
    expected = np.histogram(tau[(tau >= -60) & (tau < 60)], 12, (-60, 60))[0]
    assert masks.correlate(time, channel, 60, 12).tolist() == expected.tolist()


@pytest.mark.parametrize("task", [*TASKS, *streamer.OURS_ONLY])
def test_every_task_runs_in_this_program(asked, task):
    found = streamer.prepare(task, asked)()
    assert found["photons"] == PHOTONS
    with pytest.raises(NotOffered):
        streamer.prepare("no such task", asked)


def test_a_race_through_worker_processes(asked):
    with Contender("masks") as script, Contender("nobody") as nobody:
        runs = race("trace", [script, nobody], asked, rounds=2)
        refused = race("decode T3", [script], asked, rounds=1)
    assert len(runs["masks"].seconds) == 2
    assert runs["masks"].found == {"photons": PHOTONS}
    assert runs["nobody"].reason is not None
    assert runs["nobody"].reason.startswith("not installed")
    assert refused["masks"].reason == "has no decoder of its own"


def test_table_gives_ratios_targets_and_reasons():
    runs = {
        "streamer": Runs([1.0, 2.0, 4.0], [1.0, 1.0, 1.0], {"pairs": 100}),
        "masks": Runs([4.0, 4.0, 8.0], [1.0, 1.0, 1.0], {"pairs": 99}),
        "eta": Runs(reason="not installed"),
    }
    assert ratio(runs["streamer"], runs["masks"]) == 2.0
    text = table.aligned([table.HEAD, *table.race_rows("g2", runs, 10_000_000, target=100.0)])
    assert "SHORT (target >= 100)" in text
    assert "pairs -1.00 %" in text
    assert "not installed" in text
    assert table.verdict(20.0, 100.0, below=True).startswith("PASS")
    assert "cores" in table.machine()
