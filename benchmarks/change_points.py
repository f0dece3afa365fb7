"""Change points: speed of a whole run, false alarms, and recall beside an offline Bayesian program.

python -m benchmarks.change_points [--photons 5e6] | --calibrate | --yardstick [--streams 20]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.__main__ import say
from streamer.change_points import BORDER, ChangeDetector
from streamer.config import Settings
from streamer.estimators.change_alarms import false_alarms
from streamer.pipeline import Pipeline
from streamer.registry import open_source

Floats = NDArray[np.float64]
EMITTERS = {  # blinking, three states
    "100 kcps": {"rate": "100e3", "chunk_ms": "1000"},
    "10 Mcps": {"rate_hz": "80e6", "eta_c": "0.5", "rate": "10e6", "dead_ns": "0"},
}


def speed(photons: float, rounds: int = 3) -> None:
    """Photons per second of everything that is counted, chunks in memory, with and without change points."""
    for name, options in EMITTERS.items():
        seconds = photons / float(options["rate"])
        source = open_source("simulate:", options | {"duration": f"{seconds:g}", "mode": "T3"})
        chunks = list(source.chunks())
        total = sum(len(chunk.time) for chunk in chunks)
        took: dict[str, list[float]] = {"bins": [], "changes": []}
        for _ in range(rounds):
            for segments, times in took.items():
                pipeline = Pipeline(source.info, Settings(segments=segments, studies=()))  # type: ignore[arg-type]
                began = time.perf_counter()
                for chunk in chunks:
                    pipeline.feed(chunk)
                pipeline.finish(source.end())
                times.append(time.perf_counter() - began)
        bins, changes = (total / statistics.median(each) / 1e6 for each in took.values())
        held = len(pipeline.tables["sequence"]["segments"])
        say(f"{name:9} {total:>9} photons  bins {bins:6.1f} M/s  changes {changes:6.1f} M/s  {held} segments")


def changes_of(times: Floats, threshold: float) -> Floats:
    """Change points of one stream; times in ticks."""
    ticks = times.astype(np.int64)
    bounds, kinds = ChangeDetector(0, 1 << 60, threshold).bounds(ticks, int(ticks[-1]) + 1, ended=True)
    return bounds[kinds != BORDER].astype(float)


def steady(rng: np.random.Generator, photons: int) -> Floats:
    """Arrival times of steady light, 1000 ticks apart in the mean."""
    return np.cumsum(rng.exponential(1000.0, photons))


def calibrate() -> None:
    """False changes per photon of steady light, as simulated and as stated."""
    rng = np.random.default_rng(1)
    for threshold in (5.0, 6.0, 8.0, 10.0, 12.0):
        photons = int(min(400 / false_alarms(threshold), 2e7))
        found = len(changes_of(steady(rng, photons), threshold))
        told = false_alarms(threshold) * photons
        say(f"threshold {threshold:4.1f}: {found:5d} in {photons:>9} photons, {told:7.1f} stated")


def blocks_of(times: Floats, prior: float) -> Floats:
    """Change points by Bayesian blocks (Scargle et al. 2013, astropy): offline, the best partition of all."""
    from astropy.stats import bayesian_blocks

    return np.asarray(bayesian_blocks(times, fitness="events", ncp_prior=prior))[1:-1]


def tuned_threshold(control: Sequence[Floats], wanted: float) -> float:
    """The threshold at which we find as many false changes in streams of steady light as somebody else does."""
    low, high = 2.0, 20.0
    for _ in range(20):
        middle = (low + high) / 2
        if sum(len(changes_of(one, middle)) for one in control) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def judged(found: Floats, true: Floats, near: float) -> tuple[int, int, list[float]]:
    """(true changes found, found changes that are true, how far these lie off)."""
    if not len(found):
        return 0, 0, []
    apart = np.abs(found[:, None] - true[None, :])
    return int(np.sum(apart.min(axis=0) <= near)), int(np.sum(apart.min(axis=1) <= near)), [
        float(each) for each in apart.min(axis=0) if each <= near
    ]  # fmt: skip


def yardstick(streams: int, contrasts: Sequence[float] = (1.2, 1.5, 2.0, 3.0, 5.0)) -> None:
    """Recall, precision and location error at the same number of false changes on steady light."""
    photons, prior = 2000, 5.0
    rng = np.random.default_rng(2)
    control = [steady(rng, photons) for _ in range(20 * streams)]
    false = sum(len(blocks_of(one, prior)) for one in control)
    threshold = tuned_threshold(control, false)
    ours = sum(len(changes_of(one, threshold)) for one in control)
    say(
        f"false changes in {len(control)} streams of {photons} steady photons: ours {ours} (online, threshold "
        f"{threshold:.2f}), Bayesian blocks {false} (offline, prior {prior:g})"
    )
    say("contrast  photons   recall            precision         location error (photons, median)")
    for contrast in contrasts:
        for dwell in (100, 400):
            totals = {"ours": [0, 0, 0, []], "blocks": [0, 0, 0, []]}
            n_true = 0
            for _ in range(streams):
                gaps, rate, true, at = [], 1.0, [], 0.0
                for _ in range(photons // dwell):
                    each = rng.exponential(1000.0 / rate, dwell)
                    gaps.append(at + np.cumsum(each))
                    at = float(gaps[-1][-1])
                    true.append(at)
                    rate = contrast if rate == 1.0 else 1.0
                times, changes = np.concatenate(gaps), np.array(true[:-1])
                n_true += len(changes)
                near = 20 * 1000.0
                for name, found in (("ours", changes_of(times, threshold)), ("blocks", blocks_of(times, prior))):
                    hit, right, off = judged(found, changes, near)
                    one = totals[name]
                    one[0] += hit  # type: ignore[operator]
                    one[1] += right  # type: ignore[operator]
                    one[2] += len(found)  # type: ignore[operator]
                    one[3] += off  # type: ignore[operator]
            cells = []
            for what in range(3):
                pair = []
                for hit, right, found, off in totals.values():
                    ratio = (hit / n_true, right / max(found, 1), float(np.median(off)) / 1000 if off else np.nan)  # type: ignore[operator,arg-type]
                    pair.append(f"{ratio[what]:.2f}")
                cells.append(f"{pair[0]} ({pair[1]})".ljust(18))
            say(f"{contrast:8}  {dwell:7}   {''.join(cells)}")
    say("in brackets: Bayesian blocks")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.change_points", description=__doc__)
    parser.add_argument("--photons", type=float, default=5e6)
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--yardstick", action="store_true")
    parser.add_argument("--streams", type=int, default=20)
    asked = parser.parse_args()
    if asked.calibrate:
        calibrate()
    elif asked.yardstick:
        yardstick(asked.streams)
    else:
        speed(asked.photons)


if __name__ == "__main__":
    main()
