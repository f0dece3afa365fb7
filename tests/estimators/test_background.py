"""Background correction: the formula, its error, and where it says nothing; and the words for bunching."""

import pytest

from streamer.estimators.background import signal_share, without_background
from streamer.estimators.bunching import bunching


def test_the_formula():
    share = signal_share((1000.0, 2000.0), (100.0, 400.0))
    assert share.value == pytest.approx(0.9 * 0.8)
    assert share.error == 0.0
    found = without_background(0.4, 0.3, 0.55, share)
    assert found.value == pytest.approx(1 - 0.6 / 0.72)
    assert found.low == pytest.approx(max(0, 1 - 0.7 / 0.72))
    assert found.high == pytest.approx(1 - 0.45 / 0.72)


def test_an_error_of_the_background_widens():
    sure, unsure = (signal_share((1000.0, 1000.0), (200.0, 200.0), errors) for errors in ((0, 0), (50.0, 50.0)))
    assert unsure.error == pytest.approx(0.64 * (2**0.5) * 50 / 800)
    a, b = (without_background(0.5, 0.45, 0.56, one) for one in (sure, unsure))
    assert a.value == b.value
    assert b.low < a.low < a.high < b.high


def test_noise_may_go_below_nothing_and_the_interval_holds_the_value():
    found = without_background(0.1, 0.05, 0.5, signal_share((1000.0, 1000.0), (200.0, 200.0)))
    assert found.value < 0
    assert found.low < found.value
    assert found.high > 0.0


def test_light_that_blinks_has_its_pairs_from_its_bright_times():
    # On half the time at 1000, else dark, on 100 of background; signal alone has 0.2.
    on, off, dark = 1100.0, 100.0, 100.0
    mean, product = (on + off) / 2, (on**2 + off**2) / 2
    measured = (product + (0.2 - 1) * 1000.0**2 / 2) / product
    share = signal_share((mean, mean), (dark, dark), product_cps2=product)
    assert without_background(measured, measured - 0.01, measured + 0.01, share).value == pytest.approx(0.2)
    steady = signal_share((mean, mean), (dark, dark))
    assert without_background(measured, measured - 0.01, measured + 0.01, steady).value < 0.1


def test_more_background_than_pairs_is_said():
    found = without_background(0.05, 0.03, 0.08, signal_share((1000.0, 1000.0), (500.0, 500.0)))
    assert found.value is None
    assert "less of it than said" in found.reason


@pytest.mark.parametrize(
    ("rates", "background", "why"),
    [((0.0, 10.0), (1.0, 1.0), "no photons"), ((100.0, 100.0), (100.0, 1.0), "nearly all of what is counted")],
)
def test_what_cannot_be_corrected(rates, background, why):
    share = signal_share(rates, background)
    assert why in share
    assert why in without_background(0.5, 0.4, 0.6, share).reason
    assert without_background(None, None, None, share, "too few pairs").reason == "too few pairs"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (2.1, 3.0, "superbunched"),
        (1.1, 3.0, "bunched"),
        (0.2, 0.9, "antibunched"),
        (0.9, 1.1, "undecided"),
        (None, None, "undecided"),
    ],
)
def test_words(low, high, word):
    assert bunching(low, high) == word
