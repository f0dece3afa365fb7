"""How soon a live source obeys: stream time it went on after the tick at which a rule stopped the run.

    python -m benchmarks.stop_latency [--runs 20]

Source and daemon are processes of their own, the source a simulated emitter of 1 M photons/s paced by the clock.
"""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median

RATE = 1_000_000
RULES = 'rule="exposure"\nseconds={}'


def one(seconds: float) -> float:
    """Stream time in s between the stop and the last photon that the source sent."""
    command = [
        sys.executable, "-m", "streamer", "replay", "simulate:steady", "--no-viewer", "--json",
        "--set", "live=true", "--set", "duration=inf", "--set", f"rate={RATE}", "--set", "rate_hz=20e6",
        "--rules", RULES.format(seconds),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    summary = json.loads(done.stdout)
    assert summary["stop"]["stopped"]
    return summary["account"]["after"] / (summary["photons"] / summary["duration_s"])


def main() -> None:
    """Runs of different lengths, so that the stop falls anywhere between two pictures of the daemon."""
    runs = int(sys.argv[sys.argv.index("--runs") + 1]) if "--runs" in sys.argv else 20
    times = sorted(1e3 * one(2.0 + 0.05 * at) for at in range(runs))
    print(
        f"{runs} runs at {RATE:,} photons/s: the source went on for {median(times):.0f} ms (median), "
        f"{times[int(0.9 * (runs - 1))]:.0f} ms (9 of 10), {times[-1]:.0f} ms (longest)"
    )


if __name__ == "__main__":
    main()
