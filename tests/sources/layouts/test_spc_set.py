"""SPC setup files: the real one, what is said of the card, and files that are none."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from sources.layouts.spc_set import read_setup, setup_beside
from streamer.errors import InputError

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "spc" / "bh_noise.set"
real_file = pytest.mark.skipif(not REAL.exists(), reason="the shared recordings are not here")

KNOWN = {
    "SP_TAC_R": "5.0033574e-08", "SP_TAC_G": "5", "SP_ADC_RE": "4096", "SP_TAC_TC": "2.4430455e-12",
    "SP_SYN_FD": "1", "SP_MTCLK": "1", "SP_COL_T": "180", "SP_STOPT": "1", "SP_EN_DLIM": "0",
}  # fmt: skip


def setup(module="SPC-150 (Ser.No. 3F0022)", code=0x28, **parameters):
    """Bytes of a setup file; a parameter given as None is left out."""
    lines = [f"  #SP [{key},F,{value}]" for key, value in (KNOWN | parameters).items() if value is not None]
    contents = f"Contents  : Setup file made by system\r\n with module {module}\r\n" if module else ""
    text = "*IDENTIFICATION\r\n  ID        : \x04SPC Setup Script File\x04\r\n  " + contents + "*END\r\n\r\n*SETUP\r\n"
    text += "  SYS_PARA_BEGIN:\r\n" + "\r\n".join(lines) + "\r\n  SYS_PARA_END:\r\n*END\r\n"
    return (code << 4 | 13).to_bytes(2, "little") + bytes(40) + text.encode("latin-1")


@pytest.fixture
def read(tmp_path):
    def make(*args, **parameters):
        path = tmp_path / "run.set"
        path.write_bytes(args[0] if args else setup(**parameters))
        return read_setup(path)

    return make


@real_file
def test_the_real_setup():
    found = read_setup(REAL)
    assert (found.hardware, found.clock, found.sync_divider, found.channels) == ("SPC-150 3F0022", 1, 1, 4096)
    width, why = found.width(4096)
    assert width == pytest.approx(2.4430455e-12, rel=1e-6)
    assert why == ""
    assert found.collect_s is None  # a limit on the disk, of 102 kB, was what ended it


def test_what_is_said(read):
    found = read()
    assert (found.module, found.serial, found.collect_s) == ("SPC-150", "3F0022", 180)
    assert read(SP_STOPT="0").collect_s is None
    assert read(SP_MTCLK=None).clock is None
    assert read(module="SPC-130EM").hardware == "SPC-130EM"
    assert read(module="", code=0x22).hardware == "SPC-630"  # from the binary header


def test_the_width_is_range_by_gain_by_channels(read):
    found = read(SP_TAC_R="1e-7", SP_TAC_G="2", SP_ADC_RE="256", SP_TAC_TC=None)
    assert found.width(256) == (pytest.approx(1e-7 / 2 / 256), "")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"SP_TAC_R": None}, "no SP_TAC_R"),
        ({"SP_TAC_G": None}, "SP_TAC_G"),
        ({"SP_ADC_RE": "1024"}, "1024 ADC channels"),
        ({"SP_ADC_RE": None}, "None ADC channels"),
        ({"SP_TAC_TC": "5e-12"}, "contradicts itself.*2.443 ps.*5 ps"),
    ],
)
def test_no_width_where_it_is_not_sure(read, parameters, said):
    width, why = read(**parameters).width(4096)
    assert width is None
    assert re.search(said, why)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SP_TAC_R", "0"),
        ("SP_TAC_R", "nan"),
        ("SP_TAC_G", "-1"),
        ("SP_TAC_R", "five"),
        ("SP_MTCLK", "9"),
        ("SP_SYN_FD", "0"),
    ],
)
def test_a_parameter_that_cannot_be(read, key, value):
    with pytest.raises(InputError, match=rf"run\.set: {key}: must be .*'{value}'") as caught:
        read(**{key: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PQTTTR\0\0", b"SPC Setup", b"#SP [SP_TAC_R,F,1e-8]", bytes(1000)])
def test_files_that_are_no_setup(read, content):
    with pytest.raises(InputError, match=r"run\.set: is not a setup file"):
        read(content)


def test_a_missing_setup(tmp_path):
    with pytest.raises(InputError, match=r"none\.set: the setup file cannot be read"):
        read_setup(tmp_path / "none.set")
    with pytest.raises(InputError):
        read_setup(tmp_path)


def test_the_setup_beside_a_recording(tmp_path):
    assert setup_beside(tmp_path / "a.spc") is None
    (tmp_path / "a.set").write_bytes(b"")
    assert setup_beside(tmp_path / "a.spc") == tmp_path / "a.set"


def test_damaged_setups_say_so_in_one_line(read):
    rng, whole = np.random.default_rng(5), bytearray(setup())
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(damaged), rng.integers(1, 20)):
            damaged[place] = rng.integers(0, 256)
        del damaged[rng.integers(1, len(damaged)) if rng.random() < 0.3 else len(damaged) :]
        said = ""
        try:
            read(bytes(damaged)).width(4096)
        except InputError as error:
            said = str(error)
        assert "\n" not in said
