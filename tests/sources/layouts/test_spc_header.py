"""What is taken for an SPC file, and in which layout: every shared recording, other formats, noise."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest

from sources.layouts.spc_header import PROBE, filler, first_record, fitting, recognise
from sources.layouts.spc_records import FAMILIES

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
REAL = {
    "bh_noise.spc": "spc130",
    "bh_spc132_smfret_m000.spc": "spc130",
    "bh_fcs_point_000.spc": "spc130",
    "bh_spc630_256.spc": "spc600_256",
}
real_files = pytest.mark.skipif(not SHARED.exists(), reason="the shared recordings are not here")


def spc(key, times, clock=500, adc=None, routing=0, head=None):
    """A whole file: photons at these ticks, as the software writes them."""
    family = FAMILIES[key]
    if head is None:
        head = 0x80000000 | clock if family.record_bytes == 4 else 0x1000 | clock << 16
    records, turns = [head], 0
    times = [int(time) for time in times]
    for time, value in zip(times, itertools.repeat(9) if adc is None else adc, strict=False):
        more, turns = time // family.wrap - turns, time // family.wrap
        macro = time % family.wrap
        if key == "spc600_4096":
            records += [0x3000] * (more - 1)
            records.append(
                (0x2000 if more else 0) | int(value) | (macro >> 16) << 16 | routing << 24 | (macro & 0xFFFF) << 32
            )
            continue
        if more > 1:
            records.append(0xC0000000 | more)
        shifts = family.fields[::2]
        records.append(
            (1 << 30 if more == 1 else 0) | macro << shifts[0] | routing << shifts[1] | int(value) << shifts[2]
        )
    return b"".join(record.to_bytes(family.record_bytes, "little") for record in records)


def busy(key, size=300, seed=1):
    """A file in which many photons share a turn of the clock."""
    rng = np.random.default_rng(seed)
    family = FAMILIES[key]
    times = np.cumsum(rng.exponential(family.wrap / 6, size).astype(int) + 1)
    return spc(key, times, adc=rng.integers(0, family.bins, size))


@pytest.fixture
def recognised(tmp_path):
    def ask(content):
        path = tmp_path / "unknown"
        path.write_bytes(content)
        return recognise(path, content[:4096])

    return ask


@real_files
def test_of_the_shared_files_only_the_spc_files_are_taken():
    taken = set()
    for path in SHARED.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                if recognise(path, file.read(4096)):
                    taken.add(path.name)
    assert taken == set(REAL)


@real_files
@pytest.mark.parametrize("name", REAL)
def test_each_shared_file_has_one_layout(name):
    with (SHARED / "spc" / name).open("rb") as file:
        fits = fitting(file.read(PROBE))
    assert list(fits) == [REAL[name]]
    assert fits[REAL[name]].right


@pytest.mark.parametrize("key", FAMILIES)
@pytest.mark.parametrize("seed", range(20))
def test_each_layout_is_told_from_the_others(key, seed, recognised):
    content = busy(key, seed=seed)
    fits = fitting(content)
    assert list(fits) == [key]
    assert fits[key].right
    assert recognised(content)


@pytest.mark.parametrize("key", FAMILIES)
def test_a_damaged_record_does_not_change_the_layout(key):
    content, size = bytearray(busy(key, 1000)), FAMILIES[key].record_bytes
    content[500 * size : 501 * size] = bytes(size)
    assert list(fitting(bytes(content))) == [key]


def test_other_content_is_not_taken(recognised):
    rng = np.random.default_rng(2)
    packed = io.BytesIO()
    np.savez(packed, time=np.arange(5000))
    others = [
        b"", b"\0" * 5000, b"\xff" * 5000, b"\x80" * 5000, b"44054 2856\n" * 500, "größer\n".encode() * 500,
        b"\x89PNG\r\n\x1a\n" + rng.bytes(5000), packed.getvalue(), b"PQTTTR\0\x001.0.00\0\0" + bytes(5000),
        b"\x89HDF\r\n\x1a\n" + rng.bytes(5000), b"SSTT2\0" + b"\xff" * 100,
    ]  # fmt: skip
    assert not any(recognised(content) for content in others)


def test_noise_is_not_taken(recognised):
    rng = np.random.default_rng(3)
    firsts = [b"", (0x80000000 | 250).to_bytes(4, "little"), (0x1000 | 500 << 16).to_bytes(6, "little")]
    for first in firsts:
        for _ in range(100):
            assert not recognised(first + rng.bytes(5000))


def test_the_vendor_s_other_cards_are_not_taken(recognised):
    """DPC-230: a descriptor with bits 31, 30 and 24. SPC-QC-104: overflows are the word 0x80000000."""
    rng = np.random.default_rng(4)
    dpc = np.concatenate(([0xC1000000 | 164], np.sort(rng.integers(0, 1 << 24, 2000)) | 1 << 24)).astype("<u4")
    assert not recognised(dpc.tobytes())
    times = np.cumsum(rng.integers(1, 2000, 2000))
    words = [0x80000000 | 20]
    for before, now in itertools.pairwise([0, *times.tolist()]):
        words += [0x80000000] * (now // 4096 - before // 4096)
        words.append(1 << 28 | 300 << 16 | now % 4096)
    assert not recognised(np.array(words, "<u4").tobytes())


def test_few_records_are_not_enough(recognised):
    assert not recognised(busy("spc130", 8))
    assert not any(one.right for one in fitting(busy("spc130", 8)).values())


def test_a_sparse_file_is_taken_but_its_layout_is_left_open(recognised):
    """An overflow entry before every photon: any layout runs forward."""
    content = spc("spc130", np.arange(1, 200) * 3 * 4096 + 77)
    assert recognised(content)
    assert sorted(fitting(content)) == ["spc130", "spc600_256"]
    assert not any(one.right for one in fitting(content).values())


def test_first_records():
    assert first_record(bytes.fromhex("5f000080"), FAMILIES["spc130"]).clock_s == pytest.approx(9.5e-9)
    assert first_record(bytes.fromhex("fa0000a2"), FAMILIES["spc600_256"]) is None  # marker files are of the 130 family
    assert first_record(bytes.fromhex("760000a4"), FAMILIES["spc600_256"]).raw
    assert first_record(bytes.fromhex("0013f4010000"), FAMILIES["spc600_4096"]).clock_s == pytest.approx(50e-9)
    for wrong in ("", "5f0000", "5f000000", "00000080", "ffffffff", "a40000c1", "5f0000d8"):
        assert first_record(bytes.fromhex(wrong), FAMILIES["spc130"]) is None


@real_files
def test_the_last_record_of_the_fcs_file_is_filler():
    path = SHARED / "spc" / "bh_fcs_point_000.spc"
    assert filler(path, FAMILIES["spc130"], 7515) == 1
    assert path.read_bytes()[-8:] == bytes.fromhex("530b2d0900000000")


@pytest.mark.parametrize("key", FAMILIES)
def test_filler(key, tmp_path):
    family, path = FAMILIES[key], tmp_path / "a.spc"
    content = spc(key, [5, 9])
    for zeros, expected in ((0, 0), (1, 1), (2, 2), (100_000, 100_000)):
        path.write_bytes(content + bytes(zeros * family.record_bytes))
        assert filler(path, family, 2 + zeros) == expected
    at_zero = spc(key, [5, 3 * family.wrap], adc=[7, 0])  # a photon at macro time 0 that may be one
    path.write_bytes(at_zero)
    assert filler(path, family, len(at_zero) // family.record_bytes - 1) == 0
