"""Daemon and rules: the source is told to stop, the record says why, the hook runs; rules change over the wire."""

import json
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from streamer.batch import analyse
from streamer.config import Settings
from streamer.daemon import Daemon
from streamer.errors import Refused
from streamer.registry import open_source
from streamer.send import send
from streamer.transport import Control, Hub, Sender, Subscriber

DEADLINE_S = 60.0
G2 = {"rule": "g2", "error": 0.01}
DOT = {"duration": "3", "seed": "4", "rate_hz": "5e6", "dark_cps": "200"}


@contextmanager
def running(settings):
    """A daemon in a thread."""
    ready, box = threading.Event(), {}

    def work():
        with Hub("tcp://127.0.0.1:0") as hub:
            box["daemon"] = daemon = Daemon(hub, settings)
            box["address"] = hub.address
            ready.set()
            daemon.serve()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(DEADLINE_S)
    try:
        yield box["daemon"], box["address"]
    finally:
        box["daemon"].stop("test is over")
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def final_summary(viewer):
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        result = viewer.receive(deadline - time.monotonic())
        if result is not None and result.name == "summary" and result.provenance["final"]:
            return result.values
    raise AssertionError("no final summary")


@pytest.mark.parametrize("chunk_ms", ["2", "200"])
def test_the_stream_stops_where_a_batch_does(chunk_ms):
    settings = Settings(stop=G2, studies=())
    batch = analyse("simulate:", settings, DOT)
    with running(settings) as (_, address):
        send("simulate:", address, settings, DOT | {"chunk_ms": chunk_ms}, DEADLINE_S)
        with Subscriber(address, ["summary"]) as viewer:  # who comes late gets the last one
            summary = final_summary(viewer)
    assert summary["stop"] == batch.stopping.record(3.0)
    assert summary["stop"]["verdict"] == "single"
    assert summary["stopped_by"] == batch.stopped
    assert summary["photons"] == batch.stopping.stop_photons


def test_a_live_source_obeys_and_is_told_why():
    settings = Settings(stop={"rule": "photons", "photons": 20_000}, studies=())
    options = {"live": "true", "duration": "inf", "rate": "50000"}
    with running(settings) as (_, address):
        totals, end = send("simulate:steady", address, settings, options, DEADLINE_S)
    assert end.reason.startswith("rule: 2")
    assert 20_000 <= totals["received"] < 25_000
    assert totals["after"] < 10_000


def test_the_hook_gets_the_record(tmp_path):
    told = tmp_path / "told.json"
    script = f"import sys; open({str(told)!r}, 'w').write(sys.stdin.read())"
    settings = Settings(stop={"rule": "photons", "photons": 5000}, on_stop=(sys.executable, "-c", script), studies=())
    with running(settings) as (daemon, address):
        send("simulate:steady", address, settings, {"duration": "2"}, DEADLINE_S)
        daemon._hook.wait(DEADLINE_S)
        assert daemon._hook.trouble is None
    record = json.loads(told.read_text())
    assert record["source"] == "simulate:steady"
    assert record["reason"].startswith("rule: ")
    assert record["photons"] >= 5000


def test_stopping_is_published_at_once_and_marked_so():
    settings = Settings(stop={"rule": "photons", "photons": 5000}, studies=())
    with running(settings) as (_, address), Subscriber(address, ["stopping"]) as viewer:
        send("simulate:steady", address, settings, {"duration": "0.5"}, DEADLINE_S)
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            result = viewer.receive(deadline - time.monotonic())
            if result is not None and result.values["stopped"]:
                break
        assert result.values["words"].endswith("of 5,000 photons")
        assert result.rows == ("photons",)
        assert result.data["share"][0, -1] >= 1


def test_rules_over_the_wire(dot):
    info, chunks, _ = dot
    with (
        running(Settings(studies=())) as (daemon, address), Control(address) as control,
        Sender(address, info) as source,
    ):  # fmt: skip
        told = control.ask({"do": "rules"})
        assert told["ok"]
        assert told["rules"] is None
        assert "budget_s" in told["known"]["g2"]["parameters"]
        assert told["known"]["photons"]["required"] == ["photons"]
        assert not control.ask({"do": "arm"})["ok"]
        source.connect(DEADLINE_S)
        for chunk in chunks[:4]:
            source.send(chunk, DEADLINE_S)
        wrong = control.ask({"do": "rules", "rules": {"rule": "g2", "errr": 1}})
        assert not wrong["ok"]
        assert "rules.errr" in wrong["error"]
        assert "budget_s" in wrong["error"]
        assert control.ask({"do": "rules", "rules": {"rule": "photons", "photons": 1}, "armed": False})["ok"]
        for chunk in chunks[4:12]:
            source.send(chunk, DEADLINE_S)
        assert control.ask({"do": "rules"})["armed"] is False
        assert source.stopped is None
        assert control.ask({"do": "arm"})["armed"] is True
        for chunk in chunks[12:]:
            source.send(chunk, DEADLINE_S)
        source.poll(DEADLINE_S)
        assert source.stopped is not None
        assert source.stopped.startswith("rule: ")
        # They hold for the runs to come.
        assert daemon.settings.stop == {"rule": "photons", "photons": 1}


def test_rules_that_are_set_disarmed_before_a_run_stop_nothing(dot):
    info, chunks, end = dot
    with (
        running(Settings(studies=())) as (_, address), Control(address) as control, Sender(address, info) as source,
    ):  # fmt: skip
        told = control.ask({"do": "rules", "rules": {"rule": "photons", "photons": 1}, "armed": False})
        assert (told["ok"], told["armed"]) == (True, False)
        source.connect(DEADLINE_S)
        for chunk in chunks:
            source.send(chunk, DEADLINE_S)
        assert source.end(end, DEADLINE_S)["after"] == 0
        assert source.stopped is None


def test_a_reset_keeps_the_rules_and_forgets_what_they_saw(dot):
    info, chunks, _ = dot
    rules = {"rule": "photons", "photons": 10**9}
    with (
        running(Settings(studies=(), stop=rules)) as (daemon, address), Control(address) as control,
        Sender(address, info) as source,
    ):  # fmt: skip
        source.connect(DEADLINE_S)
        for chunk in chunks[:6]:
            source.send(chunk, DEADLINE_S)
        assert control.ask({"do": "disarm"})["ok"]
        assert control.ask({"do": "reset"})["ok"]
        stopping = daemon.run.pipeline.stopping
        assert stopping.tree == rules
        assert stopping.armed is False
        assert stopping.since_s == 0.0


def test_a_stream_of_which_the_rule_cannot_be_asked_is_refused_with_the_reason():
    settings = Settings(stop=G2)
    source = open_source("simulate:steady", {"detectors": "1", "duration": "1"})
    refused = pytest.raises(Refused, match="rule g2: needs two detectors")
    with running(settings) as (_, address), Sender(address, source.info) as sender, refused:
        sender.connect(DEADLINE_S)
