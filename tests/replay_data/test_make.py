"""The bundled recording: made again it is the same file, and its counts agree with the truth beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ptufile import PtuFile

from replay_data import make

DOT = json.loads((make.HERE / "dot.json").read_text(encoding="utf-8"))


def test_the_recording_is_what_its_program_makes(tmp_path: Path) -> None:
    content = make.make(tmp_path)
    assert content == DOT
    assert (tmp_path / "dot.ptu").read_bytes() == (make.HERE / "dot.ptu").read_bytes()
    assert (tmp_path / "dot.json").read_bytes() == (make.HERE / "dot.json").read_bytes()


def test_the_recording_is_small() -> None:
    assert (make.HERE / "dot.ptu").stat().st_size < 4e6


def test_the_states_of_the_recording_have_their_rates_delays_and_g2() -> None:
    """Read by another program's decoder, split by the known dwells, against the truth."""
    with PtuFile(make.HERE / "dot.ptu") as file:
        records = file.decode_records()
        period_s, resolution_s = file.tags["MeasDesc_GlobalResolution"], file.tags["MeasDesc_Resolution"]
    photons = records[records["channel"] >= 0]
    time, channel = photons["time"].astype(np.int64), photons["channel"]
    nanotime_ns = photons["dtime"] * resolution_s * 1e9
    assert period_s == 4e-7
    assert len(photons) == DOT["photons"]
    assert [int((channel == at).sum()) for at in (0, 1)] == list(DOT["channel_counts"].values())
    dwells = np.array(DOT["dwells"])
    at_dwell = np.searchsorted(dwells[:, 2], time * period_s, side="right")
    for index, state in enumerate(DOT["truth"]["states"]):
        mine = dwells[at_dwell, 0] == index
        spent = (dwells[:, 2] - dwells[:, 1])[dwells[:, 0] == index].sum()
        assert spent == pytest.approx(state["time_share"] * 24, rel=1e-6)
        assert abs(mine.sum() - state["rate_cps"] * spent) < 4 * np.sqrt(1.1 * state["rate_cps"] * spent)
        first, second = time[mine & (channel == 0)], time[mine & (channel == 1)]
        lags = [
            int((np.searchsorted(second, first + lag, "right") - np.searchsorted(second, first + lag)).sum())
            for lag in range(-10, 11)
        ]
        central, side = lags[10], sum(lags) - lags[10]
        assert side > {"dark": 500, "grey": 2000, "bright": 20000}[state["name"]]
        expected = state["g2_0_with_background"]
        assert abs(central - expected * side / 20) < 4 * np.sqrt(expected * side / 20 + expected**2 * side / 400)
        for one, excited in ((0, 2.0), (1, 9.4)):
            delay = nanotime_ns[mine & (channel == one)] + resolution_s * 0.5e9 - excited
            dark = DOT["truth"]["dark_cps"][one] / (state["rate_cps"] / 2)  # spread evenly over the period
            mean = (1 - dark) * state["mean_arrival_ns"] + dark * (200 - excited)
            assert abs(delay.mean() - mean) < 4 * delay.std() / np.sqrt(len(delay))
    names = [state["name"] for state in DOT["truth"]["states"]]
    assert names == ["dark", "grey", "bright"]
    bright, grey, dark = (DOT["truth"]["states"][names.index(name)]["g2_0"] for name in ("bright", "grey", "dark"))
    assert 0.1 < bright < 0.2 < grey < dark
