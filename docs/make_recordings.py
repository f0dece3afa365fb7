"""Writes docs/recordings.md: what every real recording at hand holds, or the line that refuses it.

`python docs/make_recordings.py FOLDER`, where FOLDER has `reference.json` and the recordings that it names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from streamer.errors import InputError
from streamer.registry import open_source
from streamer.tally import channel_counts

# What a file itself does not say, and a lab would.
GIVEN = {
    "spc/bh_spc630_256.spc": {"tick_ns": "50"},
    "spc/bh_spc132_smfret_m000.spc": {"resolution_ps": "3.3", "macro_clock": "sync"},
    "h5/luebeck_2ch.h5": {"tick_ns": "10"},
    "sstt/QD02_r_1.sstt": {"missing": "skip"},
    "qutag/qutag_hbt_80MHz_sync.qutag": {"pulses": "5", "pulse_divider": "8"},
}
HEAD = """# Real recordings, file by file

These public recordings, of cards and programs from 2003 on, are what the readers are tested on (they may not be
redistributed with the program). Each is read without a word about its format; where a file does not say enough, one row
has the line that refuses it, and another what it gives with the missing word. Every figure is also that of an
independent decoder, except that `bh_fcs_point_000.spc` ends in a record of all bits 0, which is
no photon, and that the first record of `bh_spc630_256.spc` is counted by that decoder and not here.

This page is written by `python docs/make_recordings.py FOLDER`; a test fails when it is out of date.

| file | read as | photons per channel | first tick, last tick | tick | markers | records |
| --- | --- | --- | --- | --- | --- | --- |
"""


def row(folder: Path, name: str, options: dict[str, str]) -> str:
    """One line of the table."""
    shown = f"`{name}`" + "".join(f" `{key}={value}`" for key, value in options.items())
    counts, first, last, markers = np.zeros(256, np.int64), None, None, 0
    try:
        source = open_source(str(folder / name), options)
        for chunk in source.chunks():
            counts += channel_counts(chunk.channel)
            markers += len(chunk.marker)
            if len(chunk.time):
                first, last = int(chunk.time[0]) if first is None else first, int(chunk.time[-1])
    except InputError as error:
        return f"| {shown} | refused: {str(error).replace(f'{folder}/', '')} | | | | | |"
    channels = ", ".join(f"{channel}: {counts[channel]}" for channel in np.flatnonzero(counts)) or "none"
    info, end = source.info, source.end()
    ticks = "" if first is None else f"{first}, {last}"
    tick = f"{info.tick_s * 1e12:.10g} ps" if info.tick_s < 1e-9 else f"{info.tick_s * 1e9:.10g} ns"
    return f"| {shown} | {info.format} | {channels} | {ticks} | {tick} | {markers} | {end.records} |"


def page(folder: Path) -> str:
    """The whole page."""
    names = list(json.loads((folder / "reference.json").read_text()))
    rows = [row(folder, name, {}) for name in names]
    rows += [row(folder, name, options) for name, options in GIVEN.items()]
    return HEAD + "\n".join(sorted(rows)) + "\n"


if __name__ == "__main__":
    target = Path(__file__).with_name("recordings.md")
    target.write_text(page(Path(sys.argv[1])), encoding="utf-8", newline="\n")
