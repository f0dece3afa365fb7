"""Live source: the simulated emitter, which notes when it began by the clock on the wall, and how much it sent.

A source named "live" for `streamer.send`, in a process of its own:

    python -m benchmarks.live_source ADDRESS NOTE KEY=VALUE ...
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sources.simulate import SimulateSource
from sources.simulate import open_source as simulate
from streamer import registry
from streamer.chunk import Chunk
from streamer.config import Settings
from streamer.send import send

WAIT_S = 60.0


class LiveSource(SimulateSource):
    """A SimulateSource that writes {"began": time.time() of stream time 0, "photons": sent} to a file."""

    def __init__(self, simulated: SimulateSource, note: Path) -> None:
        """The same stream, on the clock that a reader of Results has too."""
        super().__init__(simulated.settings, "live", clock=self._time)
        self._note = note
        self._told: dict[str, Any] = {}

    def _time(self) -> float:
        """The clock of the stream; its first reading is stream time 0."""
        now = time.time()
        self._told.setdefault("began", now)
        return now

    def chunks(self) -> Iterator[Chunk]:
        """As they are made."""
        self._told["photons"] = 0
        for chunk in super().chunks():
            self._told["photons"] += len(chunk.time)
            yield chunk
        self._note.write_text(json.dumps(self._told), encoding="utf-8")


def open_source(where: str, options: Mapping[str, str]) -> LiveSource:
    """`where` is the path of the note."""
    return LiveSource(simulate("", options), Path(where))


def main(address: str, note: str, *options: str) -> None:
    """Send the stream as `streamer send` does."""
    registry.SOURCES["live"] = "benchmarks.live_source"
    send(f"live:{note}", address, Settings(), dict(option.split("=", 1) for option in options), WAIT_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
