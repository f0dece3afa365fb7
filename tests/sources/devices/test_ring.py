"""The ring: what goes in comes out, in order, in fixed memory, between two threads."""

from __future__ import annotations

import random
import threading

from sources.devices.ring import Ring


def test_blocks_are_joined_and_marks_part_them():
    ring = Ring(100, 10)
    for text in (b"abc", b"defg"):
        ring.room(0)[: len(text)] = text
        ring.put(len(text))
    ring.mark("here")
    ring.room(0)[:2] = b"hi"
    ring.put(2)
    ring.close()
    assert bytes(ring.take()) == b"abcdefg"
    assert ring.take() == "here"
    assert bytes(ring.take()) == b"hi"
    assert ring.take() is None
    assert ring.take() is None


def test_no_room_until_something_was_taken():
    ring = Ring(25, 10)
    for _ in range(2):
        ring.room(0)[:] = b"x" * 10
        ring.put(10)
    assert ring.room(0) is None
    assert len(ring.take()) == 20
    assert ring.room(0) is None  # it is still being written to the disk
    ring.mark("next")
    assert ring.take() == "next"
    assert len(ring.room(0)) == 10


def test_a_block_that_was_taken_stays_as_it_is():
    rng = random.Random(5)
    ring = Ring(64, 8)
    taken, expected, number = None, [], 0
    seen = []
    for _ in range(5000):
        if rng.random() < 0.6 and (room := ring.room(0)) is not None:
            length = rng.randint(1, 8)
            data = bytes((number + i) % 251 for i in range(length))
            room[:length] = data
            ring.put(length)
            expected += data
            number += length
        elif ring._items:
            if taken is not None:
                assert bytes(taken[0]) == taken[1]
            block = ring.take()
            taken = block, bytes(block)
            seen += taken[1]
    ring.close()
    while (block := ring.take()) is not None:
        seen += bytes(block)
    assert seen == expected


def test_two_threads():
    ring = Ring(4096, 256)
    total, got = 200_000, bytearray()

    def write():
        rng, sent = random.Random(1), 0
        while sent < total:
            room = ring.room(1.0)
            if room is None:
                continue
            length = min(rng.randint(1, 256), total - sent)
            room[:length] = bytes((sent + i) % 256 for i in range(length))
            ring.put(length)
            sent += length
        ring.close()

    writer = threading.Thread(target=write)
    writer.start()
    while (block := ring.take()) is not None:
        got += block
    writer.join(timeout=20)
    assert got == bytes(i % 256 for i in range(total))
    assert 0 < ring.most <= 4096
