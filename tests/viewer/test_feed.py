"""Feed: bounded, never waiting, in its own threads; silence, restart and refusal are told."""

from __future__ import annotations

import threading
import time
import tracemalloc
from types import ModuleType
from typing import Any

import pytest

from streamer.errors import InputError
from viewer import feed as feed_module
from viewer.feed import Feed, News


def gather(feed: Feed, until: Any, condition: Any) -> list[News]:
    """All news until `condition(news)` holds for one."""
    seen: list[News] = []

    def look() -> bool:
        seen.append(feed.take())
        return bool(condition(seen[-1]))

    until(look)
    return seen


def test_brings_the_newest_of_each_name(daemon: Any, feed: Feed, until: Any, results: ModuleType) -> None:
    assert feed.take().link == "waiting"
    for seq in range(5):
        daemon.publish(results.make(seconds=3, seq=seq))
    until(daemon.results.empty)
    news = gather(feed, until, lambda news: news.received == 45)
    latest = {name: result for one in news for name, result in one.results.items()}
    assert set(latest) == {"status", "trace", "levels", "decay", "g2", "g2_peaks", "gate", "flid", "summary"}
    assert {result.provenance["seq"] for result in latest.values()} == {4}
    assert news[-1].link == "live"
    assert news[-1].run == "run-1"
    assert feed.take().results == {}


def test_a_flood_is_bounded_and_take_does_not_wait(daemon: Any, feed: Feed, until: Any, results: ModuleType) -> None:
    frames = [results.make(seconds=3, seq=seq) for seq in range(4)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            daemon.publish(frames[number % 4])
        longest = 0.0
        received = 0
        while received < 18_000:
            begun = time.thread_time()
            news = feed.take()
            longest = max(longest, time.thread_time() - begun)
            received = news.received
            assert len(news.results) <= 9
            assert len(feed._latest) <= 9
        assert tracemalloc.get_traced_memory()[0] - before < 2_000_000
    finally:
        tracemalloc.stop()
    assert longest < 0.1


def test_sockets_belong_to_the_threads(daemon: Any, feed: Feed, until: Any, results: ModuleType) -> None:
    daemon.publish(results.make(seconds=3))
    feed.ask({"do": "pause"})
    until(lambda: daemon.requests and feed.take().received)
    assert threading.get_ident() not in daemon.threads
    assert len(daemon.threads) == 2
    held = [name for name, value in vars(feed).items() if value is daemon or hasattr(value, "receive")]
    assert held == []


def test_ask_returns_at_once_and_the_answer_comes_later(daemon: Any, feed: Feed, until: Any) -> None:
    gate = threading.Event()
    daemon.reply = lambda request: {"ok": gate.wait(10), "cut": request}
    begun = time.monotonic()
    feed.ask({"do": "cut", "gate_ns": 3.0})
    assert time.monotonic() - begun < 0.5
    until(lambda: daemon.requests)
    assert feed.take().answers == ()
    gate.set()
    news = gather(feed, until, lambda news: news.answers)
    assert news[-1].answers[0].request == {"do": "cut", "gate_ns": 3.0}
    assert news[-1].answers[0].reply["ok"]


def test_cuts_that_pile_up_become_one(daemon: Any, feed: Feed, until: Any) -> None:
    gate = threading.Event()
    daemon.reply = lambda request: {"ok": gate.wait(10)}
    feed.ask({"do": "pause"})
    until(lambda: daemon.requests)
    for number in range(100):
        feed.ask({"do": "cut", "thresholds_cps": [float(number)]})
    feed.ask({"do": "cut", "gate_ns": 2.0})
    gate.set()
    until(lambda: len(daemon.requests) == 2)
    assert daemon.requests[1] == {"do": "cut", "thresholds_cps": [99.0], "gate_ns": 2.0}


def test_silence_is_told_and_ends(daemon: Any, feed: Feed, until: Any, results: ModuleType, monkeypatch: Any) -> None:
    monkeypatch.setattr(feed_module, "SILENT_S", 0.2)
    monkeypatch.setattr(feed_module, "ASK_S", 0.05)
    daemon.publish(results.make(seconds=3))
    gather(feed, until, lambda news: news.link == "live")
    daemon.alive = False
    news = gather(feed, until, lambda news: news.link == "silent")
    assert news[-1].silent_s > 0.2
    daemon.alive = True  # it publishes nothing, but it answers: that is life
    gather(feed, until, lambda news: news.link == "live")
    assert all(request == {"do": "status"} for request in daemon.requests)


def test_no_answer_is_an_answer_and_the_socket_is_renewed(daemon: Any, feed: Feed, until: Any) -> None:
    daemon.alive = False
    feed.ask({"do": "cut", "gate_ns": 1.0})
    news = gather(feed, until, lambda news: news.answers)
    assert news[-1].answers[0].reply == {"ok": False, "error": "the daemon did not answer"}
    assert daemon.closed == 1
    daemon.alive = True
    feed.ask({"do": "cut", "gate_ns": 1.0})
    gather(feed, until, lambda news: news.answers and news.answers[0].reply["ok"])


def test_a_new_run_forgets_the_old_one(daemon: Any, feed: Feed, until: Any, results: ModuleType) -> None:
    daemon.publish(results.make(seconds=3, run="old"))
    until(daemon.results.empty)
    daemon.publish({"status": results.make(seconds=3, run="new")["status"]})
    news = gather(feed, until, lambda news: news.received == 10)
    assert news[-1].run == "new"
    assert set(news[-1].results) == {"status"}


def test_one_bad_message_does_not_end_the_view(daemon: Any, feed: Feed, until: Any, results: ModuleType) -> None:
    daemon.results.put(ValueError("frame 3:\n too short"))
    news = gather(feed, until, lambda news: news.trouble)
    assert news[-1].trouble == "a message was not understood: frame 3: too short"
    assert not news[-1].fatal
    daemon.publish(results.make(seconds=3))
    gather(feed, until, lambda news: news.received == 9)


def test_an_address_that_cannot_be_opened_is_fatal(until: Any) -> None:
    def refuse(address: str) -> Any:
        raise InputError(f"{address}: not an address")

    feed = Feed("nonsense", refuse, refuse)
    feed.start()
    try:
        news = gather(feed, until, lambda news: news.fatal)
        assert news[-1].trouble == "nonsense: not an address"
    finally:
        feed.close()


def test_close_ends_both_threads(daemon: Any, results: ModuleType) -> None:
    feed = Feed("tcp://127.0.0.1:7310", daemon.open, daemon.open)
    feed.close()  # before it was started
    feed = Feed("tcp://127.0.0.1:7310", daemon.open, daemon.open)
    feed.start()
    feed.close()
    assert not any(thread.is_alive() for thread in feed._threads)
    assert daemon.closed >= 1


@pytest.mark.parametrize("values", [{}, {"run": None}])
def test_results_without_a_run_are_taken(daemon: Any, feed: Feed, until: Any, values: dict[str, Any]) -> None:
    from streamer.result import Result

    daemon.results.put(Result("status", "status", values={}, provenance=values))
    news = gather(feed, until, lambda news: news.received == 1)
    assert "status" in news[-1].results
