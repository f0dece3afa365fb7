"""Registry: names -> sources, sinks, viewer; what lies outside the engine is known here alone, and by name only."""

from __future__ import annotations

import importlib
import importlib.resources
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError

# Name -> module with `open_source(where, options)`.
SOURCES: dict[str, str] = {
    name: f"sources.{name}"
    for name in (
        "ptu", "pt3", "ht3", "t3r", "spc", "qutag", "sstt", "photon_hdf5", "arrays", "join", "follow", "simulate",
        "picoquant", "swabian", "qutag_device",
    )
}  # fmt: skip
# Those that read a recording, and so have a `speed`; a simulation has its own clock (`live`).
RECORDINGS = frozenset(("ptu", "pt3", "ht3", "t3r", "spc", "qutag", "sstt", "photon_hdf5", "arrays", "join"))


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
    """Open `name:where`, a bare name, the path of a recording, or `module:where` of a lab's own source.

    Raises:
        InputError: that is nothing readable, or the module has no `open_source`.
    """
    name, where = split_address(address)
    if where.startswith("~"):  # which a shell does not expand behind a name
        where = str(Path(where).expanduser())
    module = importlib.import_module(SOURCES[name]) if name in SOURCES else _own_module(name)
    source: Source = module.open_source(where, dict(options or {}))
    return source


def split_address(address: str) -> tuple[str, str]:
    """(source name, what follows it); a path is looked into to find its name; a lab's own source is its module."""
    name, colon, where = address.partition(":")
    there = _exists(Path(address))
    if name in SOURCES and (colon or not there):
        return name, where
    # One letter is a drive on Windows, and a module's name has no other signs than these.
    if not there and colon and len(name) > 1 and all(part.isidentifier() for part in name.split(".")):
        return name, where
    found: str = importlib.import_module("sources.formats").name_of(Path(address))
    return found, address


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL: whatever it is, it is no file
        return False


def _own_module(name: str) -> ModuleType:
    """A lab's own source, found where Python finds modules or in the folder where the program was started."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(f"{name}: its import failed ({error}); install what it needs") from None
        known = ", ".join(f"{one}:" for one in SOURCES)
        raise InputError(
            f"{name}: no such source, and no module of that name here or where Python looks; sources are {known}"
        ) from None
    except Exception as error:  # whatever a lab's module does when it is imported
        raise InputError(f"{name}: its import failed ({type(error).__name__}: {error}); mend the module") from None
    if not callable(getattr(module, "open_source", None)):
        raise InputError(f"{name}: the module has no function open_source(where, options); see docs/adding-a-part.md")
    return module


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
