"""Decode speed of every format: made recordings of each, read through the program's own sources.

The fixed-size records of cards are photons of one rate with the overflows that their clocks need at it. Formats that a
library reads (HDF5, npz, parquet) are there too, with fewer photons.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import table
from sources.layouts.ptu_records import RECORD_TYPES, Layout
from sources.reading.record_file import HarpDecoder, RecordFormat, RecordReader
from sources.reading.recording import CHUNK_RECORDS, RecordingSource, Source
from sources.t3r import T3rDecoder
from streamer.chunk import StreamInfo
from streamer.registry import open_source

TARGET = 100.0  # M records/s
FEWER = 5  # times fewer photons where a library reads
_T2 = StreamInfo("T2", 4e-12)
_T3 = StreamInfo("T3", 4e-7, 64e-12)
Open = Callable[[], Source]


def with_overflows(
    time: NDArray[np.int64], wrap: int, word: Callable[[NDArray[np.int64]], NDArray[np.int64]], overflow: int
) -> NDArray[np.uint32]:
    """The records of photons, each overflow of the clock a record of its own.

    Args:
        time: int64[n], rising ticks.
        wrap: ticks of one overflow.
        word: (time since the last overflow, int64[n]) -> record, int64[n].
        overflow: the record of one.
    """
    wraps = time // wrap
    before = np.diff(wraps, prepend=0)
    records = np.full(len(time) + int(wraps[-1]), overflow, np.uint32)
    records[np.arange(len(time)) + np.cumsum(before)] = word(time - wraps * wrap).astype(np.uint32)
    return records


def _photons(n: int, gap: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(times with this mean gap, channels 0 and 1, nanotimes below 4000)."""
    rng = np.random.default_rng(18)
    return np.cumsum(rng.geometric(1 / gap, n)), rng.integers(0, 2, n), rng.integers(0, 4000, n)


def _harp(path: Path, n: int, layout: Layout) -> Open:
    """Records of a PicoQuant layout without a header; 116 kcps at 2.5 MHz in T3, 400 kcps in T2."""
    pulsed = layout.mode == "T3"
    times, channel, nano = _photons(n, 21.5 if pulsed else 2.5e-6 / 4e-12)
    shift = layout.channel_shift

    def word(rest: NDArray[np.int64]) -> NDArray[np.int64]:
        return channel << shift | (nano << layout.nano_shift if pulsed else 0) | rest

    with_overflows(times, layout.wrap, word, layout.overflow_word).tofile(path)
    info = _T3 if pulsed else _T2
    return lambda: RecordingSource(RecordReader(path, _format(path, info, HarpDecoder(layout)), CHUNK_RECORDS))


def _format(path: Path, info: StreamInfo, decoder: HarpDecoder | T3rDecoder) -> RecordFormat:
    return RecordFormat(info, 0, 4, path.stat().st_size // 4, decoder)


def _t3r(path: Path, n: int) -> Open:
    times, channel, nano = _photons(n, 100)

    def word(rest: NDArray[np.int64]) -> NDArray[np.int64]:
        return 1 << 30 | channel << 28 | nano << 16 | rest

    with_overflows(times, 1 << 16, word, 1 << 27).tofile(path)
    return lambda: RecordingSource(
        RecordReader(path, _format(path, StreamInfo("T3", 1e-7, 24e-12), T3rDecoder(np.inf)), CHUNK_RECORDS)
    )


def _spc130(path: Path, n: int) -> Open:
    times, channel, nano = _photons(n, 800)

    def word(rest: NDArray[np.int64]) -> NDArray[np.int64]:
        return nano << 16 | channel << 12 | rest

    records = with_overflows(times, 1 << 12, word, 0xC0000001)
    np.concatenate((np.array([0x80000000 | 125], np.uint32), records)).tofile(path)
    return _opened(path, "spc", format="spc130", resolution_ps="12", period_ns="50")


def _spc256(path: Path, n: int) -> Open:
    times, channel, nano = _photons(n, 800)

    def word(rest: NDArray[np.int64]) -> NDArray[np.int64]:
        return channel << 25 | rest << 8 | nano // 16

    records = with_overflows(times, 1 << 17, word, 0xC0000001)
    np.concatenate((np.array([0x80000000 | 500], np.uint32), records)).tofile(path)
    return _opened(path, "spc", format="spc600_256", tick_ns="50", resolution_ps="195", period_ns="50")


def _spc4096(path: Path, n: int) -> Open:
    times, channel, nano = _photons(n, 800)
    wraps, rest = times >> 24, times & 0xFFFFFF
    halves = np.empty((n + 1, 3), np.uint16)
    halves[0] = 0x1000, 500, 0
    halves[1:, 0] = nano | np.diff(wraps, prepend=0).clip(0, 1) << 13
    halves[1:, 1] = rest >> 16 | channel << 8
    halves[1:, 2] = rest & 0xFFFF
    halves.tofile(path)
    return _opened(path, "spc", format="spc600_4096", tick_ns="50", resolution_ps="12", period_ns="50")


def _qutag(path: Path, n: int) -> Open:
    tags = np.zeros(n, np.dtype([("time", "<i8"), ("channel", "<i2")]))
    tags["time"], tags["channel"], _ = _photons(n, 2.5e6)
    tags.tofile(path)
    return _opened(path, "qutag")


def _sstt(path: Path, n: int) -> Open:
    """An index and two channels, in which no clock overflows."""
    times, channel, _ = _photons(n, 6e13 / n)
    rows = []
    for number in (0, 1):
        part = (times[channel == number] << 2).astype("<u8").view(np.uint8).reshape(-1, 8)[:, :6]
        file = path.with_name(f"{path.name}.c{number}")
        file.write_bytes(b"SSTT2\0" + b"\xff" * 12 + np.ascontiguousarray(part).tobytes())
        rows.append(f'{number}\t"{file.name}"\t{len(part)}\t0\t{file.stat().st_size}\t1\t1\t1\t0\t0\t0')
    columns = "ChannelID Filename NumPhotons NumOverflows Filesize HardwareSyncDivider AdditionalSyncDivider "
    columns += "TotalSyncDivider IsPulsesChannel HasPulsesChannel CorrespondingPulsesChannel"
    head = "Simple Small Time Tagged (V2)\n\nEXPERIMENT_HEADER\nTime_unit_seconds\tdevice_type\n1e-12\tqutag\n\n"
    head += "CHANNEL_HEADER\n" + columns.replace(" ", "\t") + "\n"
    path.write_text(head + "\n".join(rows) + "\n", encoding="ascii")
    return _opened(path, "sstt")


def _npz(path: Path, n: int) -> Open:
    times, channel, _ = _photons(n // FEWER, 2.5e6)
    with path.open("wb") as file:
        np.savez(file, time_ps=times, channel=channel.astype(np.uint8))
    return _opened(path, "arrays")


def _csv(path: Path, n: int) -> Open:
    times, channel, _ = _photons(n // FEWER, 2.5e6)
    np.savetxt(path, np.column_stack((times, channel)), "%d", ",", header="time_ps,channel", comments="")
    return _opened(path, "arrays")


def _hdf5(path: Path, n: int) -> Open:
    import h5py

    times, channel, nano = _photons(n // FEWER, 21.5)
    with h5py.File(path, "w") as file:
        file.attrs["format_name"], file.attrs["format_version"] = b"Photon-HDF5", b"0.5"
        file["acquisition_duration"] = float(times[-1] * 4e-7)
        group = file.create_group("photon_data")
        group.create_dataset("timestamps", data=times, chunks=(1 << 16,))
        group.create_dataset("detectors", data=channel.astype(np.uint8), chunks=(1 << 16,))
        group.create_dataset("nanotimes", data=nano.astype(np.uint16), chunks=(1 << 16,))
        group["timestamps_specs/timestamps_unit"] = 4e-7
        group["nanotimes_specs/tcspc_unit"] = 64e-12
        group["nanotimes_specs/tcspc_num_bins"] = 6250
        group["nanotimes_specs/tcspc_range"] = 4e-7
        group["measurement_specs/laser_repetition_rate"] = 2.5e6
    return _opened(path, "photon_hdf5")


def _opened(path: Path, name: str, **options: str) -> Open:
    return lambda: open_source(f"{name}:{path}", options)


MAKERS: dict[str, Callable[[Path, int], Open]] = {
    "pt2": lambda path, n: _harp(path, n, RECORD_TYPES[0x00010203]),
    "pt3": lambda path, n: _harp(path, n, RECORD_TYPES[0x00010303]),
    "ht2, version 1": lambda path, n: _harp(path, n, RECORD_TYPES[0x00010204]),
    "ht3, version 1": lambda path, n: _harp(path, n, RECORD_TYPES[0x00010304]),
    "ht2, version 2": lambda path, n: _harp(path, n, RECORD_TYPES[0x01010204]),
    "ht3, version 2": lambda path, n: _harp(path, n, RECORD_TYPES[0x01010304]),
    "t3r": _t3r,
    "spc130": _spc130,
    "spc600, 256": _spc256,
    "spc600, 4096": _spc4096,
    "quTAG": _qutag,
    "SSTT": _sstt,
    "Photon-HDF5": _hdf5,
    "npz": _npz,
    "csv": _csv,
}
BY_LIBRARY = frozenset(("Photon-HDF5", "npz"))


def speeds(photons: int, rounds: int) -> list[table.Row]:
    """A row for every format: M records/s, M photons/s, GB/s, medians of interleaved rounds."""
    rows: list[table.Row] = [("decode, every format", "M records/s", "M photons/s", "GB/s", "")]
    with tempfile.TemporaryDirectory() as folder:
        opens = {name: make(Path(folder) / f"{at}", photons) for at, (name, make) in enumerate(MAKERS.items())}
        sizes = {name: sum(one.stat().st_size for one in _files(Path(folder), at)) for at, name in enumerate(MAKERS)}
        seen: dict[str, list[tuple[float, int, int]]] = {name: [] for name in opens}
        for _ in range(rounds + 1):
            for name, opened in opens.items():
                seen[name].append(_once(opened))
    for name, runs in seen.items():
        seconds = statistics.median(one[0] for one in runs[1:])
        _, records, found = runs[-1]
        rate = records / seconds / 1e6
        verdict = "by a library" if name in BY_LIBRARY else table.verdict(rate, TARGET)
        rows.append(
            (name, f"{rate:.0f}", f"{found / seconds / 1e6:.0f}", f"{sizes[name] / seconds / 1e9:.2f}", verdict)
        )
    return rows


def _files(folder: Path, at: int) -> list[Path]:
    """The files of recording number `at`."""
    return [folder / f"{at}", *folder.glob(f"{at}.c*")]


def _once(opened: Open) -> tuple[float, int, int]:
    """(seconds, records, photons) of one reading."""
    source, found = opened(), 0
    began = time.perf_counter()
    for chunk in source.chunks():
        found += len(chunk.time)
    seconds = time.perf_counter() - began
    return seconds, source.end().records or found, found
