"""Memory: what a process of its own holds early in a recording, and at its end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

RESULTS_EVERY = 10  # chunks


def growth(path: str, early: int) -> dict[str, int]:
    """Of a fresh process that counts `path`: photons and resident bytes after about `early` photons, and at the end.

    Keys: photons_early, rss_early, photons_late, rss_late.
    """
    command = [sys.executable, "-m", "benchmarks.memory", path, str(early)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def main(path: str, early: str) -> None:
    """Count `path`, with Results made now and then as a daemon would, and print the figures as JSON."""
    import psutil

    from streamer.batch import looked_at
    from streamer.config import Settings
    from streamer.pipeline import Pipeline
    from streamer.registry import open_source

    process, settings = psutil.Process(), Settings()
    source = looked_at(open_source(path), path, {}, settings)
    pipeline = Pipeline(source.info, settings)
    found: dict[str, int] = {}
    for i, chunk in enumerate(source.chunks()):
        pipeline.feed(chunk)
        if i % RESULTS_EVERY == 0:
            pipeline.results()
        photons = int(pipeline.received.sum())
        if not found and photons >= int(early):
            found = {"photons_early": photons, "rss_early": process.memory_info().rss}
    pipeline.finish(source.end())
    pipeline.results()
    found |= {"photons_late": int(pipeline.received.sum()), "rss_late": process.memory_info().rss}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
