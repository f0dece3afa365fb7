"""The command line as scripts use it: real processes, exit statuses, one JSON object, one line per error."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streamer.registry import bundled_recording
from streamer.transport import Control, Subscriber

STREAMER = [sys.executable, "-m", "streamer"]
SHARED = Path(__file__).parents[2] / "shared" / "data"
DEADLINE_S = 120.0


def call(*arguments, cwd=None):
    return subprocess.run(
        [*STREAMER, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_S, cwd=cwd, check=False
    )


@pytest.fixture(scope="module")
def recording():
    return bundled_recording()


def test_replay_prints_one_json_object_and_leaves_results(recording, tmp_path):
    path, truth = recording
    done = call("replay", path, "--speed", "max", "--no-viewer", "--json", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert set(summary) >= {
        "file", "format", "mode", "hardware", "sync_rate_hz", "resolution_s", "duration_s", "records", "markers",
        "photons",
        "photons_per_channel", "lost_records", "gaps", "warnings", "g2", "states", "stopped_by",
    }  # fmt: skip
    assert set(summary["g2"]) >= {"pair", "delay_ns", "g2_0", "low", "high", "central", "side_mean", "lags"}
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    with np.load(tmp_path / "results.npz") as arrays:
        assert arrays["decay.counts"].shape == (4, len(arrays["decay.axis.nanotime"]))
        assert json.loads(str(arrays["meta"]))["g2_peaks"]["rows"] == ["all", "dark", "grey", "bright"]
    assert summary["stopped_by"] == "end of file"
    assert summary["g2"]["delay_ns"] == pytest.approx(7.4, abs=1.0)
    true = {state["name"]: state for state in truth["states"]}
    assert [state["name"] for state in summary["states"]] == ["dark", "grey", "bright"]
    for state in summary["states"]:
        assert state["low"] <= true[state["name"]]["g2_0_with_background"] <= state["high"]


def test_replay_at_a_speed_and_batch_give_the_same_numbers(recording, tmp_path):
    path, _ = recording
    slow = json.loads(call("replay", path, "--speed", "12", "--no-viewer", "--json").stdout)
    done = call("batch", path, "--out", tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout) == slow
    assert (tmp_path / "dot.ptu" / "results.npz").exists()


def test_batch_names_what_it_cannot_read_and_finishes_the_rest(recording, tmp_path):
    path, _ = recording
    bad = tmp_path / "bad.ptu"
    bad.write_bytes(b"PQTTTR\0\0" + b"\0" * 100)
    done = call("batch", bad, path)
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.count("\n") == 1
    assert "bad.ptu" in done.stderr


def test_check_says_what_a_recording_holds(recording):
    path, _ = recording
    found = json.loads(call("check", path, "--json").stdout)
    assert found["photons"] == sum(found["photons_per_channel"].values())
    assert found["warnings"] == []
    assert "photons" in call("check", path).stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["replay", "no/such/file.ptu", "--no-viewer"], "no/such/file.ptu"),
        (["check", "."], "folder"),
        (["replay", __file__, "--json"], "not a recording"),
        (["send", "simulate", "--set", "speed"], "key=value"),
        (["check", "simulate:", "--set", "nbarr=2"], "nbarr"),
        (["serve", "--config", "nowhere.toml"], "nowhere.toml"),
        (["serve", "--address", "tcp://0.0.0.0:7310"], "loopback"),
        (["view", "127.0.0.1"], "address"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments, word):
    done = call(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert word in done.stderr


def test_no_daemon_is_one_line_and_status_1():
    done = call("send", "simulate:", "--to", "tcp://127.0.0.1:1", "--wait", "0.5")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "streamer serve" in done.stderr


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")
def test_json_of_a_real_recording_has_nothing_else_on_standard_output():
    done = call("replay", SHARED / "ptu/hh1_t3_hbt_2p5MHz_blinking.ptu", "--speed", "max", "--no-viewer", "--json")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    summary = json.loads(done.stdout)
    assert summary["photons"] == 94560
    for line in summary["states"]:
        if line["g2_0"] is None:
            assert any(warning.startswith(line["name"]) for warning in summary["warnings"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows gives no way to send Ctrl-C to one child of a test")
def test_serve_send_and_ctrl_c_leave_final_results(tmp_path):
    with subprocess.Popen(
        [*STREAMER, "serve", "--address", "tcp://127.0.0.1:0", "--out", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
    ) as daemon:
        try:
            address = daemon.stderr.readline().split(" at ")[1].split()[0]
            source = subprocess.Popen(
                [*STREAMER, "send", "simulate:", "--to", address, "--set", "live=true", "--set", "duration=inf"],
                stderr=subprocess.DEVNULL,
            )
            with Subscriber(address, ["summary"]) as viewer, Control(address) as control:
                assert viewer.receive(DEADLINE_S) is not None
                status = control.ask({"do": "status"})["status"]
                account = status["account"]
                assert account["received"] == account["analysed"] + account["open"] + account["outside"]
            daemon.send_signal(signal.SIGINT)
            assert daemon.wait(DEADLINE_S) == 0
            assert source.wait(DEADLINE_S) == 0
        finally:
            daemon.kill()
    (run,) = tmp_path.iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["stopped_by"] == "interrupted"
    assert summary["photons"] > 0


def test_demo_without_a_display_leaves_a_picture_and_the_truth_beside_the_numbers(tmp_path):
    pytest.importorskip("PyQt6")
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    if sys.platform in ("win32", "darwin"):
        pytest.skip("there is always a display on Windows and macOS")
    done = subprocess.run(
        [*STREAMER, "demo", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "true lifetime" in done.stdout
    assert (tmp_path / "viewer.png").stat().st_size > 20_000
