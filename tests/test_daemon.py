"""Daemon: over real sockets, with a source, a viewer and a control client in this process."""

import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.daemon import Daemon
from streamer.errors import InputError, Refused
from streamer.pipeline import Pipeline
from streamer.transport import Control, Hub, Sender, Subscriber

DEADLINE_S = 30.0


@contextmanager
def running(settings=None, saved=None):
    """A daemon in a thread; its hub is made and used in that thread alone."""
    ready, box = threading.Event(), {}

    def work():
        with Hub("tcp://127.0.0.1:0") as hub:
            save = None if saved is None else lambda run, results: saved.append((run, list(results))) or "somewhere"
            box["daemon"] = daemon = Daemon(hub, settings or Settings(), save)
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


def receive(subscriber, name, accept=lambda result: True):
    """The next Result of this name that is accepted, within the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        result = subscriber.receive(deadline - time.monotonic())
        if result is not None and result.name == name and accept(result):
            return result
    raise AssertionError(f"no {name} within {DEADLINE_S} s")


def send_all(source, chunks, timeout_s):
    for chunk in chunks:
        source.send(chunk, timeout_s)


def is_final(result):
    return result.provenance["final"]


def test_a_stream_goes_through_and_its_answers_are_those_of_one_process(dot):
    info, chunks, end = dot
    settings = Settings(delays_ns={1: 7.4})
    saved = []
    with running(settings, saved) as (_, address), Subscriber(address) as viewer, Sender(address, info) as source:
        source.connect(DEADLINE_S)
        for chunk in chunks:
            source.send(chunk, DEADLINE_S)
        totals = source.end(end, DEADLINE_S)
        summary = receive(viewer, "summary", is_final)
    photons = sum(len(chunk.time) for chunk in chunks)
    assert totals["received"] == photons
    assert totals["received"] == totals["analysed"] + totals["open"] + totals["outside"]
    alone = Pipeline(info, settings)
    for chunk in chunks:
        alone.feed(chunk)
    alone.finish(end)
    expected = {result.name: result for result in alone.results(studied=alone.study())}
    assert summary.values == expected["summary"].values
    assert set(summary.values["studies"]) >= {"g2_fit", "decay_fit", "blinking"}
    (_, results), *rest = saved
    assert rest == []
    for result in results:
        if result.name in expected:
            for key, array in result.data.items():
                assert np.array_equal(array, expected[result.name].data[key], equal_nan=True)


def test_a_cut_moved_after_the_end_is_answered_with_new_results(dot):
    info, chunks, end = dot
    with running() as (_, address), Subscriber(address, ["levels"]) as viewer, Control(address) as control:
        with Sender(address, info) as source:
            source.connect(DEADLINE_S)
            for chunk in chunks:
                source.send(chunk, DEADLINE_S)
            source.end(end, DEADLINE_S)
        receive(viewer, "levels", is_final)
        assert control.ask({"do": "cut", "thresholds_cps": [12e3]})["ok"]
        moved = receive(viewer, "levels", lambda r: r.provenance["cut"]["thresholds_cps"] == [12e3])
        assert [state["name"] for state in moved.values["states"]] == ["dark", "bright"]
        assert moved.values["auto"] is False
        wrong = control.ask({"do": "cut", "thresholds_cps": [5.0, 4.0]})
        assert not wrong["ok"]
        assert "ascending" in wrong["error"]


def test_pause_holds_photons_back_and_loses_none(dot):
    info, chunks, end = dot
    with running() as (_, address), Control(address) as control, Sender(address, info) as source:
        source.connect(DEADLINE_S)
        source.send(chunks[0], DEADLINE_S)
        assert control.ask({"do": "pause"})["ok"]
        with pytest.raises(TimeoutError, match="no credit"):
            send_all(source, chunks[1:], 0.5)
        status = control.ask({"do": "status"})["status"]
        assert status["state"] == "paused"
        assert control.ask({"do": "resume"})["ok"]
        sent = source._outbox.next_seq
        for chunk in chunks[sent:]:
            source.send(chunk, DEADLINE_S)
        totals = source.end(end, DEADLINE_S)
    assert totals["received"] == sum(len(chunk.time) for chunk in chunks)


def test_reset_starts_anew_on_the_same_stream(dot):
    info, chunks, end = dot
    with running() as (_, address), Control(address) as control, Sender(address, info) as source:
        source.connect(DEADLINE_S)
        for chunk in chunks[:20]:
            source.send(chunk, DEADLINE_S)
        before = control.ask({"do": "status"})["status"]
        assert control.ask({"do": "reset"})["ok"]
        for chunk in chunks[20:]:
            source.send(chunk, DEADLINE_S)
        source.end(end, DEADLINE_S)
        after = control.ask({"do": "status"})["status"]
    assert after["run"] != before["run"]
    rest = sum(len(chunk.time) for chunk in chunks[20:])
    assert rest <= after["photons"] <= rest + sum(len(chunk.time) for chunk in chunks[:20])


def test_stop_reaches_the_source_and_is_the_reason(dot):
    info, chunks, _ = dot
    with running() as (_, address), Subscriber(address, ["summary"]) as viewer, Control(address) as control:
        with Sender(address, info) as source:
            source.connect(DEADLINE_S)
            source.send(chunks[0], DEADLINE_S)
            assert control.ask({"do": "stop", "reason": "enough pairs"})["ok"]
            source.poll(DEADLINE_S)
            assert source.stopped == "enough pairs"
            source.end(StreamEnd(source.stopped), DEADLINE_S)
        assert receive(viewer, "summary", is_final).values["stopped_by"] == "enough pairs"


def test_a_source_that_goes_back_in_time_ends_its_run_and_nothing_counted_is_lost(dot):
    info, chunks, _ = dot
    with running() as (_, address), Subscriber(address, ["summary"]) as viewer, Sender(address, info) as source:
        source.connect(DEADLINE_S)
        source.send(chunks[0], DEADLINE_S)
        source.send(Chunk(0, 10), DEADLINE_S)
        summary = receive(viewer, "summary", is_final).values
        source.poll(DEADLINE_S)
    assert "begins before tick" in source.stopped
    assert summary["photons"] == len(chunks[0].time)


def test_a_stream_that_contradicts_the_settings_is_refused_with_the_reason():
    info = StreamInfo("T2", 1e-9, channels=(0, 1))
    wrong = Settings(pairs=((3, 3),))
    with running(wrong) as (_, address), Sender(address, info) as source, pytest.raises(Refused, match="pairs"):
        source.connect(DEADLINE_S)


def test_stopping_the_daemon_saves_what_was_counted(dot):
    info, chunks, _ = dot
    saved = []
    with running(saved=saved) as (daemon, address), Sender(address, info) as source, Control(address) as control:
        source.connect(DEADLINE_S)
        source.send(chunks[0], DEADLINE_S)
        deadline = time.monotonic() + DEADLINE_S
        while control.ask({"do": "status"})["status"]["photons"] < len(chunks[0].time):
            assert time.monotonic() < deadline
        daemon.stop("interrupted")
        source.poll(DEADLINE_S)
        source.end(StreamEnd(source.stopped), DEADLINE_S)
    ((_, results),) = saved
    summary = next(result.values for result in results if result.name == "summary")
    assert (summary["stopped_by"], summary["photons"]) == ("interrupted", len(chunks[0].time))


def test_requests_that_make_no_sense_get_one_line():
    with running() as (_, address), Control(address) as control:
        assert control.ask({"do": "status"})["status"]["state"] == "waiting"
        senseless = [{"do": "dance"}, {"do": ["x"]}, {}]
        for request, word in [*((one, "do:") for one in senseless), ({"do": "pause"}, "no stream yet")]:
            reply = control.ask(request)
            assert reply["ok"] is False
            assert word in reply["error"]
            assert "\n" not in reply["error"]


def test_one_run_after_the_other(dot):
    info, chunks, end = dot
    with running() as (_, address), Subscriber(address, ["summary"]) as viewer:
        runs = set()
        for _ in range(2):
            with Sender(address, info) as source:
                source.connect(DEADLINE_S)
                source.send(chunks[0], DEADLINE_S)
                source.end(end, DEADLINE_S)
            final = receive(viewer, "summary", lambda r: is_final(r) and r.provenance["run"] not in runs)
            runs.add(final.provenance["run"])
        assert len(runs) == 2


def test_results_that_cannot_be_written_are_said_and_end_nothing(dot):
    info, chunks, end = dot

    def full(run, results):
        raise InputError("runs/x: results cannot be written (No space left on device); choose another --out folder")

    with running() as (daemon, address), Control(address) as control:
        daemon.save = full
        with Sender(address, info) as source:
            source.connect(DEADLINE_S)
            source.send(chunks[0], DEADLINE_S)
            source.end(end, DEADLINE_S)
        status = control.ask({"do": "status"})["status"]
        assert status["state"] == "ended"
        assert any("No space left" in line for line in status["warnings"])
        assert "No space left" in control.ask({"do": "save"})["error"]


def test_a_source_that_is_lost_and_comes_back_goes_on_where_it_was(dot):
    info, chunks, end = dot
    with running() as (_, address), Control(address) as control:
        with Sender(address, info, stream="night run", dead_s=1.0) as source:
            source.connect(DEADLINE_S)
            for chunk in chunks[:5]:
                source.send(chunk, DEADLINE_S)
            deadline = time.monotonic() + DEADLINE_S
            before = sum(len(chunk.time) for chunk in chunks[:5])
            while control.ask({"do": "status"})["status"]["photons"] < before:
                assert time.monotonic() < deadline
        while control.ask({"do": "status"})["status"]["state"] != "source lost":
            assert time.monotonic() < deadline
        with Sender(address, info, stream="night run") as source:
            welcome = source.connect(DEADLINE_S)
            assert welcome.next_seq == 5
            for chunk in chunks:  # from its beginning: the daemon is not sent what it has
                source.send(chunk, DEADLINE_S)
            totals = source.end(end, DEADLINE_S)
    assert totals["received"] == sum(len(chunk.time) for chunk in chunks)


def test_a_daemon_that_comes_back_without_memory_takes_the_rest_and_says_so(dot):
    info, chunks, end = dot
    with running() as (_, address), Control(address) as control, Sender(address, info) as source:
        source._outbox.next_seq = source._outbox.first_seq = source._outbox._unsent = 3  # an earlier daemon had three
        source.connect(DEADLINE_S)
        for chunk in chunks[3:]:
            source.send(chunk, DEADLINE_S)
        totals = source.end(end, DEADLINE_S)
        status = control.ask({"do": "status"})["status"]
    assert totals["received"] == sum(len(chunk.time) for chunk in chunks[3:])
    assert any("earlier daemon" in line for line in status["warnings"])


def test_the_status_is_told_while_the_last_studies_run(dot, monkeypatch):
    info, chunks, end = dot
    asked, answered, study = threading.Event(), threading.Event(), Pipeline.study

    def slow(pipeline):
        asked.set()
        assert answered.wait(DEADLINE_S)
        return study(pipeline)

    with running(Settings(studies=())) as (_, address), Control(address) as control, Sender(address, info) as source:
        source.connect(DEADLINE_S)
        source.send(chunks[0], DEADLINE_S)
        monkeypatch.setattr(Pipeline, "study", slow)
        totals = {}
        sending = threading.Thread(target=lambda: totals.update(source.end(end, DEADLINE_S)))
        sending.start()
        assert asked.wait(DEADLINE_S)
        status = control.ask({"do": "status"})["status"]
        assert status["account"]["received"] == len(chunks[0].time)
        assert status["state"] == "finishing"
        assert not totals
        answered.set()
        sending.join(DEADLINE_S)
        assert totals["received"] == len(chunks[0].time)
        # What was asked meanwhile and waited is answered too.
        assert control.ask({"do": "cut", "thresholds_cps": [12e3]})["ok"]
