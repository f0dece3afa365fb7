"""Survey: rows, shares of a budget, streams parted by markers, dots sent to a daemon, and the table on disk."""

import csv
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

from sinks.ptu import PtuWriter
from sinks.survey_figure import write as draw
from streamer import stop_rules
from streamer.batch import analyse
from streamer.chunk import Chunk
from streamer.config import Settings
from streamer.errors import InputError
from streamer.registry import open_source
from streamer.survey import Dot, Plan, Row, run_marked, run_survey, values_of
from streamer.survey.command import Asked, survey
from streamer.survey.dots import Count, met_rules
from streamer.survey.files import write_table
from streamer.survey.marked import pieces
from streamer.survey.picture import picture
from streamer.survey.purse import FACTOR, KEPT, Purse, look_s, tightened, within
from streamer.survey.table import COLUMNS
from streamer.transport import Control

STREAMER = [sys.executable, "-m", "streamer"]
DEADLINE_S = 120.0
G2 = {"rule": "g2", "budget_s": 60.0}
SETTINGS = Settings(studies=(), stop=G2)
PLAN = Plan(SETTINGS)
SHORT = {"duration": "6", "rate": "40000"}


def call(*arguments):
    return subprocess.run(
        [*STREAMER, "survey", *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


def dots(*addresses, **options):
    return [Dot(at, one, SHORT | {"seed": str(at)} | options) for at, one in enumerate(addresses, 1)]


def nobody(row):
    pass


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


# ---- rows


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
    assert hopeless.verdict == "undecided"  # 20 s are over before 60 s are hopeless
    assert (hopeless.stopped_on, hopeless.saved_s, hopeless.used_s) == ("", 0.0, pytest.approx(20.0))
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
    tree = {"any": [G2, {"rule": "g2", "state": "all"}, {"all": [G2]}]}
    row = run_survey(dots("simulate:poisson"), Plan(Settings(studies=(), stop=tree)), nobody)[0]
    assert row.verdict == "not single"
    assert row.stopped_on == "g2 2"  # states are not known at the first looks
    assert row.state == "brightest"
    assert met_rules(tree, "g2 1: single; and so on; all: g2: single") == ["g2 1", "all"]
    assert met_rules({"not": G2}, "not g2: undecided") == ["not g2"]


def test_the_planned_exposure_can_be_given(rows):
    row = run_survey(dots("simulate:single"), Plan(SETTINGS, 100.0), nobody)[0]
    assert row.used_s == rows[0].used_s
    assert row.saved_s == pytest.approx(100.0 - row.used_s)


# ---- the table


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


# ---- the budget


def test_a_purse_never_deals_more_than_there_is_and_keeps_some_for_every_dot():
    random = np.random.default_rng(5)
    for count in (1, 2, 7, 50):
        for hard in (0.0, 0.5, 1.0):
            purse, used, done = Purse(10.0 * count, count, SETTINGS), 0.0, 0
            while done < count:
                many, allowed = purse.deal()
                assert KEPT * 10 - 0.05 <= allowed <= FACTOR * purse.left_s / purse.left_dots + 1e-9
                for _ in range(many):
                    one = allowed if random.random() < hard else 0.1 * allowed
                    purse.take(one)
                    used, done = used + one, done + 1
            assert done == count
            assert used <= 10.0 * count + 1e-9


def test_what_easy_dots_save_is_for_hard_ones():
    purse = Purse(600.0, 60, SETTINGS)
    _, before = purse.deal()
    for _ in range(30):
        purse.take(0.5)
    _, after = purse.deal()
    assert after > 1.9 * before


def test_a_budget_that_leaves_no_time_to_look_is_refused():
    with pytest.raises(InputError, match=r"--budget 3: is 0.01 s for each of 300 dots.*give \d+ or more"):
        Purse(3.0, 300, SETTINGS)


def test_rules_are_tightened_and_never_loosened():
    tree = {"any": [{"rule": "g2"}, {"rule": "g2", "budget_s": 2.0}, {"not": {"rule": "g2", "budget_s": 60.0}}]}
    found = tightened(tree, 10.0)
    assert [part.get("budget_s") for part in found["any"]] == [10.0, 2.0, None]
    assert found["any"][2] == tree["any"][2]
    assert "budget_s" not in tree["any"][0]
    stop_rules.check(found)
    assert within(SETTINGS, None) is SETTINGS
    assert within(SETTINGS, 5.0).stop["budget_s"] == pytest.approx(5.0 - look_s(SETTINGS))


def test_a_share_is_kept_to_the_tick_whatever_the_rules():
    never = {"all": [{"rule": "g2", "budget_s": 1e3, "give_up": 0.0}, {"not": {"rule": "g2", "give_up": 0.0}}]}
    source = open_source("simulate:single", SHORT)
    count = Count(source.info, SETTINGS.model_copy(update={"stop": never}), 1.23)
    stopped = [count.feed(chunk) for chunk in source.chunks()]
    assert sum(stopped) == 1
    assert count.pipeline.stream_s == pytest.approx(1.23, abs=source.info.tick_s)
    assert count.why.startswith("budget: its share")


def budgeted(workers, told=nobody):
    some = dots(*["simulate:single", "simulate:poisson", "simulate:"] * 6, rate="8000")
    return run_survey(some, PLAN, told, workers=workers, budget_s=40.0)


def test_a_budget_is_kept_and_shared_alike_by_any_number_of_workers(tmp_path):
    heard = []
    one, two = budgeted(1), budgeted(2, heard.append)
    assert one == two
    assert sorted(heard, key=lambda row: row.number) == two
    assert sum(row.used_s for row in one) <= 40.0
    assert all(row.used_s <= row.allowed_s for row in one)
    assert len({row.allowed_s for row in one}) > 3  # what was saved is passed on
    for name, rows in (("one", one), ("two", two)):
        write_table(tmp_path / name, values_of(rows, G2, "", 40.0))
    assert (tmp_path / "one/survey.csv").read_bytes() == (tmp_path / "two/survey.csv").read_bytes()


def test_a_hopeless_dot_is_given_up_before_its_share_is_used():
    some = [Dot(1, "simulate:steady", {"duration": "60", "rate": "3000", "eta_bx": "0.45"})]
    row = run_survey(some, PLAN, nobody, budget_s=30.0)[0]
    assert row.verdict == "undecidable"
    assert row.used_s < 25.0
    assert "below 0.05" in row.reason


# ---- dots parted by markers


def parted(told, **options):
    return run_marked("simulate:", {"duration": "12", "next_dot": "2:5", "rate": "60000"} | options, PLAN, 2, told)


def test_a_dot_between_markers_is_what_it_would_be_as_a_recording_of_its_own(tmp_path):
    heard = []
    assert parted(heard.append, bleach="exp:3", mode="T3") == 3
    source = open_source("simulate:", {"duration": "12", "next_dot": "2:5", "rate": "60000", "bleach": "exp:3"})
    writers = {}
    for number, _, piece in pieces(source.chunks(), 2):
        if number not in writers:
            writers[number] = PtuWriter(tmp_path / f"{number}.ptu", source.info)
        writers[number].write(replace(piece, marker_time=piece.marker_time[:0], marker=piece.marker[:0]))
    for writer in writers.values():
        writer.close()
    alone = run_survey([Dot(at, str(tmp_path / f"{at}.ptu")) for at in (1, 2, 3)], PLAN, nobody)
    for mine, own in zip(heard, alone, strict=True):
        for name in ("verdict", "used_s", "photons", "low", "high", "central", "stopped_on"):
            assert getattr(mine, name) == getattr(own, name), name
        assert mine.accidental == pytest.approx(own.accidental, rel=1e-6)
    assert [row.part for row in heard] == [1, 2, 3]
    assert [row.began_s for row in heard] == pytest.approx([0.0, 5.0, 10.0], abs=1e-6)
    assert [row.planned_s for row in heard] == pytest.approx([5.0, 5.0, 2.0], abs=1e-6)


@pytest.mark.parametrize("chunk_ms", ["7", "50", "3000"])
def test_chunks_do_not_matter_to_parted_dots(chunk_ms):
    first, second = [], []
    parted(first.append)
    parted(second.append, chunk_ms=chunk_ms)
    assert first == second


def test_pieces_begin_at_their_marker():
    def chunk(start, stop, *marks, lost=0):
        time = np.arange(start, stop, 5)
        empty = np.zeros(len(time), np.uint16)
        return Chunk(start, stop, time, empty, empty.astype(np.uint8), np.array([m for m, _ in marks], np.int64),
                     np.array([b for _, b in marks], np.uint8), lost)  # fmt: skip

    found = list(pieces([
        chunk(0, 10, (3, 1)), chunk(10, 20, (12, 2)), chunk(20, 30), chunk(35, 40, (35, 3), (35, 2)),
        chunk(40, 50, (49, 2), (44, 2)),
    ], 2))  # fmt: skip
    assert [(n, began, piece.start, piece.stop) for n, began, piece in found] == [
        (1, 12, 0, 8), (1, 12, 8, 18), (2, 35, 0, 5), (2, 35, 5, 9), (3, 44, 0, 5), (4, 49, 0, 1),
    ]  # fmt: skip
    assert found[0][2].time.tolist() == [3]
    assert found[1][2].time.tolist() == [8, 13]


def test_a_stream_without_the_marker_is_refused():
    heard = []
    assert run_marked("simulate:single", SHORT, PLAN, 1, heard.append) == 1
    assert heard[0].verdict == "refused"
    assert "no marker on input 1" in heard[0].reason


def test_parted_dots_share_a_budget_and_can_be_few():
    heard = []
    purse = Purse(4.0, 2, SETTINGS)
    options = {"duration": "60", "next_dot": "1:5", "rate": "2000"}
    assert run_marked("simulate:poisson", options, PLAN, 1, heard.append, most=2, purse=purse) == 2
    assert sum(row.used_s for row in heard) <= 4.0
    assert all(row.verdict == "undecidable" for row in heard)


# ---- the command


def test_the_command_writes_prints_and_names_what_it_could_not_read(tmp_path):
    done = call("simulate:single", "no such.ptu", "--json", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no such.ptu: cannot be read" in done.stderr
    values = json.loads(done.stdout)
    assert values["rules"] == {"rule": "g2", "budget_s": 60.0, "give_up": 0.05, "for_s": 5.0}
    assert values["rules_from"].startswith("the default")
    assert [dot["verdict"] for dot in values["dots"]] == ["single", "refused"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["survey.csv", "survey.h5", "survey.png"]


def test_two_workers_and_a_table_for_people():
    done = call("simulate:single", "simulate:poisson", "--workers", 2, "--rules", 'rule="g2"', "--budget", 30)
    assert done.returncode == 0, done.stderr
    assert '{"rule": "g2"} (--rules)' in done.stdout
    assert "of exposure used" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "give recordings or addresses"),
        (["simulate:", "--budget", "0"], "--budget 0: must be a number of seconds above 0"),
        (["simulate:", "--budget", "nan"], "--budget nan"),
        (["simulate:", "--budget", "0.1"], "too short to look at them; give 1 or more"),
        (["simulate:", "--exposure", "inf"], "--exposure inf"),
        (["simulate:", "--rules", 'rule="g3"'], "--rules.rule: must be one of"),
        (["simulate:", "--next-dot", "9"], "--next-dot 9: must be an input of the card"),
        (["simulate:", "--next-dot", "1", "--workers", "2"], "one after the other"),
        (["simulate:", "--next-dot", "1", "--budget", "10"], "add --dots N"),
        (["simulate:", "--dots", "3"], "--dots 3: is for --serve and --next-dot"),
        (["simulate:", "--serve", "tcp://127.0.0.1:0"], "leave simulate: out"),
        (["--serve", "tcp://127.0.0.1:0", "--next-dot", "1"], "leave it out with --serve"),
        (["--serve", "tcp://127.0.0.1:0", "--set", "seed=1"], "give it to `streamer send`"),
        (["--serve", "tcp://0.0.0.0:7310"], "loopback"),
        (["simulate:", "--set", "seed"], "must look like key=value"),
        (["simulate:", "--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_wrong_usage_is_one_line(arguments, line):
    done = call(*arguments)
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_ctrl_c_leaves_table_and_picture(tmp_path):
    with subprocess.Popen(
        [*STREAMER, "survey", "simulate:steady", "simulate:", "--set", "live=true", "--set", "duration=inf", "--rules",
         'rule="g2"\nfor_s=1e6\nbudget_s=1e7', "--out", str(tmp_path), "--next-dot", "1", "--set", "next_dot=1:1.5"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as going:  # fmt: skip
        try:
            wait_for_dots(tmp_path, 2, going)
            going.send_signal(signal.SIGINT)
            out, err = going.communicate(timeout=DEADLINE_S)
        finally:
            going.kill()
    assert going.returncode == 0, err
    assert "interrupted" in err
    assert "of exposure used" in out
    with (tmp_path / "survey.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {one["verdict"] for one in lines} == {"undecided"}
    assert lines[-1]["reason"].startswith("interrupted")
    assert (tmp_path / "survey.png").exists()


def wait_for_dots(folder, count, process):
    """Until the table, of which survey.h5 is written last, has so many dots; the process must live."""
    path = folder / "survey.h5"
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            with h5py.File(path) as file:
                if len(file["dots/number"]) >= count:
                    return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"no {count} dots in {path}: {process.poll()}")


def send(address, source, *options):
    return subprocess.run(
        [*STREAMER, "send", source, "--to", address, *(word for one in options for word in ("--set", one))],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip


def serving(tmp_path, *arguments):
    return subprocess.Popen(
        [*STREAMER, "survey", "--serve", "tcp://127.0.0.1:0", "--out", str(tmp_path), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_dots_that_are_sent_to_a_daemon(tmp_path):
    with serving(tmp_path, "--dots", "4", "--json", "--rules", 'rule="g2"\nbudget_s=60') as daemon:
        try:
            address = daemon.stderr.readline().split(" at ")[1].split()[0]
            options = ["duration=6", "rate=40000"]
            good = [send(address, f"simulate:{name}", *options, f"seed={at}")
                    for at, name in ((1, "single"), (2, "poisson"))]  # fmt: skip
            bad = send(address, "simulate:steady", *options, "detectors=1")
            wait_for_dots(tmp_path, 3, daemon)
            last = send(address, "simulate:single", "duration=inf", "live=true", "rate=40000")
            out, err = daemon.communicate(timeout=DEADLINE_S)
        finally:
            daemon.kill()
    assert [one.returncode for one in (*good, bad, last)] == [0, 0, 2, 0], [one.stderr for one in (*good, bad, last)]
    assert "rule: single" in good[0].stderr
    assert "two detectors" in bad.stderr
    assert daemon.returncode == 0, err
    values = json.loads(out)
    assert [dot["verdict"] for dot in values["dots"]] == ["single", "not single", "refused", "single"]
    alone = run_survey(dots("simulate:single", "simulate:poisson"), PLAN, nobody)
    for sent, own in zip(values["dots"], alone, strict=False):
        assert {**sent, "name": ""} == {**own.plain(), "name": ""}
    assert (tmp_path / "survey.png").exists()
    assert (tmp_path / "dot_0001/results.npz").exists()


def test_ctrl_c_ends_a_daemon_with_the_dot_that_was_coming(tmp_path):
    rules = 'rule="g2"\nfor_s=1e6\nbudget_s=1e7'
    with serving(tmp_path, "--rules", rules, "--budget", "100", "--dots", "10") as daemon:
        try:
            daemon.stderr.readline()
            address = daemon.stderr.readline().split(" at ")[1].split()[0]
            first = send(address, "simulate:single", "duration=2")
            wait_for_dots(tmp_path, 1, daemon)
            with subprocess.Popen(
                [*STREAMER, "send", "simulate:single", "--to", address, "--set", "duration=inf", "--set", "live=true"],
                stderr=subprocess.PIPE,
            ) as source:
                wait_for_state(address)
                daemon.send_signal(signal.SIGINT)
                out, err = daemon.communicate(timeout=DEADLINE_S)
                source.communicate(timeout=DEADLINE_S)
        finally:
            daemon.kill()
    assert first.returncode == 0
    assert daemon.returncode == 0, err
    assert "2 undecided" in out
    with (tmp_path / "survey.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [one["verdict"] for one in lines] == ["undecided", "undecided"]
    assert lines[1]["reason"].startswith("interrupted")
    assert float(lines[1]["allowed_s"]) == pytest.approx(2 * 98 / 9, abs=0.1)


def wait_for_state(address):
    """Until photons of the second stream are counted."""
    deadline = time.monotonic() + DEADLINE_S
    with Control(address) as control:
        while time.monotonic() < deadline:
            status = control.ask({"do": "status"}, DEADLINE_S)["status"]
            if status["state"] == "running" and status.get("stream_s", 0) > 0.5:
                return
    raise AssertionError("no photons came")


def test_a_daemon_that_is_over_its_share_stops_the_source(tmp_path):
    rules = 'rule="g2"\nfor_s=1e6'
    with serving(tmp_path, "--rules", rules, "--budget", "1.2", "--dots", "1", "--json") as daemon:
        try:
            address = daemon.stderr.readline().split(" at ")[1].split()[0]
            sent = send(address, "simulate:single", "duration=inf", "live=true")
            out, _ = daemon.communicate(timeout=DEADLINE_S)
        finally:
            daemon.kill()
    assert sent.returncode == 0
    dot = json.loads(out)["dots"][0]
    assert dot["stopped_on"] == "budget"
    assert 1.2 <= dot["used_s"] < 10.0


def test_a_hook_moves_on_when_a_parted_live_dot_is_done(tmp_path):
    told = tmp_path / "told"
    write = f"import sys; open({str(told)!r}, 'ab').write(sys.stdin.buffer.read())"
    settings = Settings(studies=(), stop=G2, on_stop=(sys.executable, "-c", write))
    options = {"live": "true", "duration": "2", "next_dot": "1:1", "rate": "60000"}
    heard = []
    assert run_marked("simulate:single", options, Plan(settings), 1, heard.append) == 2
    records = [json.loads(line) for line in told.read_text().splitlines()]
    assert sorted(one["verdict"] for one in records) == [row.verdict for row in heard] == ["single", "single"]


def test_a_survey_in_this_process_keeps_what_the_config_asked_for(capsys):
    asked = Asked(("simulate:poisson",), SHORT, quiet=True)
    assert survey(Settings(stop={"rule": "g2", "state": "all"}), asked, "run.toml", as_json=True) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["rules"], values["rules_from"]) == ({"rule": "g2", "state": "all"}, "run.toml")


def test_every_column_is_a_field_of_a_row():
    assert set(Row(1, "a", "refused", "why").plain()) == set(COLUMNS)
