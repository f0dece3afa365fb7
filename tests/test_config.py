"""Settings: read from TOML, and refused in one line that names file, key, rule and value."""

import pytest

from streamer.config import Settings, load_settings
from streamer.errors import InputError


def test_defaults_need_no_file():
    assert load_settings(None) == Settings()


def test_a_file_is_read(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        "bin_ms = 5\npairs = [[0, 2]]\nthresholds_cps = [1e3, 5e3]\n[delays_ns]\n2 = 23.9\n", encoding="utf-8"
    )
    settings = load_settings(path)
    assert (settings.bin_ms, settings.pairs, settings.delays_ns) == (5.0, ((0, 2),), {2: 23.9})
    assert settings.thresholds_cps == (1e3, 5e3)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("bin_ms = 0", "bin_ms", "0"),
        ("bin_ms = 'x'", "bin_ms", "'x'"),
        ("lags = 1", "lags", "1"),
        ("thresholds_cps = [2.0, 1.0]", "thresholds_cps", "2.0"),
        ("bin = 3", "bin", "3"),
        ("delays_ns = 'always'", "delays_ns", "'always'"),
        ("[delays_ns]\na = 1.0", "delays_ns", "'a'"),
        ("states = 7", "states", "7"),
        ("pairs = [[0]]", "pairs", "0"),
    ],
)
def test_a_wrong_value_is_one_line_with_file_key_and_value(tmp_path, text, key, value):
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_settings(path)
    line = str(error.value)
    assert "\n" not in line
    assert str(path) in line
    assert key in line
    assert value in line


def test_no_toml_and_no_file(tmp_path):
    path = tmp_path / "run.toml"
    with pytest.raises(InputError, match="cannot be read"):
        load_settings(path)
    path.write_text("bin_ms =", encoding="utf-8")
    with pytest.raises(InputError, match="not TOML"):
        load_settings(path)


def test_a_number_where_channels_are_needed_is_told_how():
    with pytest.raises(InputError, match=r"background_cps: must be a table of channels, for example .*, got 100"):
        load_settings(None, background_cps=100)
