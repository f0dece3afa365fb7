"""Panel: a titled frame that draws Results and may ask the daemon for a cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamer.result import Result
from viewer import style
from viewer.qt import QtWidgets, pyqtSignal
from viewer.values import items, known


class Panel(QtWidgets.QFrame):
    """Base of all panels. `wants` names the Results it draws; `draw` gets all of the run, and must stand odd data."""

    asked = pyqtSignal(dict)
    wants: tuple[str, ...] = ()

    def __init__(self, title: str) -> None:
        """An empty frame with a title row (`header`) over a column (`body`)."""
        super().__init__()
        self.setObjectName("panel")
        self.title = title
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(8, 5, 6, 4)
        column.setSpacing(3)
        self.header = QtWidgets.QHBoxLayout()
        self.header.setSpacing(6)
        if title:
            heading = QtWidgets.QLabel(title)
            heading.setObjectName("title")
            self.header.addWidget(heading)
            column.addLayout(self.header)
        self.body = QtWidgets.QVBoxLayout()
        self.body.setSpacing(3)
        column.addLayout(self.body, 1)

    def draw(self, results: Mapping[str, Result]) -> None:
        """Draw the newest Results of the run."""
        raise NotImplementedError

    def clear(self) -> None:
        """A new run has begun: show nothing of the old one."""
        raise NotImplementedError

    @property
    def gripped(self) -> bool:
        """Whether the hand is dragging something in this panel."""
        return False

    def answer(self, request: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """Take note of the daemon's reply to a request (anyone's)."""

    def faint(self, text: str = "") -> QtWidgets.QLabel:
        """A label for a remark."""
        label = QtWidgets.QLabel(text)
        label.setObjectName("faint")
        return label


def why(result: Result | None, otherwise: str) -> str:
    """The reason that a Result gives for having no numbers, or else this sentence."""
    return str((result.values.get("reason") if result is not None else None) or otherwise)


def mode_of(results: Mapping[str, Result]) -> str | None:
    """ "T2" or "T3" as the status says it, else None."""
    status = results.get("status")
    mode = status.values.get("mode") if status is not None else None
    return mode if mode in ("T2", "T3") else None


def missing(results: Mapping[str, Result], what: str, in_t2: str = "", about: str = "") -> str:
    """The sentence to stand where `what` would be drawn; a warning that begins with `about` says it best."""
    if in_t2 and mode_of(results) == "T2":
        return in_t2
    for name in ("summary", "status"):  # who made the numbers may know why there are none
        for line in items(results[name].values.get("warnings")) if about and name in results else ():
            if str(line).startswith(about + ":"):
                return str(line)
    status = results.get("status")
    photons = known(status.values.get("photons")) if status is not None else None
    return f"waiting for the first {what}" if photons else f"no photons yet: no {what}"


def key(name: str, text: str = "") -> str:
    """Rich text for a legend: a square in the state's colour, its name and `text`."""
    return f'<span style="color:{style.state_color(name)}">■ <b>{name}</b></span> {text}'
