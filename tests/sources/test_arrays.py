"""Plain arrays: names and units of columns, every container alike, precision, faulty and hostile files."""

from __future__ import annotations

import io
import itertools
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sources.arrays import open_source, recognise
from sources.layouts import array_text_kernel as kernel
from sources.layouts.array_columns import role_of
from streamer.errors import InputError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
TIMES = np.array([5_000, 5_000, 9_001, 40_000, 41_000, 90_000], np.int64)
CHANNELS = np.array([0, 1, 1, 0, 7, 0], np.uint8)
NANOTIMES = np.array([3, 0, 3000, 17, 1, 900], np.uint16)
PULSED = {"resolution_ps": 4, "period_ns": 12.5}


def save(path, columns, **units):
    """The columns in the container that the name's ending says; NumPy knows structured, text is csv or tsv."""
    if path.suffix == ".npz":
        np.savez(path, **columns, **units)
    elif path.suffix == ".npy":
        table = np.zeros(len(next(iter(columns.values()))), [(name, data.dtype) for name, data in columns.items()])
        for name, data in columns.items():
            table[name] = data
        np.save(path, table)
    elif path.suffix == ".parquet":
        arrow = pytest.importorskip("pyarrow", reason="parquet is read with pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table(columns), path, row_group_size=1000)
    else:
        mark = {".csv": ",", ".tsv": "\t", ".txt": " "}[path.suffix]
        lines = [mark.join(columns)] + [
            mark.join(map(repr, row)) for row in zip(*(c.tolist() for c in columns.values()), strict=False)
        ]
        path.write_text("\n".join(lines) + "\n")
    return path


every_kind = pytest.mark.parametrize("kind", [".npz", ".npy", ".parquet", ".csv", ".tsv", ".txt"])


@pytest.fixture
def made(tmp_path):
    """Writes columns to a new file of a kind and gives its path."""
    numbers = itertools.count()

    def make(kind=".npz", units=(), **columns):
        columns = {name: np.asarray(data) for name, data in columns.items()}
        return save(tmp_path / f"run{next(numbers)}{kind}", columns, **dict(units))

    return make


@pytest.fixture
def text(tmp_path):
    """Writes a text file and gives its path."""

    def make(content):
        path = tmp_path / "run.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def read(path, **options):
    """Info, end, the columns of all chunks (which must join), and the chunks."""
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


# ---- what columns mean, in every container


@every_kind
def test_absolute_times_are_t2(made, kind):
    info, end, columns, chunks = read(made(kind, time_ps=TIMES, channel=CHANNELS))
    assert (info.mode, info.tick_s, info.resolution_s, info.warnings) == ("T2", 1e-12, 0.0, ())
    np.testing.assert_array_equal(columns[0], TIMES)
    np.testing.assert_array_equal(columns[2], CHANNELS)
    assert (end.reason, end.records, end.warnings) == ("end of file", 6, ())
    assert (chunks[0].start, chunks[-1].stop) == (5000, 90_001)  # the clock may have begun long before


@every_kind
def test_pulse_numbers_and_nanotimes_are_t3(made, kind):
    info, _, columns, _ = read(made(kind, pulse=TIMES, detector=CHANNELS, nanotime=NANOTIMES), **PULSED)
    assert (info.mode, info.tick_s, info.resolution_s, info.pulse_s) == ("T3", 12.5e-9, 4e-12, None)
    assert info.sync_rate_hz == 80e6
    np.testing.assert_array_equal(columns[0], TIMES)
    np.testing.assert_array_equal(columns[1], NANOTIMES)


@every_kind
def test_absolute_times_and_nanotimes_are_t3_with_a_clock_of_its_own(made, kind):
    info, _, columns, _ = read(made(kind, time_ns=TIMES, channel=CHANNELS, nanotime=NANOTIMES), **PULSED)
    assert (info.mode, info.tick_s, info.pulse_s, info.pulse_known) == ("T3", 1e-9, 12.5e-9, True)
    np.testing.assert_array_equal(columns[0], TIMES)


@every_kind
def test_seconds_as_floats_are_rounded_to_a_stated_tick(made, kind):
    path = made(kind, time_s=TIMES * 1e-12 + 1.5, channel=CHANNELS)
    info, _, columns, _ = read(path)
    assert info.tick_s == 1e-12
    np.testing.assert_array_equal(columns[0], TIMES + 1_500_000_000_000)
    info, _, columns, _ = read(path, tick_ps=1000)
    assert info.tick_s == 1e-9
    np.testing.assert_array_equal(columns[0], np.rint(TIMES / 1000) + 1_500_000_000)


@every_kind
@pytest.mark.parametrize("size", [1, 7, 5000])
def test_chunking_does_not_matter(made, kind, size):
    rng = np.random.default_rng(5)
    n = 400 if size == 1 else 6000
    times, channels = np.cumsum(rng.integers(0, 50, n)), rng.integers(0, 4, n).astype(np.uint8)
    nanotimes = rng.integers(0, 3000, n).astype(np.uint16)
    path = made(kind, time_ns=times, channel=channels, nanotime=nanotimes)
    columns = read(path, chunk_records=size, **PULSED)[2]
    for got, wanted in zip(columns, (times, nanotimes, channels), strict=False):
        np.testing.assert_array_equal(got, wanted)


@every_kind
def test_markers_are_kept(made, kind):
    path = made(kind, time_ps=TIMES, channel=CHANNELS, marker=np.array([0, 0, 4, 0, 0, 1]))
    columns = read(path, chunk_records=4)[2]
    assert (list(columns[0]), list(columns[2])) == ([5000, 5000, 40_000, 41_000], [0, 1, 0, 7])
    assert (list(columns[3]), list(columns[4])) == ([9001, 90_000], [4, 1])


@every_kind
def test_an_empty_table_is_empty(made, kind):
    _, end, columns, _ = read(made(kind, time_ps=TIMES[:0], channel=CHANNELS[:0]))
    assert (len(columns[0]), end.records) == (0, 0)


@every_kind
def test_faulty_entries_are_named(made, kind):
    for column, bad, said in (
        ("time_ps", -1, "time_ps: must not be negative, got -1"),
        ("channel", 256, "channel: must be at most 255, got 256"),
        ("nanotime", 70_000, "nanotime: must be at most 65535, got 70000"),
    ):
        columns = {"time_ps": TIMES.copy(), "channel": CHANNELS.astype(int), "nanotime": NANOTIMES.astype(int)}
        columns[column][4] = bad
        line = refused(made(kind, **columns), **PULSED)
        assert said in line
        assert ("line 6" if kind in (".csv", ".tsv", ".txt") else "[4]") in line


@every_kind
def test_late_times_are_refused_with_their_place(made, kind):
    path = made(kind, time_ps=TIMES[[0, 2, 1, 3, 4, 5]], channel=CHANNELS)
    line = refused(path)
    assert "times must not go back, got tick 5000 after 9001" in line
    assert ("line 4" if kind in (".csv", ".tsv", ".txt") else "[2]") in line
    np.testing.assert_array_equal(read(path, horizon_ns=10)[2][0], TIMES)


@pytest.mark.parametrize("kind", [".npz", ".npy", ".parquet"])
def test_not_a_number_is_named(made, kind):
    times = TIMES * 1e-12
    times[3] = np.nan
    assert "[3]: time_s: must be a number, got nan" in refused(made(kind, time_s=times, channel=CHANNELS))


# ---- names and units


@pytest.mark.parametrize(
    ("name", "role", "unit"),
    [
        ("time_ps", "time", 1),
        ("Time [s]", "time", 10**12),
        ("timestamps", "time", None),
        ("Macro time (ns)", "time", 1000),
        ("macrotime_us", "time", 10**6),
        ("Microtime (µs)", "nanotime", 10**6),
        ("nanotime_ps", "nanotime", 1),
        ("dtime", "nanotime", None),
        ("n_sync", "pulse", None),
        ("Detector", "channel", None),
        ("ch", "channel", None),
        ("marker", "marker", None),
        ("counts", None, None),
        ("times", "time", None),
        ("s", None, None),
        ("", None, None),
        ("(ns)", None, None),
    ],
)
def test_names_say_role_and_unit(name, role, unit):
    assert role_of(name) == (role, unit)


def test_a_time_without_a_unit_needs_one(made):
    path = made(time=TIMES, channel=CHANNELS)
    assert "its unit is not known; set tick_ps" in refused(path)
    assert read(path, tick_ps=81.0)[0].tick_s == 81e-12
    assert read(path, time_us="time")[0].tick_s == 1e-6
    assert "must be a whole number of units" in refused(made(time=TIMES + 0.5), tick_ps=1)


def test_nanotimes_need_a_unit_and_a_period(made):
    path = made(time_ps=TIMES, channel=CHANNELS, nanotime=NANOTIMES)
    assert "set period_ns" in refused(path)
    assert "set resolution_ps" in refused(path, period_ns=12.5)
    path = made(time_ps=TIMES, channel=CHANNELS, nanotime_ns=NANOTIMES * 0.004)
    assert "set resolution_ps" in refused(path, period_ns=12.5)
    np.testing.assert_array_equal(read(path, **PULSED)[2][1], NANOTIMES)
    path = made(time_ps=TIMES, channel=CHANNELS, nanotime_ps=NANOTIMES * 4)
    assert read(path, period_ns=12.5)[0].resolution_s == 1e-12
    np.testing.assert_array_equal(read(path, **PULSED)[2][1], NANOTIMES)


def test_units_may_stand_in_an_npz(made):
    path = made(units={**PULSED, "tick_ps": 100}, time=TIMES, channel=CHANNELS, nanotime=NANOTIMES)
    info = read(path)[0]
    assert (info.tick_s, info.resolution_s, info.pulse_s) == (1e-10, 4e-12, 12.5e-9)
    assert "tick_ps: the file says 100, got 5; leave it out" in refused(path, tick_ps=5)
    assert "must be one number" in refused(made(units={"tick_ps": np.arange(3)}, time=TIMES))


def test_options_name_columns(made):
    path = made(a=TIMES, b=CHANNELS, c=NANOTIMES)
    assert "has no column of times; its columns are a, b, c; name one time_ps" in refused(path)
    columns = read(path, pulse="a", channel="b", nanotime="c", **PULSED)[2]
    np.testing.assert_array_equal(columns[0], TIMES)
    np.testing.assert_array_equal(columns[1], NANOTIMES)
    np.testing.assert_array_equal(columns[2], CHANNELS)
    assert "time_ps: must be a column of the file (a, b, c), got 'd'" in refused(path, time_ps="d")
    assert "given twice" in refused(path, time="a", time_ps="a")
    assert "unknown option" in refused(path, tme="a")


def test_two_columns_of_one_role_need_a_choice(made):
    path = made(time_ps=TIMES, time_ns=TIMES // 1000, channel=CHANNELS)
    assert "columns time_ps, time_ns may all be the time; set time to one" in refused(path)
    assert read(path, time="time_ps")[0].tick_s == 1e-12
    assert "contradicts the unit in the name" in refused(path, time_ns="time_ps")


def test_what_is_not_used_is_said_or_refused(made):
    both = made(time_ps=TIMES * 12_500, pulse=TIMES, channel=CHANNELS, nanotime=NANOTIMES)
    info = read(both, **PULSED)[0]
    assert info.tick_s == 12.5e-9
    assert info.warnings == ("column time_ps is not used: the time is that of column pulse",)
    assert "tick_ps: a tick is a laser pulse here" in refused(both, **PULSED, tick_ps=1)
    plain = made(time_ps=TIMES, channel=CHANNELS)
    assert "resolution_ps: there is no column of nanotimes" in refused(plain, resolution_ps=4)
    assert read(plain, period_ns=12.5)[0].sync_rate_hz == 80e6
    assert "pulse number alone is no time" in refused(made(pulse=TIMES, channel=CHANNELS))


def test_a_missing_channel_is_said(made):
    info, _, columns, _ = read(made(time_ps=TIMES))
    assert info.warnings == ("there is no column of channels: all photons are of channel 0",)
    assert not columns[2].any()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e400", "1e99", "x", "", "1/0", "1_0"])
def test_units_must_be_numbers(made, value):
    assert "tick_ps: must be a number" in refused(made(time=TIMES), tick_ps=value)


def test_a_resolution_beyond_the_period_is_refused(made):
    path = made(pulse=TIMES, channel=CHANNELS, nanotime=NANOTIMES)
    assert "at most the laser period" in refused(path, resolution_ps=4000, period_ns=1)


# ---- precision


def test_integers_keep_every_digit(made):
    times = TIMES + (1 << 60)
    for kind in (".npz", ".npy", ".parquet", ".csv"):
        if kind != ".csv":
            np.testing.assert_array_equal(read(made(kind, time_ps=times, channel=CHANNELS))[2][0], times)
    times = TIMES + 999_999_999_999_900_000
    np.testing.assert_array_equal(read(made(".csv", time_ps=times, channel=CHANNELS))[2][0], times)


def test_floats_beyond_their_precision_are_refused(made):
    edge = float(1 << 53)
    assert read(made(time_ps=np.array([0.0, edge])))[3][-1].stop == (1 << 53) + 1
    line = refused(made(time_ps=np.array([0.0, edge + 2])))
    assert "[1]: time_ps: float64 tells single units up to 9007199254740992 of them only" in line
    assert "larger tick_ps" in line
    assert "float32 tells single units up to 16777216" in refused(made(time_ns=np.array([0.0, 17000], np.float32)))
    assert read(made(time_ns=np.array([0.0, 17000], np.float32)), tick_ps=1000)[3][-1].stop == 17001


def test_whole_times_are_rounded_to_a_coarser_tick_exactly(made):
    times = np.sort(np.random.default_rng(2).integers(0, 1 << 50, 1000))
    got = read(made(time_ps=times, channel=np.zeros(1000, np.uint8)), tick_ps=81)[2][0]
    np.testing.assert_array_equal(got, [(2 * int(time) + 81) // 162 for time in times])


def test_times_beyond_what_ticks_hold_are_refused(made):
    assert "must be at most" in refused(made(time_ps=np.array([0, 1 << 62])))
    assert "must be at most" in refused(made(time_ps=np.array([0, 1 << 63], np.uint64)))
    assert "must be at most" in refused(made(time_s=np.array([0, 1 << 40])), tick_ps=1)


# ---- text


def test_text_as_people_write_it(text):
    columns = read(text("\ufeff# my run\r\n\r\nTime [ns]; Channel\r\n1;0\r\n # note\r\n 2 ;1\r\n\r\n3;0\r\n"))[2]
    assert (list(columns[0]), list(columns[2])) == ([1, 2, 3], [0, 1, 0])
    columns = read(text('"time_ns","channel"\n1,0\n2,1\n'))[2]
    assert list(columns[0]) == [1, 2]
    columns = read(text("time_ns   channel\n  1  0\n2\t\t1  \n"))[2]
    assert (list(columns[0]), list(columns[2])) == ([1, 2], [0, 1])
    columns = read(text("time_ns,channel,note\n1,0,first\n2,1,\n+3,0,-\n"))[2]
    assert list(columns[0]) == [1, 2, 3]


def test_a_header_as_savetxt_writes_it(tmp_path):
    path = tmp_path / "run.txt"
    np.savetxt(path, np.stack([TIMES * 1e-12, CHANNELS], 1), header="time_s channel")
    columns = read(path)[2]
    np.testing.assert_array_equal(columns[0], TIMES)
    np.testing.assert_array_equal(columns[2], CHANNELS)


def test_columns_without_a_header_have_numbers(text):
    path = text("# a comment of some words\n5 0\n7 1\n")
    assert "its columns are 1, 2; name one time_ps, or set time_ps=COLUMN" in refused(path)
    info, _, columns, _ = read(path, time_ns=1, channel=2)
    assert (info.tick_s, list(columns[0]), list(columns[2])) == (1e-9, [5, 7], [0, 1])


@pytest.mark.skipif(not (SHARED / "refs/bh_noise.asc").exists(), reason="the shared recordings are not here")
def test_a_real_export_of_another_program():
    path = SHARED / "refs/bh_noise.asc"
    info, end, columns, _ = read(path, time=1, nanotime=2, tick_ps=50_000, resolution_ps=12.2, period_ns=50)
    table = np.loadtxt(path, np.int64)
    assert (info.mode, end.records) == ("T3", 6114)
    np.testing.assert_array_equal(columns[0], table[:, 0])
    np.testing.assert_array_equal(columns[1], table[:, 1])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("5,0\nx,1\n", "line 3: time_ns: must be a number, got 'x'; correct the line"),
        ("5,0\n6,\n", "line 3: channel: must be a number, got ''"),
        ("5,0\n6 7,1\n", "line 3: time_ns: must be a number, got '6 7'"),
        ("5,0\nnan,1\n", "line 3: time_ns: must be a number, got 'nan'"),
        ("5,0\n0x10,1\n", "line 3: time_ns: must be a number, got '0x10'"),
        ("5,0\n1_0,1\n", "line 3: time_ns: must be a number"),
        ("5,0\n6e,1\n", "line 3: time_ns: must be a number"),
        ("5,0\n6\n", "line 3: must have 2 fields as the first has, got 1 in '6'"),
        ("5,0\n6,1,2\n", "line 3: must have 2 fields as the first has, got 3 or more in '6,1,2'"),
        ("5,0\n1234567890123456789,1\n", "line 3: time_ns: must have at most 18 digits"),
        ("5,0\n# note\n\n-7,1\n", "line 5: time_ns: must not be negative, got -7"),
        ("5,0\n6,0.5\n", "line 3: channel: must be a whole number"),
    ],
)
def test_wrong_fields_are_named_with_their_line(text, lines, said):
    assert said in refused(text("time_ns,channel\n" + lines))


def test_decimals_after_many_whole_numbers_are_refused_not_cut(text):
    lines = "".join(f"{k},0\n" for k in range(40_000))
    line = refused(text("time_ns,channel\n" + lines + "40000.5,0\n"))
    assert "line 40002: time_ns: must be a whole number like those in the lines before, got '40000.5'" in line


def test_the_photons_before_a_wrong_line_are_given_out(text):
    path = text("time_ns,channel\n" + "".join(f"{k},0\n" for k in range(1000)) + "x,0\n")
    assert list(until_refused(path, "line 1002")) == list(range(999))  # more could follow in the tick of the last


def test_a_last_line_that_may_be_cut_is_left_out(text):
    _, end, columns, _ = read(text("time_ns,channel\n5,0\n1234,0"))
    assert list(columns[0]) == [5]
    assert end.warnings == ("the file ends within a line: it may be cut, and is left out",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no line of columns"),
        (b"# only\n# comments\n", "no line of columns"),
        (b"\xff\xfet\0i\0m\0e\0", "is no npz, npy, parquet or text"),
        (b"time_ns,time_ns\n1,2\n", "line 1: columns must have names of their own"),
        (b"a" * 100_000, "no line of columns within its first 65536 bytes"),
        (b"time_ns,channel\n1,0\n" + b"1" * 3_000_000 + b"\n", "line 3: is longer than 1048576 bytes"),
    ],
)
def test_what_is_no_text_of_columns_is_refused(text, content, said):
    assert said in refused(text(content))


def naive(content, delimiter, columns):
    """Rows of the given columns, line by line, as Python reads numbers; ends at the first line it cannot read."""
    rows = []
    for padded in content.split("\n")[:-1]:
        line = padded.strip(" \r" if delimiter == "\t" else " \r\t")
        if not line or line.startswith("#"):
            continue
        fields = line.split() if delimiter == " " else line.split(delimiter)
        try:
            assert len(fields) == columns
            rows.append([float(field) for field in fields])
        except (ValueError, AssertionError):
            break
    return np.array(rows).reshape(-1, columns)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", " "])
def test_the_kernel_equals_a_naive_reader(delimiter):
    rng = np.random.default_rng(ord(delimiter))
    for _ in range(150):
        columns, lines = int(rng.integers(1, 5)), []
        for _ in range(rng.integers(0, 12)):
            words = [
                rng.choice([
                    str(rng.integers(-(10**6), 10**17)), f"{rng.random() * 10.0 ** rng.integers(-20, 20):.17g}",
                    repr(float(rng.integers(10**9)) / 1e3), "+.5", "5.", "1e3", "-2E-5", "0", "000012",
                ], p=[0.3, 0.2, 0.2, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05])
                for _ in range(columns + (rng.random() < 0.01))
            ]  # fmt: skip
            if rng.random() < 0.02:
                words[-1] = rng.choice(["x", "", "1x", ".", "-", "1e", "1.2.3"])
            pad = rng.choice(["", " ", "  "])
            lines.append(
                rng.choice(["", "# c", "\r"]) if rng.random() < 0.1 else pad + (pad + delimiter).join(words) + pad
            )
        content = "".join(line + "\n" for line in lines)
        data = np.frombuffer(content.encode(), np.uint8)
        room = len(lines) + 1
        floats, state = np.zeros((columns, room)), np.zeros(7, np.int64)
        kernel.parse(
            data, len(data), ord(delimiter), np.arange(columns), np.ones(columns, np.uint8),
            np.zeros((columns, room), np.int64), floats, np.zeros(room, np.int64), np.zeros(columns, np.uint8), state,
        )  # fmt: skip
        wanted = naive(content, delimiter, columns)
        assert state[kernel.ROWS] == len(wanted), content
        np.testing.assert_allclose(floats[:, : len(wanted)].T, wanted, rtol=1e-15)


# ---- containers that are faulty or hostile


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    np.savez(tmp_path / "a.npz", time_ps=np.array([Trap()], object))
    assert "Python objects, which are not unpickled" in refused(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", np.array([(Trap(),)], [("time_ps", object)]))
    assert "Python objects, which are not unpickled" in refused(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"time_ps": TIMES, "channel": CHANNELS[:5]}, "columns must be of equal length, got channel: 5, time_ps: 6"),
        ({"time_ps": TIMES.reshape(2, 3)}, "time_ps: must have one dimension, got shape (2, 3)"),
        ({"time_ps": np.asfortranarray(TIMES.reshape(2, 3))}, "stored by column"),
        ({"time_ps": TIMES.astype(str)}, "column time_ps: must be numbers"),
        ({"time_ps": TIMES.astype("M8[ns]")}, "column time_ps: must be numbers"),
        ({"time_ps": TIMES.astype(complex)}, "column time_ps: must be numbers"),
        ({"time_ps": 5}, "time_ps: must have one dimension"),
    ],
)
def test_arrays_that_are_no_columns(made, columns, said):
    assert said in refused(made(**columns))


def test_an_npy_without_names_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", TIMES)
    assert "must be a structured array of one dimension" in refused(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.zeros((2, 2), [("time_ps", int)]))
    assert "must be a structured array of one dimension" in refused(tmp_path / "b.npy")


def test_a_cut_npy_gives_its_true_prefix(made):
    path = made(".npy", time_ps=TIMES, channel=CHANNELS)
    path.write_bytes(path.read_bytes()[:-10])
    info, _, columns, _ = read(path)
    np.testing.assert_array_equal(columns[0], TIMES[:4])
    assert info.warnings == ("the header says 6 entries, the file holds 4, which are used; it was cut",)


def bomb(path, shape, data=b"", method=zipfile.ZIP_DEFLATED):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", method) as file, file.open("time_ps.npy", "w", force_zip64=True) as member:
        member.write(header.getvalue())
        member.write(data)
    return path


def test_headers_that_promise_too_much_take_no_memory(tmp_path):
    assert "cannot hold shape" in refused(bomb(tmp_path / "a.npz", (1 << 60,)))
    assert "its shape is" in refused(bomb(tmp_path / "b.npz", (-5,)))
    assert "packed by method" in refused(bomb(tmp_path / "c.npz", (1,), bytes(8), zipfile.ZIP_LZMA))


def test_a_zip_bomb_is_read_in_slices(tmp_path):
    path = bomb(tmp_path / "a.npz", (12_000_000,), bytes(96_000_000))
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    line = refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "more than 4194304 photons have the time 0" in line
    assert peak < 300e6


def test_a_member_that_is_damaged_is_one_line(made):
    path = made(time_ps=np.arange(100_000), channel=np.zeros(100_000, np.uint8))
    content = bytearray(path.read_bytes())
    content[-50_000] ^= 1
    path.write_bytes(content)
    assert "cannot be read as a NumPy file" in refused(path, chunk_records=1000)


def test_parquet_faults(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="parquet is read with pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"time_ps": [1, 2, None, 4]}), path)
    assert "row [2]: time_ps: is empty" in refused(path)
    parquet.write_table(arrow.table({"time_ps": ["a", "b"]}), path)
    assert "column time_ps: must be numbers" in refused(path)
    parquet.write_table(arrow.table({"time_ps": [[1], [2]]}), path)
    assert "column time_ps: must be numbers" in refused(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "cannot be read as parquet" in refused(path)


def test_without_pyarrow_parquet_is_refused_with_the_remedy(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert "pip install pyarrow, or save as npz" in refused(path)


def test_absent_files(tmp_path):
    assert "cannot be read" in refused(tmp_path / "absent.npz")
    assert "cannot be read" in refused(tmp_path)


@pytest.mark.parametrize("kind", [".npz", ".npy", ".parquet", ".csv"])
def test_mutated_and_cut_files_are_read_or_refused(made, kind):
    rng = np.random.default_rng(11)
    path = made(kind, time_ps=np.cumsum(rng.integers(0, 9, 300)), channel=rng.integers(0, 2, 300).astype(np.uint8))
    content, refusals = path.read_bytes(), 0
    for turn in range(300):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), rng.integers(1, 6)):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(len(content))] if turn % 4 == 0 else damaged)
        line = attempt(path)
        assert "\n" not in line
        refusals += bool(line)
    assert refusals > 30


# ---- known by content


@every_kind
def test_files_of_photons_are_known_by_content(made, kind):
    path = made(kind, time_ps=TIMES, channel=CHANNELS)
    assert recognise(path, path.read_bytes()[:4096])


@pytest.mark.parametrize(
    "head",
    [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"PQTTTR\0\0", b"time_s,counts\n0,5\n", b"1 2\n3 4\n", b"\x89HDF"],
)
def test_other_files_are_not_taken(head):
    assert not recognise(Path("x"), head)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared recordings are not here")
def test_no_recording_of_another_format_is_taken():
    for path in SHARED.rglob("*"):
        if path.is_file() and path.suffix != ".npz":
            assert not recognise(path, path.read_bytes()[:4096]), path


@pytest.mark.parametrize("size", [1, 3, 5, 7, 10, 1 << 18])
def test_late_photons_are_sorted_across_blocks(tmp_path, size):
    """A block that ends with a late photon must not hide that the next one begins before what is held."""
    path = tmp_path / "late.npz"
    np.savez(path, time_ps=np.array([0, 10, 20, 100, 90, 95, 96, 97, 200, 300]), channel=np.zeros(10, np.uint8))
    source = open_source(str(path), {"horizon_ns": "0.02", "chunk_records": str(size)})
    assert np.concatenate([chunk.time for chunk in source.chunks()]).tolist() == [
        0,
        10,
        20,
        90,
        95,
        96,
        97,
        100,
        200,
        300,
    ]
    assert any(line.startswith("4 photons came late") for line in source.end().warnings)
