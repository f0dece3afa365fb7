"""Study of a cascade: through real photons of the simulated emitter, cw and pulsed; when it has nothing to say."""

import numpy as np
import pytest

from sources.simulation import cascade as pulsed
from streamer import studies
from streamer.batch import analyse
from streamer.config import settings_from
from streamer.errors import InputError
from streamer.registry import open_source

KNOWN = {"yields": 0.9, "jitter": 0.141, "background": 0.018}
LEAKS = {"f_x": 0.05, "f_xx": 0.02}


def found(address, options, **settings):
    pipeline = analyse(address, settings_from({"studies": ["cascade"], "delays_ns": {}} | settings), options)
    return pipeline.study()


def test_nothing_unless_it_is_asked_for():
    assert found("simulate:cascade", {"duration": "0.2"}) == []


@pytest.mark.parametrize("pairs", [None, [[1, 0]]])
def test_truth_of_a_simulated_cascade(pairs):
    """Either way round that the pair is counted: tau is X minus XX."""
    options = {"duration": "8", "seed": "5", "eta_c": "0.1"}
    summary, curves = found(
        "simulate:cascade", options, cascade=[0, 1], cascade_known=KNOWN | LEAKS | {"background": 0.0055}, pairs=pairs
    )
    values = summary.values
    for name, truth in (("k1_per_us", 1e3 / 30), ("pump_per_us", 2.0), ("delay_ns", 0.0)):
        one = values[name]
        # Seeded: within four standard errors, and those are small.
        assert abs(one["value"] - truth) < 4 * one["error"], name
        assert one["error"] < 0.15 * max(truth, 1.0), name
    assert values["asymmetry"]["low"] > 0.5
    assert values["known"] == LEAKS | {"yields": 0.9, "ratio": 4.0, "background": 0.0055, "jitter_ns": 0.141}
    assert curves.rows == ("measured", "cascade")
    axis, (seen, model) = curves.axes[0].values, curves.data["g2"]
    near = (axis > 1) & (axis < 20)
    assert np.nanmean(seen[near]) == pytest.approx(model[near].mean(), rel=0.1)
    assert np.nanmean(seen[(axis < -1) & (axis > -10)]) < 0.7
    lines = studies.lines({"cascade": values})
    assert lines[0].startswith("cascade XX 0 -> X 1: asymmetry 0.")
    assert any(line.startswith("cascade: k1 [1/us] 3") for line in lines)


def test_pulsed_light_is_heralded():
    options = {"duration": "5", "seed": "2", "filters": "0.05,1;1,0.02"}
    (summary,) = found("simulate:shells", options, cascade=[0, 1])
    values = summary.values
    settings = open_source("simulate:shells", options).settings
    state = settings.states[0]
    clicks, pairs = pulsed.counts(settings, state), pulsed.pairs(settings, state)[0, 1]
    one = values["heralded"]
    assert one["low"] < pairs / clicks[0] < one["high"]
    assert values["unheralded"] == pytest.approx(clicks[1], rel=0.1)
    assert values["asymmetry"]["low"] > 0.9
    assert values["window_ns"] == pytest.approx(100.0, rel=1e-3)
    assert "announces one of X with probability 0.0" in studies.lines({"cascade": values})[1]


def test_background_comes_from_the_rates_given():
    options = {"duration": "1", "seed": "5", "eta_c": "0.1"}
    summary, *_ = found("simulate:cascade", options, cascade=[0, 1], cascade_known=LEAKS, background_cps={0: 50, 1: 50})
    rate = [one["rate_cps"] for one in open_source("simulate:cascade", options).info.truth["states"][0]["channels"]]
    expected = 1 - (1 - 50 / rate[0]) * (1 - 50 / rate[1])
    assert summary.values["known"]["background"] == pytest.approx(expected, rel=0.05)


def test_a_pair_that_is_not_counted():
    (summary,) = found("simulate:cascade", {"duration": "0.2"}, cascade=[0, 3], pairs=[[0, 1]])
    assert summary.values == {"reason": "the pair of channels 0 (XX) and 3 (X) is not counted; put [0, 3] into `pairs`"}


def test_too_few_pairs_are_said():
    (summary,) = found("simulate:cascade", {"duration": "0.3"}, cascade=[0, 1])
    assert "too few pairs" in summary.values["fit_reason"]
    assert any("no fit, too few pairs" in line for line in studies.lines({"cascade": summary.values}))


@pytest.mark.parametrize(
    ("known", "rule"),
    [
        ({"k1": 0}, "k1 must be above 0"),
        ({"f_x": -0.1}, "f_x must be 0 or more"),
        ({"pump": "free"}, "pump is fitted anyway; leave it out"),
        ({"ratio": 0.5}, "ratio must be 1 or more"),
        ({"background": 1.0}, "background must be below 1"),
        ({"k9": 1.0}, "cascade_known.k9"),
    ],
)
def test_settings_that_cannot_be(known, rule):
    with pytest.raises(InputError, match=rule):
        settings_from({"cascade_known": known})


def test_the_pair_of_the_cascade_is_counted():
    assert settings_from({"cascade": [3, 1]}).pairs == ((3, 1),)
    assert settings_from({"cascade": [3, 1], "pairs": [[0, 1]]}).pairs == ((0, 1),)


@pytest.mark.slow
def test_intervals_hold_the_truth_over_many_simulated_cascades():
    """Real photons, eight emitters with the leakages known: of 24 intervals (95 %) no more than four miss."""
    missed, pump = 0, []
    for seed in range(8):
        options = {"duration": "6", "seed": str(seed), "eta_c": "0.1", "pump_per_us": "6"}
        known = KNOWN | LEAKS | {"background": 0.003}
        summary, _ = found("simulate:cascade", options, cascade=[0, 1], cascade_known=known)
        for name, truth in (("k1_per_us", 1e3 / 30), ("pump_per_us", 6.0), ("delay_ns", 0.0)):
            one = summary.values[name]
            missed += not one["low"] <= truth <= one["high"]
        pump.append((summary.values["pump_per_us"]["value"] - 6.0) / summary.values["pump_per_us"]["error"])
    assert missed <= 4
    assert abs(np.mean(pump)) < 3 / np.sqrt(8)
