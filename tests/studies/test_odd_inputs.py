"""Every study on streams that hold little or nothing: a reason in place of a number, plain JSON, and never a crash."""

import json

import pytest

from streamer import studies
from streamer.batch import analyse
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.pipeline import Pipeline

ODD = {
    "hardly a moment": ("simulate:", {"duration": "0.02"}, {}),
    "one detector": ("simulate:", {"duration": "2", "detectors": "1"}, {"log_tau": True}),
    "one channel of two": ("simulate:", {"duration": "2"}, {"channels": (0,)}),
    "T2, pulsed": ("simulate:", {"duration": "2", "mode": "T2"}, {"period_ns": 100.0}),
    "T2, cw, dim": ("simulate:cw", {"duration": "1", "eta_c": "0.0001"}, {}),
    "changes": ("simulate:", {"duration": "5"}, {"segments": "changes", "log_tau": True}),
    "changes, T2": ("simulate:cw", {"duration": "5"}, {"segments": "changes", "log_tau": True}),
    "bins longer than the run": ("simulate:", {"duration": "1"}, {"bin_ms": 5000.0}),
    "a state without photons": ("simulate:steady", {"duration": "2"}, {"thresholds_cps": (1e6, 2e6)}),
    "background of more than is counted": ("simulate:steady", {"duration": "1"}, {"background_cps": {0: 1e7, 1: 1e7}}),
    "wide tau bins": ("simulate:", {"duration": "2"}, {"tau_bin_ns": 90.0}),
    "pile-up corrected": ("simulate:steady", {"duration": "2", "nbar": "2"}, {"pile_up": "correct"}),
    "two lifetimes asked of one": ("simulate:steady", {"duration": "1"}, {"decay_model": "bi", "cascade": (0, 1)}),
    "nothing but dark counts": (
        "simulate:steady",
        {"duration": "5", "eta_x": "0", "eta_bx": "0"},
        {"decay_model": "bi"},
    ),
}


def judge(pipeline):
    results = pipeline.study()
    values = {one.name: one.values for one in results if one.name in studies.names()}
    failed = {name: one["reason"] for name, one in values.items() if str(one.get("reason")).startswith("failed")}
    assert failed == {}
    json.dumps(values, allow_nan=False)
    assert all(isinstance(line, str) and line for line in studies.lines(values))
    pipeline.results(studied=results)


@pytest.mark.parametrize("what", ODD)
def test_a_reason_or_a_number(what):
    address, options, settings = ODD[what]
    judge(analyse(address, Settings(**settings), {"seed": "7", **options}))


@pytest.mark.parametrize("segments", ["bins", "changes"])
@pytest.mark.parametrize("mode", ["T2", "T3"])
def test_a_shutter_that_stayed_closed(mode, segments):
    info = StreamInfo(mode, 1e-7, 64e-12 if mode == "T3" else 0.0, look={"channels": {"0": 1, "1": 1}})
    pipeline = Pipeline(info, Settings(segments=segments, log_tau=True))
    pipeline.feed(Chunk(0, 50_000_000))
    pipeline.finish(StreamEnd("end of file"))
    judge(pipeline)


def test_times_in_doubt():
    pipeline = analyse("simulate:steady", Settings(pile_up="correct"), {"duration": "1"})
    pipeline.info = StreamInfo(**{**{k: getattr(pipeline.info, k) for k in pipeline.info.__dataclass_fields__},
                                  "doubts": {"times": "of another run"}})  # fmt: skip
    judge(pipeline)
