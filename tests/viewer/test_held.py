"""Held: what the hand has set stays until the daemon echoes it, refuses it, or falls silent."""

from __future__ import annotations

from viewer.held import Held


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_free_at_first() -> None:
    assert Held().settles([1.0, 2.0])


def test_nothing_moves_it_while_the_hand_is_on_it() -> None:
    clock = Clock()
    held = Held(3.0, clock)
    held.grip([5.0])
    clock.now += 1000
    assert held.gripped
    assert not held.settles([4.0])
    assert not held.settles([5.0])  # an echo of a moment ago must not free a line that is still in the hand
    assert held.asked == (5.0,)


def test_waits_for_the_echo_in_any_form() -> None:
    held = Held(3.0, Clock())
    held.drop([5.0, 6.0])
    assert not held.gripped
    assert not held.settles([4.0, 6.0], [])
    assert held.settles([5.1, 6.0], [5.0, 6.0 * (1 + 1e-9)])
    assert held.settles([1.0])


def test_gives_up_after_its_patience() -> None:
    clock = Clock()
    held = Held(3.0, clock)
    held.drop([5.0])
    clock.now += 2.9
    assert not held.settles([4.0])
    clock.now += 0.2
    assert held.settles([4.0])


def test_release_frees_at_once() -> None:
    held = Held(3.0, Clock())
    held.drop([5.0])
    held.release()
    assert held.settles([4.0])
