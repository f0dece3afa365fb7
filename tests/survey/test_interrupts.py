"""Interrupts: raised at once, but behind what must not be cut in two; and everything as before afterwards."""

import signal

import pytest

from streamer.survey.interrupts import Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_at_once_or_behind_what_is_held(number):
    before, done = signal.getsignal(number), []
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts:
        signal.raise_signal(number)

    def write():
        with interrupts.held():
            signal.raise_signal(number)
            done.append("written")

    with pytest.raises(KeyboardInterrupt), interrupts:
        write()
    with interrupts, interrupts.held():
        done.append("quiet")
    assert done == ["written", "quiet"]
    assert signal.getsignal(number) is before
