"""Figures: what is drawn is what was given; the same numbers make the same file; without matplotlib one line."""

import sys

import numpy as np
import pytest

from sinks.figures import draw, write
from streamer.errors import InputError
from streamer.result import Axis, Result

LOOK = {
    "figure": "saturation, bright", "title": "a dot", "x_label": "power (uW)", "y_label": "count rate (counts/s)",
    "x_scale": "linear", "y_scale": "linear", "text": ["I_s = 690 ± 40 W/cm2", "p = 0.4"],
}  # fmt: skip


def results():
    x = np.array([1.0, 2.0, 4.0])
    y = np.array([10.0, 18.0, 30.0])
    points = {"value": y, "low": y - 1, "high": y + 2, "x_error": np.array([0.0, 0.1, 0.0])}
    fine = np.linspace(1, 4, 20)
    curve = {"value": 8 * fine, "low": 7 * fine, "high": 9 * fine}
    edges = [0.0, 1.0, 2.0]
    return [
        Result("a", "trace", (Axis("power", "uW", x),), points, values=LOOK | {"role": "points"}),
        Result("b", "trace", (Axis("power", "uW", fine),), curve, values=LOOK | {"role": "curve"}),
        Result("c", "trace", (Axis("g2_0", "", np.array([0.5, 1.5])),), {"counts": np.array([3.0, 4.0])},
               values=LOOK | {"figure": "g2", "role": "histogram", "edges": edges, "mean": 1.0, "sd": 0.5}),
        Result("summary", "summary", values={"photons": 5}),
    ]  # fmt: skip


def test_each_figure_is_a_png_and_an_svg(tmp_path):
    paths = write(tmp_path / "new", results())
    assert [path.name for path in paths] == ["saturation_bright.png", "saturation_bright.svg", "g2.png", "g2.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in paths[1].read_text()


def test_the_same_numbers_make_the_same_files(tmp_path):
    first, again = write(tmp_path / "a", results()), write(tmp_path / "b", results())
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_what_is_drawn_is_what_was_given():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.add_subplot()
    draw(axes, results()[:2])
    ((points, _, bars),) = axes.containers
    assert np.array_equal(points.get_xydata(), [[1, 10], [2, 18], [4, 30]])
    x_bars, y_bars = (one.get_segments() for one in bars)
    assert np.allclose(y_bars[1], [[2, 17], [2, 20]])
    assert np.allclose(x_bars[1], [[1.9, 18], [2.1, 18]])
    assert axes.get_xlabel() == "power (uW)"
    assert "690" in axes.get_title(loc="left")
    assert axes.get_ylim()[0] == 0


def test_nothing_to_draw_makes_nothing(tmp_path):
    assert write(tmp_path / "new", results()[3:]) == []
    assert not (tmp_path / "new").exists()


def test_two_figures_of_one_name_are_two_files(tmp_path):
    other = Result("d", "trace", results()[2].axes, results()[2].data, values=results()[2].values | {"figure": "g2:"})
    assert {path.name for path in write(tmp_path, [results()[2], other])} >= {"g2.png", "g2_2.png"}


def test_without_matplotlib_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"photon-streamer\[figures\]"):
        write(tmp_path, results())


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--out"):
        write(tmp_path / "file", results())
