"""The studies' own process: what it finds is what the same process would find; its death is not the daemon's."""

import time

import pytest

from streamer.worker import Worker

DEADLINE_S = 60.0


def taken(worker):
    deadline = time.monotonic() + DEADLINE_S
    while (found := worker.take()) is None and worker._running is not None:
        assert time.monotonic() < deadline
        worker._running[1].exception(timeout=DEADLINE_S)
    return found


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.close()


def test_the_same_results_as_here(worker, counted_dot):
    assert worker.free
    assert worker.take() is None
    worker.ask("run 1", counted_dot.view())
    assert not worker.free
    run, results = taken(worker)
    here = counted_dot.study()
    assert run == "run 1"
    assert [one.name for one in results] == [one.name for one in here]
    for one, other in zip(results, here, strict=True):
        assert one.values == other.values
        assert one.provenance == other.provenance
        for key in other.data:
            assert one.data[key].tobytes() == other.data[key].tobytes()
    assert not worker.free  # it pays for the time that it took


def test_a_lost_process_is_replaced(worker, counted_dot):
    worker.ask("run 1", counted_dot.view())
    next(iter(worker._pool._processes.values())).kill()
    assert taken(worker) is None
    worker.ask("run 2", counted_dot.view())
    run, results = taken(worker)
    assert run == "run 2"
    assert results
