"""Follow source: a recording that another program is still writing, read as it grows."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sources.reading import options as read_option
from sources.reading.events import Reader
from sources.reading.follow_reader import FollowReader, lasting
from sources.reading.recording import PULSE_OPTIONS, RecordingSource, Source, open_recording
from sources.reading.watched import Watched, await_first
from streamer.errors import InputError

START, NOW = "start", "now"
_OWN = ("from", "idle_s", "wait_s", "channels")
_SHARED = ("chunk_records", "horizon_ns", "late", *PULSE_OPTIONS)
_ENOUGH = 1000  # photons: a channel with one in a hundred of them is missed once in 23 000 starts
WAIT_S = "30"
_AGAIN_S = 0.25
_SETTLE_S = 1.0  # but at a low rate one does not wait for them all


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open a file that is being written.

    Args:
        where: path of the file, which need not be there yet; a folder or a pattern such as `run_*.ptu` stands for its
            newest file and those that come after it. A file whose content cannot be recognised is `name:FILE`.
        options: as text; what is neither named below nor common to all recordings goes to the format's source.

    Options:
        from: "start" (the default) or "now": begin with the first record written from now on.
        idle_s: the stream ends when the file has not grown for so long, 10 by default; inf for never.
        wait_s: how long to wait for the file and its header, and again for the first photon, 30 by default.
        channels: those with detectors, such as 0,1; by default those of the first photons, which are waited for.

    Raises:
        InputError: an option that is not known or not allowed, no such file, or one that cannot be followed.
    """
    if "speed" in options:
        raise InputError("follow: speed: a file that is being written has its own speed; leave the option out")
    theirs = [key for key in options if key not in (*_OWN, *_SHARED)]
    pulsed = {key: value for key, value in options.items() if key in PULSE_OPTIONS}
    rest = {key: value for key, value in options.items() if key not in PULSE_OPTIONS}
    source = open_recording("follow", where, rest, _open, (*_OWN, *theirs))
    return _by_pulses(source, rest, pulsed) if pulsed else source


def _by_pulses(source: Source, options: Mapping[str, str], pulsed: Mapping[str, str]) -> Source:
    """The source as laser pulses, which are looked for in what was written so far, until that is enough."""
    from sources.reading.pulses import with_pulses

    assert isinstance(source, RecordingSource)
    follower = source.reader
    assert isinstance(follower, FollowReader)
    shared = {key: value for key, value in options.items() if key in _SHARED}
    deadline = time.monotonic() + _seconds("wait_s", options.get("wait_s", WAIT_S))

    def opened(*, at_speed: bool) -> Source:
        return source if at_speed else follower.so_far(shared)

    while True:
        try:
            return with_pulses("follow", opened, pulsed)
        except InputError as error:
            if follower.complete or str(error).startswith("follow:") or time.monotonic() >= deadline:
                raise
        time.sleep(_AGAIN_S)


def _open(path: Path, options: Mapping[str, str], chunk_records: int) -> Reader:
    where = str(path)
    begin = read_option.choice("follow", "from", options.get("from", START), (START, NOW))
    idle_s = _seconds("idle_s", options.get("idle_s", "10"))
    wait_s = _seconds("wait_s", options.get("wait_s", WAIT_S))
    channels = _channels(options["channels"]) if "channels" in options else ()
    files = Watched(where, {key: value for key, value in options.items() if key not in _OWN})
    seen, records = await_first(files, wait_s, _ENOUGH, _SETTLE_S, photons=not channels)
    found = seen.format.info
    warnings = list(lasting(found.warnings))
    if not channels and not seen.channels:
        warnings.append("no photon was there when it was looked for channels; say them: channels=0,1")
    info = replace(
        found, source=f"follow:{where}", live=True, duration_s=None, warnings=tuple(warnings),
        channels=channels or tuple(sorted(seen.channels)),
    )  # fmt: skip
    return FollowReader(files, seen, info, chunk_records, idle_s, records if begin == NOW else None)


def _seconds(key: str, text: str) -> float:
    """A time; "inf" for no end."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise InputError(f"follow: {key}: must be a number of seconds from 0, or inf, got {text!r}")
    return value


def _channels(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) <= 254 for part in parts):
        raise InputError(f"follow: channels: must be numbers from 0 to 254 with commas between, got {text!r}")
    return tuple(sorted({int(part) for part in parts}))
