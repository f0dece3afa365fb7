"""Rules on the command line: the same photon in a replay at any speed, live and in a batch; wrong ones in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.registry import bundled_recording

STREAMER = [sys.executable, "-m", "streamer"]
DEADLINE_S = 180.0
RULES = 'any=[{rule="g2", error=0.01}, {rule="photons", photons=60000}]'
SHARED = Path(__file__).parents[2] / "shared" / "data"


def call(*arguments):
    return subprocess.run(
        [*STREAMER, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


def stop_of(*arguments):
    done = call(*arguments)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    return summary["stop"], summary["photons"], summary["account"]["analysed"]


@pytest.mark.slow
def test_a_recording_stops_at_the_same_photon_at_any_speed_and_in_a_batch(tmp_path):
    path, _ = bundled_recording()
    rules = tmp_path / "rules.toml"
    rules.write_text(f"[stop]\n{RULES}\n")
    batch = stop_of("batch", path, "--rules", rules)
    assert batch[0]["stopped"]
    for speed in ("1", "max"):
        assert stop_of("replay", path, "--speed", speed, "--no-viewer", "--json", "--rules", RULES) == batch, speed


@pytest.mark.slow
def test_a_live_stream_stops_where_a_batch_of_it_does():
    """A live stream says its channels and delays; nothing is looked at beforehand."""
    options = ("--set", "seed=3", "--set", "duration=20")
    live = stop_of(
        "replay", "simulate:steady", *options, "--set", "live=true", "--no-viewer", "--json", "--rules", RULES
    )
    fast = stop_of("replay", "simulate:steady", *options, "--no-viewer", "--json", "--rules", RULES)
    for key in ("tick", "photons", "verdict", "words", "evidence"):
        assert live[0][key] == fast[0][key], key
    assert live[1:] == fast[1:]


def test_the_line_for_people():
    path, _ = bundled_recording()
    done = call("replay", path, "--speed", "max", "--no-viewer", "--rules", 'rule="exposure"\nseconds=6')
    assert done.returncode == 0
    assert "rules: stopped at 6.000 s, photon" in done.stdout
    assert "18.00 s of 24.00 s saved (75 %)" in done.stdout


@pytest.mark.parametrize(
    ("rules", "word"),
    [('rule="g3"', "--rules.rule: must be one of"), ("no/such.toml", "no/such.toml: cannot be read"),
     ('rule="photons"', "--rules.photons: rule photons needs it")],
)  # fmt: skip
def test_wrong_rules_are_one_line_and_status_2(rules, word):
    done = call("replay", bundled_recording()[0], "--no-viewer", "--rules", rules)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert word in done.stderr


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")
def test_one_detector_is_refused_and_status_2():
    one = SHARED / "ptu/th260n_t2_1ch_bursts.ptu"
    for command in (("replay", one, "--speed", "max", "--no-viewer"), ("batch", one)):
        done = call(*command, "--rules", 'rule="g2"')
        assert done.returncode == 2
        assert done.stdout == ""
        assert "rule g2: needs two detectors" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
