"""`streamer survey` as scripts use it: real processes, one line per error, Ctrl-C; and dots sent to a daemon."""

import csv
import json
import re
import signal
import subprocess
import sys
import time

import pytest

from streamer.config import Settings
from streamer.errors import InputError
from streamer.survey import run_survey
from streamer.survey.command import Asked, survey
from streamer.transport import Control
from tests.survey.ends import DEADLINE_S, G2, PLAN, SHORT, STREAMER, dots, nobody, wait_for_dots

NO_CTRL_C = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one child of a test")


def call(*arguments):
    return subprocess.run(
        [*STREAMER, "survey", *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


def test_the_command_writes_prints_and_names_what_it_could_not_read(tmp_path):
    done = call("simulate:single", "no such.ptu", "--json", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no such.ptu: cannot be read" in done.stderr
    values = json.loads(done.stdout)
    assert values["rules"] == {"rule": "g2", "budget_s": 60.0, "give_up": 0.05, "for_s": 5.0}
    assert values["rules_from"].startswith("the default")
    assert [dot["verdict"] for dot in values["dots"]] == ["single", "refused"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["survey.csv", "survey.h5", "survey.png"]


def test_two_workers_and_a_table_for_people():
    done = call("simulate:single", "simulate:poisson", "--workers", 2, "--rules", 'rule="g2"', "--budget", 30)
    assert done.returncode == 0, done.stderr
    assert '{"rule": "g2"} (--rules)' in done.stdout
    assert "of exposure used" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "give recordings or addresses"),
        (["simulate:", "--budget", "0.1"], "too short to look at them; give 1 or more"),
        (["simulate:", "--rules", 'rule="g3"'], "--rules.rule: must be one of"),
        (["simulate:", "--set", "seed"], "must look like key=value"),
        (["--serve", "tcp://0.0.0.0:7310"], "loopback"),
    ],
)
def test_wrong_usage_is_one_line(arguments, line):
    done = call(*arguments)
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


HERE, ONE = "tcp://127.0.0.1:0", ("simulate:",)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (Asked(ONE, budget_s=0.0), "--budget 0: must be a number of seconds above 0"),
        (Asked(ONE, budget_s=float("nan")), "--budget nan"),
        (Asked(ONE, exposure_s=float("inf")), "--exposure inf"),
        (Asked(ONE, next_dot=9), "--next-dot 9: must be an input of the card"),
        (Asked(ONE, next_dot=1, workers=2), "one after the other"),
        (Asked(ONE, next_dot=1, budget_s=10.0), "add --dots N"),
        (Asked(serve=HERE, budget_s=10.0), "add --dots N"),
        (Asked(ONE, dots=3), "--dots 3: is for --serve and --next-dot"),
        (Asked(ONE, serve=HERE), "leave simulate: out"),
        (Asked(serve=HERE, next_dot=1), "leave it out with --serve"),
        (Asked(options={"seed": "1"}, serve=HERE), "give it to `streamer send`"),
    ],
)
def test_what_contradicts_itself_is_refused(asked, line):
    with pytest.raises(InputError, match=re.escape(line)):
        asked.check()


@NO_CTRL_C
def test_ctrl_c_leaves_table_and_picture(tmp_path):
    with subprocess.Popen(
        [*STREAMER, "survey", "simulate:steady", "simulate:", "--set", "live=true", "--set", "duration=inf", "--rules",
         'rule="g2"\nfor_s=1e6\nbudget_s=1e7', "--out", str(tmp_path), "--next-dot", "1", "--set", "next_dot=1:1.5"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as going:  # fmt: skip
        try:
            wait_for_dots(tmp_path, 2, going)
            going.send_signal(signal.SIGINT)
            out, err = going.communicate(timeout=DEADLINE_S)
        finally:
            going.kill()
    assert going.returncode == 0, err
    assert "interrupted" in err
    assert "of exposure used" in out
    with (tmp_path / "survey.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {one["verdict"] for one in lines} == {"undecided"}
    assert lines[-1]["reason"].startswith("interrupted")
    assert (tmp_path / "survey.png").exists()


def send(address, source, *options):
    return subprocess.run(
        [*STREAMER, "send", source, "--to", address, *(word for one in options for word in ("--set", one))],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip


def serving(tmp_path, *arguments):
    return subprocess.Popen(
        [*STREAMER, "survey", "--serve", "tcp://127.0.0.1:0", "--out", str(tmp_path), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_dots_that_are_sent_to_a_daemon(tmp_path):
    with serving(tmp_path, "--dots", "4", "--json", "--rules", 'rule="g2"\nbudget_s=60') as daemon:
        try:
            address = daemon.stderr.readline().split(" at ")[1].split()[0]
            options = ["duration=6", "rate=40000"]
            good = [send(address, f"simulate:{name}", *options, f"seed={at}")
                    for at, name in ((1, "single"), (2, "poisson"))]  # fmt: skip
            bad = send(address, "simulate:steady", *options, "detectors=1")
            wait_for_dots(tmp_path, 3, daemon)
            last = send(address, "simulate:single", "duration=inf", "live=true", "rate=40000")
            out, err = daemon.communicate(timeout=DEADLINE_S)
        finally:
            daemon.kill()
    assert [one.returncode for one in (*good, bad, last)] == [0, 0, 2, 0], [one.stderr for one in (*good, bad, last)]
    assert "rule: single" in good[0].stderr
    assert "two detectors" in bad.stderr
    assert daemon.returncode == 0, err
    values = json.loads(out)
    assert [dot["verdict"] for dot in values["dots"]] == ["single", "not single", "refused", "single"]
    alone = run_survey(dots("simulate:single", "simulate:poisson"), PLAN, nobody)
    for sent, own in zip(values["dots"], alone, strict=False):
        assert {**sent, "name": ""} == {**own.plain(), "name": ""}
    assert (tmp_path / "survey.png").exists()
    assert (tmp_path / "dot_0001/results.npz").exists()


@NO_CTRL_C
def test_ctrl_c_ends_a_daemon_with_the_dot_that_was_coming(tmp_path):
    rules = 'rule="g2"\nfor_s=1e6\nbudget_s=1e7'
    with serving(tmp_path, "--rules", rules, "--budget", "100", "--dots", "10") as daemon:
        try:
            daemon.stderr.readline()
            address = daemon.stderr.readline().split(" at ")[1].split()[0]
            first = send(address, "simulate:single", "duration=2")
            wait_for_dots(tmp_path, 1, daemon)
            with subprocess.Popen(
                [*STREAMER, "send", "simulate:single", "--to", address, "--set", "duration=inf", "--set", "live=true"],
                stderr=subprocess.PIPE,
            ) as source:
                wait_for_state(address)
                daemon.send_signal(signal.SIGINT)
                out, err = daemon.communicate(timeout=DEADLINE_S)
                source.communicate(timeout=DEADLINE_S)
        finally:
            daemon.kill()
    assert first.returncode == 0
    assert daemon.returncode == 0, err
    assert "2 undecided" in out
    with (tmp_path / "survey.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [one["verdict"] for one in lines] == ["undecided", "undecided"]
    assert lines[1]["reason"].startswith("interrupted")
    assert float(lines[1]["allowed_s"]) == pytest.approx(2 * 98 / 9, abs=0.1)


def wait_for_state(address):
    """Until photons of the second stream are counted."""
    deadline = time.monotonic() + DEADLINE_S
    with Control(address) as control:
        while time.monotonic() < deadline:
            status = control.ask({"do": "status"}, DEADLINE_S)["status"]
            if status["state"] == "running" and status.get("stream_s", 0) > 0.5:
                return
    raise AssertionError("no photons came")


def test_a_daemon_that_is_over_its_share_stops_the_source(tmp_path):
    rules = 'rule="g2"\nfor_s=1e6'
    with serving(tmp_path, "--rules", rules, "--budget", "1.2", "--dots", "1", "--json") as daemon:
        try:
            address = daemon.stderr.readline().split(" at ")[1].split()[0]
            sent = send(address, "simulate:single", "duration=inf", "live=true")
            out, _ = daemon.communicate(timeout=DEADLINE_S)
        finally:
            daemon.kill()
    assert sent.returncode == 0
    dot = json.loads(out)["dots"][0]
    assert dot["stopped_on"] == "budget"
    assert 1.2 <= dot["used_s"] < 10.0


def test_a_survey_in_this_process_keeps_what_the_config_asked_for(capsys):
    asked = Asked(("simulate:poisson",), SHORT, quiet=True)
    assert survey(Settings(stop={"rule": "g2", "state": "all"}), asked, "run.toml", as_json=True) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["rules"], values["rules_from"]) == ({"rule": "g2", "state": "all"}, "run.toml")


def test_without_matplotlib_the_numbers_are_written_and_one_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    asked = Asked(("simulate:poisson",), SHORT, out=tmp_path, quiet=True)
    assert survey(Settings(stop=G2), asked, "--rules") == 0
    out, err = capsys.readouterr()
    assert "survey.csv" in out
    assert err.count("\n") == 1
    assert "matplotlib is not installed" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["survey.csv", "survey.h5"]
