"""Order of photons: counted by hand, its limits, what too few say."""

import numpy as np
import pytest

from streamer.estimators.asymmetry import asymmetry, heralding

TAU = np.arange(-5, 6) * 1.0


def test_counts_on_each_side():
    counts = np.array([100, 1, 2, 3, 4, 50, 40, 30, 20, 10, 100])
    found = asymmetry(TAU, counts, 4.5)
    assert (found.after, found.before, found.window_ns) == (100, 10, 4.5)
    assert found.contrast.value == pytest.approx(90 / 110)
    assert found.contrast.low < 90 / 110 < found.contrast.high
    assert asymmetry(-TAU[::-1], counts[::-1], 4.5).contrast.value == pytest.approx(-90 / 110)


def test_all_on_one_side_ends_at_one():
    found = asymmetry(TAU, np.where(TAU > 0, 20, 0), 4.5).contrast
    assert found.value == 1.0
    assert found.high == 1.0
    assert 0.9 < found.low < 1
    other = asymmetry(TAU, np.where(TAU < 0, 20, 0), 4.5).contrast
    assert (other.value, other.low) == (-1.0, -1.0)


def test_too_few_pairs():
    found = asymmetry(TAU, np.ones(11, np.int64), 4.5).contrast
    assert found.value is None
    assert found.reason == "too few pairs: 8 within 4.5 ns of zero, 20 needed"


def test_heralding():
    found = heralding(200, 40.0, 10_000)
    assert found.heralded.value == 0.02
    assert found.unheralded == pytest.approx(0.004)
    assert found.heralded.low == pytest.approx(0.02 - 1.96 * found.heralded.error, rel=0.02)
    assert heralding(5, 1.0, 99).heralded.reason == "too few heralds: 99, 100 needed"
    assert heralding(300, 1.0, 200).heralded.value == 1.0  # several clicks of b in one pulse
