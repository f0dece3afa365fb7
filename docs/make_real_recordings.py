"""Writes docs/real-recordings.md: `python docs/make_real_recordings.py FOLDER`, the folder with the recordings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from streamer.batch import analyse
from streamer.config import Settings
from streamer.errors import InputError
from streamer.estimators.g2 import CwZero

# file, what is known of it from elsewhere
RECORDINGS = (
    ("pt3/emitter_trace01.pt3", "two levels, on for seconds, then mostly dark; one detector with a signal"),
    ("pt3/emitter_trace04.pt3", "several levels, each with a lifetime of its own"),
    ("pt3/emitter_trace10.pt3", "switches often"),
    ("pt3/emitter_trace07.pt3", "background only: must not be called blinking"),
    ("ptu/hh1_t3_hbt_2p5MHz_blinking.ptu", "one blinking emitter, two detectors, 11 central pairs"),
    ("ht/hh_v2_t2_qd_run0.ht2", "a dot under cw light with far too few pairs: must not be decided"),
    ("ht/hh_v2_t2_qd_run1.ht2", "the next run of the same dot"),
)

# file, what a rule may and may not say of it
STOPS = (
    ("ptu/hh2_t3_hbt_80MHz.ptu", "single, pulsed"),
    ("ptu/hh2_t2_hbt_320MHz.ptu", "single, cw times of an 80 MHz laser, taken as cw"),
    ("ptu/ph300_t2_2ch_80MHz.ptu", "two detectors in laser light: never single"),
    ("ptu/hh1_t3_hbt_2p5MHz_blinking.ptu", "11 central pairs: single or undecided"),
    ("ht/hh_v2_t2_qd_run0.ht2", "far too few pairs"),
    ("ptu/th260n_t2_1ch_bursts.ptu", "one detector"),
)

HEAD = """# Real recordings

What the program says of recordings from other laboratories, with default settings. They are public (their origin and
licences are in the README of the folder they lie in) and not part of this project. Written by
`python docs/make_real_recordings.py FOLDER`; `tests/test_real_science.py` holds the program to it.
"""


def plus(value: float | None, error: float | None = None, digits: int = 2) -> str:
    """A number with its error, or a dash."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def g2_text(values: dict[str, Any]) -> str:
    """g2(0), interval, verdict."""
    if values["g2_0"] is None:
        return "cannot tell"
    interval = f"{plus(values['g2_0'])} ({plus(values['low'])} to {plus(values['high'])})"
    return f"{interval}: {values['verdict'] or 'no verdict'}"


def section(name: str, known: str, summary: dict[str, Any]) -> str:
    """What was seen of one recording."""
    text = f"\n## {Path(name).name}\n\nKnown: {known}. g2(0) of all photons: {g2_text(summary['g2'])}.\n\n"
    text += "| state | counts/s | time, s | lifetime, ns | g2(0) |\n| --- | --- | --- | --- | --- |\n"
    for state in summary["states"]:
        lifetime = plus(state["lifetime_ns"], state["lifetime_error_ns"])
        text += (
            f"| {state['name']} | {state['rate_cps']:.0f} | {state['time_s']:.1f} | {lifetime} | {g2_text(state)} |\n"
        )
    lines = [line for line in summary["warnings"] if line.startswith(("states:", "g2:", "the header", "NumberOf"))]
    return text + "".join(f"\n* {line}" for line in lines) + ("\n" if lines else "")


def stops(folder: Path) -> str:
    """What `--rules 'rule="g2"'` does on recordings, as a table."""
    text = "\n## Stopped by the rule `g2`\n\n"
    text += "`streamer batch FILE --rules 'rule=\"g2\"'`: what would have been saved, had it watched.\n\n"
    text += "| recording | known | verdict | stopped at | of | photons |\n| --- | --- | --- | --- | --- | --- |\n"
    for name, known in STOPS:
        row = f"| {Path(name).name} | {known} |"
        try:
            pipeline = analyse(str(folder / name), Settings(studies=(), stop={"rule": "g2"}))
        except InputError as error:
            text += f"{row} refused: {error} | | | |\n"
            continue
        assert pipeline.stopping is not None
        record = pipeline.stopping.record(pipeline.info.duration_s)
        used = "not" if record["used_s"] is None else f"{record['used_s']:.2f} s"
        photons = f"{record['photons']:,}" if record["photons"] else ""
        text += (
            f"{row} {record['words']} | {used} | {pipeline.info.duration_s or pipeline.stream_s:.2f} s | {photons} |\n"
        )
    return text


def page(folder: Path) -> str:
    """The whole page."""
    text, dot = HEAD, list[CwZero]()
    for name, known in RECORDINGS:
        pipeline = analyse(str(folder / name), Settings(studies=()))
        answers = pipeline.answers()
        text += section(name, known, pipeline.summary(answers))
        if name.startswith("ht/"):
            zero = answers.correlations[0].zero[0]
            assert isinstance(zero, CwZero)
            dot.append(zero)
    pairs, expected = sum(one.pairs for one in dot), sum(one.expected for one in dot)
    text += "\n## Both runs of the dot together\n\nPairs of several files of one emitter simply add: "
    text += f"{pairs} within ±{dot[0].window_ns / 2:.2g} ns where {expected:.2f} are expected.\n"
    text += "Ten are needed before a number is given: cannot tell.\n"
    return text + stops(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/make_real_recordings.py FOLDER: give the folder that holds pt3/, ptu/ and ht/")
    (Path(__file__).parent / "real-recordings.md").write_text(page(Path(sys.argv[1])), encoding="utf-8")
