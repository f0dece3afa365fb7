"""Series: tables read or refused in one line, real simulated runs counted, fitted, added, and what cannot be told."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sinks.ptu import PtuWriter
from streamer.errors import InputError
from streamer.estimators.estimate import Estimate, unknown
from streamer.registry import open_source
from streamer.series import load_table, run_series
from streamer.series.counted import Counted, slow_error
from streamer.series.files import write_files
from streamer.series.fits import scaled
from streamer.series.quantity import find
from streamer.series.reading import table_from
from streamer.series.show import print_series
from streamer.series.units import per_cm2, unit_of
from streamer.series.wording import told, with_error

ROOT = Path(__file__).parents[1]
DEADLINE_S = 120.0
RUN = {"file": "simulate:steady", "power": 1.0}
SCAN = {"variable": "power", "unit": "uW"}


def table(tmp_path, text):
    path = tmp_path / "table.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def outcome():
    """The documented example."""
    series = load_table(ROOT / "docs/series/power.toml")
    return series, run_series(series)


# ---- tables


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"run": []}, "run: .*at least 1"),
        ({"run": [RUN], "scan": SCAN, "fits": []}, "fits: no such key; known are title, scan"),
        ({"run": [RUN]}, r"run\.0\.power: no such key; known are file, .* no \[scan\] names a variable"),
        ({"run": [{"file": "simulate:"}], "scan": SCAN}, r"run\.0\.power: is missing"),
        ({"run": [RUN | {"power": "strong"}], "scan": SCAN}, r"run\.0\.power: must be a finite number, got 'strong'"),
        ({"run": [RUN | {"power_error": -1}], "scan": SCAN}, r"power_error: must be 0 or more, got -1"),
        ({"run": [RUN | {"files": "*.ptu"}], "scan": SCAN}, r"run\.0: needs either file or files"),
        ({"run": [{"file": "no.ptu"}]}, r"run\.0\.file: no such file beside the table, got 'no.ptu'"),
        ({"run": [{"files": "*.nothing"}]}, r"run\.0\.files: no file matches the pattern, got '\*.nothing'"),
        ({"run": [RUN | {"settings": {"bin_ms": -1}}], "scan": SCAN}, r"run\.0\.settings: bin_ms: .*got -1"),
        ({"run": [RUN], "scan": SCAN, "fit": [{"kind": "cubic", "of": "g2_0"}]}, r"kind must be out of .*'cubic'"),
        ({"run": [RUN], "scan": SCAN, "fit": [{"kind": "linear"}]}, r"fit\.0: needs `of`"),
        ({"run": [RUN], "scan": SCAN, "fit": [{"kind": "linear", "of": "g2_0", "fixed": {"tilt": 1}}]}, "fixed: must"),
        ({"run": [RUN], "scan": SCAN, "fit": [{"kind": "linear", "of": "g2_0", "form": 1}]}, r"fit\.0\.form: no"),
        ({"run": [RUN], "scan": SCAN, "fit": [{"kind": "g2_power", "of": "g2_0"}]}, "nbar_per_x: must be known"),
        (
            {"run": [RUN], "scan": SCAN, "fit": [{"kind": "g2_power", "of": "g2_0", "known": {"nbar_per_x": "rates"}}]},
            r"fit\.0\.known\.nbar_per_x: must be a fit above \(there is none\), got 'rates'",
        ),
        ({"run": [{"file": "simulate:"}], "fit": [{"kind": "linear", "of": "g2_0"}]}, r"fit\.0: a fit needs \[scan\]"),
        ({"run": [RUN], "scan": SCAN, "fit": [{"kind": "hom"}]}, "hom needs the names of two runs"),
        (
            {"run": [RUN], "scan": SCAN, "fit": [{"kind": "hom", "parallel": "a", "perpendicular": "b"}]},
            r"parallel: must be the name of a run \(simulate:steady\), got 'a'",
        ),
        ({"run": [RUN], "scan": SCAN, "sum": [{"runs": ["x"]}]}, r"sum\.0\.runs: must be names of runs .*got 'x'"),
        ({"run": [RUN], "scan": SCAN, "fit": [{"kind": "linear", "of": "g2_0"}] * 2}, "two fits are called"),
        (
            {"run": [RUN], "scan": SCAN, "fit": [{"kind": "linear", "of": "g2_0", "dead_ns": 80}]},
            "dead_ns corrects rate_cps, not g2_0",
        ),
    ],
)  # fmt: skip
def test_a_wrong_table_is_one_line(values, line, tmp_path):
    with pytest.raises(InputError, match=line) as caught:
        table_from(values, tmp_path / "table.toml")
    assert "\n" not in str(caught.value)
    assert "table.toml" in str(caught.value)


def test_what_is_no_table_is_one_line(tmp_path):
    with pytest.raises(InputError, match="not TOML"):
        load_table(table(tmp_path, "run = ["))
    with pytest.raises(InputError, match="cannot be read"):
        load_table(tmp_path / "none.toml")


def test_a_table_is_read_run_by_run(tmp_path):
    for name in ("b.ptu", "a.ptu"):
        (tmp_path / name).write_bytes(b"")
    text = """
        [scan]
        variable = "temperature"
        unit = "K"
        [settings]
        bin_ms = 5
        [options]
        duration = 2
        [[run]]
        files = "*.ptu"
        temperature = 4
        [[run]]
        file = "simulate:cw"
        name = "warm"
        temperature = 90
        temperature_error = 0.5
        options = { seed = 3, live = false, duration = 1 }
        settings = { states = 1 }
    """
    series = load_table(table(tmp_path, text))
    assert [(run.name, run.x, run.x_error) for run in series.runs] == [
        ("a.ptu", 4, 0), ("b.ptu", 4, 0), ("warm", 90, 0.5)
    ]  # fmt: skip
    assert series.runs[0].address == str(tmp_path / "a.ptu")
    assert series.runs[2].options == {"duration": "1", "seed": "3", "live": "false"}
    assert (series.runs[2].settings.bin_ms, series.runs[2].settings.states) == (5, 1)


def test_the_documentation_shows_tables_that_are_read(tmp_path):
    for page in [*(ROOT / "docs").glob("*.md")]:
        for block in re.findall(r"```TOML\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S):
            for name in re.findall(r'"([^"*:]+\.ptu)"', block):
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(b"")
            (tmp_path / "dots").mkdir(exist_ok=True)
            (tmp_path / "dots" / "1.ptu").write_bytes(b"")
            load_table(table(tmp_path, block))


# ---- numbers


def test_the_example_finds_what_was_put_in(outcome):
    _, found = outcome
    rates, g2, lifetime = found.values["fits"]
    for name, truth in (("yield_x", 0.02), ("nbar_per_x", 1.5)):
        one = rates["parameters"][name]
        assert abs(one["value"] - truth) < 3 * one["error"]
    assert rates["parameters"]["nbar_per_x"]["unit"] == "per uW"
    one = g2["parameters"]["ratio"]
    assert one["low"] < 0.21 < one["high"]
    # sigma = nbar A h nu f / P, by hand: 1.5 per uW, 0.3 um2, 405 nm, 2.5 MHz.
    by_hand = rates["parameters"]["nbar_per_x"]["value"] * 1e6 * 0.3e-8 * (6.62607e-34 * 299792458 / 405e-9) * 2.5e6
    assert rates["derived"]["sigma_cm2"]["value"] == pytest.approx(by_hand, rel=1e-4)
    assert lifetime["parameters"]["intercept"]["value"] == pytest.approx(20, abs=0.3)
    assert lifetime["parameters"]["slope"]["value"] < 0
    assert found.refused == ()


def test_summed_pairs_are_those_of_the_runs(outcome):
    _, found = outcome
    runs, total = found.values["runs"], found.values["sums"][0]["rows"]["all"]
    assert total["central"] == sum(run["rows"]["all"]["central"] for run in runs)
    assert total["low"] < total["g2_0"] < total["high"]
    widths = [run["rows"]["all"]["g2_0"]["high"] - run["rows"]["all"]["g2_0"]["low"] for run in runs]
    assert total["high"] - total["low"] < min(widths)
    lifetimes = [run["rows"]["all"]["lifetime_ns"] for run in runs]
    assert min(one["value"] for one in lifetimes) < total["lifetime_ns"] < max(one["value"] for one in lifetimes)
    assert total["lifetime_error_ns"] < min(one["error"] for one in lifetimes)


def test_points_have_their_own_errors(outcome):
    _, found = outcome
    point, run = found.values["fits"][0]["points"][2], found.values["runs"][2]
    assert point["x_error"] == 0.002
    rate = run["rows"]["all"]["rate_cps"]
    assert (point["value"], point["low"]) == pytest.approx((rate["value"], rate["low"]))
    n = run["rows"]["all"]["photons"]
    assert rate["error"] == pytest.approx(np.sqrt(n) / run["rows"]["all"]["time_s"])


def test_files_hold_every_number(outcome, tmp_path):
    _, found = outcome
    paths = write_files(tmp_path / "new", found.values)
    assert json.loads(paths[0].read_text()) == found.values
    lines = list(csv.DictReader(paths[1].read_text().splitlines()))
    line = next(one for one in lines if one["part"] == "fit" and one["quantity"] == "nbar_per_x")
    assert float(line["value"]) == found.values["fits"][0]["parameters"]["nbar_per_x"]["value"]
    assert sum(one["part"] == "run" and one["state"] == "all" for one in lines) == 3 * 7
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--out"):
        write_files(tmp_path / "file", found.values)


def test_it_is_printed(outcome, capsys):
    print_series(outcome[1].values)
    text = capsys.readouterr().out
    assert "nbar_per_x" in text
    assert "7 recordings added" in text
    assert "per uW" in text


def test_many_dots_with_one_that_cannot_be_read(tmp_path):
    for seed in range(3):
        source = open_source("simulate:steady", {"duration": "0.5", "seed": str(seed), "tau_x_ns": str(8 + seed)})
        with PtuWriter(tmp_path / f"dot{seed}.ptu", source.info) as writer:
            for chunk in source.chunks():
                writer.write(chunk)
    (tmp_path / "dot9.ptu").write_bytes(b"PQTTTR\0\0" + b"\0" * 100)
    series = load_table(table(tmp_path, '[[run]]\nfiles = "dot*.ptu"'))
    found = run_series(series, folder=tmp_path / "out")
    assert [name for name, _ in found.refused] == ["dot9.ptu"]
    by_name = {one["name"]: one for one in found.values["statistics"]}
    assert set(by_name) == {"rate_cps", "lifetime_ns", "g2_0"}
    assert by_name["lifetime_ns"]["n"] == 3
    assert by_name["lifetime_ns"]["mean"]["value"] == pytest.approx(9, abs=0.2)
    assert by_name["lifetime_ns"]["refused"][0]["run"] == "dot9.ptu"
    assert (tmp_path / "out" / "000 dot0.ptu" / "results.npz").exists()


def test_states_add_by_name_with_what_their_switches_may_do(tmp_path):
    text = """
        [options]
        duration = 2
        [settings]
        thresholds_cps = [12e3, 40e3]
        studies = []
        [[run]]
        file = "simulate:"
        options = { seed = 1 }
        [[run]]
        file = "simulate:"
        options = { seed = 2 }
        [[sum]]
    """
    found = run_series(load_table(table(tmp_path, text))).values
    rows = found["sums"][0]["rows"]
    assert list(rows) == ["all", "dark", "grey", "bright"]
    assert all(row["recordings"] == 2 for row in rows.values())
    assert rows["dark"]["lifetime_ns"] < rows["grey"]["lifetime_ns"] < rows["bright"]["lifetime_ns"]
    free = run_series(load_table(table(tmp_path, text.replace("thresholds_cps = [12e3, 40e3]", "states = 3")))).values
    wide = free["sums"][0]["rows"]["bright"]
    assert wide["lifetime_error_ns"] > 2 * rows["bright"]["lifetime_error_ns"]
    assert wide["lifetime_low_ns"] < 10 < wide["lifetime_high_ns"]


def test_recordings_that_do_not_add_say_why(tmp_path):
    text = """
        [options]
        duration = 0.3
        [[run]]
        file = "simulate:steady"
        name = "a"
        [[run]]
        file = "simulate:steady"
        name = "b"
        options = { resolution_ps = 32 }
        [[run]]
        file = "simulate:cw"
        name = "c"
        [[run]]
        file = "simulate:steady"
        name = "d"
        options = { t0_ns = 5 }
        [[sum]]
        name = "resolutions"
        runs = ["a", "b"]
        [[sum]]
        name = "kinds"
        runs = ["a", "c"]
        [[sum]]
        name = "places"
        runs = ["a", "d"]
    """
    first, second, third = run_series(load_table(table(tmp_path, text))).values["sums"]
    row = first["rows"]["all"]
    assert row["lifetime_ns"] is None
    assert "resolution" in row["lifetime_reason"]
    assert row["g2_0"] is not None
    assert "pulsed and cw" in second["rows"]["all"]["g2_reason"]
    assert "excitation moved by +3" in third["rows"]["all"]["lifetime_reason"]


def test_interference_of_two_runs(tmp_path):
    text = """
        [options]
        duration = 1
        [[run]]
        file = "simulate:single"
        name = "par"
        options = { seed = 1 }
        [[run]]
        file = "simulate:poisson"
        name = "perp"
        options = { seed = 2 }
        [[fit]]
        kind = "hom"
        parallel = "par"
        perpendicular = "perp"
        g2 = [0.02, 0.01]
    """
    found = run_series(load_table(table(tmp_path, text))).values
    numbers = found["hom"][0]["numbers"]
    assert numbers["visibility"]["value"] == pytest.approx(1, abs=0.05)
    assert numbers["corrected"]["value"] > numbers["visibility"]["value"]
    assert found["statistics"] == []


def test_a_fit_without_its_constant_is_one_line(tmp_path):
    text = """
        [scan]
        variable = "power"
        unit = "V"
        [options]
        duration = 0.2
        [[run]]
        file = "simulate:steady"
        power = 1
        [[run]]
        file = "simulate:steady"
        power = 2
        [[fit]]
        kind = "saturation"
        of = "rate_cps"
        wavelength_nm = 445
    """
    # All of it is known before a recording is counted.
    with pytest.raises(InputError, match=r"fit\.0\.lifetime_ns: must be given"):
        load_table(table(tmp_path, text))
    with pytest.raises(InputError, match=r"fit\.0\.wavelength_nm: .*got 'V'"):
        load_table(table(tmp_path, text + "lifetime_ns = 20\n"))
    named = text.replace("rate_cps", "studies.none.value").replace("wavelength_nm = 445", "")
    with pytest.raises(InputError, match="studies: must be out of"):
        run_series(load_table(table(tmp_path, named)))


SCAN = """
    [scan]
    variable = "power"
    unit = "uW"
    [[run]]
    file = "simulate:steady"
    name = "a"
    power = 1
    [[run]]
    file = "simulate:steady"
    name = "b"
    power = 2
"""


@pytest.mark.parametrize(
    ("fit", "why"),
    [
        ('kind = "arrhenius"\nof = "lifetime_ns"', "arrhenius is of a quantity in 1/us"),
        ('kind = "pump_rate"\nof = "g2_0"', "pump_rate is of a quantity in ns"),
        ('kind = "emission"\nof = "lifetime_ns"', "emission is of a quantity in counts/s"),
        ('kind = "linear"\nof = "rate"', "must be out of rate_cps"),
        ('kind = "saturation"\nof = "rate_cps"\nfixed = {I_s = 1}\nknown = {I_s = [1, 0.1]}', "both fixed and known"),
    ],
)
def test_a_fit_that_cannot_be_is_refused_before_anything_is_counted(tmp_path, fit, why):
    with pytest.raises(InputError, match=why):
        load_table(table(tmp_path, f"{SCAN}\n[[fit]]\n{fit}\n"))


def test_a_hom_fit_is_no_source_of_a_parameter(tmp_path):
    hom = '[[fit]]\nkind = "hom"\nname = "hom"\nparallel = "a"\nperpendicular = "b"\n'
    asks = '[[fit]]\nkind = "g2_power"\nof = "g2_0"\nknown = {nbar_per_x = "hom"}\n'
    with pytest.raises(InputError, match="must be a fit above"):
        load_table(table(tmp_path, f"{SCAN}\n{hom}\n{asks}"))


@pytest.mark.parametrize(
    ("unit", "spot", "per"),
    [("W/cm2", None, 1.0), ("kW/cm2", None, 1e3), ("mW/cm2", None, 1e-3), ("MW/cm2", None, 1e6),
     ("uW", 2.0, 1e-6 / 2e-8), ("uW", None, 0.0), ("V", 2.0, 0.0), ("W/m2", None, 0.0)],
)  # fmt: skip
def test_units_of_intensity(unit, spot, per):
    assert per_cm2(unit, spot) == pytest.approx(per)


# ---- quantities


def test_quantities_by_path():
    summary = {
        "studies": {"fit": {"rows": {"bright": {"t1": Estimate(20.0, 1.0, 18.0, 22.0).plain()}}, "reason": None}},
        "states": [{"name": "bright", "lifetime_ns": 9.0, "lifetime_error_ns": 0.1}],
        "late": {"reason": "too few photons"},
    }
    rows = {"all": {"rate_cps": None}, "dark": {}, "bright": {"g2_0": 0.1, "g2_low": 0.05, "g2_high": 0.2}}
    fake = Counted(None, summary, rows, None)
    assert find(fake, "studies.fit.rows.{state}.t1", "brightest") == Estimate(20.0, 1.0, 18.0, 22.0)
    assert find(fake, "states.bright.lifetime_ns") == Estimate(9.0, 0.1)
    assert find(fake, "states.0.lifetime_ns").value == 9.0
    assert find(fake, "g2_0", "bright") == Estimate(0.1, None, 0.05, 0.2)
    assert "not found, there is bright" in find(fake, "studies.fit.rows.grey.t1").reason
    assert find(fake, "late.value").reason == "too few photons"
    assert "is no number" in find(fake, "studies.fit").reason
    assert find(Counted(None, {}, {"all": {"g2_0": 0.4, "g2_reason": "peaks overlap"}}, None), "g2_0").value is None
    assert "is no number" in find(Counted(None, {}, {"all": {"photons": [1, 2]}}, None), "photons").reason
    assert "no state 'red'" in find(fake, "g2_0", "red").reason
    assert "no quantity 'colour'" in find(fake, "colour", "bright").reason
    assert find(fake, "rate_cps").value is None


def test_units_by_name():
    assert [unit_of(one) for one in ("rate_cps", "studies.fit.rows.all.t1_ns", "g2_0", "x.e_mev")] == [
        "counts/s", "ns", "", "meV"
    ]  # fmt: skip


def test_numbers_in_words():
    assert with_error(22.512, 0.54) == "22.51 ± 0.54"
    assert with_error(893600, 1800) == "(8.936 ± 0.018)e+05"
    assert with_error(3.2e-14, 1e-16) == "(3.200 ± 0.010)e-14"
    assert with_error(12.3456, None) == "12.35"
    assert told("I_s", Estimate(None, None, 337.0, None, "not reached"), "W/cm2") == "I_s > 337 W/cm2"
    assert told("A", unknown("why"), "") == "A: not determined"


def test_a_quotient_turns_its_interval_round():
    one = scaled(Estimate(50.0, 1.0, 48.0, 52.0), 1e3, inverse=True)
    assert (one.low, one.high) == pytest.approx((1e3 / 52, 1e3 / 48))
    assert one.value == pytest.approx(20, rel=1e-3)
    assert scaled(Estimate(None, None, 300.0, None, "not reached"), 2.0, inverse=True).high == pytest.approx(2 / 300)


class Ticks:
    tick_s = 1e-6


def telegraph(rng, dwell_s, seconds, bin_s=None):
    """Segments of an emitter of 20 and 100 kcps: bins, or where bin_s is None from change to change."""
    ends = np.cumsum(rng.exponential(dwell_s, int(4 * seconds / dwell_s) + 20))
    ends = np.append(ends[ends < seconds], seconds)
    lengths, bright = np.diff(ends, prepend=0.0), np.arange(len(ends)) % 2 == int(rng.integers(2))
    if bin_s is None:
        counts, stops = rng.poisson(lengths * np.where(bright, 100e3, 20e3)), ends
    else:
        stops = np.arange(1, round(seconds / bin_s) + 1) * bin_s
        light = np.append(0.0, np.cumsum(lengths * np.where(bright, 100e3, 20e3)))
        counts = rng.poisson(np.diff(np.interp(stops, np.append(0.0, ends), light), prepend=0.0))
    ticks = np.rint(stops * 1e6).astype(np.int64)
    return np.stack([np.append(0, ticks[:-1]), ticks, np.zeros_like(ticks), counts], axis=1)


def test_a_steady_rate_is_known_as_well_as_its_photons_are():
    rng, starts = np.random.default_rng(1), np.arange(2000) * 10_000
    steady = np.stack([starts, starts + 10_000, np.zeros(2000), rng.poisson(100, 2000)], axis=1).astype(np.int64)
    assert slow_error(steady, Ticks) is None
    assert slow_error(steady[:40], Ticks) is None
    assert slow_error(steady[:0], Ticks) is None


@pytest.mark.parametrize("bin_s", [0.01, None])
@pytest.mark.parametrize("dwell_s", [0.1, 0.5, 1.0])
def test_a_rate_that_blinks_is_known_no_better_than_it_blinks(dwell_s, bin_s):
    rng, held, errors, rates = np.random.default_rng(2), 0, [], []
    for _ in range(200):
        lines = telegraph(rng, dwell_s, 20.0, bin_s)
        rate, error = lines[:, 3].sum() / 20.0, slow_error(lines, Ticks)
        assert error is not None
        held += abs(rate - 60e3) < 1.96 * error
        errors.append(error)
        rates.append(rate)
    assert held >= 0.88 * 200  # by chance below in 1 of 1000 of 95 % intervals
    assert 0.8 < np.median(errors) / np.std(rates) < 1.5


# ---- the command


def test_the_command_prints_one_object_and_leaves_figures(tmp_path):
    text = """
        [scan]
        variable = "power"
        [options]
        duration = 0.3
        [[run]]
        file = "simulate:steady"
        power = 1
        options = { nbar = 0.1 }
        [[run]]
        file = "simulate:steady"
        power = 2
        options = { nbar = 0.2 }
        [[run]]
        file = "bad.ptu"
        power = 3
        [[fit]]
        kind = "power_law"
        of = "rate_cps"
    """
    (tmp_path / "bad.ptu").write_bytes(b"\0" * 100)
    done = subprocess.run(
        [sys.executable, "-m", "streamer", "series", table(tmp_path, text), "--json", "--out", tmp_path / "out"],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    values = json.loads(done.stdout)
    assert values["fits"][0]["parameters"]["exponent"]["value"] == pytest.approx(1, abs=0.15)
    assert values["fits"][0]["left_out"][0]["run"] == "bad.ptu"
    assert sum("bad.ptu" in line for line in done.stderr.splitlines()) == 1
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"series.json", "series.csv", "power_law_of_rate_cps.png", "power_law_of_rate_cps.svg"}
