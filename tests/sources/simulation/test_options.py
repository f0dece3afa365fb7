"""Options of the simulated source as text: what they set, what is solved for, and one-line errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from sources.simulate import open_source
from sources.simulation.options import OPTIONS
from sources.simulation.parts import Bleach, Drift, Dwell, Marker, State
from sources.simulation.presets import PRESETS
from sources.simulation.settings import Settings
from streamer.errors import InputError


def test_options_reach_the_settings() -> None:
    options = {
        "eta_x": "0.1,0.9",
        "tau_x_ns": "5",
        "eta_bx": "0.01, 0.1",
        "tau_bx_ns": "1,2",
        "dwell": "exp:0.3,power:1.5:0.01:2",
        "transition": "0,1;1,0",
        "delay_ns": "0,23.9",
        "jitter_ps": "40",
        "mode": "t2",
        "duration": "inf",
        "live": "yes",
        "rate_hz": "2.5e6",
    }
    settings = open_source("steady", options).settings
    assert [state.eta_x for state in settings.states] == [0.1, 0.9]
    assert [state.tau_x_ns for state in settings.states] == [5, 5]
    assert settings.states[1].dwell == Dwell("power", exponent=1.5, min_s=0.01, max_s=2.0)
    assert settings.delay_ns == (0.0, 23.9)
    assert settings.jitter_ps == (40.0, 40.0)
    assert (settings.mode, settings.live, settings.duration_s, settings.rate_hz) == ("T2", True, math.inf, 2.5e6)
    assert settings.chunk_s == 0.005


@pytest.mark.parametrize(
    ("options", "solved"),
    [
        ({"rate": "50e3"}, lambda settings: settings.eta_c < 0.2 and settings.nbar == 0.1),
        ({"rate": "50e3", "nbar": "0.3"}, lambda settings: settings.nbar == 0.3),
        ({"rate": "50e3", "eta_c": "0.04"}, lambda settings: settings.eta_c == 0.04 and settings.nbar > 0.1),
        ({"rate": "1e6"}, lambda settings: settings.eta_c == 1.0 and settings.nbar > 0.1),
    ],
)
def test_rate_is_solved_for(options: dict[str, str], solved: Callable[[Settings], bool]) -> None:
    source = open_source("", options | {"dark_cps": "500"})
    assert solved(source.settings)
    shares = [state["time_share_expected"] for state in source.info.truth["states"]]
    rates = [state["rate_cps"] for state in source.info.truth["states"]]
    assert sum(a * b for a, b in zip(shares, rates, strict=True)) == pytest.approx(float(options["rate"]), rel=1e-9)


@pytest.mark.parametrize(
    ("where", "options", "words"),
    [
        ("blink", {}, ["preset", "steady", "'blink'"]),
        ("", {"tau_x": "5"}, ["tau_x", "tau_x_ns"]),
        ("", {"zzz": "5"}, ["zzz", "seed"]),
        ("", {"nbar": "lots"}, ["nbar", "a number", "'lots'", "write"]),
        ("", {"nbar": "nan"}, ["nbar", "a number"]),
        ("", {"nbar": "0"}, ["nbar", "above 0", "0"]),
        ("", {"eta_x": "1.5"}, ["eta_x", "between 0 and 1", "1.5"]),
        ("", {"eta_x": "0.1,0.2"}, ["one value, or 2", "3 values"]),
        ("", {"eta_x": "0.1,0.2,0.3", "eta_bx": "0.1,0.2"}, ["eta_bx", "one value, or 3"]),
        ("", {"tau_bx_ns": "0"}, ["tau_bx_ns", "above 0"]),
        ("", {"dwell": "0.3"}, ["dwell", "exp:MEAN_S", "'0.3'"]),
        ("", {"dwell": "power:1.5:1:0.1"}, ["dwell", "shortest < longest"]),
        ("", {"transition": "0,1;1,0"}, ["transition", "3 rows"]),
        ("", {"transition": "0.5,0.5,0;1,0,0;1,0,0"}, ["transition", "diagonal"]),
        ("", {"seed": "-1"}, ["seed", "whole number"]),
        ("", {"live": "maybe"}, ["live", "true or false"]),
        ("", {"mode": "T4"}, ["mode", "T2 or T3"]),
        ("", {"duration": "0"}, ["duration", "above 0"]),
        ("", {"chunk_ms": "0"}, ["chunk_ms"]),
        ("", {"t0_ns": "150"}, ["t0_ns", "100 ns"]),
        ("", {"rate_hz": "1e5"}, ["resolution_ps", "write resolution_ps=512"]),
        ("", {"rate_hz": "0"}, ["rate_hz", "between"]),
        ("", {"delay_ns": "1,2,3"}, ["delay_ns", "one or two"]),
        ("", {"dark_cps": "-5"}, ["dark_cps", "from 0"]),
        ("", {"rate": "1e9"}, ["rate", "at most", "1e+09"]),
        ("", {"rate": "inf"}, ["rate", "at most"]),
        ("", {"rate": "50"}, ["rate", "above the dark counts"]),
        ("", {"rate": "1e6", "nbar": "0.1"}, ["rate", "raise nbar"]),
        ("", {"rate": "1e5", "nbar": "0.1", "eta_c": "0.1"}, ["rate", "leave one"]),
        ("cw", {"rate": "1e5", "eta_c": "0.1"}, ["rate", "leave one of the two"]),
        ("cw", {"rate": "1e9"}, ["rate", "at most", "raise pump_per_us"]),
        ("cw", {"nbar": "0.1"}, ["nbar", "left out with excitation=cw"]),
        ("", {"pump_per_us": "3"}, ["pump_per_us", "left out with excitation=pulsed"]),
        ("cw", {"mode": "T3"}, ["mode", "T2 under cw light"]),
        ("cw", {"model": "thermal"}, ["model", "under cw light"]),
        ("", {"excitation": "lamp"}, ["excitation", "pulsed or cw"]),
        ("cw", {"levels": "4"}, ["levels", "2 or 3"]),
        ("cw", {"pump_per_us": "0"}, ["pump_per_us", "from 1e-09"]),
        ("", {"eta_mx": "0.1:0.2"}, ["tau_mx_ns", "as many lifetimes", "0 beside 2"]),
        ("", {"eta_mx": "1.1", "tau_mx_ns": "1"}, ["eta_mx", "between 0 and 1"]),
        ("", {"eta_mx": "0.1,0.2", "tau_mx_ns": "1"}, ["one value, or 2"]),
        ("", {"orders": "51"}, ["orders", "from 2", "to 50"]),
        ("perovskite", {"orders": "3"}, ["orders", "from 4"]),
        ("", {"split": "0.3,0.3"}, ["split", "sum 1"]),
        ("", {"split": ",".join(["0.05"] * 20)}, ["split", "1 to 16 detectors"]),
        ("", {"split": "0.5,0.25,0.25", "delay_ns": "1,2"}, ["delay_ns", "one or 3"]),
        ("", {"detectors": "1", "crosstalk": "0.1"}, ["crosstalk", "one detector"]),
        ("", {"detectors": "17"}, ["detectors", "from 1 to 16"]),
        ("", {"detectors": "4", "split": "0.5"}, ["split", "left out beside detectors"]),
        ("", {"filters": "1,1"}, ["filters", "2 rows", "2 transmissions"]),
        ("perovskite", {"filters": "1,1;1,1"}, ["filters", "3 transmissions (X, BX, MX)"]),
        ("", {"filters": "1,2;1,1"}, ["filters", "from 0 to 1"]),
        ("", {"afterpulse": "0.6"}, ["afterpulse", "from 0 to 0.5"]),
        ("", {"jitter_tail": "1.5"}, ["jitter_tail", "from 0 to 1"]),
        ("", {"modes": "2"}, ["modes", "unless model=thermal"]),
        ("thermal", {"modes": "0"}, ["modes", "from 0.01"]),
        ("thermal", {"nbar": "30"}, ["nbar", "at most 20 per mode"]),
        ("", {"bleach": "soon"}, ["bleach", "at:SECONDS", "'soon'"]),
        ("", {"bleach": "at:0"}, ["bleach", "above 0"]),
        ("", {"bleach": "at:x"}, ["bleach", "a number"]),
        ("", {"drift_collection": "sine:0.1"}, ["drift_collection", "sine:AMPLITUDE:PERIOD_S"]),
        ("", {"drift_collection": "sine:2:1"}, ["drift", "amplitude"]),
        ("", {"drift_excitation": "walk:-1"}, ["drift", "above 0"]),
        ("", {"drift_excitation": "linear:inf"}, ["drift", "linear"]),
        ("", {"markers": "5:1"}, ["markers", "input 1 to 4"]),
        ("", {"markers": "1"}, ["markers", "INPUT:PERIOD_S"]),
        ("", {"markers": "1:1e-6,2:2e-7"}, ["markers", "period"]),
        ("", {"next_dot": "1:inf"}, ["markers", "period"]),
    ],
)
def test_bad_input_is_one_line_with_the_remedy(where: str, options: dict[str, str], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        open_source(where, options)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("simulate")
    for word in words:
        assert word in message


def test_every_option_is_documented_by_its_name_in_settings_or_open_source() -> None:
    text = f"{open_source.__doc__} {Settings.__doc__} {State.__doc__}"
    assert [option for option in OPTIONS if option not in text] == []


def test_all_states_may_be_given_anew() -> None:
    lists = {"eta_x": "0.1,0.9", "tau_x_ns": "5,9", "eta_bx": "0.1,0.2", "tau_bx_ns": "1,2", "dwell": "exp:1,exp:2"}
    assert len(open_source("", lists).settings.states) == 2


def test_new_options_reach_the_settings() -> None:
    options = {
        "eta_mx": "0.2:0.1,0.3:0.2",
        "tau_mx_ns": "1:0.5",
        "eta_x": "0.5,0.9",
        "split": "0.5,0.25,0.25",
        "filters": "1,0,0;0,1,1;1,1,1",
        "afterpulse": "0.01",
        "crosstalk": "0,0.1,0",
        "bleach": "photons:1e5",
        "drift_collection": "sine:0.2:10",
        "drift_excitation": "walk:0.05",
        "markers": "1:0.01,2:1",
        "next_dot": "4:30",
        "orders": "6",
    }
    settings = open_source("steady", options).settings
    assert [state.eta_mx for state in settings.states] == [(0.2, 0.1), (0.3, 0.2)]
    assert [state.tau_mx_ns for state in settings.states] == [(1.0, 0.5)] * 2
    assert settings.states[0].yields(6) == (0.5, 0.13, 0.2, 0.1, 0.1, 0.1)
    assert settings.split == (0.5, 0.25, 0.25)
    assert settings.filters[1] == (0.0, 1.0, 1.0)
    assert (settings.afterpulse, settings.crosstalk) == ((0.01,) * 3, (0.0, 0.1, 0.0))
    assert settings.bleach == Bleach("photons", 1e5)
    assert settings.drift_collection == Drift("sine", 0.2, 10.0)
    assert settings.drift_excitation == Drift("walk", 0.05)
    assert settings.markers == (Marker(1, 0.01), Marker(2, 1.0))
    assert settings.next_dot == Marker(4, 30.0)
    assert (settings.highest_order, settings.extended) == (6, True)
    cw = open_source("steady", {"excitation": "cw", "pump_per_us": "2", "tau_x_ns": "8"}).settings
    assert (cw.mode, cw.pump_per_us, cw.states[0].tau_bx_ns) == ("T2", 2.0, 2.0)


def test_options_that_say_the_defaults_keep_the_plain_emitter() -> None:
    for options in (
        {"excitation": "pulsed"},
        {"orders": "2"},
        {"afterpulse": "0"},
        {"split": "0.5"},
        {"detectors": "2"},
    ):
        assert not open_source("", options).settings.extended


PAGE = (Path(__file__).parents[3] / "docs" / "sources.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Simulated emitter")[1].split("\n## ")[0]


def test_every_option_and_preset_stands_in_the_docs() -> None:
    assert [option for option in OPTIONS if f"`{option}`" not in SECTION] == []
    assert [name for name in PRESETS if name and f"`{name}`" not in SECTION] == []
