"""Photon-HDF5: real near variants, the definition's fields, faulty and hostile files, packed and cut ones."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from sources.layouts.full_sms import common_unit
from sources.photon_hdf5 import open_source, recognise
from streamer.errors import InputError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
REFERENCE = json.loads((SHARED / "reference.json").read_text()) if (SHARED / "reference.json").exists() else {}
LUEBECK, FULL_SMS = "h5/luebeck_2ch.h5", "h5/full_sms_irf.h5"
with_recordings = pytest.mark.skipif(LUEBECK not in REFERENCE, reason="the shared recordings are not here")

TIMES = np.array([5, 5, 9, 40, 41, 90], np.int64)
DETECTORS = np.array([0, 1, 1, 0, 7, 0], np.uint8)
NANOTIMES = np.array([3, 0, 4095, 17, 1, 900], np.uint16)
SPECS = "photon_data/measurement_specs"
T3 = {
    "photon_data/nanotimes": NANOTIMES,
    "photon_data/nanotimes_specs/tcspc_unit": 4e-12,
    "photon_data/nanotimes_specs/tcspc_num_bins": 4096,
    f"{SPECS}/laser_repetition_rate": 80e6,
}


def write(path, leave=(), kind=None, version="0.5", **changed):
    """A Photon-HDF5 file; `leave` are paths left out, `changed` other values of paths with __ for /."""
    nodes = {
        "photon_data/timestamps": TIMES,
        "photon_data/detectors": DETECTORS,
        "photon_data/timestamps_specs/timestamps_unit": 12.5e-9,
        "acquisition_duration": 1.5,
        "provenance/software": np.bytes_("HydraHarp control 3.0"),
    }
    nodes |= {"T3": T3}.get(kind, {})
    nodes |= {name.replace("__", "/"): value for name, value in changed.items()}
    with h5py.File(path, "w") as file:
        file.attrs["format_name"], file.attrs["format_version"] = np.bytes_("Photon-HDF5"), np.bytes_(version)
        for name, value in nodes.items():
            if name not in leave:
                file[name] = value
    return path


@pytest.fixture
def made(tmp_path):
    """Writes a file and gives its path."""
    numbers = itertools.count()

    def make(leave=(), kind=None, **changed):
        return write(tmp_path / f"run{next(numbers)}.h5", leave, kind, **changed)

    return make


def read(path, **options):
    """Info, end, and the columns of all chunks, which must join."""
    source = open_source(str(path), {key: str(value) for key, value in options.items()})
    chunks = list(source.chunks())
    for one, other in itertools.pairwise(chunks):
        assert one.stop == other.start
    for chunk in chunks:
        assert (chunk.time.dtype, chunk.channel.dtype, chunk.nanotime.dtype) == (np.int64, np.uint8, np.uint16)
        assert len(chunk.nanotime) == (len(chunk.time) if source.info.mode == "T3" else 0)
    names = ("time", "nanotime", "channel", "marker_time", "marker")
    columns = [np.concatenate([getattr(chunk, name) for chunk in chunks] or [[]]) for name in names]
    return source.info, source.end(), columns, chunks


def refused(path, **options):
    """The one line with which a file is refused, on opening or while reading."""
    with pytest.raises(InputError) as caught:
        read(path, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


def attempt(path):
    """The line with which a file is refused, "" when it is read."""
    try:
        read(path)
    except InputError as error:
        return str(error)
    return ""


def until_refused(path, said, **options):
    """The times that were given out before a file is refused."""
    seen = []
    chunks = open_source(str(path), {key: str(value) for key, value in options.items()}).chunks()
    with pytest.raises(InputError, match=said):
        seen.extend(chunk.time for chunk in chunks)
    return np.concatenate(seen)


# ---- real recordings, both near variants


@with_recordings
def test_luebeck_without_a_unit_is_refused_in_one_line():
    line = refused(SHARED / LUEBECK)
    assert line == (
        f"{SHARED / LUEBECK}: /photon_data0/timestamps_specs/timestamps_unit: is missing; "
        "set tick_ns to the unit that was used"
    )


@with_recordings
def test_luebeck_with_a_unit_has_its_reference_figures():
    figures = REFERENCE[LUEBECK]
    info, end, (times, _, channel, _, marker), chunks = read(SHARED / LUEBECK, tick_ns=5)
    assert (info.mode, info.tick_s, info.format) == ("T2", 5e-9, "Photon-HDF5 0.5")
    assert len(info.warnings) == 2
    assert "/photon_data0, not in /photon_data" in info.warnings[0]
    assert "tick_ns=5 is used" in info.warnings[1]
    values, counts = np.unique(channel, return_counts=True)
    assert dict(zip(map(str, values), counts, strict=True)) == figures["photons_per_raw_channel"]
    assert (times[0], times[-1]) == (figures["first_tick"], figures["last_tick"])
    assert (len(marker), end.records, end.reason, end.warnings) == (0, figures["photons"], "end of file", ())
    assert chunks[0].start == times[0]  # nobody says that the clock began with the recording


@with_recordings
def test_full_sms_has_its_reference_figures():
    figures = REFERENCE[FULL_SMS]
    info, end, (times, nanotime, channel, _, _), _ = read(SHARED / FULL_SMS)
    assert (info.mode, info.tick_s, info.format) == ("T3", figures["tick_s"], "Full_SMS HDF5")
    assert (times[0], times[-1], len(times)) == (figures["first_tick"], figures["last_tick"], figures["photons"])
    assert not channel.any()
    assert end.records == figures["photons"]
    # The card's range of 50 ns in 4096 channels; the file says neither this nor the laser period.
    assert info.resolution_s == pytest.approx(50e-9 / 4096, rel=1e-12)
    assert info.pulse_s == pytest.approx(50e-9, rel=1e-12)
    assert not info.pulse_known
    assert info.sync_rate_hz is None
    low, high = figures["micro_min_max"]
    ns = nanotime * info.resolution_s * 1e9
    assert (ns.min(), ns.max()) == (pytest.approx(low), pytest.approx(high))
    with h5py.File(SHARED / FULL_SMS) as file:
        np.testing.assert_allclose(ns, file["Particle 1/Micro Times (s)"][:], atol=1e-9)
    for said in ("ns, not s", "12.2070312 ps", "no detector", "laser period"):
        assert any(said in line for line in info.warnings), said


@with_recordings
def test_full_sms_takes_the_laser_period_from_an_option():
    info = read(SHARED / FULL_SMS, period_ns=50)[0]
    assert (info.pulse_s, info.pulse_known, info.sync_rate_hz) == (50e-9, True, pytest.approx(20e6))


@with_recordings
@pytest.mark.parametrize(("name", "options"), [(LUEBECK, {"tick_ns": 5}), (FULL_SMS, {})])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_chunking_does_not_matter(name, options, size, tmp_path):
    whole = read(SHARED / name, **options)[2]
    source = open_source(str(SHARED / name), {k: str(v) for k, v in options.items()} | {"chunk_records": str(size)})
    parts = list(itertools.islice(source.chunks(), 500))
    count = sum(len(part.time) for part in parts)
    assert count > 0
    for column, field in zip(whole, ("time", "nanotime", "channel"), strict=False):
        np.testing.assert_array_equal(np.concatenate([getattr(part, field) for part in parts]), column[:count])


@with_recordings
def test_hdf5_is_known_by_content():
    for name in (LUEBECK, FULL_SMS):
        assert recognise(SHARED / name, (SHARED / name).read_bytes()[:4096])
    assert not recognise(Path("x"), b"")
    assert not recognise(Path("x"), b"\x89HDF\r\n")
    assert recognise(Path("x"), b"\0" * 512 + b"\x89HDF\r\n\x1a\n")


# ---- what the definition says


def test_timestamps_without_nanotimes_are_t2(made):
    info, end, (times, nanotime, channel, _, _), chunks = read(made())
    assert (info.mode, info.tick_s, info.resolution_s, info.pulse_s) == ("T2", 12.5e-9, 0.0, None)
    assert (info.duration_s, info.hardware, info.format) == (1.5, "HydraHarp control 3.0", "Photon-HDF5 0.5")
    assert info.warnings == ()
    assert (end.reason, end.records, end.warnings) == ("end of file", 6, ())
    np.testing.assert_array_equal(times, TIMES)
    np.testing.assert_array_equal(channel, DETECTORS)
    assert len(nanotime) == 0
    assert (chunks[0].start, chunks[-1].stop) == (0, 91)


def test_timestamps_that_are_laser_pulses_are_t3(made):
    info, end, (times, nanotime, _, _, _), _ = read(made(kind="T3"))
    assert (info.mode, info.tick_s, info.resolution_s, info.pulse_s) == ("T3", 12.5e-9, 4e-12, None)
    assert (info.sync_rate_hz, info.period) == (80e6, pytest.approx(3125))
    np.testing.assert_array_equal(times, TIMES)
    np.testing.assert_array_equal(nanotime, NANOTIMES)
    assert end.warnings == ()


def test_the_rate_may_differ_from_the_unit_by_a_rate_meters_digits(made):
    assert read(made(kind="T3", **{f"{SPECS}/laser_repetition_rate": 80.05e6}))[0].pulse_s is None
    assert read(made(kind="T3", **{f"{SPECS}/laser_repetition_rate": 80.2e6}))[0].pulse_s == 1 / 80.2e6


def test_a_clock_of_the_cards_own_is_t3_with_the_laser_period_beside_it(made):
    info, end, _, _ = read(made(kind="T3", **{f"{SPECS}/laser_repetition_rate": np.array([20e6, 0.0])}))
    assert (info.mode, info.tick_s, info.pulse_s, info.pulse_known) == ("T3", 12.5e-9, 50e-9, True)
    assert end.warnings == ()


def test_without_a_laser_rate_the_range_of_the_nanotimes_is_no_period(made):
    info, end, _, _ = read(made((f"{SPECS}/laser_repetition_rate",), "T3"))
    assert (info.pulse_s, info.pulse_known, info.sync_rate_hz) == (pytest.approx(4096 * 4e-12), False, None)
    assert "laser rate; period_ns=N" in info.warnings[0]
    assert end.warnings == ()
    info = read(made((f"{SPECS}/laser_repetition_rate",), "T3"), period_ns=12.5)[0]
    assert (info.pulse_s, info.pulse_known, info.sync_rate_hz) == (None, True, pytest.approx(80e6))
    line = refused(made((f"{SPECS}/laser_repetition_rate", "photon_data/nanotimes_specs/tcspc_num_bins"), "T3"))
    assert "set period_ns" in line


def test_the_rate_may_stand_in_the_setup(made):
    path = made((f"{SPECS}/laser_repetition_rate",), "T3", setup__laser_repetition_rates=np.array([0, 80e6]))
    assert read(path)[0].sync_rate_hz == 80e6


def test_two_laser_rates_are_refused(made):
    path = made(kind="T3", **{f"{SPECS}/laser_repetition_rate": np.array([20e6, 40e6])})
    assert "2 laser rates; set period_ns" in refused(path)
    assert read(path, period_ns=50)[0].pulse_s == 50e-9


def test_a_period_that_contradicts_the_file_is_named(made):
    info = read(made(kind="T3"), period_ns=25)[0]
    assert info.pulse_s == 25e-9
    assert "says 8e+07 Hz; period_ns=25 is used" in info.warnings[0]


def test_units_per_detector_are_taken_when_they_agree(made):
    leave = ("photon_data/nanotimes_specs/tcspc_unit", "photon_data/nanotimes_specs/tcspc_num_bins")
    same = {"setup/detectors/tcspc_unit": [4e-12, 4e-12, 0.0], "setup/detectors/tcspc_num_bins": [4096, 4096, 0]}
    assert read(made(leave, "T3", **same))[0].resolution_s == 4e-12
    other = same | {"setup/detectors/tcspc_unit": [4e-12, 8e-12, 0.0]}
    assert "same for all detectors" in refused(made(leave, "T3", **other))
    assert "set resolution_ps" in refused(made(leave, "T3"))
    assert read(made(leave, "T3"), resolution_ps=4)[0].resolution_s == 4e-12


def test_offsets_of_detectors_are_named_and_not_applied(made):
    info, _, columns, _ = read(made(kind="T3", setup__detectors__tcspc_offset=[0, 12]))
    assert "tcspc_offset is not applied" in info.warnings[0]
    np.testing.assert_array_equal(columns[1], NANOTIMES)


def test_non_photon_ids_are_markers(made):
    path = made(kind="T3", **{f"{SPECS}/detectors_specs/non_photon_id1": np.array([7])})
    _info, end, (times, nanotime, channel, marker_time, marker), _ = read(path, chunk_records=2)
    photons = DETECTORS != 7
    np.testing.assert_array_equal(times, TIMES[photons])
    np.testing.assert_array_equal(nanotime, NANOTIMES[photons])
    np.testing.assert_array_equal(channel, DETECTORS[photons])
    assert (list(marker_time), list(marker), end.records) == ([41], [7], 6)


def test_one_detector_may_be_left_out_and_is_said(made):
    info, _, columns, _ = read(made(("photon_data/detectors",)))
    assert not columns[2].any()
    assert info.warnings == ("/photon_data/detectors is missing: all photons are of channel 0",)


def spots(path, *numbers):
    with h5py.File(path, "r+") as file:
        for number in numbers:
            file.copy("photon_data", f"photon_data{number}")
            file[f"photon_data{number}/timestamps"][:] = TIMES + number
        del file["photon_data"]
    return path


def test_several_spots_need_a_choice(made):
    path = spots(made(), 0, 1, 10)
    assert "has 3 spots; set spot to one of 0, 1, 10" in refused(path)
    assert "one of its spots (0, 1, 10), got 2" in refused(path, spot=2)
    info, _, columns, _ = read(path, spot=10)
    np.testing.assert_array_equal(columns[0], TIMES + 10)
    assert info.warnings == ()


def test_one_spot_needs_none(made):
    assert "has one spot only" in refused(made(), spot=0)
    assert "spot" in refused(made(), spot="x")
    path = made()
    with h5py.File(path, "r+") as file:
        file.copy("photon_data", "photon_data3")
    assert "both /photon_data and /photon_data3" in refused(path)


def test_a_clock_that_began_long_before_is_no_silence(made):
    late = TIMES + round(3600 / 12.5e-9)
    assert read(made(photon_data__timestamps=late))[3][0].start == late[0]


def test_a_file_that_does_not_call_itself_photon_hdf5_is_named(made):
    path = made()
    with h5py.File(path, "r+") as file:
        del file.attrs["format_name"]
    assert "says nothing, not Photon-HDF5" in read(path)[0].warnings[0]
    assert "format_version is 0.9" in read(made(version="0.9"))[0].warnings[0]


@pytest.mark.parametrize("kind", ["<i4", ">i8", "<u8", ">u2", "i1"])
def test_any_whole_type_of_any_byte_order(made, kind):
    columns = read(made(photon_data__timestamps=TIMES.astype(kind), photon_data__detectors=DETECTORS.astype(kind)))[2]
    np.testing.assert_array_equal(columns[0], TIMES)
    np.testing.assert_array_equal(columns[2], DETECTORS)


@pytest.mark.parametrize(
    "options",
    [{"compression": "gzip", "shuffle": True}, {"compression": "lzf"}, {"chunks": (1000,)}, {"fletcher32": True}],
)
def test_packed_datasets(made, options):
    rng = np.random.default_rng(1)
    times, detectors = np.cumsum(rng.integers(0, 9, 5000)), rng.integers(0, 4, 5000).astype(np.uint8)
    path = made(("photon_data/timestamps", "photon_data/detectors"))
    with h5py.File(path, "r+") as file:
        file["photon_data"].create_dataset("timestamps", data=times, maxshape=(None,), **options)
        file["photon_data"].create_dataset("detectors", data=detectors, **options)
    _, end, columns, chunks = read(path, chunk_records=777)
    np.testing.assert_array_equal(columns[0], times)
    np.testing.assert_array_equal(columns[2], detectors)
    assert max(len(chunk.time) for chunk in chunks) < 2 * 777
    assert end.records == 5000


def test_a_dataset_is_read_in_slices(made, monkeypatch):
    from sources.layouts import hdf5_tree

    sizes = []
    plain = hdf5_tree.Hdf5Column.read
    monkeypatch.setattr(hdf5_tree.Hdf5Column, "read", lambda self, a, b: (sizes.append(b - a), plain(self, a, b))[1])
    read(made(kind="T3"), chunk_records=2)
    assert max(sizes) == 2


def test_an_empty_recording_is_empty(made):
    _, end, columns, _ = read(made(photon_data__timestamps=TIMES[:0], photon_data__detectors=DETECTORS[:0]))
    assert (len(columns[0]), end.records, end.reason) == (0, 0, "end of file")


# ---- faulty files


@pytest.mark.parametrize(
    ("leave", "changed", "said"),
    [
        (("photon_data/timestamps",), {}, "/photon_data/timestamps: is missing"),
        ((), {"photon_data/timestamps": TIMES.astype(float)}, "timestamps: must be whole numbers, got float64"),
        ((), {"photon_data/timestamps": TIMES.reshape(2, 3)}, "timestamps: must be an array of one dimension, got 2"),
        ((), {"photon_data/timestamps": 5}, "must be an array of one dimension, got 0"),
        ((), {"photon_data/timestamps": np.array([b"a"] * 6)}, "must be an array of numbers"),
        ((), {"photon_data/timestamps": -TIMES[::-1]}, r"timestamps[0]: timestamps: must not be negative, got -90"),
        ((), {"photon_data/timestamps": np.full(6, 2**63, np.uint64)}, "must be at most"),
        (
            (),
            {"photon_data/timestamps": TIMES[::-1]},
            "/photon_data/timestamps[1]: times must not go back, got tick 41",
        ),
        ((), {"photon_data/detectors": DETECTORS[:5]}, "detectors: must have 6 entries as the times have, got 5"),
        (
            (),
            {"photon_data/detectors": np.arange(6) + 251},
            "/photon_data/detectors[5]: detectors: must be at most 255",
        ),
        ((), {"photon_data/detectors": np.zeros((6, 2), int)}, "must be an array of one dimension, got 2"),
        ((), {"photon_data/detectors/x": 1}, "detectors: must be a dataset"),
        ((), {"photon_data/timestamps_specs/timestamps_unit": -1.0}, "must be a positive number of seconds"),
        ((), {"photon_data/timestamps_specs/timestamps_unit": np.nan}, "must be a positive number of seconds"),
        ((), {"photon_data/timestamps_specs/timestamps_unit": np.ones(2)}, "must be one number, got 2"),
        ((), {"photon_data/timestamps_specs/timestamps_unit": "ns"}, "must be a number"),
        ((), T3 | {"photon_data/nanotimes": NANOTIMES.astype(int) * 300}, "nanotimes[2]: nanotimes: must be at most"),
        ((), T3 | {"photon_data/nanotimes": NANOTIMES[:3]}, "nanotimes: must have 6 entries"),
        ((), T3 | {f"{SPECS}/laser_repetition_rate": -1.0}, "must be positive numbers of Hz"),
        ((), T3 | {"photon_data/nanotimes_specs/tcspc_unit": 1.0}, "contradict each other"),
    ],
)
def test_faulty_fields_are_named(made, leave, changed, said):
    if "photon_data/detectors/x" in changed:
        leave = ("photon_data/detectors",)
    assert said in refused(made(leave, **changed))


def test_late_timestamps_can_be_sorted(made):
    path = made(photon_data__timestamps=TIMES[[0, 2, 1, 3, 4, 5]])
    assert "timestamps[2]: times must not go back" in refused(path)
    np.testing.assert_array_equal(read(path, horizon_ns=1000)[2][0], TIMES)


def test_a_unit_that_contradicts_the_file_is_refused(made):
    assert "tick_ns: the file says 12.5, got 5; leave it out" in refused(made(), tick_ns=5)
    assert read(made(), tick_ns=12.5)[0].warnings == ()


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x", ""])
def test_a_unit_must_be_a_positive_number(made, text):
    assert "tick_ns: must be" in refused(made(), tick_ns=text)


def test_other_hdf5_files_are_refused(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["counts"] = TIMES
    assert "has no /photon_data group" in refused(path)
    path.write_bytes(b"PQTTTR")
    assert "is not an HDF5 file" in refused(path)
    assert "cannot be read" in refused(tmp_path / "absent.h5")
    assert "a file must be named" in refused("")


# ---- hostile files: no other file is opened, no memory is taken


def test_links_to_elsewhere_are_not_followed(made, tmp_path):
    other = write(tmp_path / "other.h5")
    for link in (
        h5py.ExternalLink(str(other), "/photon_data/timestamps"),
        h5py.SoftLink("/photon_data/detectors"),
        h5py.SoftLink("/outside/timestamps"),
    ):
        path = made(("photon_data/timestamps",))
        with h5py.File(path, "r+") as file:
            file["outside"] = h5py.ExternalLink(str(other), "/photon_data")
            file["photon_data/timestamps"] = link
        assert "is a link to another place or file" in refused(path)
    path = made(("photon_data/timestamps", "photon_data/detectors", "photon_data/timestamps_specs/timestamps_unit"))
    with h5py.File(path, "w") as file:
        file["photon_data"] = h5py.ExternalLink(str(other), "/photon_data")
    assert "is a link to another place or file" in refused(path)


def test_data_in_other_files_is_not_read(made, tmp_path):
    other = write(tmp_path / "other.h5")
    virtual = made(("photon_data/timestamps",))
    with h5py.File(virtual, "r+") as file:
        layout = h5py.VirtualLayout((6,), np.int64)
        layout[:] = h5py.VirtualSource(str(other), "photon_data/timestamps", (6,))
        file.create_virtual_dataset("photon_data/timestamps", layout)
    assert "is stored in other files" in refused(virtual)
    external = made(("photon_data/timestamps",))
    (tmp_path / "raw.bin").write_bytes(TIMES.tobytes())
    with h5py.File(external, "r+") as file:
        file["photon_data"].create_dataset(
            "timestamps", (6,), np.int64, external=[(str(tmp_path / "raw.bin"), 0, h5py.h5f.UNLIMITED)]
        )
    assert "is stored in other files" in refused(external)


def test_what_was_never_written_is_not_made_up(made):
    for options in ({}, {"chunks": (1000,)}, {"chunks": (1000,), "compression": "gzip"}):
        path = made(("photon_data/timestamps", "photon_data/detectors"))
        with h5py.File(path, "r+") as file:
            file["photon_data"].create_dataset("timestamps", (1 << 50,), np.int64, **options)
        assert "not all was written" in refused(path)


def test_chunks_that_would_fill_the_memory_are_refused(made, monkeypatch):
    from sources.layouts import hdf5_tree

    monkeypatch.setattr(hdf5_tree, "_LARGEST_CHUNK", 1 << 13)
    path = made(("photon_data/timestamps", "photon_data/detectors"))
    with h5py.File(path, "r+") as file:
        size = 1 << 12
        file["photon_data"].create_dataset(
            "timestamps", data=np.zeros(size, np.int64), chunks=(size,), compression="gzip", compression_opts=1
        )
    assert "chunks of 32768 bytes are larger than 8192" in refused(path)


def test_a_filter_that_is_not_here_is_named(made):
    path = made(("photon_data/timestamps",))
    with h5py.File(path, "r+") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((6,))
        plan.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (2, 2, 8, 48))
        space, kind = h5py.h5s.create_simple((6,)), h5py.h5t.NATIVE_INT64
        h5py.h5d.create(file["photon_data"].id, b"timestamps", kind, space, plan).write(
            h5py.h5s.ALL, h5py.h5s.ALL, TIMES
        )
    if h5py.h5z.filter_avail(32001):
        pytest.skip("blosc is installed")
    assert "is packed with filter 32001" in refused(path)


def test_a_damaged_chunk_is_one_line_after_the_true_prefix(made):
    path = made(("photon_data/timestamps", "photon_data/detectors"))
    times = np.cumsum(np.random.default_rng(1).integers(0, 1 << 30, 30_000))
    with h5py.File(path, "r+") as file:
        data = file["photon_data"].create_dataset("timestamps", data=times, chunks=(10_000,), compression="gzip")
        spot = data.id.get_chunk_info(2)
    content = bytearray(path.read_bytes())
    content[spot.byte_offset + spot.size // 2] ^= 0xFF
    path.write_bytes(content)
    got = until_refused(path, r"timestamps\[20000:30000\]: the file is cut or damaged", chunk_records=10_000)
    assert len(got) >= 19_999
    np.testing.assert_array_equal(got, times[: len(got)])


def test_a_cut_file_is_one_line(made):
    path = made(kind="T3")
    content = path.read_bytes()
    for size in np.linspace(0, len(content) - 1, 60).astype(int):
        path.write_bytes(content[:size])
        assert refused(path)


def test_mutated_files_are_read_or_refused(made):
    rng = np.random.default_rng(7)
    path = made(("photon_data/timestamps", "photon_data/detectors"), "T3")
    with h5py.File(path, "r+") as file:
        file["photon_data"].create_dataset("timestamps", data=TIMES, chunks=(4,), compression="gzip")
        file["photon_data"].create_dataset("detectors", data=DETECTORS, chunks=(4,))
    content = path.read_bytes()
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), rng.integers(1, 9)):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        line = attempt(path)
        assert "\n" not in line
        outcomes["refused" if line else "read"] += 1
    assert min(outcomes.values()) > 10, outcomes


# ---- Full_SMS


def full_sms(path, micro, name="Micro Times (s)", times=None, particles=1):
    with h5py.File(path, "w") as file:
        file.attrs["# Particles"] = particles
        for k in range(1, particles + 1):
            group = file.create_group(f"Particle {k}")
            group["Absolute Times (ns)"] = np.arange(len(micro), dtype=np.uint64) * 100 * k if times is None else times
            group[name] = micro
    return path


@pytest.mark.parametrize("unit", [0.004, float(np.float32(0.004)), 50 / 4096, 0.0646])
def test_the_cards_unit_is_found(tmp_path, unit):
    counts = np.random.default_rng(3).integers(0, 4096, 500)
    info, _, columns, _ = read(full_sms(tmp_path / "a.h5", counts * unit))
    assert info.resolution_s == pytest.approx(unit * 1e-9, rel=1e-9)
    np.testing.assert_array_equal(columns[1], counts)
    assert info.pulse_s == pytest.approx(4096 * unit * 1e-9)


@pytest.mark.parametrize("name", ["Micro Times (s)", "Micro Times (ns)"])
def test_nanotimes_that_are_seconds_are_taken_as_such(tmp_path, name):
    counts = np.random.default_rng(3).integers(0, 4096, 500)
    info, _, columns, _ = read(full_sms(tmp_path / "a.h5", counts * (4e-12 if "(s)" in name else 0.004), name))
    np.testing.assert_array_equal(columns[1], counts)
    assert not any("ns, not s" in line for line in info.warnings)


def test_nanotimes_without_a_common_unit_need_one(tmp_path):
    path = full_sms(tmp_path / "a.h5", np.random.default_rng(3).random(500) * 50)
    assert "multiples of no unit; set resolution_ps" in refused(path)
    columns = read(path, resolution_ps=16)[2]
    with h5py.File(path) as file:
        np.testing.assert_array_equal(columns[1], np.rint(file["Particle 1/Micro Times (s)"][:] / 0.016))


def test_few_nanotimes_tell_no_unit():
    assert common_unit(np.arange(15) * 0.5) is None
    assert common_unit(np.arange(16) * 0.5) == pytest.approx(0.5)


def test_full_sms_faults(tmp_path):
    good = np.arange(50) * 0.25
    assert "set spot to one of 1, 2" in refused(full_sms(tmp_path / "a.h5", good, particles=2))
    np.testing.assert_array_equal(
        read(full_sms(tmp_path / "a.h5", good, particles=2), spot=2)[2][0], np.arange(50) * 200
    )
    for value in (np.nan, -1.0, np.inf):
        bad = good.copy()
        bad[30] = value
        assert "Micro Times (s)[30]: must be 0 or more" in refused(full_sms(tmp_path / "b.h5", bad))
    assert "must have 49 entries" in refused(full_sms(tmp_path / "c.h5", good, times=np.arange(49)))
    assert "must be whole numbers" in refused(full_sms(tmp_path / "d.h5", good, times=good))
    assert "tick_ns" in refused(full_sms(tmp_path / "e.h5", good), tick_ns=1)
    path = full_sms(tmp_path / "f.h5", good)
    with h5py.File(path, "r+") as file:
        file["Particle 1/Absolute Times 2 (ns)"] = np.arange(50)
    assert "second detector" in refused(path)
    info = read(full_sms(tmp_path / "g.h5", good, "Other"))[0]
    assert (info.mode, info.pulse_known) == ("T2", True)
