"""Recordings in PicoQuant's formats before PTU, made field by field, and what tests of all of them do with a source."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from sources.reading.record_state import TICKS
from streamer.errors import InputError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
REFERENCE = json.loads((SHARED / "reference.json").read_text()) if (SHARED / "reference.json").exists() else {}


def real_files(*suffixes):
    """Parametrises a test over the shared recordings with these suffixes."""
    names = sorted(name for name in REFERENCE if name.endswith(suffixes))
    return pytest.mark.parametrize(
        "name", names or [pytest.param("", marks=pytest.mark.skip("the shared recordings are not here"))]
    )


def records(words, tail):
    return np.asarray(words, "<u4").tobytes() + tail


def settings_end():
    """What stands behind the acquisition time: display, curves, parameters, repetition, script."""
    return struct.pack("<8i", 65535, *[0] * 7) + bytes(64 + 36 + 16) + b"TTTR Mode\0e Mode".ljust(20, b"\0")


def pt(
    words=(), *, mode=3, ident=b"PicoHarp 300", version=b"2.0", bits=32, tacq=5000, resolution=0.004, rate=10_000_000,
    stopped=2500, count=None, special=b"", words_special=None, hardware=b"PicoHarp 300", tail=b"", pad=b"\0",
):  # fmt: skip
    """A .pt2 or .pt3 file."""
    head = ident.ljust(16, pad) + version.ljust(6, pad) + bytes(18 + 12 + 18) + b"\r\n" + bytes(256)
    head += struct.pack("<10i", 0, bits, 4, 1, 0, mode, 0, 0, 0, tacq) + settings_end()
    head += hardware.ljust(16, pad) + b"2.0".ljust(8, pad)
    head += struct.pack("<6i f 2i", 1013244, 8, 5, 15, 10, 250, resolution, 0, 0) + bytes(96)
    count = len(words) if count is None else count
    size = len(special) // 4 if words_special is None else words_special
    head += struct.pack("<9i", 0, 0, 0, rate, 170, stopped, 0, count, size)
    return head + special + records(words, tail)


def ht(
    words=(), *, mode=3, ident=b"HydraHarp", version=b"2.0", bits=32, tacq=5000, resolution=None, inputs=4,
    rate=10_000_000, stopped=2500, count=None, special=b"", words_special=None, tail=b"",
):  # fmt: skip
    """An .ht2 or .ht3 file."""
    if resolution is None:
        resolution = 16.0 if mode == 3 else 0.5 if version == b"1.0" else 1.0
    head = ident.ljust(16, b"\0") + version.ljust(6, b"\0") + bytes(18 + 12 + 18) + b"\r\n" + bytes(256)
    head += struct.pack("<6i d 2i", 0, bits, 0, mode, 0, 4, resolution, 0, tacq) + settings_end()
    head += b"HydraHarp 400".ljust(16, b"\0") + b"930021".ljust(8, b"\0") + struct.pack("<2i", 1018786, 4) + bytes(80)
    head += struct.pack("<d q 8i", 1.0, 15, inputs, 0, 0, 0, 1, 50, 10, -10000)
    head += bytes(20 * max(inputs, 0))
    count = len(words) if count is None else count
    size = len(special) // 4 if words_special is None else words_special
    head += struct.pack("<4i q", rate, stopped, 0, size, count)
    return head + special + records(words, tail)


def t3r(
    words=(), *, mode=2, ident=b"TimeHarp 200", version=b"5.0", bits=32, boards=1, tacq=60000, resolution=0.07,
    clock=100, rate=5_000_000, stopped=9344, count=None, special=b"", words_special=None, tail=b"",
):  # fmt: skip
    """A .t3r file of format version 5.0 or 6.0."""
    head = ident.ljust(16, b"\0") + version.ljust(6, b"\0")
    head += b"2.4\0\0\0" if version == b"5.0" else bytes(18 + 12)
    head += bytes(18) + b"\r\n" + bytes(256)
    head += struct.pack("<11i", 4096, 0, bits, 1, boards, 0, mode, 0, 1, 0, tacq) + settings_end()
    if version != b"5.0":
        head += b"TimeHarp 200".ljust(16, b"\0") + b"2.5".ljust(8, b"\0")
    head += struct.pack("<5i f", 76, 20, 50, -300, 0, resolution)
    count = len(words) if count is None else count
    size = len(special) // 4 if words_special is None else words_special
    head += struct.pack("<13i", clock, 0, 0, 0, 0, 0, 0, rate, 7624, stopped, 3, count, size)
    return head + special + records(words, tail)


def read(source):
    """(time, nanotime, channel, marker time, marker) and the last tick; and that the chunks keep their promises."""
    chunks = list(source.chunks())
    now = 0
    for chunk in chunks:
        assert chunk.start == now < chunk.stop
        now = chunk.stop
        assert (chunk.time.dtype, chunk.channel.dtype, chunk.nanotime.dtype) == (np.int64, np.uint8, np.uint16)
        assert len(chunk.channel) == len(chunk.time)
        assert len(chunk.nanotime) == (len(chunk.time) if source.info.mode == "T3" else 0)
        if len(chunk.time):
            assert chunk.start <= chunk.time[0]
            assert chunk.time[-1] < chunk.stop
            assert not (np.diff(chunk.time) < 0).any()
        assert (chunk.marker_time < chunk.stop).all()
    columns = ("time", "nanotime", "channel", "marker_time", "marker")
    joined = [np.concatenate([getattr(c, name) for c in chunks]) if chunks else np.empty(0) for name in columns]
    return joined, now


def same(one, other):
    """Two results of `read` are equal."""
    assert one[1] == other[1]
    for left, right in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(left, right)


def check_reference(name, source, wrap):
    """A real recording has every figure that `reference.json` gives for it; returns what was read."""
    figures = REFERENCE[name]
    (times, nanotime, channel, marker_time, marker), _ = read(source)
    assert source.info.tick_s == pytest.approx(figures["tick_s"], rel=1e-15)
    values, counts = np.unique(channel, return_counts=True)
    assert dict(zip(map(str, values), counts, strict=True)) == figures["photons_per_raw_channel"]
    assert len(times) == figures["photons"]
    if len(times):
        assert (times[0], times[-1]) == (figures["first_tick"], figures["last_tick"])
        assert times[-1] * source.info.tick_s == pytest.approx(figures["span_s"], abs=1e-6)
    assert len(marker) == figures["markers"]
    assert source._reader._state[TICKS] == figures["overflow_total"] * wrap
    end = source.end()
    assert (end.reason, end.records) == ("end of file", figures["records"])
    assert end.sync_records == figures.get("sync_records", 0)
    assert source.info.hardware.startswith(figures["header"]["HW"])
    if "trace" in figures:
        bins = np.bincount((times * (source.info.tick_s / 0.010)).astype(np.int64))[: figures["trace"]["n"]]
        assert bins.mean() == pytest.approx(figures["trace"]["mean"], abs=2e-3)
    return times, nanotime, channel, marker_time, marker


def fuzz(open_source, folder, content, seed, cases=300):
    """Damaged files give the true beginning of a stream or one line; returns how many were read to their end."""
    rng, whole = np.random.default_rng(seed), 0
    path = folder / "case"
    path.write_bytes(content)
    truth = read(open_source(str(path), {}))[0]
    for case in range(cases):
        data, cut = bytearray(content), case % 3 == 0
        if cut:
            del data[int(rng.integers(0, len(data))) :]
        for _ in range(0 if cut else int(rng.integers(1, 5))):
            at = int(rng.integers(0, 900 if case % 2 else len(data)))
            size = int(rng.choice([1, 2, 4, 8]))
            data[at : at + size] = rng.choice([rng.bytes(size), b"\xff" * size, b"\0" * size, b"\x7f" * size])
        path.write_bytes(data)
        try:
            photons = read(open_source(str(path), {}))[0]
        except InputError as error:
            if "\n" in str(error):
                raise AssertionError(f"case {case}: not one line") from error
            continue
        whole += 1
        if cut:
            for got, true in zip(photons, truth, strict=True):
                np.testing.assert_array_equal(got, true[: len(got)])
    return whole
