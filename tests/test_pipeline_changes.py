"""A whole run with segments from change to change: the truth of a fast blinker, the laws, and what bins would do."""

from __future__ import annotations

import numpy as np
import pytest

from sources.simulate import open_source
from streamer.accumulators.sequence import Sequence
from streamer.chunk import StreamInfo
from streamer.config import Settings
from streamer.errors import InputError
from streamer.estimators.change_alarms import threshold_of
from streamer.group import Group
from streamer.pipeline import Pipeline
from streamer.plan import make_plan
from streamer.segments import ChangePoints, FixedBins, segmenter_of
from streamer.testing import check_laws

FAST = {
    "rate_hz": "5e6", "nbar": "0.2", "eta_c": "0.14", "eta_x": "0.05,0.9", "eta_bx": "0.03,0.12", "tau_x_ns": "3.5,25",
    "tau_bx_ns": "0.7,3", "jitter_ps": "150", "dark_cps": "60", "duration": "6", "seed": "3",
    "dwell": "exp:0.005,exp:0.02",
}  # fmt: skip
INFO = StreamInfo("T3", 100e-9, 64e-12, channels=(0, 1))


def run(**settings):
    source = open_source("", FAST)
    pipeline = Pipeline(source.info, Settings(look_photons=0, studies=(), **settings))
    for chunk in source.chunks():
        pipeline.feed(chunk)
    pipeline.finish(source.end())
    return pipeline


def test_a_fast_blinker_is_told_as_it_is():
    pipeline = run(segments="changes")
    summary = pipeline.summary(pipeline.answers())
    truth = summary["truth"]["states"]
    assert [state["name"] for state in summary["states"]] == ["dark", "bright"]
    for state, true in zip(summary["states"], truth, strict=True):
        assert state["rate_cps"] == pytest.approx(true["rate_cps"], rel=0.04)
        assert state["time_s"] / 6 == pytest.approx(true["time_share"], rel=0.04)
        assert abs(state["lifetime_ns"] - true["mean_arrival_ns"]) < 3 * state["lifetime_error_ns"]
        assert state["lifetime_error_ns"] < 0.5
    account = summary["account"]
    assert account["received"] == account["analysed"]
    shown = {one.name: one for one in pipeline.results()}
    assert shown["trace"].values["bin_s"] is None
    measured, expected = shown["levels"].data["time_s"]
    assert measured.sum() == pytest.approx(6.0, rel=1e-6)
    assert expected.sum() == pytest.approx(6.0, rel=0.01)
    assert not [line for line in summary["warnings"] if line.startswith("bin_ms")]


def test_what_is_counted_over_all_segments_does_not_depend_on_where_they_end():
    bins, changes = run(), run(segments="changes")
    for key in ("tau0", "lags0"):
        counted = [one.tables["coincidences"][key].sum(axis=0) for one in (bins, changes)]
        np.testing.assert_array_equal(*counted)
    dark = [one.summary(one.answers())["states"][0]["lifetime_ns"] for one in (bins, changes)]
    assert dark[0] > 2 * dark[1]  # bins of 10 ms hold switches; a lifetime of the dark state is none


def test_settings_choose_the_segmenter():
    layout = make_plan(INFO, Settings(look_photons=0)).layout
    assert segmenter_of(layout) == FixedBins(100_000)
    layout = make_plan(INFO, Settings(look_photons=0, segments="changes", false_alarms=0.01, longest_ms=50)).layout
    assert segmenter_of(layout) == ChangePoints(500_000, threshold_of(1e-5), 0)


def test_a_finer_clock_is_looked_at_in_units_and_the_longest_segment_is_whole_units():
    info = StreamInfo("T2", 1e-12, channels=(0, 1))
    segmenter = segmenter_of(make_plan(info, Settings(look_photons=0, segments="changes", longest_ms=33)).layout)
    assert isinstance(segmenter, ChangePoints)
    assert 50e-9 < (1 << segmenter.shift) * 1e-12 <= 100e-9
    assert segmenter.longest % (1 << segmenter.shift) == 0
    assert segmenter.border(segmenter.longest) == 2 * segmenter.longest
    with pytest.raises(ValueError, match="multiple of 4"):
        ChangePoints(10, 12.0, 2)


@pytest.mark.parametrize("settings", [{"segments": "blocks"}, {"false_alarms": 0.0}, {"longest_ms": -1.0}])
def test_impossible_settings_are_refused(settings):
    from streamer.config import settings_from

    with pytest.raises(InputError, match=next(iter(settings))):
        settings_from(settings)


class ForgetsTheRise(Group):
    """Goes on after a halt as if every segment began with its first photon's waiting time."""

    def restore(self, arrays):
        super().restore(arrays)
        self.open_kind = 0


class KeepsItsWatch(Group):
    """Goes on after a merge with what it watched before."""

    def merge(self, later):
        watch = self._watch
        super().merge(later)
        self._watch = watch or self._watch


@pytest.mark.parametrize("group", [ForgetsTheRise, KeepsItsWatch])
def test_a_group_that_forgets_how_its_segment_began_breaks_a_law(group):
    with pytest.raises(AssertionError, match="law broken"):
        check_laws(Sequence, group=group, seeds=range(8))
