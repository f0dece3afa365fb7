"""Layout: axes and sizes that belong together, and the window that no counted pair may be longer than."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from streamer.accumulators import for_layout, found
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.layout import GATE_BINS, MEAN_BINS, NANOTIME_BINS, Layout, check_pairs, no_pairs, units, with_period
from streamer.testing import layouts

every = pytest.mark.parametrize("layout", layouts().values(), ids=layouts())
PERIODS = (8.0, 16.4, 97.0, 255.9, 256.0, 3125.0, 4095.0, 4095.5, 4096.0, 9999.7, 50_000.0)


def pulsed(period: float) -> Layout:
    return Layout("T3", period * 1e-10, 1e-10, (0, 1), ((0, 1),), 0.01, period, 10, 5, 40, (3, 7))


@every
def test_axes_have_the_tables_lengths(layout: Layout) -> None:
    tables = {one.name: one.tables for one in for_layout(layout)}
    assert len(layout.scale.rates_cps()) + 1 == layout.scale.rows == len(tables["exposure"]["time"])
    if layout.mode == "T3":
        assert tables["lifetime"]["decay"].shape[1:] == (len(layout.detectors), len(layout.nanotime_ns()))
        assert tables["flid"]["segments"].shape[1] == len(layout.mean_ns())
    for p in range(len(layout.pairs)):
        lags, tau = tables["coincidences"][f"lags{p}"], tables["coincidences"][f"tau{p}"]
        assert tau.shape[1] == len(layout.tau_ns())
        assert lags.shape[2] == (len(layout.gate_ns()) if layout.pulsed else 1)
        assert lags.shape[1] == (2 * layout.lags + 1 if layout.pulsed else 1)


@pytest.mark.parametrize("period", PERIODS)
def test_bins_cover_the_period_and_are_not_too_many(period: float) -> None:
    layout, last = pulsed(period), math.ceil(period) - 1
    assert last >> layout.nanotime_shift < layout.nanotime_bins - 1 <= NANOTIME_BINS
    assert last // layout.gate_width < layout.gate_bins <= GATE_BINS + 2
    assert last // layout.mean_width < len(layout.mean_ns()) <= MEAN_BINS + 2
    assert 0 <= layout.guard <= period / 8


@every
def test_no_pair_that_a_table_has_room_for_is_longer_than_the_window(layout: Layout) -> None:
    reach = (2 * layout.tau_half + 1) * layout.tau_width / 2
    beyond = layout.window + 1
    if layout.mode == "T3":
        # The shortest delay of two photons `beyond` pulses apart: one late after its pulse, the other early.
        assert beyond * layout.period - layout.period >= reach
        assert beyond > layout.lags
    else:
        assert beyond > reach
        assert not layout.pulsed or round(beyond / layout.period) > layout.lags
    assert layout.window >= 1


@every
def test_pulse_offsets_are_rounded_once_each_and_odd(layout: Layout) -> None:
    offsets = layout.pulse_offsets
    assert offsets.tolist() == [round(k * layout.period) for k in range(-layout.window, layout.window + 1)]
    assert (offsets == -offsets[::-1]).all()


@every
def test_detectors_are_found_by_channel_and_others_are_not(layout: Layout) -> None:
    for channel in range(256):
        row = int(layout.detector_of[channel])
        assert row == (layout.detectors.index(channel) if channel in layout.detectors else 255)


def test_only_what_has_something_to_count_is_made() -> None:
    names = {name: [one.name for one in for_layout(layout)] for name, layout in layouts().items()}
    assert names["T3"] == [one.name for one in found()]
    assert names["T3, one detector"] == ["arrivals", "exposure", "flid", "lifetime", "log_tau", "sequence"]
    assert names["T2"] == ["coincidences", "exposure", "log_tau", "sequence"]


def test_axes_are_in_nanoseconds() -> None:
    layout = layouts()["T3"]  # 0.25 ns units, guard 2, tau bins of 3
    np.testing.assert_allclose(layout.tau_ns()[60:62], [0.0, 0.75])
    np.testing.assert_allclose(layout.nanotime_ns()[:2], [0.125, 0.375])
    np.testing.assert_allclose(layout.gate_ns()[:3], [-0.5, -0.25, 0.0])
    np.testing.assert_allclose(layout.mean_ns()[:2], [-0.375, -0.125])
    np.testing.assert_allclose(layouts()["T2"].tau_ns()[6:8], [0.0, 200.0])


def test_a_layout_is_a_value() -> None:
    assert layouts()["T2"] == layouts()["T2"]
    assert layouts()["T2"] != replace(layouts()["T2"], lags=3)


@pytest.mark.parametrize("pairs", [((0, 0),), ((0, 5),), ((5, 1),), ((0, 1), (1, 2))])
def test_pairs_are_two_different_analysed_channels(pairs: tuple[tuple[int, int], ...]) -> None:
    check_pairs(((0, 1), (1, 0)), (0, 1))
    with pytest.raises(InputError, match=r"pairs: .*\[0, 1\].*got \[\d, \d\]; correct") as caught:
        check_pairs(pairs, (0, 1))
    assert "\n" not in str(caught.value)


def test_units_come_from_the_stream_in_t3_and_from_the_settings_in_t2() -> None:
    assert units(StreamInfo("T3", 400e-9, 1e-9), 55.0) == (1e-9, pytest.approx(400))
    assert units(StreamInfo("T2", 4e-12), None) == (4e-12, 0.0)
    assert units(StreamInfo("T2", 4e-12), 12.5) == (4e-12, pytest.approx(3125))


def test_the_settings_give_the_laser_period_of_a_t3_stream_only_where_it_does_not_know_it() -> None:
    unknown = StreamInfo("T3", 1e-7, 1e-10, pulse_s=4e-7, pulse_known=False)
    told = with_period(unknown, 25.0)
    assert (told.laser_s, told.pulse_known) == (pytest.approx(25e-9), True)
    assert replace(told, pulse_s=unknown.pulse_s, pulse_known=False) == unknown
    for info in (unknown, StreamInfo("T3", 1e-7, 1e-10), StreamInfo("T2", 1e-12)):
        assert with_period(info, None) is info
    for info in (StreamInfo("T3", 1e-7, 1e-10), StreamInfo("T3", 1e-7, 1e-10, pulse_s=4e-7), StreamInfo("T2", 1e-12)):
        assert with_period(info, 25.0) is info
    with pytest.raises(InputError, match=r"^period_ns: .*0.1 ns, got 0.05"):
        with_period(unknown, 0.05)


def test_pulses_can_be_told_where_ticks_are_pulses_or_much_shorter() -> None:
    assert no_pairs(StreamInfo("T3", 1e-7, 1e-10), None) is None
    assert no_pairs(StreamInfo("T2", 1e-9), None) is no_pairs(StreamInfo("T2", 1e-9), 4.0) is None
    assert "4 ticks of 1 ns" in (no_pairs(StreamInfo("T2", 1e-9), 3.9) or "")
    assert "macro clock (100 ns)" in (no_pairs(StreamInfo("T3", 1e-7, 1e-10, pulse_s=1e-7), None) or "")


def test_without_the_laser_period_no_photon_is_early() -> None:
    layout = pulsed(1000.0)
    assert layout.guard > 0
    assert replace(layout, wraps=False).guard == 0
