"""Results in a folder: whole files only, everything in them."""

import json

import numpy as np
import pytest

from sinks.folder import write
from streamer.errors import InputError
from streamer.result import Axis, Result


def results():
    axis = Axis("tau", "ns", np.arange(3.0))
    return [
        Result("g2", "curves", (axis,), {"counts": np.ones((2, 3))}, ("all", "bright"), {"pair": [0, 1]}, {"seq": 3}),
        Result("summary", "summary", values={"photons": 5, "warnings": []}),
    ]


def test_everything_is_there(tmp_path):
    paths = write(tmp_path / "new", results())
    assert json.loads(paths[0].read_text()) == {"photons": 5, "warnings": []}
    with np.load(paths[1]) as arrays:
        assert np.array_equal(arrays["g2.counts"], np.ones((2, 3)))
        assert np.array_equal(arrays["g2.axis.tau"], np.arange(3.0))
        meta = json.loads(str(arrays["meta"]))["g2"]
    assert (meta["axes"], meta["rows"], meta["provenance"]) == ([["tau", "ns"]], ["all", "bright"], {"seq": 3})
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["results.npz", "summary.json"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--out"):
        write(tmp_path / "file", results())
