"""Make the bundled recording again: `python -m replay_data.make` writes dot.ptu and dot.json beside this file.

A blinking dot with three states, a cable of 7.4 ns before detector 1, 24 s at 2.5 MHz. Every number a user can
compare is in dot.json: the truth of `sources.simulation.truth`, what was counted, and when the emitter was in which
state. The same program gives the same photons.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sinks.ptu import PtuWriter
from sources.simulate import SimulateSource, open_source, state_sequence

HERE = Path(__file__).parent
CREATED = datetime(2026, 11, 20, tzinfo=UTC)  # a fixed date, so that the same photons are the same file
OPTIONS = {
    "rate_hz": "2.5e6",
    "nbar": "0.2",
    "eta_c": "0.14",
    "eta_x": "0.1,0.3,0.9",
    "eta_bx": "0.07,0.1,0.12",
    "tau_x_ns": "3.5,10,25",
    "tau_bx_ns": "0.7,1.5,3",
    # scale-free blinking, with dwells long enough that few 10 ms bins hold a switch: photons of those are filed under a
    # state in between, and bias its lifetime
    "dwell": "power:1.5:0.25:4,power:1.5:0.25:4,power:1.5:0.25:4",
    "delay_ns": "0,7.4",
    "jitter_ps": "150",
    "dark_cps": "60",
    "duration": "24",
    "seed": "3",
}


def dot() -> SimulateSource:
    """The source of the recording, at its beginning."""
    return open_source("", OPTIONS)


def make(folder: Path) -> dict[str, Any]:
    """Write dot.ptu and dot.json into `folder`.

    Returns:
        The content of dot.json: `truth`; `options` that make it with the simulator; `photons` and `channel_counts`;
        `dwells` as [index of the state in truth["states"], start s, stop s].
    """
    source = dot()
    counts = {0: 0, 1: 0}
    with PtuWriter(folder / "dot.ptu", source.info, "simulated blinking dot", CREATED) as writer:
        for chunk in source.chunks():
            writer.write(chunk)
            for channel in counts:
                counts[channel] += int((chunk.channel == channel).sum())
    period_s = source.info.tick_s
    content = {
        "file": "dot.ptu",
        "options": OPTIONS,
        "photons": sum(counts.values()),
        "channel_counts": {str(channel): count for channel, count in counts.items()},
        "truth": source.info.truth,
        "dwells": [
            [state, start * period_s, stop * period_s]
            for state, start, stop in state_sequence(source.settings, source.pulses)
        ],
    }
    (folder / "dot.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")
    return content


if __name__ == "__main__":
    made = make(HERE)
    sys.stderr.write(f"{HERE / 'dot.ptu'}: {made['photons']} photons\n")
