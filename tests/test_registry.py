"""Registry: sources by name and by content."""

import pytest

from streamer.errors import InputError
from streamer.registry import bundled_recording, load_sink, open_source, split_address


def test_names_and_paths(tmp_path):
    path, _ = bundled_recording()
    assert split_address("simulate") == ("simulate", "")
    assert split_address("simulate:steady") == ("simulate", "steady")
    assert split_address(f"ptu:{path}") == ("ptu", str(path))
    assert split_address(str(path)) == ("ptu", str(path))
    renamed = tmp_path / "no.extension"
    renamed.write_bytes(path.read_bytes()[:5000])
    assert split_address(str(renamed)) == ("ptu", str(renamed))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda p: p, "folder"),
        (lambda p: p / "none", "cannot be read"),
        (lambda p: _write(p, b""), "empty"),
        (lambda p: _write(p, b"hello world"), "b'hello wo'"),
    ],
)
def test_what_is_no_recording_is_said_in_one_line(tmp_path, make, word):
    with pytest.raises(InputError, match=word) as error:
        open_source(str(make(tmp_path)))
    assert "\n" not in str(error.value)


def _write(folder, content):
    path = folder / "file"
    path.write_bytes(content)
    return path


def test_sinks_are_found_by_name():
    assert load_sink("folder").__module__ == "sinks.folder"
