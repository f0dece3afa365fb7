"""Writes docs/blinking-free.md and its picture: `python docs/make_blinking_free.py`; a minute or two.

Simulated emitters whose g2(0) is the same in every state: whatever differs from it is the normalisation's doing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamer.chunk import StreamEnd
from streamer.config import Settings
from streamer.estimators.g2 import CwZero, PulsedG2
from streamer.pipeline import Pipeline
from streamer.registry import open_source

HERE = Path(__file__).parent
SEEDS = 24
CONTRASTS = (0.6, 0.3, 0.1)  # rate of the dim on-state over that of the bright one
LIFETIME_NS, PUMP_PER_US, WINDOW_NS = 20.0, 5.0, 10.0
BINS_MS = (1.0, 3.0, 10.0, 30.0)
WAYS = ("plain, whole run", "plain, the state's time", "by segments")


@dataclass(frozen=True, slots=True)
class Emitter:
    """An emitter that is off, dim or bright, on average half of the on-time each; off is left out by a threshold."""

    light: str  # pulsed or cw
    contrast: float

    def open(self, seed: int):  # type: ignore[no-untyped-def]
        """Simulated photons without background, and the settings that analyse them; 3 s at about 300 kcps when on."""
        bright = 0.9
        states = (0.02, bright * self.contrast, bright)
        options = {
            "seed": str(seed), "duration": "3", "dwell": "exp:0.1,exp:0.2,exp:0.2", "dark_cps": "0,0",
            "eta_x": ",".join(f"{one:g}" for one in states), "jitter_ps": "0,0",
        }  # fmt: skip
        if self.light == "pulsed":
            # A biexciton yield in proportion to the exciton's: g2(0) is that of every state, and of all together.
            options |= {"eta_bx": ",".join(f"{0.25 * one:g}" for one in states), "tau_x_ns": "10,10,10",
                        "tau_bx_ns": "2,2,2", "rate_hz": "10e6", "nbar": "0.1", "eta_c": "0.5"}  # fmt: skip
            source = open_source("simulate:", options)
        else:
            options |= {"eta_bx": "0,0,0", "tau_x_ns": ",".join([f"{LIFETIME_NS:g}"] * 3), "tau_bx_ns": "1,1,1",
                        "pump_per_us": f"{PUMP_PER_US:g}", "eta_c": "0.15"}  # fmt: skip
            source = open_source("simulate:cw", options)
        rates = sorted(state["rate_cps"] for state in source.info.truth["states"])
        return source, math.sqrt(rates[0] * rates[1])

    def truth(self, source) -> float:  # type: ignore[no-untyped-def]
        """g2(0) of every state; for cw light averaged over the bins of 0.5 ns whose centres lie in the window."""
        if self.light == "pulsed":
            return float(source.info.truth["states"][-1]["g2_0_with_background"])
        rate = 1 / LIFETIME_NS + PUMP_PER_US / 1e3
        half = WINDOW_NS / 2 + 0.25
        return 1 - (1 - math.exp(-rate * half)) / (rate * half)


def measure(emitter: Emitter, seed: int, bin_ms: float = 3.0) -> tuple[float, np.ndarray]:
    """(truth, g2(0) of the on-state by the three WAYS)."""
    source, threshold = emitter.open(seed)
    settings = Settings(
        studies=(), bin_ms=bin_ms, thresholds_cps=[threshold], cw_window_ns=WINDOW_NS, tau_bin_ns=0.5, delays_ns={}
    )
    pipeline = Pipeline(source.info, settings)
    for chunk in source.chunks():
        pipeline.feed(chunk)
    pipeline.finish(StreamEnd("duration reached"))
    answers = pipeline.answers()
    correlation, on = answers.correlations[0], 2
    a, b = answers.photons.T.astype(float)
    pulsed = [zero for zero in correlation.zero if isinstance(zero, PulsedG2)]
    cw = [zero for zero in correlation.zero if isinstance(zero, CwZero)]
    if pulsed:
        pulses = answers.time_s * source.info.truth["rate_hz"]
        plain = np.array([zero.central for zero in pulsed]) / (a * b / pulses)
        segments = pulsed[on].g2_0_segments
    else:
        width_s = cw[0].window_ns * 1e-9
        plain = np.array([zero.pairs for zero in cw]) / (a * b / answers.time_s * width_s)
        segments = cw[on].value
    return emitter.truth(source), np.array([plain[0], plain[on], segments])


def over_seeds(emitter: Emitter, seeds: int, bin_ms: float = 3.0) -> tuple[float, np.ndarray, np.ndarray]:
    """(truth, mean by each of the WAYS, standard errors) over simulated runs."""
    runs = [measure(emitter, seed, bin_ms) for seed in range(seeds)]
    values = np.array([found for _, found in runs])
    return runs[0][0], values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(seeds)


def emitters() -> Iterator[Emitter]:
    """Pulsed and cw, every contrast."""
    for light in ("pulsed", "cw"):
        for contrast in CONTRASTS:
            yield Emitter(light, contrast)


def selected(seeds: int, bin_ms: float = 0.02) -> tuple[float, np.ndarray, np.ndarray, float]:
    """A steady emitter cut at its own mean rate: (truth, g2(0) of the halves by segments, errors, counts a segment)."""
    halves = []
    for seed in range(seeds):
        source = open_source(
            "simulate:steady", {"seed": str(seed), "duration": "2", "rate": "300000", "dark_cps": "0,0"}
        )
        settings = Settings(studies=(), bin_ms=bin_ms, thresholds_cps=[3e5], delays_ns={})
        pipeline = Pipeline(source.info, settings)
        for chunk in source.chunks():
            pipeline.feed(chunk)
        pipeline.finish(StreamEnd("duration reached"))
        rows = pipeline.answers().correlations[0].zero
        halves.append([zero.g2_0_segments for zero in rows[1:] if isinstance(zero, PulsedG2)])
    values = np.array(halves)
    truth = float(source.info.truth["states"][0]["g2_0_with_background"])
    return truth, values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(seeds), 3e5 * bin_ms * 1e-3


HEAD = """# g2(0) of an emitter that blinks

An emitter that is bright now and dim then sends more pairs, at every short delay, than its mean rate lets expect:
<I^2> instead of <I>^2. A g2(0) that is normalised by the rates of the whole run, Na*Nb/N, is too high by that factor.
Cutting the run into states does not heal it where a state's own rate varies. The program sums the pairs to be expected
*segment by segment*, Na*Nb/n, and divides by that.

This page is written by `python docs/make_blinking_free.py`. Each emitter on it is off, dim or bright, with mean dwells
of 0.1, 0.2 and 0.2 s, any other state following; 3 s each, no background, segments of 3 ms. Its g2(0) is the same in
all three states, so differences of more than two standard errors are the normalisation's. *On* is the state above one
threshold, dim and bright together.
For cw light g2(0) is the mean over {window:g} ns about zero, and so is the truth. Mean ± standard error over
{seeds} emitters; in bold what is more than 10 % off.

![g2(0) by three normalisations](images/blinking-free.png)

| light | dim / bright | truth | all, whole run | on, the state's whole time | on, by segments |
| --- | --- | --- | --- | --- | --- |
"""

SWITCH = """
## A switch inside a segment

Inside a segment that holds a switch the rate is not constant, and the same excess comes back, small: the share of
these segments times the excess within one. Pulsed light, dim / bright = {contrast:g}:

| segment, ms | by segments / truth |
| --- | --- |
"""

SELECTION = """
Shorter segments lose nothing: the pairs counted are the same.

## A threshold on the same photons

Sorting segments by their counts sorts by chance, too. That does not bias g2(0) by segments, as the pairs of a segment
are compared with that segment's own photons. A steady emitter cut at its own mean rate, where chance alone decides,
{counts:g} counts a segment: g2(0) / truth is {low} below and {high} above the threshold.
"""


def write(seeds: int = SEEDS) -> None:
    """The page and its picture."""
    text, rows = HEAD.format(seeds=seeds, window=WINDOW_NS), []
    for emitter in emitters():
        truth, mean, error = over_seeds(emitter, seeds)
        rows.append((emitter, truth, mean, error))
        cells = []
        for value, off in zip(mean, error, strict=True):
            cell = f"{value:.4f} ± {off:.4f}"
            cells.append(f"**{cell}**" if abs(value / truth - 1) > 0.1 else cell)
        text += f"| {emitter.light} | {emitter.contrast:g} | {truth:.4f} | {' | '.join(cells)} |\n"
    contrast = CONTRASTS[1]
    text += SWITCH.format(contrast=contrast)
    for bin_ms in BINS_MS:
        truth, mean, error = over_seeds(Emitter("pulsed", contrast), seeds, bin_ms)
        text += f"| {bin_ms:g} | {mean[2] / truth:.4f} ± {error[2] / truth:.4f} |\n"
    truth, mean, error, counts = selected(seeds)
    low, high = (f"{value / truth:.4f} ± {off / truth:.4f}" for value, off in zip(mean, error, strict=True))
    text += SELECTION.format(counts=counts, low=low, high=high)
    (HERE / "blinking-free.md").write_text(text, encoding="utf-8")
    draw(rows, HERE / "images/blinking-free.png")


def draw(rows: list[tuple[Emitter, float, np.ndarray, np.ndarray]], path: Path) -> None:
    """g2(0) over its truth, by contrast, for each normalisation and both kinds of light."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
    for axis, light in zip(axes, ("pulsed", "cw"), strict=True):
        mine = [row for row in rows if row[0].light == light]
        for at, (way, mark) in enumerate(zip(WAYS, "svo", strict=True)):
            x = np.arange(len(mine)) + 0.12 * (at - 1)
            y = [mean[at] / truth for _, truth, mean, _ in mine]
            spread = [error[at] / truth for _, truth, _, error in mine]
            axis.errorbar(x, y, spread, fmt=mark, capsize=3, label=way)
        axis.axhline(1, color="0.4", linewidth=1)
        axis.axhspan(0.9, 1.1, color="0.9", zorder=0)
        axis.set_xticks(range(len(mine)), [f"{row[0].contrast:g}" for row in mine])
        axis.set(xlabel="rate dim / bright", title=light)
    axes[0].set_ylabel("g2(0) found / truth")
    axes[0].legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    write()
