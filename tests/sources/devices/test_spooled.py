"""Records on their way from the spool to the decoder: stretches, breaks between them, memory once the disk is full."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from sources.devices.spooled import Break, BreakDecoder, Spooled
from sources.layouts.ptu_records import RECORD_TYPES
from sources.reading.events import Gap
from sources.reading.record_file import HarpDecoder
from sources.reading.record_state import MARKERS, PHOTONS, new_state
from streamer.errors import InputError

OVERFLOW = 0xFE000001


@pytest.fixture
def spooled():
    one = Spooled(lambda: None, lambda: None)
    yield one
    one.close()


def written(path, *words):
    with path.open("ab") as file:
        file.write(np.asarray(words, np.uint32).tobytes())


def taken(spooled, size=100):
    into = np.zeros(size, np.uint32)
    got = spooled.fill(into.data.cast("B"))
    return None if got is None else into[: got // 4].tolist()


def test_stretches_of_files_and_memory_in_order(spooled, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    written(one, 9, 1, 2, 3)
    spooled.begin(one, offset=4)
    assert taken(spooled) == []
    spooled.extend(2)
    assert taken(spooled, size=1) == [1]
    spooled.extend(1)
    assert taken(spooled) == [2, 3]
    written(two, 4, 5)
    spooled.begin(two)
    spooled.extend(2)
    spooled.begin(None)
    for block in ((6, 7), (8, 9, 10)):
        spooled.hand_over(memoryview(np.asarray(block, np.uint32).tobytes()), threading.Event())
    assert taken(spooled) == [4, 5]
    assert taken(spooled, size=3) == [6, 7, 8]
    assert not spooled.ended()
    spooled.finish()
    assert taken(spooled) == [9, 10]
    assert spooled.ended()
    assert taken(spooled) is None
    assert (spooled.total, spooled.taken) == (10, 10)


def test_memory_is_bounded_and_stop_frees_the_writer(spooled, monkeypatch):
    monkeypatch.setattr("sources.devices.spooled._MEMORY", 100)
    spooled.begin(None)
    stopping = threading.Event()
    block = memoryview(bytes(80))
    assert spooled.hand_over(block, stopping)
    assert spooled.hand_over(block, stopping)
    stopping.set()
    assert not spooled.hand_over(block, stopping)
    assert len(taken(spooled)) == 40


def test_spool_that_is_cut_while_it_is_read(spooled, tmp_path):
    path = tmp_path / "one"
    written(path, 1)
    spooled.begin(path)
    spooled.extend(2)
    with pytest.raises(InputError, match="became shorter"):
        taken(spooled)


def decoded(spooled, blocks):
    """Times of all photons and the gaps, a block at a time."""
    decoder = BreakDecoder(HarpDecoder(RECORD_TYPES[0x01010304]), spooled)
    state, times, gaps = new_state(), [], []
    time, nanotime, channel = np.zeros(50, np.int64), np.zeros(50, np.uint16), np.zeros(50, np.uint8)
    for words, before in blocks:
        spooled.before = before
        state[PHOTONS] = state[MARKERS] = 0
        raw = np.asarray(words, np.uint32).view(np.uint8)
        again = state.copy()
        for _ in range(2):  # a block may be decoded twice, to find a fault
            state[:] = again
            found = decoder.decode(raw, time, nanotime, channel, np.zeros(50, np.int64), np.zeros(50, np.uint8), state)
        gaps += found
        times += time[: state[PHOTONS]].tolist()
    return times, gaps


def test_clock_begins_anew(spooled):
    times, gaps = decoded(spooled, [([5, OVERFLOW, 6], None), ([7, OVERFLOW, 8], Break(5000, True, 3))])
    assert times == [5, 1030, 5007, 6032]
    assert gaps == [Gap(1031, 5000, 3)]


def test_clock_that_ran_ahead_of_the_wall_clock(spooled):
    times, gaps = decoded(spooled, [([5, OVERFLOW, 6], None), ([7], Break(100, True))])
    assert (times, gaps) == ([5, 1030, 1038], [Gap(1031, 1031)])


def test_clock_that_stood_still(spooled):
    blocks = [([5, OVERFLOW, 6], None), ([6, 7], Break(1000, False)), ([OVERFLOW, 8], None)]
    times, gaps = decoded(spooled, blocks)
    assert gaps == [Gap(1031, 2031)]
    assert times == [5, 1030, 2031, 2032, 3057]  # tick 6 again is no earlier than the end of the gap


def test_breaks_without_a_record_between_are_one(spooled, tmp_path):
    path = tmp_path / "one"
    written(path, 1, 2)
    spooled.begin(path)
    spooled.extend(1)
    assert taken(spooled) == [1]
    spooled.begin(path, 4, Break(100, False, 1))
    spooled.begin(path, 4, Break(7000, True, 2))
    spooled.begin(path, 4, Break(30, False, 4))
    spooled.extend(1)
    assert taken(spooled) == [2]
    assert spooled.before == Break(7030, True, 7)
    spooled.finish()
    assert taken(spooled) is None
