"""Transport over real sockets, threads and processes: credit, breaks, refusals, late and slow subscribers, garbage."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgpack
import numpy as np
import psutil
import pytest
import zmq

from streamer import wire
from streamer.address import parse_address
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError, ProtocolError, Refused
from streamer.frames import WrongVersion
from streamer.result import Axis, Result
from streamer.transport import (
    ChunkIn,
    Control,
    ControlIn,
    EndIn,
    Event,
    HelloIn,
    Hub,
    Sender,
    SourceLost,
    Subscriber,
)
from streamer.transport.sockets import Endpoint

ANY_PORT = "tcp://127.0.0.1:0"
LONG = 20.0  # seconds until a test that waits for something has failed
T2 = StreamInfo("T2", 1e-12, source="simulate:a")
T3 = StreamInfo("T3", 1e-7, 1e-11, source="simulate:b", channels=(0, 1))
E = TypeVar("E")


class Desk(Hub):
    """A Hub whose events a test takes one by one."""

    def __init__(self, address: str = ANY_PORT) -> None:
        super().__init__(address, heartbeat_s=0.1, dead_s=1.0)
        self.waiting: list[Event] = []

    def work(self) -> None:
        self.waiting += self.poll(0.01)

    def next(self) -> Event:
        """The next event, which must come in time."""
        deadline = time.monotonic() + LONG
        while not self.waiting and time.monotonic() < deadline:
            self.work()
        assert self.waiting, f"nothing happened within {LONG} s"
        return self.waiting.pop(0)

    def until(self, kind: type[E]) -> E:
        """The next event, which must be of this kind."""
        event = self.next()
        assert isinstance(event, kind), event
        return event

    def quiet(self) -> bool:
        """Nothing happens for a while."""
        self.waiting += self.poll(0.3)
        return self.waiting == []

    def accept(self, next_seq: int = 0, credit: int = 100) -> HelloIn:
        """Welcome who says Hello; that its last connection was lost may have been said before."""
        hello = self.next()
        if isinstance(hello, SourceLost):
            hello = self.next()
        assert isinstance(hello, HelloIn), hello
        self.welcome(hello.peer, next_seq, credit)
        return hello


@pytest.fixture
def hub() -> Iterator[Desk]:
    with Desk() as hub:
        yield hub


@pytest.fixture
def background() -> Iterator[Callable[..., Future[Any]]]:
    """Run a call in a thread of its own; the test takes its result, with a deadline."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


def chunk(i: int, photons: int = 5) -> Chunk:
    """Chunk number `i` of a T2 stream, recognisable by its times."""
    return Chunk(100 * i, 100 * (i + 1), 100 * i + np.arange(photons), channel=np.full(photons, i % 256, np.uint8))


def send_all(address: str, info: StreamInfo, chunks: list[Chunk], **options: Any) -> tuple[dict[str, Any], Sender]:
    """A whole source: its totals, and the Sender for its counters."""
    with Sender(address, info, **options) as sender:
        sender.connect(LONG)
        for item in chunks:
            sender.send(item, LONG)
        return sender.end(StreamEnd("end of file"), LONG), sender


# The way of a stream


def test_a_stream_arrives_as_it_was_sent(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    rng = np.random.default_rng(1)
    sent = []
    for i in range(4):
        n = int(rng.integers(0, 300_000)) if i else 0
        time_ = np.sort(rng.integers(1000 * i, 1000 * (i + 1), n))
        nanotime, channel = rng.integers(0, 9999, n).astype(np.uint16), rng.integers(0, 2, n).astype(np.uint8)
        marker_time = np.array([1000 * i + 5], np.int64)
        sent.append(
            Chunk(1000 * i, 1000 * (i + 1), time_, nanotime, channel, marker_time, channel[:1], lost=i)
            if n
            else Chunk(0, 1000)
        )
    totals = background(send_all, hub.address, T3, sent)
    hello = hub.accept()
    assert hello.info == T3
    for i, want in enumerate(sent):
        got = hub.until(ChunkIn)
        assert (got.seq, got.peer) == (i, hello.peer)
        assert (got.chunk.start, got.chunk.stop, got.chunk.lost) == (want.start, want.stop, want.lost)
        for name in wire.CHUNK_SCHEMA:
            array = getattr(got.chunk, name)
            assert np.array_equal(array, getattr(want, name))
            assert array.flags.aligned
        hub.credit(hello.peer, i, 100)
    end = hub.until(EndIn)
    assert end.end == StreamEnd("end of file")
    hub.totals(end.peer, {"received": 4})
    assert totals.result(LONG)[0] == {"received": 4}
    assert hub.quiet()  # a source that has ended is not a lost one


def test_credit_holds_the_sender_back(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    done = background(send_all, hub.address, T2, [chunk(i) for i in range(5)])
    peer = hub.accept(credit=2).peer
    assert [hub.until(ChunkIn).seq for _ in range(2)] == [0, 1]
    assert hub.quiet()
    hub.credit(peer, -1, 3)
    assert hub.until(ChunkIn).seq == 2
    assert hub.quiet()
    hub.credit(peer, 2, 0)  # a pause
    assert hub.quiet()
    hub.credit(peer, 2, 3)
    assert [hub.until(ChunkIn).seq for _ in range(2)] == [3, 4]
    hub.totals(hub.until(EndIn).peer, {})
    done.result(LONG)


def test_bytes_hold_the_sender_back(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    done = background(send_all, hub.address, T2, [chunk(i, 100) for i in range(3)], max_bytes=1500)
    peer = hub.accept().peer
    assert hub.until(ChunkIn).seq == 0
    assert hub.quiet()
    hub.credit(peer, 0, 100)
    assert hub.until(ChunkIn).seq == 1
    assert hub.quiet()
    hub.credit(peer, 1, 100)
    assert hub.until(ChunkIn).seq == 2
    hub.totals(hub.until(EndIn).peer, {})
    done.result(LONG)


def test_send_gives_up_in_time_and_the_chunk_may_be_given_again(
    hub: Desk, background: Callable[..., Future[Any]]
) -> None:
    with Sender(hub.address, T2) as sender:
        welcome = background(sender.connect, LONG)
        peer = hub.accept(credit=1).peer
        assert welcome.result(LONG) == wire.Welcome(0, 1)
        sender.send(chunk(0))
        with pytest.raises(TimeoutError, match=r"no credit from the daemon .* for 0.1 s, 1 chunks wait"):
            sender.send(chunk(1), 0.1)
        hub.credit(peer, 0, 1)
        sender.send(chunk(1), LONG)
        assert [hub.until(ChunkIn).seq for _ in range(2)] == [0, 1]


def test_stop_reaches_a_sender_that_waits_for_credit(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    def source() -> tuple[str | None, int, dict[str, Any]]:
        with Sender(hub.address, T2) as sender:
            sender.connect(LONG)
            calls = 0
            while sender.stopped is None:
                sender.send(chunk(calls))
                calls += 1
            sender.send(chunk(calls))  # does nothing, at once
            return sender.stopped, calls, sender.end(StreamEnd(str(sender.stopped)), LONG)

    done = background(source)
    peer = hub.accept(credit=3).peer
    assert [hub.until(ChunkIn).seq for _ in range(3)] == [0, 1, 2]
    assert hub.quiet()
    hub.stop(peer, "g2(0) is known well enough")
    end = hub.until(EndIn)
    assert end.end.reason == "g2(0) is known well enough"
    hub.totals(peer, {"received": 3})
    assert done.result(LONG) == ("g2(0) is known well enough", 4, {"received": 3})


def test_stop_wakes_a_sender_that_waits_for_the_next_photon(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    with Sender(hub.address, T2) as sender:
        connected = background(sender.connect, LONG)
        peer = hub.accept().peer
        connected.result(LONG)
        waiting = background(sender.poll, LONG * 10)
        hub.stop(peer, "enough")
        waiting.result(LONG)
        assert sender.stopped == "enough"


# Refusals


def test_a_second_source_is_refused_until_the_first_has_ended(
    hub: Desk, background: Callable[..., Future[Any]]
) -> None:
    first = background(send_all, hub.address, T2, [])
    end_peer = hub.accept().peer
    with Sender(hub.address, T3) as second:
        refusal = background(second.connect, LONG)
        end = hub.until(EndIn)
        with pytest.raises(Refused, match=r"another source is being analysed \(simulate:a\); wait"):
            _polled(hub, refusal)
        with pytest.raises(ProtocolError, match="connect"):
            second.send(chunk(0))
        hub.totals(end.peer, {})
        first.result(LONG)
        assert end.peer == end_peer
        welcome = background(second.connect, LONG)
        assert hub.accept().info == T3
        welcome.result(LONG)


def _polled(hub: Desk, future: Future[Any]) -> Any:
    """Result of what another thread does, while the hub goes on working."""
    deadline = time.monotonic() + LONG
    while not future.done() and time.monotonic() < deadline:
        assert hub.poll(0.05) == []
    return future.result(0.1)


def test_the_daemon_can_refuse_with_its_reason(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    with Sender(hub.address, T2) as sender:
        answer = background(sender.connect, LONG)
        hub.refuse(hub.until(HelloIn).peer, "this run wants T3,\nnot T2")
        with pytest.raises(Refused, match=f"^{hub.address}: this run wants T3, not T2$"):
            answer.result(LONG)


def test_a_sender_without_daemon_says_where_and_what_to_do() -> None:
    with Desk() as hub:
        address = hub.address
    began = time.monotonic()
    with Sender(address, T2) as sender:
        for _ in range(2):
            with pytest.raises(TimeoutError, match=rf"{address}: no daemon answered within 0.2 s; start one with"):
                sender.connect(0.2)
        with pytest.raises(ProtocolError, match="connect"):
            sender.send(chunk(0))
    assert time.monotonic() - began < 5  # and closing does not wait for a daemon that is not there


def test_a_bad_chunk_is_the_senders_own_error(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    with Sender(hub.address, T3) as sender:
        welcome = background(sender.connect, LONG)
        hub.accept()
        welcome.result(LONG)
        with pytest.raises(ProtocolError, match="in a T3 stream"):
            sender.send(chunk(0))
        with pytest.raises(ProtocolError, match="leaves the span"):
            sender.send(Chunk(0, 1, np.array([5]), np.zeros(1, np.uint16), np.zeros(1, np.uint8)))
        sender.send(Chunk(0, 9))
        assert hub.until(ChunkIn).seq == 0


# Breaks


def test_a_daemon_that_came_back_gets_exactly_what_was_not_durable(
    background: Callable[..., Future[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "streamer")
    with Desk() as hub:
        address = hub.address
        done = background(send_all, address, T2, [chunk(i) for i in range(8)])
        hello = hub.accept(credit=6)
        assert [hub.until(ChunkIn).seq for _ in range(6)] == list(range(6))
        hub.credit(hello.peer, 1, 4)
        assert hub.quiet()
    with Desk(address) as hub:
        again = hub.until(HelloIn)
        assert again.stream == hello.stream
        assert again.first_seq == 2
        hub.welcome(again.peer, 3, 100)
        for seq in (3, 4, 5, 6, 7):
            got = hub.until(ChunkIn)
            assert got.seq == seq
            assert np.array_equal(got.chunk.time, chunk(seq).time)
        hub.totals(hub.until(EndIn).peer, {"received": 8})
        totals, sender = done.result(LONG)
    assert totals == {"received": 8}
    assert sender.resent == 3
    assert [line.split(": ", 1)[1] for line in caplog.messages] == [
        "lost the daemon, waiting for it to come back",
        "the daemon is back, sending 3 chunks again",
    ]


def test_a_daemon_may_die_between_end_and_totals(background: Callable[..., Future[Any]]) -> None:
    with Desk() as hub:
        address = hub.address
        done = background(send_all, address, T2, [chunk(0)])
        hub.accept()
        hub.until(ChunkIn)
        hub.until(EndIn)
    with Desk(address) as hub:
        hub.accept()
        hub.until(ChunkIn)
        hub.totals(hub.until(EndIn).peer, {"received": 1})
        assert done.result(LONG)[0] == {"received": 1}


def test_last_words_are_heard_though_the_daemon_is_gone_at_once(
    hub: Desk, background: Callable[..., Future[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sender(hub.address, T2) as sender:
        connected = background(sender.connect, LONG)
        peer = hub.accept().peer
        connected.result(LONG)
        broken = Endpoint.broken

        def after_the_last_words(endpoint: Endpoint) -> bool:
            hub.until(EndIn)
            hub.totals(peer, {"received": 0})
            hub.close()
            assert endpoint._monitor is not None
            assert endpoint._monitor.poll(LONG * 1000)
            monkeypatch.undo()
            return broken(endpoint)

        monkeypatch.setattr(Endpoint, "broken", after_the_last_words)
        assert sender.end(StreamEnd("end of file"), LONG) == {"received": 0}


def test_a_daemon_that_lost_its_memory_cannot_go_on(background: Callable[..., Future[Any]]) -> None:
    with Desk() as hub:
        address = hub.address
        done = background(send_all, address, T2, [chunk(i) for i in range(3)])
        peer = hub.accept(credit=2).peer
        hub.until(ChunkIn)
        hub.credit(peer, 0, 1)
        assert hub.until(ChunkIn).seq == 1
    with Desk(address) as hub:
        assert hub.accept(next_seq=0).first_seq == 1
        with pytest.raises(ProtocolError, match="asks for chunk 0, but those before 1"):
            done.result(LONG)


def test_a_source_started_again_sends_only_what_the_daemon_lacks(
    hub: Desk, background: Callable[..., Future[Any]]
) -> None:
    for next_seq in (0, 2):
        done = background(send_all, hub.address, T2, [chunk(i) for i in range(4)], stream="run 7")
        hello = hub.accept(next_seq=next_seq)
        assert hello.stream == "run 7"
        assert [hub.until(ChunkIn).seq for _ in range(next_seq, 4)] == list(range(next_seq, 4))
        hub.totals(hub.until(EndIn).peer, {})
        done.result(LONG)


def test_ctrl_c_in_the_middle_of_a_message_does_not_break_the_stream(
    hub: Desk, background: Callable[..., Future[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(endpoint: Endpoint, frames: list[Any], *, copy: bool = True) -> bool:
        endpoint.socket.send(frames[0], zmq.SNDMORE)
        raise KeyboardInterrupt

    with Sender(hub.address, T2) as sender:
        connected = background(sender.connect, LONG)
        hub.accept()
        connected.result(LONG)
        sender.send(chunk(0))
        assert hub.until(ChunkIn).seq == 0
        with monkeypatch.context() as patch:
            patch.setattr(Endpoint, "send", half)
            with pytest.raises(KeyboardInterrupt):
                sender.send(chunk(1))
        ended = background(sender.end, StreamEnd("interrupted"), LONG)
        hub.accept(next_seq=1)
        assert hub.until(ChunkIn).seq == 1
        hub.totals(hub.until(EndIn).peer, {"received": 2})
        assert ended.result(LONG) == {"received": 2}


def dealer(address: str) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(address)
    return socket


def heard(hub: Desk, socket: zmq.Socket[bytes]) -> wire.Message:
    """The next message at a socket that is not a heartbeat, while the hub goes on working."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        hub.work()
        if socket.poll(20):
            message = wire.decode(socket.recv_multipart())
            if message != wire.Heartbeat():
                return message
    raise AssertionError("the hub said nothing")


def test_the_same_stream_is_known_again_and_what_came_twice_is_dropped(hub: Desk) -> None:
    with dealer(hub.address) as first, dealer(hub.address) as second:
        first.send_multipart(wire.encode(wire.Hello(T2, stream="s")))
        hub.accept()
        assert heard(hub, first) == wire.Welcome(0, 100)
        for seq in (0, 1):
            first.send_multipart(wire.encode(wire.ChunkMessage(seq, chunk(seq))))
            hub.until(ChunkIn)
        second.send_multipart(wire.encode(wire.Hello(T2, stream="s", first_seq=1)))
        hub.accept(next_seq=2)
        assert heard(hub, second) == wire.Welcome(2, 100)
        for seq in (1, 2):
            second.send_multipart(wire.encode(wire.ChunkMessage(seq, chunk(seq))))
        assert hub.until(ChunkIn).seq == 2
        # the old connection is nobody now, and a hole in the new one is asked to begin again
        first.send_multipart(wire.encode(wire.ChunkMessage(3, chunk(3))))
        assert heard(hub, first) == wire.Refuse("this daemon does not know you, say Hello", again=True)
        second.send_multipart(wire.encode(wire.ChunkMessage(5, chunk(5))))
        assert heard(hub, second) == wire.Refuse("chunks are missing, say Hello", again=True)
        assert hub.quiet()


class End:
    """A process of its own at one end of the transport; see transport_ends.py."""

    def __init__(self, role: str, address: str) -> None:
        script = Path(__file__).with_name("transport_ends.py")
        self.process = subprocess.Popen([sys.executable, str(script), role, address], stdout=subprocess.PIPE, text=True)

    def lines(self, count: int) -> list[str]:
        """What it says next, within the deadline."""
        assert self.process.stdout is not None
        with ThreadPoolExecutor(1) as pool:
            reading = [pool.submit(self.process.stdout.readline) for _ in range(count)]
            try:
                return [line.result(LONG).strip() for line in reading]
            except TimeoutError:
                self.process.kill()  # or the reading thread would never end
                raise

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(LONG)


@pytest.fixture
def start() -> Iterator[Callable[[str, str], End]]:
    """Start an End; it is killed when the test is over."""
    ends: list[End] = []

    def begin(role: str, address: str) -> End:
        ends.append(End(role, address))
        return ends[-1]

    yield begin
    for end in ends:
        end.kill()
        assert end.process.stdout is not None
        end.process.stdout.close()


def test_a_daemon_process_is_killed_and_another_takes_over(start: Callable[[str, str], End]) -> None:
    daemon = start("serve", ANY_PORT)
    [address] = daemon.lines(1)
    with Sender(address, T2, heartbeat_s=0.1, dead_s=1.0) as sender:
        sender.connect(LONG)
        sender.send(chunk(0))
        sender.send(chunk(1))
        assert daemon.lines(2) == ["0", "1"]
        daemon.kill()
        another = start("serve", address)
        sender.send(chunk(2), LONG)
        assert sender.end(StreamEnd("done"), LONG) == {"done": True}
        assert another.lines(4) == [address, "0", "1", "2"]
        assert sender.resent in (2, 3)  # the last one may have been sent into the connection as it died


def test_a_frozen_daemon_is_noticed_and_found_again(
    start: Callable[[str, str], End], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "streamer")
    daemon = start("serve", ANY_PORT)
    with Sender(daemon.lines(1)[0], T2, heartbeat_s=0.1, dead_s=0.5) as sender:
        sender.connect(LONG)
        sender.send(chunk(0))
        assert daemon.lines(1) == ["0"]
        psutil.Process(daemon.process.pid).suspend()
        deadline = time.monotonic() + LONG
        while not caplog.messages and time.monotonic() < deadline:
            sender.poll(0.1)
        assert "lost the daemon" in caplog.text
        with pytest.raises(TimeoutError, match="the daemon is gone and did not come back"):
            sender.end(StreamEnd("done"), 0.3)
        psutil.Process(daemon.process.pid).resume()
        assert sender.end(StreamEnd("done"), LONG) == {"done": True}


def test_a_busy_daemon_is_not_a_dead_one(
    hub: Desk, background: Callable[..., Future[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "streamer")
    with Sender(hub.address, T2, heartbeat_s=0.05, dead_s=0.2) as sender:
        connected = background(sender.connect, LONG)
        hub.accept(credit=wire.MAX_CREDIT)
        connected.result(LONG)
        for i in range(wire.MAX_CREDIT):
            sender.send(chunk(i))
        sender.poll(1.0)  # five times as long as a dead one would take, while nobody polls the hub
        assert [hub.until(ChunkIn).seq for _ in range(wire.MAX_CREDIT)] == list(range(wire.MAX_CREDIT))
        assert hub.quiet()
        assert sender.resent == 0
        assert caplog.messages == []


def test_a_killed_source_is_noticed_and_frees_its_place(hub: Desk, start: Callable[[str, str], End]) -> None:
    source = start("feed", hub.address)
    peer = hub.accept().peer
    assert hub.until(ChunkIn).seq == 0
    assert hub.quiet()  # silent, but alive
    source.kill()
    lost = hub.until(SourceLost)
    assert (lost.peer, lost.reason) == (peer, "its connection ended")
    hub.credit(peer, 0, 5)  # words to someone who is gone do nothing
    hub.stop(peer, "too late")
    assert hub.quiet()
    with dealer(hub.address) as other:
        other.send_multipart(wire.encode(wire.Hello(T3)))
        assert hub.accept().info == T3


# Garbage

GARBAGE: list[list[bytes]] = [
    [b""],
    [b"", b""],
    [b"GET / HTTP/1.1"],
    [bytes(range(256))] * 5,
    [msgpack.packb({"wire": 1, "kind": "chunk", "fields": {}, "arrays": []})],
    [bytes(frame) for frame in wire.encode(wire.Stop("you"))],
    [bytes(frame) for frame in wire.encode(wire.Reply({}))],
    [bytes(frame) for frame in wire.encode(wire.Publish(Result("r", "status")))],
]


def test_garbage_is_counted_answered_and_harmless(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    done = background(send_all, hub.address, T2, [chunk(0)])
    peer = hub.accept(credit=1).peer
    hub.until(ChunkIn)
    hub.until(EndIn)
    _, results, control = hub.addresses
    with dealer(hub.address) as data, dealer(control) as asking:
        for frames in GARBAGE:
            before = hub.malformed
            data.send_multipart(frames)
            answer = heard(hub, data)
            assert isinstance(answer, wire.Refuse)
            assert not answer.again
            asking.send_multipart(frames)
            reply = heard(hub, asking)
            assert isinstance(reply, wire.Reply)
            assert reply.body["ok"] is False
            assert "\n" not in reply.body["error"]
            assert hub.malformed == before + 2
    with zmq.Context.instance().socket(zmq.XSUB) as stranger:
        stranger.linger = 0
        stranger.connect(results)
        before = hub.malformed
        stranger.send(b"\x07 not a subscription")
        deadline = time.monotonic() + LONG
        while hub.malformed == before and time.monotonic() < deadline:
            assert hub.poll(0.05) == []
        assert hub.malformed == before + 1
    hub.totals(peer, {"received": 1})
    assert done.result(LONG)[0] == {"received": 1}


def test_a_source_that_breaks_the_protocol_is_told_and_loses_its_place(hub: Desk) -> None:
    with dealer(hub.address) as source:
        source.send_multipart(wire.encode(wire.Hello(T3)))
        peer = hub.accept().peer
        assert heard(hub, source) == wire.Welcome(0, 100)
        source.send_multipart(wire.encode(wire.ChunkMessage(0, chunk(0))))  # without nanotimes
        answer = heard(hub, source)
        assert isinstance(answer, wire.Refuse)
        lost = hub.until(SourceLost)
        assert lost.peer == peer
        assert lost.reason == f"it broke the protocol: {answer.reason}"
        assert "T3" in answer.reason


def test_another_wire_version_is_refused_at_every_socket(
    hub: Desk, background: Callable[..., Future[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    later = [b"\x81\xa4wire\x02"]
    with dealer(hub.address) as data:
        data.send_multipart(later)
        answer = heard(hub, data)
        assert isinstance(answer, wire.Refuse)
        assert "version 2" in answer.reason
        assert "speaks 1" in answer.reason
    with zmq.Context.instance().socket(zmq.ROUTER) as daemon, zmq.Context.instance().socket(zmq.XPUB) as publisher:
        daemon.linger = publisher.linger = 0
        with Hub(ANY_PORT) as free:
            address = parse_address(free.address)
        daemon.bind(address.data)
        publisher.bind(address.results)
        with Sender(str(address), T2) as sender, Subscriber(str(address)) as subscriber:
            connecting = background(sender.connect, LONG)
            daemon.send_multipart([daemon.recv_multipart()[0], *later])
            with pytest.raises(WrongVersion, match=f"^{address}: wire version 2 came, this program speaks 1"):
                connecting.result(LONG)
            publisher.recv()
            publisher.send_multipart([b"g2\0", *later])
            with pytest.raises(WrongVersion, match=f"^{address}: wire version 2 came"):
                subscriber.receive(LONG)
            publisher.send_multipart([b"g2\0", b"garbage"])
            assert subscriber.receive(0.3) is None
            assert subscriber.malformed == 1


# Results


def result(name: str, i: int, size: int = 4) -> Result:
    axis = Axis("tau", "ns", np.arange(float(size)))
    return Result(name, "curves", (axis,), {"g2": np.full((1, size), float(i))}, ("all",), provenance={"seq": i})


def listen(hub: Desk, subscriber: Subscriber, within_s: float = LONG) -> Result:
    """The next Result, while the hub goes on working."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        hub.poll(0.01)
        got = subscriber.receive(0.01)
        if got is not None:
            return got
    raise AssertionError("no Result")


def test_a_late_subscriber_gets_what_is_current(hub: Desk) -> None:
    for i in range(3):
        hub.publish([result("g2", i), result("decay", i)])
    with Subscriber(hub.address) as early:
        assert [(got.name, got.data["g2"][0, 0]) for got in (listen(hub, early) for _ in range(2))] == [
            ("g2", 2.0),
            ("decay", 2.0),
        ]
        with Subscriber(hub.address, ["decay"]) as late:
            assert listen(hub, late).name == "decay"
            hub.publish([result("g2", 3)])
            assert early.receive(LONG).provenance == {"seq": 3}  # type: ignore[union-attr]
            assert early.receive(0.2) is None  # the copy made for the late one is not shown twice
            assert late.missed == early.missed == early.malformed == 0


def test_topics_are_whole_names(hub: Desk) -> None:
    hub.publish([result("g2_peaks", 0), result("g2", 0), result("g", 0)])
    with Subscriber(hub.address, ["g2"]) as subscriber:
        assert listen(hub, subscriber).name == "g2"
        hub.publish([result("g2_peaks", 1), result("g", 1), result("g2", 1)])
        assert listen(hub, subscriber).provenance == {"seq": 1}
        assert subscriber.receive(0.2) is None


def test_a_result_is_what_it_was_when_it_was_published(hub: Desk) -> None:
    changing = result("g2", 1, 100_000)
    hub.publish([changing])
    changing.data["g2"][:] = 7
    with Subscriber(hub.address) as late:
        assert listen(hub, late).data["g2"].max() == 1


def test_a_slow_subscriber_slows_nobody_and_sees_what_it_missed(hub: Desk) -> None:
    count, size = 400, 25_000  # 80 MB in all, more than any buffer on the way
    hub.publish([result("g2", 0)])
    with Subscriber(hub.address) as fast, Subscriber(hub.address) as slow:
        listen(hub, fast)
        listen(hub, slow)
        longest = 0.0
        for i in range(1, count + 1):
            one = result("g2", i, size)
            began = time.perf_counter()
            hub.publish([one])
            longest = max(longest, time.perf_counter() - began)
            got = fast.receive(LONG)
            assert got is not None
            assert got.provenance == {"seq": i}
        assert fast.missed == 0
        assert longest < 1.0
        received = 0
        while slow.receive(0.5) is not None:
            received += 1
        hub.publish([result("g2", count + 1)])
        last = listen(hub, slow)
        assert last.provenance == {"seq": count + 1}
        assert slow.missed > 0
        assert received + slow.missed == count


def test_a_subscriber_outlives_the_daemon() -> None:
    with Desk() as hub:
        address = hub.address
        hub.publish([result("g2", 0)])
        with Subscriber(address) as subscriber:
            listen(hub, subscriber)
            hub.close()
            with Desk(address) as another:
                another.publish([result("g2", 1)])
                assert listen(another, subscriber).provenance == {"seq": 1}
                assert subscriber.missed == 0


# Questions


def test_questions_are_answered(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    with Control(hub.address) as control, Control(hub.address) as other:
        first = background(control.ask, {"do": "status"}, LONG)
        one = hub.until(ControlIn)
        second = background(other.ask, {"do": "pause"}, LONG)
        two = hub.until(ControlIn)
        assert (one.request, two.request) == ({"do": "status"}, {"do": "pause"})
        hub.reply(two.peer, {"ok": False, "error": "nothing to pause"})
        hub.reply(one.peer, {"ok": True, "state": "waiting"})
        assert first.result(LONG) == {"ok": True, "state": "waiting"}
        assert second.result(LONG) == {"ok": False, "error": "nothing to pause"}


def test_control_outlives_the_daemon_and_takes_no_old_answer(background: Callable[..., Future[Any]]) -> None:
    with Desk() as hub:
        address = hub.address
    with Control(address) as control:
        with pytest.raises(TimeoutError, match=f"{address}: no answer within 0.2 s; is the daemon running there"):
            control.ask({"do": "stop"}, 0.2)
        for _ in range(2):
            with Desk(address) as hub:
                asked = background(control.ask, {"do": "status"}, LONG)
                event = hub.until(ControlIn)
                assert event.request == {"do": "status"}  # the order that was given up is not carried out
                hub.reply(event.peer, {"ok": True})
                hub.reply(event.peer, {"ok": "twice"})
                assert asked.result(LONG) == {"ok": True}
                again = background(control.ask, {"do": "save"}, LONG)
                event = hub.until(ControlIn)
                hub.reply(event.peer, {"ok": "saved"})
                assert again.result(LONG) == {"ok": "saved"}


def test_a_reply_to_someone_who_left_is_dropped(hub: Desk, background: Callable[..., Future[Any]]) -> None:
    with Control(hub.address) as control:
        asked = background(control.ask, {"do": "status"}, 0.3)
        event = hub.until(ControlIn)
        with pytest.raises(TimeoutError):
            asked.result(LONG)
    assert hub.quiet()
    hub.reply(event.peer, {"ok": True})
    assert hub.quiet()


# Addresses


def test_port_0_finds_three_free_ports_and_tells_them() -> None:
    with Hub(ANY_PORT) as a, Hub(ANY_PORT) as b:
        for hub in (a, b):
            base = parse_address(hub.address)
            assert hub.addresses == (base.data, base.results, base.control)
            assert base.port > 0
        assert not set(a.addresses) & set(b.addresses)


@pytest.mark.parametrize("role", [0, 1, 2])
def test_a_taken_port_is_an_input_error(role: int) -> None:
    with Hub(ANY_PORT) as free:
        address = parse_address(free.address)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as other:  # a context of its own: closed means closed
        other.bind(address.at(role))
        with pytest.raises(
            InputError, match=rf"address {address}: ports {address.port} to .* cannot be bound .* another"
        ):
            Hub(str(address))
    with Hub(str(address)):
        pass  # nothing of the failed attempt is left behind


def test_only_loopback_is_bound() -> None:
    for address in ("tcp://0.0.0.0:7310", "tcp://*:7310", "tcp://192.168.0.1:0"):
        with pytest.raises(InputError, match="CURVE"):
            Hub(address)


def test_closing_twice_is_allowed(hub: Desk) -> None:
    for end in (Sender(hub.address, T2), Subscriber(hub.address), Control(hub.address), hub):
        end.close()
        end.close()
