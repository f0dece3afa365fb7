"""Log tau: nanoseconds per photon of our pairs on the log axis, beside plain NumPy and tttrlib's correlator.

    python -m benchmarks.log_tau

All correlate two channels up to about 8 ms on a logarithmic axis: ours and NumPy from 100 ns on and both signs of the
lag, tttrlib one sign from one tick of 1 ns on. NumPy does it as pycorrelate does (Laurence et al., Opt. Lett. 31, 829,
2006): photons up to each bin edge after each photon, by search. tttrlib does it by Felekyan et al. (2005); its default
method aborts on these photons (0.26.2).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from streamer.accumulators import for_layout
from streamer.accumulators.log_tau import LogTau, lag_bins
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout

ROUNDS = 3
RATES = (1e3, 1e5, 1e7)
LAYOUT = Layout("T2", 1e-9, 0.0, (0, 1), ((0, 1),), 0.01, 0.0, 10, 1, 500, (0, 0))
Run = Callable[[Chunk], object]


def stream(rate: float) -> Chunk:
    """Steady light on two channels."""
    rng, n = np.random.default_rng(1), int(min(4e5, rate * 20))
    ticks = int(n / rate / LAYOUT.tick_s)
    times = np.sort(rng.integers(0, ticks, n))
    return Chunk(0, ticks, times, channel=rng.integers(0, 2, n).astype(np.uint8))


def ours(chunk: Chunk, *, log_tau: bool, rest: bool) -> None:
    """Count everything but log tau, log tau alone, or both."""
    wanted = [one for one in for_layout(LAYOUT) if (log_tau if isinstance(one, LogTau) else rest)]
    group = Group(LAYOUT, wanted)
    group.feed(chunk)
    group.finish()


def plain(chunk: Chunk) -> object:
    """Pairs by binary search, both signs."""
    a, b = (chunk.time[chunk.channel == channel] for channel in (0, 1))
    edges = np.unique(lag_bins(LAYOUT).ticks.astype(np.int64))
    return [np.diff([np.searchsorted(late, early + edge).sum() for edge in edges]) for early, late in ((a, b), (b, a))]


def correlator() -> Run | None:
    """The correlator of tttrlib, where it is installed."""
    try:
        import tttrlib  # type: ignore[import-untyped]
    except ImportError:
        return None

    def run(chunk: Chunk) -> object:
        a, b = (chunk.time[chunk.channel == channel].astype(np.uint64) for channel in (0, 1))
        # It reads weights and times after the call, so they must live on; set after the times, weights make it abort.
        weights = np.ones(len(a)), np.ones(len(b))
        one = tttrlib.Correlator(method="felekyan", n_bins=8, n_casc=20, macro_times=(a, b), weights=weights)
        return np.array(one.get_corr())

    return run


def ns_per_photon(run: Run, chunk: Chunk) -> float:
    """Best of some rounds after one to warm up."""
    seconds = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        run(chunk)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:]) / len(chunk.time) * 1e9


def main() -> None:
    """Print a table."""
    theirs = correlator()
    print(f"{'rate':>8} {'rest':>8} {'log tau':>8} {'NumPy':>8} {'tttrlib':>8}  ns per photon; ratios to log tau")
    for rate in RATES:
        chunk = stream(rate)
        rest = ns_per_photon(lambda one: ours(one, log_tau=False, rest=True), chunk)
        own = ns_per_photon(lambda one: ours(one, log_tau=True, rest=False), chunk)
        numpy = ns_per_photon(plain, chunk)
        other = ns_per_photon(theirs, chunk) if theirs is not None else float("nan")
        print(
            f"{rate:8.0e} {rest:8.1f} {own:8.1f} {numpy:8.1f} {other:8.1f}  "
            f"NumPy {numpy / own:.1f}, tttrlib {other / own:.1f}"
        )


if __name__ == "__main__":
    main()
