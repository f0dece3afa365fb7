"""Settings of the PicoQuant driver: every model's options, their ranges, and one line for each mistake."""

from __future__ import annotations

import pytest

from sources.devices.picoquant_models import CFD, LONGEST_MS, MEASURED, MODELS, MODES
from sources.devices.picoquant_settings import known_options, read_address, read_settings, triggers
from sources.layouts.ptu_records import RECORD_TYPES
from sources.picoquant import open_source
from streamer.errors import InputError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_table_is_consistent():
    for model in MODELS.values():
        assert set(model.record_types) == set(MODES)
        for mode, codes in model.record_types.items():
            assert all(RECORD_TYPES[code].mode == mode for code in codes.values())
        assert model.trigger in (*model.triggers, MEASURED)
        for kind, trigger in model.triggers.items():
            low, high, default = trigger.level_mv
            assert low <= default <= high
            assert (trigger.zero_cross_mv is not None) == (kind == CFD)
        bits = [getattr(model.flags, name) for name in model.flags.__slots__]
        assert len({bit for bit in bits if bit}) == len([bit for bit in bits if bit])
        assert model.divider & (model.divider - 1) == 0


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.key)
def test_defaults(model, here):
    settings = read_settings(model, {})
    assert (settings.mode, settings.duration_ms, settings.sync_divider) == ("T3", LONGEST_MS, 1)
    assert settings.spool.name.startswith(f"{model.key}-2")
    for kind in model.triggers:
        sync, inputs = triggers("x", model, settings, kind)
        assert sync == inputs[0]
        assert sync[0] == model.triggers[kind].level_mv[2]


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.key)
def test_every_option_is_refused_with_its_name_when_it_is_nonsense(model, here):
    nonsense = known_options(model) - {"library", "spool"}
    for key in nonsense:
        with pytest.raises(InputError, match=rf"picoquant:{model.key}: {key}: must be .*, got '?-99.5"):
            read_settings(model, {key: "-99.5x", "mode": "T2"} if key != "mode" else {key: "-99.5x"})


@pytest.mark.parametrize(
    ("where", "options", "said"),
    [
        ("HH500", {}, "model must be one of PH300, TH260, HH400, MH150, MH160, PH330, got 'HH500'"),
        ("", {}, "got ''"),
        ("HH400", {"sync_level": "5"}, "did you mean sync_level_mv"),
        ("HH400", {"hysteresis_mv": "3"}, "hysteresis_mv: unknown option"),
        ("PH300", {"inputs": "0"}, "inputs: unknown option"),
        ("MH150", {"sync_zero_cross_mv": "-10"}, "unknown option"),
        ("HH400", {"mode": "T4"}, "mode: must be T2 or T3, got 'T4'"),
        ("HH400", {"sync_level_mv": "-50"}, "sync_level_mv: must be a whole number from 0 to 1000, got '-50'"),
        ("TH260", {"sync_level_mv": "1300"}, "from -1200 to 1200"),
        (
            "HH400",
            {"input_level_mv": "50,60,2000"},
            "input_level_mv: must be a whole number from 0 to 1000, got '2000'",
        ),
        ("HH400", {"input_level_mv": ",".join(["50"] * 9)}, "at most 8 inputs, got 9"),
        ("HH400", {"sync_divider": "3"}, "sync_divider: must be 1, 2, 4 ... 16, got 3"),
        ("PH300", {"sync_divider": "16"}, "from 1 to 8"),
        ("HH400", {"inputs": "8"}, "inputs: must be a whole number from 0 to 7"),
        ("MH150", {"input_dead_time_ps": "799"}, "from 800 to 160000"),
        ("TH260", {"input_dead_time_code": "8"}, "from 0 to 7"),
        ("PH330", {"overflow_hold_ms": "256"}, "from 0 to 255"),
        ("HH400", {"offset_ns": "500001"}, "from 0 to 500000"),
        ("PH300", {"offset_ns": "1000001"}, "from 0 to 1000000"),
        ("HH400", {"binning": "3", "mode": "T2"}, "binning: must be 0 in T2"),
        ("HH400", {"sync_channel": "3"}, "sync_channel: T3 records have no sync events"),
        ("PH330", {"trigger": "cfd", "sync_edge": "rising"}, "sync_edge: does not go with trigger=cfd"),
        ("PH330", {"trigger": "edge", "input_zero_cross_mv": "-5"}, "does not go with trigger=edge"),
        ("HH400", {"duration": "0"}, "duration: must be a number from 0.001 to 360000, got '0'"),
        ("HH400", {"duration": "360001"}, "duration"),
        ("HH400", {"rotate": "1000"}, "rotate: must be a whole number from 65536"),
        ("HH400", {"reference": "wr"}, "reference: must be internal or external_10mhz, got 'wr'"),
        ("HH400", {"spool": "nowhere/run.ptu"}, "spool: must lie in a folder that exists"),
    ],
)
def test_mistakes_are_one_line_before_any_library(where, options, said, here):
    with pytest.raises(InputError) as caught:
        open_source(where, {"library": "not looked at"} | options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_spool_is_never_written_over(here):
    (here / "run.ptu").write_text("somebody's data")
    with pytest.raises(InputError, match=r"run\.ptu exists already"):
        read_settings(MODELS["HH400"], {"spool": "run.ptu"})


def test_values(here):
    model, serial = read_address("mh150/ 1043210")
    assert (model.key, serial) == ("MH150", "1043210")
    settings = read_settings(
        model,
        {"mode": "t2", "duration": "0.0015", "inputs": "3,1,1", "input_level_mv": "-5", "input_edge": "rising,falling"},
    )
    assert (settings.mode, settings.duration_ms, settings.inputs) == ("T2", 2, (1, 3))
    sync, inputs = triggers("x", model, settings, "edge")
    assert (sync, inputs) == ((-50, 0), [(-5, 1), (-5, 0)])
