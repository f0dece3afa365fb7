"""Options of the simulated source as text: what they set, what is solved for, and one-line errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from sources.simulate import open_source
from sources.simulate_options import OPTIONS
from sources.simulate_settings import Dwell, Settings, State
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
