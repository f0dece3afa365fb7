"""Damaged recordings of every format: made, read, and judged.

Each case is a number: it chooses a good file, damages it, and reads it as a user would. Good outcomes are one line of
InputError, or a stream that keeps every promise of a stream; a file that was only cut must give the true beginning of
its photons.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sinks.ptu import PtuWriter
from streamer.chunk import Chunk, StreamInfo
from streamer.errors import InputError
from streamer.registry import open_source

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
LATE = 1_000_000  # ticks by which quTAG tags are sorted
HEAD = 24_000  # bytes of a real recording that are enough to damage
EXTREMES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0x7FF0000000000000,
    0x7FFFFFFFFFFFFFFF,
    2**64 - 1,
)


@dataclass(frozen=True)
class Good:
    """A good recording.

    Attributes:
        name: of the source that reads it.
        content: its bytes, or those of its parts by file name (the first is opened).
        options: it is opened with.
        streams: a cut file still has the photons before the cut.
    """

    name: str
    content: bytes | dict[str, bytes]
    options: dict[str, str]
    streams: bool = True


def photons(n=800, seed=1):
    """(time, nanotime, channel) of a made-up T3 stream."""
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.integers(0, 900, n)).astype(np.int64)
    return time, rng.integers(0, 3000, n).astype(np.uint16), rng.integers(0, 2, n).astype(np.uint8)


def _ptu(folder, mode):
    time, nanotime, channel = photons()
    info = StreamInfo(mode, 1e-7, 16e-12 if mode == "T3" else 0.0, sync_rate_hz=1e7 if mode == "T3" else None)
    path = folder / "made.ptu"
    with PtuWriter(path, info) as writer:
        none = np.empty(0, np.uint16)
        markers = np.array([5000, 90_000]), np.array([1, 2], np.uint8)
        writer.write(Chunk(0, int(time[-1]) + 1, time, nanotime if mode == "T3" else none, channel, *markers))
    return path.read_bytes()


def _qutag():
    time, _, channel = photons()
    tags = np.zeros(len(time), np.dtype([("time", "<i8"), ("channel", "<i2")]))
    tags["time"], tags["channel"] = time * 1000 + 10**15, channel + 1
    header = bytes.fromhex("87b391fa22dd2800000800007300") if not SHARED.is_dir() else b""
    if SHARED.is_dir():
        header = (SHARED / "qutag/qutag_hbt_80MHz_sync.qutag").read_bytes()[:40]
    return header.ljust(40, b"\0") + tags.tobytes()


def _arrays(folder):
    time, nanotime, channel = photons()
    npz = folder / "made.npz"
    np.savez(npz, time_ps=time * 1000, channel=channel)
    packed = folder / "packed.npz"
    np.savez_compressed(packed, time_ps=time * 1000, channel=channel, nanotime_ps=nanotime)
    rows = "\n".join(f"{t},{c}" for t, c in zip(time * 1000, channel, strict=True))
    return npz.read_bytes(), packed.read_bytes(), f"time_ps,channel\n{rows}\n".encode()


def _hdf5(folder):
    import h5py

    time, nanotime, channel = photons()
    path = folder / "made.h5"
    with h5py.File(path, "w") as file:
        file.attrs["format_name"], file.attrs["format_version"] = b"Photon-HDF5", b"0.5"
        file["acquisition_duration"] = 1.0
        group = file.create_group("photon_data")
        group.create_dataset("timestamps", data=time, chunks=(200,), compression="gzip")
        group["timestamps_specs/timestamps_unit"] = 1e-7
        group["detectors"], group["nanotimes"] = channel, nanotime
        group["nanotimes_specs/tcspc_unit"] = 16e-12
        group["nanotimes_specs/tcspc_num_bins"] = 4096
        group["nanotimes_specs/tcspc_range"] = 4096 * 16e-12
        group["measurement_specs/laser_repetition_rate"] = 1e7
    return path.read_bytes()


REAL = {
    "ptu/hh1_t3_hbt_2p5MHz_blinking.ptu": ("ptu", {}),
    "ptu/ph300_t2_2ch_80MHz.ptu": ("ptu", {}),
    "ptu/ph300_t3_image_markers.ptu": ("ptu", {}),
    "ptu/hh2_t3_image_markers.ptu": ("ptu", {}),
    "pt3/emitter_trace01.pt3": ("pt3", {}),
    "ht/hh_v1_t2_head.ht2": ("ht3", {}),
    "ht/hh_v1_t3_head.ht3": ("ht3", {}),
    "ht/hh_v2_t2_qd_run0.ht2": ("ht3", {}),
    "ht/hh_v2_t3_4ch.ht3": ("ht3", {}),
    "t3r/th200_v5.t3r": ("t3r", {}),
    "spc/bh_noise.spc": ("spc", {}),
    "spc/bh_spc132_smfret_m000.spc": ("spc", {"resolution_ps": "12", "period_ns": "50"}),
    "spc/bh_spc630_256.spc": ("spc", {"tick_ns": "50", "format": "spc600_256"}),
    "qutag/qutag_hbt_80MHz_sync.qutag": ("qutag", {}),
}


def good_files() -> list[Good]:
    """A good recording of every format: made here, and the beginnings of the real ones where they are at hand."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        npz, packed, csv = _arrays(folder)
        files = [
            Good("ptu", _ptu(folder, "T3"), {}),
            Good("ptu", _ptu(folder, "T2"), {}),
            Good("qutag", _qutag(), {}),
            Good("arrays", npz, {}, streams=False),
            Good("arrays", packed, {"period_ns": "12.5"}, streams=False),
            Good("arrays", csv, {}, streams=False),
            Good("photon_hdf5", _hdf5(folder), {}, streams=False),
        ]
    for path, (name, options) in REAL.items():
        if (SHARED / path).exists():
            files.append(Good(name, (SHARED / path).read_bytes()[:HEAD], options))
    sstt = SHARED / "sstt"
    if sstt.is_dir():
        parts = {one: (sstt / one).read_bytes() for one in ("QD02_r_1.sstt", "QD02_r_1.sstt.c1", "QD02_r_1.sstt.c100")}
        files.append(Good("sstt", parts, {"missing": "skip"}, streams=False))
        luebeck = (SHARED / "h5/luebeck_2ch.h5").read_bytes()
        files.append(Good("photon_hdf5", luebeck, {"tick_ns": "10"}, streams=False))
    setup = SHARED / "spc/bh_noise.set"
    if setup.exists():
        spc = (SHARED / "spc/bh_noise.spc").read_bytes()[:HEAD]
        files.append(Good("spc", {"a.spc": spc, "a.set": setup.read_bytes()}, {}, streams=False))
    return files


def damaged(data: bytes, rng: np.random.Generator) -> tuple[bytes, bool]:
    """(the bytes with damage, whether they were only cut)."""
    kind = rng.integers(0, 7)
    if kind == 0:
        return data[: rng.integers(0, len(data) + 1)], True
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        if not out:
            break
        # the header is small and says the most, so it is hit as often as all the rest
        at = int(rng.integers(0, min(len(out), 1024)) if rng.random() < 0.5 else rng.integers(0, len(out)))
        if kind == 1:
            out[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            size = int(rng.choice([1, 2, 4, 8]))
            value = int(rng.choice(np.array(EXTREMES, np.uint64))) & ((1 << 8 * size) - 1)
            out[at : at + size] = value.to_bytes(size, "little")[: len(out) - at]
        elif kind == 3:
            del out[at : at + int(rng.integers(1, 64))]
        elif kind == 4:
            out[at:at] = rng.bytes(int(rng.integers(1, 64)))
        elif kind == 5:
            other = int(rng.integers(0, len(out)))
            size = int(rng.integers(1, 256))
            out[at : at + size] = out[other : other + size]
        else:
            out[at : at + 64] = rng.bytes(min(64, len(out) - at))
    return bytes(out), False


class Broken(AssertionError):
    """A promise that a reader did not keep."""


def read(path: Path, name: str, options: dict[str, str], *, by_content: bool) -> tuple[list[Chunk], str | None]:
    """(chunks up to the end or the error, its one line or None), as a user would have it."""
    chunks: list[Chunk] = []
    try:
        source = open_source(str(path) if by_content else f"{name}:{path}", options)
        t3 = source.info.mode == "T3"
        for chunk in source.chunks():
            chunks.append(chunk)
            _check(chunk, chunks[-2].stop if len(chunks) > 1 else None, t3)
        for line in (*source.info.warnings, *source.end().warnings):
            if "\n" in line:
                raise Broken(f"a warning has several lines: {line!r}")
    except InputError as error:
        line = str(error)
        if "\n" in line or len(line) > 2000 or not line:
            raise Broken(f"not one clear line: {line[:3000]!r}") from None
        return chunks, line
    return chunks, None


def _check(chunk: Chunk, before: int | None, t3: bool) -> None:
    n = len(chunk.time)
    good = (
        chunk.time.dtype == np.int64
        and chunk.channel.dtype == np.uint8
        and chunk.nanotime.dtype == np.uint16
        and len(chunk.channel) == n
        and len(chunk.nanotime) == (n if t3 else 0)
        and len(chunk.marker) == len(chunk.marker_time)
        and chunk.start <= chunk.stop
        and (before is None or before <= chunk.start)
        and (not n or (chunk.start <= chunk.time[0] and chunk.time[-1] < chunk.stop))
        and bool((chunk.time[1:] >= chunk.time[:-1]).all())
    )
    if not good:
        raise Broken(f"chunk [{chunk.start}, {chunk.stop}) of {n} photons after {before} is no chunk")


def joined(chunks: list[Chunk]) -> list[np.ndarray]:
    """Times, nanotimes, channels of all photons."""
    empty = Chunk(0, 0)
    return [np.concatenate([getattr(c, key) for c in [empty, *chunks]]) for key in ("time", "nanotime", "channel")]


class Fuzz:
    """Cases in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Make the good files and read them once."""
        self.folder = folder
        self.files = good_files()
        self.truth = [joined(self._case(good, good.content, by_content=False)[0]) for good in self.files]
        if not all(len(one[0]) for one, good in zip(self.truth, self.files, strict=True) if good.streams):
            raise Broken("a good file has no photons")

    def _case(
        self, good: Good, content: bytes | dict[str, bytes], *, by_content: bool
    ) -> tuple[list[Chunk], str | None]:
        parts = content if isinstance(content, dict) else {"case": content}
        for name, data in parts.items():
            (self.folder / name).write_bytes(data)
        return read(self.folder / next(iter(parts)), good.name, good.options, by_content=by_content)

    def run(self, number: int) -> str:
        """One case; what came of it. Broken when a promise was not kept."""
        rng = np.random.default_rng(number)
        at = int(rng.integers(0, len(self.files)))
        good = self.files[at]
        if isinstance(good.content, dict):
            which = str(rng.choice(list(good.content)))
            data, cut = damaged(good.content[which], rng)
            content: bytes | dict[str, bytes] = good.content | {which: data}
        else:
            content, cut = damaged(good.content, rng)
        chunks, line = self._case(good, content, by_content=bool(rng.random() < 0.3))
        if cut and good.streams and chunks:
            photons = joined(chunks)
            # The last record before the cut may stand before one that came late, and was cut off with the rest.
            sure = (
                len(photons[0]) if good.name != "qutag" else int((photons[0] < photons[0].max(initial=0) - LATE).sum())
            )
            for got, true in zip(photons, self.truth[at], strict=True):
                if len(got) > len(true) or not np.array_equal(got[:sure], true[: len(got)][:sure]):
                    raise Broken(f"{good.name}: the photons of a file that was only cut are not the true beginning")
        return f"{good.name}: " + ("refused" if line else "cut" if cut else "read")
