"""The spool: PTU files that are valid from their first moment, whatever becomes of the disk."""

from __future__ import annotations

from errno import ENOSPC
from io import FileIO

import numpy as np
import ptufile
import pytest

from sources.devices.spool import Spool
from sources.layouts.ptu_header import read_header
from sources.ptu import open_source

TAGS = [
    ("Measurement_Mode", -1, 3),
    ("HW_Type", -1, "HydraHarp 400"),
    ("HW_Version", -1, "2.0"),
    ("HWInpChan_Offset", 0, -5),
    ("HWInpChan_Offset", 1, 7),
    ("MeasDesc_GlobalResolution", -1, 1.25e-08),
    ("MeasDesc_Resolution", -1, 1.6e-11),
    ("MeasDesc_AcquisitionTime", -1, 360_000_000),
    ("TTResult_SyncRate", -1, 80_000_000),
    ("TTResultFormat_TTTRRecType", -1, 0x01010304),
]


@pytest.fixture
def spool(tmp_path):
    made = []

    def make(**options):
        made.append(Spool(tmp_path / "run.ptu", TAGS, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def block(*words):
    return memoryview(np.asarray(words, np.uint32).tobytes())


def times(path):
    return [int(t) for chunk in open_source(str(path), {}).chunks() for t in chunk.time]


def test_valid_before_the_first_record_and_after_each(spool, tmp_path):
    one = spool()
    assert one.begin()
    path = tmp_path / "run.ptu"
    assert (read_header(path).records, read_header(path).hardware) == (0, "HydraHarp 400 2.0")
    assert one.append(block(1, 2)) == 2
    assert times(path) == [1, 2]
    assert one.append(block(3)) == 1
    assert times(path) == [1, 2, 3]
    (line,) = read_header(path).warnings
    assert "says 0" in line
    one.close()
    one.close()
    assert read_header(path).warnings == ()


def test_another_reader_agrees(spool, tmp_path):
    one = spool()
    one.begin(("Streamer_StartSeconds", -1, 1.5))
    one.append(block(1, 0xFE000002, 3 | 1 << 25))
    one.close()
    with ptufile.PtuFile(tmp_path / "run.ptu") as other:
        assert other.tags["TTResult_NumberOfRecords"] == 3
        assert other.tags["HWInpChan_Offset"] == [-5, 7]
        assert other.tags["Streamer_StartSeconds"] == 1.5
        assert 0 <= other.tags["TTResult_StopAfter"] < 5000
        records = other.decode_records()
    assert records["time"][records["channel"] >= 0].tolist() == [1, 2 * 1024 + 3]


def test_files_of_one_run(spool, tmp_path):
    one = spool(rotate=70_000)
    (tmp_path / "run_001.ptu").write_text("of another run")
    one.begin()
    assert not one.full
    one.append(memoryview(bytes(80_000)))
    assert one.full
    assert one.begin()
    one.append(block(5))
    assert [path.name for path in one.paths] == ["run.ptu", "run_002.ptu"]
    assert (one.records, one.total) == (1, 20_001)
    assert (tmp_path / "run_001.ptu").read_text() == "of another run"
    one.close()
    assert [read_header(path).records for path in one.paths] == [20_000, 1]


def test_nothing_is_written_over(spool, tmp_path):
    (tmp_path / "run.ptu").write_text("data")
    one = spool()
    assert not one.begin()
    assert "exists" in one.failed
    assert (tmp_path / "run.ptu").read_text() == "data"
    assert one.append(block(1)) == 0


@pytest.mark.parametrize("room", range(9))
def test_full_disk_leaves_whole_records(spool, tmp_path, monkeypatch, room):
    """The disk takes `room` bytes more; what is there already can still be changed."""

    class Full(FileIO):
        limit = 1 << 30

        def write(self, data):
            if self.tell() >= Full.limit:
                raise OSError(ENOSPC, "No space left on device")
            return super().write(data[: Full.limit - self.tell()])

    monkeypatch.setattr("sources.devices.spool.FileIO", Full)
    one = spool()
    one.begin()
    one.append(block(1, 2))
    Full.limit = one.offset + 8 + room
    assert one.append(block(3, 4, 5)) == room // 4
    assert "No space left" in one.failed
    assert times(tmp_path / "run.ptu") == [1, 2, 3, 4, 5][: 2 + room // 4]
    assert read_header(tmp_path / "run.ptu").warnings == ()
    assert one.append(block(6)) == 0
    assert not one.begin()
