"""A stream that is parted by markers: each dot is what it would be as a recording of its own."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from sinks.ptu import PtuWriter
from streamer.chunk import Chunk
from streamer.config import Settings
from streamer.registry import open_source
from streamer.survey import Dot, Plan, run_marked, run_survey
from streamer.survey.marked import pieces
from streamer.survey.purse import Purse
from tests.survey.ends import G2, PLAN, SETTINGS, SHORT, nobody


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


def test_a_recording_is_parted_by_the_markers_in_it(tmp_path):
    heard, recorded = [], []
    parted(heard.append)
    source = open_source("simulate:", {"duration": "12", "next_dot": "2:5", "rate": "60000"})
    with PtuWriter(tmp_path / "scan.ptu", source.info) as writer:
        for chunk in source.chunks():
            writer.write(chunk)
    assert run_marked(str(tmp_path / "scan.ptu"), {}, PLAN, 2, recorded.append) == 3
    for mine, own in zip(heard, recorded, strict=True):
        for name in ("verdict", "used_s", "photons", "low", "high", "central", "part"):
            assert getattr(mine, name) == pytest.approx(getattr(own, name)), name
        assert own.planned_s == pytest.approx(mine.planned_s, abs=1e-3)


@pytest.mark.parametrize("chunk_ms", ["13", "3000"])
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


def test_a_hook_moves_on_when_a_parted_live_dot_is_done(tmp_path):
    told = tmp_path / "told"
    write = f"import sys; open({str(told)!r}, 'ab').write(sys.stdin.buffer.read())"
    settings = Settings(studies=(), stop=G2, on_stop=(sys.executable, "-c", write))
    options = {"live": "true", "duration": "2", "next_dot": "1:1", "rate": "60000"}
    heard = []
    assert run_marked("simulate:single", options, Plan(settings), 1, heard.append) == 2
    records = [json.loads(line) for line in told.read_text().splitlines()]
    assert sorted(one["verdict"] for one in records) == [row.verdict for row in heard] == ["single", "single"]
