"""The log-tau study: curves, numbers and lines, with and without the pairs, of two detectors and of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.estimators import relaxation
from streamer.pipeline import Pipeline
from streamer.studies import log_tau
from streamer.studies.log_tau import ALONE, CHANGES, NAME, SHORT, lines, study

TICK_S = 1e-8


def run(channels: int = 2, rates: tuple[float, float] = (2e4, 1e3), **settings: object) -> Pipeline:
    """A telegraph emitter of 12 s, on and off for 20 ms each on average: 10 ms relaxation time."""
    rng, seconds = np.random.default_rng(9), 12.0
    edges = np.minimum(np.concatenate([[0.0], np.cumsum(rng.exponential(0.02, 1500))]), seconds)
    counts = rng.poisson(np.diff(edges) * np.resize(rates, 1500))
    time = np.sort(np.repeat(edges[:-1], counts) + rng.random(int(counts.sum())) * np.repeat(np.diff(edges), counts))
    ticks, channel = (time / TICK_S).astype(np.int64), rng.integers(0, channels, len(time)).astype(np.uint8)
    pipeline = Pipeline(StreamInfo("T2", TICK_S, channels=tuple(range(channels))), Settings(**settings))
    pipeline.feed(Chunk(0, round(seconds / TICK_S), ticks, channel=channel))
    pipeline.finish(StreamEnd("end of file"))
    return pipeline


def test_curves_numbers_and_a_line() -> None:
    view = run(log_tau=True, thresholds_cps=(1e4,)).view()
    (result,) = study(view)
    assert (result.name, result.kind, result.rows) == (NAME, "curves", view.rows)
    lag_s, values = result.axes[0].values, result.values
    assert lag_s[0] == pytest.approx(1e-7, rel=0.4)
    assert 1.0 < lag_s[-1] <= 1.2
    assert np.all(np.diff(lag_s) > 0)
    g2 = result.data["g2"]
    assert g2[0][lag_s < 1e-3][-1] == pytest.approx(1 + (19 / 21) ** 2, abs=0.15)
    assert np.isnan(g2[1:, lag_s >= 0.01]).all()
    assert np.isfinite(g2[1:, (lag_s > 1e-4) & (lag_s < 5e-3)]).all()
    assert values["blinks"] is True
    assert values["relaxation_s"]["low"] < 0.01 < values["relaxation_s"]["high"]
    assert {round(np.log10(one["lag_s"])) for one in values["points"]} == {-6, -5, -4, -3, -2, -1, 0}
    (line,) = lines(values)
    assert "blinks" in line
    assert "telegraph, relaxation time" in line


def test_without_the_pairs_it_begins_at_a_segment() -> None:
    view = run().view()
    assert "log_tau" not in view.tables
    (result,) = study(view)
    assert result.axes[0].values[0] == pytest.approx(0.01)
    assert SHORT in result.values["notes"]
    assert result.values["blinks"] is True
    assert lines(result.values)[-1].endswith(SHORT)


@pytest.mark.parametrize("log_tau", [False, True])
def test_segments_that_end_at_changes_show_no_blinking_inside(log_tau: bool) -> None:
    """Their pairs are of one dwell: g2 over them is that of no fall at all."""
    view = run(segments="changes", log_tau=log_tau, thresholds_cps=(1e4,)).view()
    assert ("log_tau" in view.tables) == log_tau
    (result,) = study(view)
    lag_s, g2, values = result.axes[0].values, result.data["g2"], result.values
    short = lag_s < 0.0099
    assert short.any() == log_tau
    assert np.isnan(g2[0, short]).all()
    assert np.isfinite(g2[0, ~short]).all()
    for one in g2[1:]:
        assert np.isnan(one[~short]).all()
    if log_tau:
        bright = g2[2, (lag_s > 1e-4) & short]
        assert np.abs(bright - 1).max() < 0.03
    assert min(one["lag_s"] for one in values["points"]) == pytest.approx(0.01)
    assert values["blinks"] is True
    tau = values["relaxation_s"]
    assert tau["value"] is None or tau["low"] < 0.01 < tau["high"]
    assert values["notes"] == [CHANGES]


def test_a_lone_detector_says_what_spoils_it() -> None:
    (result,) = study(run(1, log_tau=True).view())
    assert result.values["channels"] == [0, 0]
    assert ALONE in result.values["notes"]
    assert min(one["lag_s"] for one in result.values["points"]) > 9e-6
    assert result.values["blinks"] is True


def test_steady_light_does_not_blink() -> None:
    (result,) = study(run(rates=(2e4, 2e4), log_tau=True).view())
    assert result.values["blinks"] is False
    assert "no blinking is proven" in lines(result.values)[0]


def test_slow_blinking_is_told_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaxation, "LEAST_HALVES", 10_000)
    values = study(run().view())[0].values
    assert values["blinks"] is True
    assert [values["contrast"]["low"], values["contrast"]["reason"]] == [None, relaxation.SLOW]
    assert {(one["low"], one["error"], one["reason"]) for one in values["points"]} == {(None, None, relaxation.SLOW)}
    assert relaxation.SLOW in values["notes"]
    assert "g2 - 1 = " in lines(values)[0]
    assert "None" not in "".join(lines(values))


def test_more_pairs_have_results_of_their_own() -> None:
    view = run(3, log_tau=True, pairs=((0, 1), (2, 0))).view()
    first, second = study(view)
    assert (first.name, second.name) == (NAME, "log_tau_2_0")
    assert second.values["channels"] == [2, 0]
    assert not np.array_equal(first.data["g2"], second.data["g2"], equal_nan=True)


def test_nothing_where_there_is_nothing_to_correlate() -> None:
    view = run(2, log_tau=True).view()
    assert study(replace(view, tables=view.tables | {"sequence": {"segments": view.segments[:0]}})) == []
    plan = replace(view.plan, layout=replace(view.plan.layout, pairs=()))
    assert study(replace(view, plan=plan)) == []


@pytest.mark.parametrize(("seconds", "text"), [(2.5, "2.5 s"), (0.0125, "12.5 ms"), (3e-6, "3 us"), (1.2e-7, "120 ns")])
def test_times_in_fitting_units(seconds: float, text: str) -> None:
    assert log_tau._time(seconds) == text
