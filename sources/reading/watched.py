"""Watched files: which one a follower reads first and which next, and what each holds so far."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sources.reading.events import Events
from sources.reading.record_file import RecordFormat, RecordReader
from sources.reading.recording import Source
from sources.reading.run_files import is_pattern, matching, natural, source_of
from streamer.errors import InputError

LOOK_RECORDS = 1_000_000  # of a file, when one looks which channels it has
_BLOCK = 1 << 16  # records
_SHORTEST = 64  # bytes from which a file without first bytes of its own may be recognised


class NotFollowed(InputError):
    """A file of a format that cannot be followed, however long one waits."""


@dataclass(frozen=True)
class Seen:
    """What a file holds at this moment.

    Attributes:
        path: of the file.
        format: of its records.
        photons: among the first LOOK_RECORDS records.
        channels: that these are on.
        first: tick of the first photon or marker; None where there is none yet.
    """

    path: Path
    format: RecordFormat
    photons: int
    channels: frozenset[int]
    first: int | None


@dataclass
class Watched:
    """A file, a folder or a pattern of names.

    Attributes:
        where: as it was asked for; `name:` before it names the format.
        options: of the format.
        done: files that were read, or were older than the first, and are no longer looked at.
    """

    where: str
    options: Mapping[str, str]
    done: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Part the name of a format from the path."""
        name, colon, rest = self.where.partition(":")
        named = colon and len(name) > 1 and name.isidentifier()
        self._name, self._path = (f"{name}:", rest) if named else ("", self.where)

    @property
    def several(self) -> bool:
        """May files follow one another?"""
        return is_pattern(self._path) or Path(self._path).is_dir()

    def newest(self) -> Path:
        """The file to begin with; there may be none of that name yet.

        Raises:
            InputError: no file of a format that can be followed is there.
        """
        if not self.several:
            return Path(self._path)
        files = self._by_age()
        for k, path in reversed(list(enumerate(files))):
            try:
                self._module(path)
            except InputError:
                continue
            self.done.update(files[:k])
            return path
        raise InputError(f"{self._path}: holds no recording that can be followed; check the place")

    def after(self, path: Path) -> list[Path]:
        """Files written to since, the oldest first."""
        if not self.several:
            return []
        files = self._by_age()
        rest = files[files.index(path) + 1 :] if path in files else files
        return [one for one in rest if one not in self.done]

    def see(self, path: Path) -> Seen:
        """Read the header and the first records.

        Raises:
            NotFollowed: its format cannot be followed.
            InputError: the header is not there yet, or not whole, or wrong.
        """
        reader = getattr(self.so_far(path, {}), "reader", None)
        if not isinstance(reader, RecordReader):
            raise _not_followed(path)
        reader.close()
        fmt = reader.format
        few = replace(fmt, records=min(fmt.records, LOOK_RECORDS), promised=None)
        looking, events = RecordReader(path, few, _BLOCK), Events()
        counts, first = np.zeros(256, np.int64), None
        try:
            while not events.last and (block := looking.read(Events())) is not None:
                events = block
                times = [int(one.min()) for one in (events.time, events.marker_time) if len(one)]
                first = min(times) if times and first is None else first
                counts += np.bincount(events.channel, minlength=256)
        finally:
            looking.close()
        return Seen(path, fmt, int(counts.sum()), frozenset(np.flatnonzero(counts).tolist()), first)

    def so_far(self, path: Path, options: Mapping[str, str]) -> Source:
        """A file as a recording, with what is in it now; `options` beside those of the format.

        Raises:
            InputError: as in `see`.
        """
        module = importlib.import_module(f"sources.{self._module(path)}")
        source: Source = module.open_source(str(path), {**self.options, **options})
        return source

    def _module(self, path: Path) -> str:
        """The source that reads a file, when it is one of records."""
        try:
            length = path.stat().st_size
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; check the name, or start the recording") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
        if length < _SHORTEST:
            raise InputError(f"{path}: has only {length} bytes, which is no recording yet; check the name")
        name, _ = source_of(f"{self._name}{path}")
        if not hasattr(importlib.import_module(f"sources.{name}"), "record_format"):
            raise _not_followed(path)
        return name

    def _by_age(self) -> list[Path]:
        """Files that are meant, by the time at which they were last written to."""
        folder = Path(self._path)
        try:
            files = [one for one in folder.iterdir() if one.is_file()] if folder.is_dir() else matching(self._path)
            return [path for _, _, path in sorted((one.stat().st_mtime_ns, natural(one), one) for one in files)]
        except OSError:  # one of them was removed while it was looked at
            return []


def _not_followed(path: Path) -> NotFollowed:
    return NotFollowed(
        f"{path}: a file of this format is not written record by record, so it cannot be followed; replay it when it "
        "is complete"
    )


def await_first(files: Watched, wait_s: float, enough: int, settle_s: float, *, photons: bool) -> tuple[Seen, int]:
    """The first file, once its header is there, and photons too when these are asked for.

    Args:
        files: to choose from.
        wait_s: how long to wait for the file with its header, and again for the first photon.
        enough: photons that show which channels there are.
        settle_s: or the time for which one looks at the channels after the first photon.
        photons: wait for them.

    Returns:
        What is there, and how many records there were when the header was first read.

    Raises:
        InputError: what kept the file from being read until the time was up.
    """
    begun = time.monotonic()
    records, lit = -1, 0.0
    while True:
        now = time.monotonic()
        try:
            seen = files.see(files.newest())
        except NotFollowed:
            raise
        except InputError as error:
            if now - begun >= wait_s:
                waited = f" (waited {wait_s:g} s)" if wait_s else ""
                raise InputError(f"{error}{waited}") from None
            time.sleep(0.05)
            continue
        if records < 0:
            records, begun = seen.format.records, now
        lit = lit or (now if seen.photons else 0.0)
        complete = seen.format.promised == seen.format.records
        found = seen.photons >= enough or (lit and now - lit >= settle_s)
        if not photons or complete or found or (not lit and now - begun >= wait_s):
            return seen, min(records, seen.format.records)
        time.sleep(0.02)
