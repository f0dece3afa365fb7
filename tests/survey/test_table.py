"""Rows and totals of a survey, and the files and the picture that they are written to."""

import csv
import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from sinks.survey_figure import write as draw
from streamer.batch import analyse
from streamer.errors import InputError
from streamer.survey import Dot, Plan, Row, run_survey, values_of
from streamer.survey.files import write_table
from streamer.survey.picture import picture
from streamer.survey.table import COLUMNS
from tests.survey.ends import G2, PLAN, SETTINGS, SHORT, dots, nobody


@pytest.fixture(scope="module")
def rows():
    """One of each kind: single, not single, hopeless, one detector, unreadable."""
    some = [
        *dots("simulate:single", "simulate:poisson"),
        Dot(3, "simulate:poisson", {"duration": "20", "rate": "300"}),
        Dot(4, "simulate:steady", SHORT | {"detectors": "1"}),
        Dot(5, "no such.ptu"),
    ]
    return run_survey(some, PLAN, nobody)


def test_rows_say_what_was_found_out_and_what_it_cost(rows):
    single, other, hopeless, deaf, gone = rows
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert (single.verdict, other.verdict) == ("single", "not single")
    for row in (single, other):
        assert row.stopped_on == "g2"
        assert row.reason.startswith(row.verdict)
        assert row.used_s + row.saved_s == pytest.approx(6.0)
        assert row.rate_cps == pytest.approx(40000, rel=0.1)
        assert row.low <= row.g2_0 <= (row.high or np.inf)
    assert single.high <= 0.5 <= other.low
    assert (hopeless.verdict, hopeless.stopped_on) == ("undecidable", "g2")
    assert hopeless.used_s + hopeless.saved_s == pytest.approx(20.0)
    assert deaf.verdict == gone.verdict == "refused"
    assert "two detectors" in deaf.reason
    assert "cannot be read" in gone.reason
    assert (gone.used_s, gone.photons) == (None, None)


def test_a_row_is_what_batch_finds(rows):
    pipeline = analyse("simulate:single", SETTINGS, SHORT | {"seed": "1"})
    record = pipeline.stopping.record(6.0)
    row = rows[0]
    assert (row.used_s, row.saved_s, row.photons) == (record["used_s"], record["saved_s"], record["photons"])
    assert (row.reason, row.high) == (record["words"], record["evidence"]["high"])


def test_joined_rules_say_which_of_them_stopped():
    for tree, told in (
        ({"any": [G2, {"rule": "exposure", "seconds": 0.1}]}, ["exposure"]),
        (
            {"all": [{"any": [G2, {"rule": "photons", "photons": 9}]}, {"rule": "exposure", "seconds": 0.1}]},
            ["any", "exposure"],
        ),
        ({"not": {"rule": "exposure", "seconds": 9}}, ["not exposure"]),
        ({"rule": "photons", "photons": 9, "for_s": 0.1}, ["photons"]),
    ):
        pipeline = analyse("simulate:single", SETTINGS.model_copy(update={"stop": tree}), SHORT | {"seed": "1"})
        assert pipeline.stopping.record(6.0)["stopped_on"] == told


def test_the_planned_exposure_can_be_given(rows):
    row = run_survey(dots("simulate:single"), Plan(SETTINGS, 100.0), nobody)[0]
    assert row.used_s == rows[0].used_s
    assert row.saved_s == pytest.approx(100.0 - row.used_s)


def test_the_table_reads_back(rows, tmp_path):
    values = values_of(rows, G2, "a test", 99.0)
    write_table(tmp_path, values)
    with (tmp_path / "survey.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    with h5py.File(tmp_path / "survey.h5") as file:
        group = file["dots"]
        assert json.loads(file.attrs["rules"]) == G2
        assert (file.attrs["rules_from"], file.attrs["budget_s"], file.attrs["format_version"]) == ("a test", 99.0, 1)
        assert json.loads(file.attrs["totals"]) == values["totals"]
        assert list(group.attrs["columns"]) == list(group[next(iter(COLUMNS))].parent.attrs["columns"]) == list(COLUMNS)
        for name, (unit, told) in COLUMNS.items():
            assert (group[name].attrs["unit"], group[name].attrs["description"]) == (unit, told)
            for at, row in enumerate(rows):
                value, text = getattr(row, name), lines[at][name]
                stored = group[name][at]
                if isinstance(value, str):
                    assert text == value == stored.decode()
                elif value is None:
                    assert text == ""
                    assert np.isnan(stored) or stored == group[name].attrs["unknown"]
                else:
                    assert float(text) == value == stored
    assert sorted(path.name for path in tmp_path.iterdir()) == ["survey.csv", "survey.h5"]


def test_totals_add_up(rows):
    totals = values_of(rows, G2, "", None)["totals"]
    assert totals["dots"] == 5
    assert list(totals["verdicts"])[-1] == "refused"
    assert sum(one["dots"] for one in totals["verdicts"].values()) == 5
    assert totals["used_s"] == pytest.approx(sum(row.used_s or 0 for row in rows))
    assert totals["planned_s"] == pytest.approx(32.0)
    assert totals["saved_share"] == pytest.approx(totals["saved_s"] / 32.0)


def test_an_empty_survey_has_a_table_and_no_picture(tmp_path):
    values = values_of([], G2, "", None)
    write_table(tmp_path, values)
    assert (tmp_path / "survey.csv").read_text(encoding="utf-8").strip() == ",".join(COLUMNS)
    assert draw(tmp_path, [picture(values)]) == []


def test_the_picture_is_drawn_of_any_verdicts(rows, tmp_path):
    other = replace(rows[0], number=6, verdict="bleached", planned_s=None, saved_s=None)
    paths = draw(tmp_path, [picture(values_of([*rows, other], G2, "", None))])
    assert [path.name for path in paths] == ["survey.png"]
    assert paths[0].read_bytes()[:4] == b"\x89PNG"
    assert draw(tmp_path, [picture(values_of(rows[-1:], G2, "", None))])


def test_a_full_disk_is_one_line(rows, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match=r"the survey cannot be written .* choose another --out"):
        write_table(tmp_path / "taken", values_of(rows, G2, "", None))


def test_every_column_is_a_field_of_a_row():
    assert set(Row(1, "a", "refused", "why").plain()) == set(COLUMNS)
