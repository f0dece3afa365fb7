"""The demonstration in docs/blinking-free.md: by segments right, plain wrong by more than a tenth."""

import importlib.util
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def demonstration():
    spec = importlib.util.spec_from_file_location("make_blinking_free", DOCS / "make_blinking_free.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
@pytest.mark.parametrize("light", ["pulsed", "cw"])
@pytest.mark.parametrize("contrast", [0.3, 0.1])
def test_by_segments_is_right_where_plain_is_wrong_by_a_tenth(demonstration, light, contrast):
    truth, mean, error = demonstration.over_seeds(demonstration.Emitter(light, contrast), 16)
    whole, state, segments = mean / truth
    assert whole > 1.1
    assert state > 1.1
    assert segments == pytest.approx(1, abs=4 * error[2] / truth + 0.01)  # a switch within 3 ms adds a per cent at most
    assert error[2] / truth < 0.03


@pytest.mark.slow
def test_longer_segments_hold_more_switches_and_read_higher(demonstration):
    emitter = demonstration.Emitter("pulsed", 0.1)
    truth, short, error = demonstration.over_seeds(emitter, 10, 1.0)
    _, long, _ = demonstration.over_seeds(emitter, 10, 100.0)
    assert short[2] == pytest.approx(truth, abs=4 * error[2])
    assert long[2] > 1.05 * truth


@pytest.mark.slow
def test_a_threshold_on_the_same_photons_does_not_bias(demonstration):
    truth, mean, error, _ = demonstration.selected(10)
    assert mean == pytest.approx([truth, truth], abs=4.5 * error.max())
