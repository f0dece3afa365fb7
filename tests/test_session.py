"""Session: credit, keeping, resending and counting, as pure rules."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.chunk import Chunk, StreamInfo
from streamer.errors import ProtocolError
from streamer.session import Intake, Missed, Outbox
from streamer.wire import Credit, Hello, Welcome

T2 = StreamInfo("T2", 1e-12, source="simulate")


def outbox(kept: int = 0, *, next_seq: int = 0, credit: int = 100, max_bytes: int = 10**9) -> Outbox:
    """An Outbox that was welcomed and got `kept` chunks of 10 bytes, all put on the socket."""
    box = Outbox(max_bytes)
    box.welcomed(Welcome(next_seq, credit))
    for i in range(kept):
        box.keep([bytes([i]) * 10], 10)
    list(box.unsent())
    return box


def test_nothing_goes_before_the_welcome() -> None:
    box = Outbox(100)
    assert not box.room(1)
    box.welcomed(Welcome(0, 1))
    assert box.room(1)


def test_credit_counts_chunks_beyond_the_last_durable_one() -> None:
    box = outbox(3, credit=3)
    assert not box.room(1)
    box.credited(Credit(0, 3))
    assert box.room(1)
    box.credited(Credit(0, 2))
    assert not box.room(1)
    box.credited(Credit(2, 0))  # a pause: all durable, none wanted
    assert not box.room(1)
    assert (len(box), box.bytes) == (0, 0)


def test_bytes_are_bounded_but_one_chunk_always_fits() -> None:
    box = outbox(2, max_bytes=25)
    assert box.room(5)
    assert not box.room(6)
    box.credited(Credit(1, 100))
    assert box.room(10**6)


def test_chunks_go_out_once_and_in_order() -> None:
    box = outbox()
    for i in range(3):
        box.keep([bytes([i])], 1)
    assert [frames[0][0] for frames in box.unsent()] == [0, 1, 2]
    assert list(box.unsent()) == []


def test_after_a_break_exactly_the_chunks_not_durable_go_out_again() -> None:
    box = outbox(6)
    box.credited(Credit(1, 100))
    assert box.welcomed(Welcome(3, 100)) == 3  # the daemon had made one more durable than it could say
    assert [frames[0][0] for frames in box.unsent()] == [3, 4, 5]
    assert (box.first_seq, box.next_seq, len(box), box.bytes) == (3, 6, 3, 30)


def test_a_chunk_that_is_gone_cannot_be_asked_for() -> None:
    box = outbox(4)
    box.credited(Credit(2, 100))
    with pytest.raises(ProtocolError, match="asks for chunk 1, but those before 3"):
        box.welcomed(Welcome(1, 100))


def test_a_running_stream_cannot_jump_ahead() -> None:
    with pytest.raises(ProtocolError, match="asks for chunk 9 of a stream that has 4"):
        outbox(4).welcomed(Welcome(9, 100))


def test_what_was_not_sent_cannot_be_durable() -> None:
    box = outbox(2)
    box.keep([b"x"], 1)
    with pytest.raises(ProtocolError, match="durable"):
        box.credited(Credit(2, 100))


def test_a_stale_credit_forgets_nothing() -> None:
    box = outbox(4)
    box.credited(Credit(2, 100))
    box.credited(Credit(0, 50))
    assert (box.first_seq, len(box), box.credit) == (3, 1, 50)


def test_a_source_started_again_passes_over_what_the_daemon_has() -> None:
    box = outbox(next_seq=3)
    sent = []
    for i in range(5):
        if box.wanted():
            box.keep([bytes([i])], 1)
        else:
            box.skip()
        if i == 1:  # a break while it is still passing over; the daemon has lost one more
            assert box.oldest == 2
            assert box.welcomed(Welcome(2, 100)) == 1
        sent += [frames[0][0] for frames in box.unsent()]
    assert sent == [2, 3, 4]


def hello(stream: str) -> Hello:
    return Hello(T2, stream=stream)


def test_one_source_at_a_time() -> None:
    intake = Intake()
    assert intake.hello(b"a", hello("1")) is None
    reason = intake.hello(b"b", hello("2"))
    assert reason is not None
    assert "simulate" in reason
    assert intake.hello(b"c", hello("")) is not None
    assert intake.leave(b"b") is False
    assert intake.leave(b"a") is True
    assert intake.hello(b"b", hello("2")) is None


def test_the_same_stream_may_come_back_on_another_connection() -> None:
    intake = Intake()
    intake.hello(b"a", hello("1"))
    intake.welcome(b"a", 0)
    assert intake.knows(b"a")
    assert intake.hello(b"b", hello("1")) is None
    assert not intake.knows(b"a")
    assert not intake.knows(b"b")  # not before it is welcomed
    intake.welcome(b"b", 4)
    assert intake.take(3, Chunk(0, 1)) is False
    assert intake.take(4, Chunk(0, 1)) is True
    assert intake.take(6, Chunk(0, 1)) is None
    assert intake.take(5, Chunk(0, 1)) is True
    assert intake.repeated == 1


def test_a_chunk_of_the_other_mode_is_refused() -> None:
    intake = Intake()
    intake.hello(b"a", hello("1"))
    intake.welcome(b"a", 0)
    n1 = np.zeros(1, np.int64)
    with pytest.raises(ProtocolError, match="T2 stream"):
        intake.take(0, Chunk(0, 1, n1, n1.astype(np.uint16), n1.astype(np.uint8)))


def test_missed_results_are_counted_by_name_and_life_of_the_publisher() -> None:
    missed = Missed()
    assert missed.fresh("g2", "x", 7)  # a late subscriber has missed nothing
    assert missed.fresh("trace", "x", 3)
    assert not missed.fresh("g2", "x", 7)  # the copy for another late one
    assert missed.fresh("g2", "x", 8)
    assert missed.count == 0
    assert missed.fresh("g2", "x", 11)
    assert missed.count == 2
    assert missed.fresh("g2", "y", 1)  # the daemon was started again
    assert missed.fresh("trace", "y", 3)
    assert missed.count == 2
