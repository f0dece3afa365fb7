"""The template of a lab's own source: loaded by its import name, fed by a real tagger on a real socket."""

import itertools
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from streamer.chunk import Chunk
from streamer.errors import InputError
from streamer.registry import open_source, split_address

TEMPLATE = Path(__file__).parents[2] / "docs" / "own_source.py"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder with the template in it, as a lab would have it, and the program started there."""
    shutil.copy(TEMPLATE, tmp_path / "own_source.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_source", raising=False)
    yield tmp_path
    sys.modules.pop("own_source", None)


def tags(n=20_000, seed=1):
    """Words of a tagger: photons on channels 0 and 1, clock tags between them, several in one tick."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, 20 * n, n)).astype(np.uint64) + np.uint64(10**12)
    channel = rng.choice([0, 1, 255], n).astype(np.uint64)
    return time.astype(np.int64), channel.astype(np.uint8), (channel << np.uint64(56) | time).tobytes()


@pytest.fixture
def tagger():
    """(port, tags): a server that sends its tags in odd pieces and closes."""
    time, channel, words = tags()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                for at in range(0, len(words), 1003):
                    connection.sendall(words[at : at + 1003])

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], time, channel
        thread.join(10)


def test_every_tag_arrives_once_and_in_order(lab, tagger):
    port, time, channel = tagger
    source = open_source(f"own_source:127.0.0.1:{port}", {"channels": "0,1"})
    chunks: list[Chunk] = list(source.chunks())
    assert all(a.stop == b.start for a, b in itertools.pairwise(chunks))
    photon = channel != 255
    assert np.array_equal(np.concatenate([chunk.time for chunk in chunks]), time[photon])
    assert np.array_equal(np.concatenate([chunk.channel for chunk in chunks]), channel[photon])
    assert source.end().reason == "the tagger closed the connection"


def test_the_command_line_loads_it_by_name(lab, tagger):
    port, _, channel = tagger
    program = [sys.executable, "-m", "streamer", "check", f"own_source:127.0.0.1:{port}", "--json"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    assert f'"photons": {int((channel != 255).sum())}' in done.stdout


def test_names_that_are_paths_stay_paths(lab):
    (lab / "run.ptu").write_bytes(b"PQTTTR")
    assert split_address("run.ptu") == ("ptu", "run.ptu")
    assert split_address("own_source:x") == ("own_source", "x")
    with pytest.raises(InputError, match="cannot be read"):
        split_address(r"C:\no\such.ptu")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no function open_source"),
        ("import no_such_module_at_all", "import failed.*no_such_module_at_all"),
        ("1 / 0", "import failed.*ZeroDivisionError"),
    ],
)
def test_a_module_that_is_none_is_said_in_one_line(lab, monkeypatch, content, words):
    (lab / "bad_source.py").write_text(content)
    with pytest.raises(InputError, match=words) as error:
        open_source("bad_source:")
    assert "\n" not in str(error.value)
    sys.modules.pop("bad_source", None)


def test_a_name_that_nobody_knows_lists_those_that_are_known(lab):
    with pytest.raises(InputError, match=r"no such source.*ptu:"):
        open_source("simulat:steady")
