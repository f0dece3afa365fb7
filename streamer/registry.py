"""Registry: names -> sources, sinks, viewer; what lies outside the engine is known here alone, and by name only."""

from __future__ import annotations

import importlib
import importlib.resources
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError

# Name -> module with `open_source(where, options)`.
SOURCES: dict[str, str] = {"ptu": "sources.ptu", "simulate": "sources.simulate"}
# Those that read a recording, and so have a `speed`; a simulation has its own clock (`live`).
RECORDINGS = frozenset({"ptu"})
# First bytes of a file -> name of its source: files are known by content, not by name.
MAGIC: dict[bytes, str] = {b"PQTTTR": "ptu"}


class Source(Protocol):
    """What every source offers."""

    info: StreamInfo

    def chunks(self) -> Iterator[Chunk]:
        """The stream, once."""
        ...

    def stop(self, reason: str) -> None:
        """Ask it to end at the next chunk; may be called from another thread."""
        ...

    def end(self) -> StreamEnd:
        """What only the end can know; after `chunks` is exhausted."""
        ...


def open_source(address: str, options: Mapping[str, str] | None = None) -> Source:
    """Open `name:where`, a bare name, or the path of a recording; InputError when that is nothing readable."""
    name, where = split_address(address)
    source: Source = importlib.import_module(SOURCES[name]).open_source(where, dict(options or {}))
    return source


def split_address(address: str) -> tuple[str, str]:
    """(source name, what follows it); a path is looked into to find its name."""
    name, colon, where = address.partition(":")
    if name in SOURCES and (colon or not Path(address).exists()):
        return name, where
    return _name_by_content(Path(address)), address


def _name_by_content(path: Path) -> str:
    known = ", ".join(f"{name}:" for name in SOURCES)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the path of one recording")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); give the path of a recording or a source ({known})"
        ) from None
    for magic, name in MAGIC.items():
        if head.startswith(magic):
            return name
    found = "the file is empty" if not head else f"it begins with {head[:8]!r}"
    raise InputError(
        f"{path}: not a recording this version reads ({found}); PTU files begin with b'PQTTTR', sources are {known}"
    )


def load_sink(name: str) -> Callable[[Path, Sequence[Any]], list[Path]]:
    """The `write(folder, results)` of a sink."""
    write: Callable[[Path, Sequence[Any]], list[Path]] = importlib.import_module(f"sinks.{name}").write
    return write


def load_viewer() -> Callable[..., int]:
    """The viewer's `run`; InputError where Qt is not installed."""
    run: Callable[..., int] = importlib.import_module("viewer.app").run
    return run


def bundled_recording() -> tuple[Path, dict[str, Any]]:
    """(path, truth) of the recording that comes with the program."""
    folder = Path(str(importlib.resources.files("replay_data")))
    return folder / "dot.ptu", json.loads((folder / "dot.json").read_text(encoding="utf-8"))["truth"]
