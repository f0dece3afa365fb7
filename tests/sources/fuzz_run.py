"""Fuzz: many damaged recordings in processes of their own, where none may hang, die or eat memory: `make fuzz`.

A case that breaks a promise is named by its number and can be had again: `python -m tests.sources.fuzz_run --first N
--cases 1`.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.sources.fuzzing import Fuzz

SLOWEST_S = 20.0
MOST_MEMORY = 1_000_000_000
SLICE = 5000  # cases of one process


def work(first: int, cases: int) -> None:
    """Run cases in this process, telling each on standard output before and after."""
    warnings.simplefilter("error")
    process, most = psutil.Process(), 0
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(Path(folder))
        for number in range(first, first + cases):
            tell(begins=number)
            faulthandler.dump_traceback_later(SLOWEST_S, exit=True)
            try:
                tell(outcome=fuzz.run(number))
            except BaseException as error:  # whatever it is, it is what this program looks for
                tell(broken=f"{type(error).__name__}: {error}")
            faulthandler.cancel_dump_traceback_later()
            most = max(most, process.memory_info().rss)
    tell(memory=most)


def tell(**said: object) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def run_slice(first: int, cases: int) -> tuple[Counter[str], list[tuple[int, str]], int]:
    """(outcomes, broken cases, most memory); a process that dies is named and followed by another."""
    outcomes: Counter[str] = Counter()
    broken: list[tuple[int, str]] = []
    memory, until = 0, first + cases
    while first < until:
        program = [sys.executable, "-m", "tests.sources.fuzz_run", "--here", "--first", str(first)]
        done = subprocess.run(
            [*program, "--cases", str(until - first)], capture_output=True, text=True, check=False, errors="replace"
        )
        number = first
        for said in map(json.loads, done.stdout.splitlines()):
            number = said.get("begins", number)
            memory = max(memory, said.get("memory", 0))
            if "outcome" in said:
                outcomes[said["outcome"]] += 1
            if "broken" in said:
                broken.append((number, said["broken"]))
        if done.returncode:
            broken.append((number, f"status {done.returncode}: {done.stderr[-1500:]}"))
        first = number + 1
    return outcomes, broken, memory


def main() -> int:
    """Run what is asked for; the status is 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--here", action="store_true", help="in this process")
    asked = parser.parse_args()
    if asked.here:
        work(asked.first, asked.cases)
        return 0
    outcomes: Counter[str] = Counter()
    broken: list[tuple[int, str]] = []
    memory, until = 0, asked.first + asked.cases
    slices = [(at, min(SLICE, until - at)) for at in range(asked.first, until, SLICE)]
    with ThreadPoolExecutor(asked.processes) as pool:
        for some, bad, most in pool.map(lambda one: run_slice(*one), slices):
            outcomes += some
            broken += bad
            memory = max(memory, most)
            sys.stderr.write(f"{outcomes.total() + len(broken)} cases, {len(broken)} broken\n")
    for outcome, count in sorted(outcomes.items()):
        sys.stdout.write(f"{outcome:24} {count}\n")
    for number, what in broken[:50]:
        sys.stdout.write(f"BROKEN case {number}: {what}\n")
    total = outcomes.total() + len(broken)
    sys.stdout.write(f"{total} cases, {len(broken)} broken, most memory of a process {memory / 1e6:.0f} MB\n")
    return 1 if broken or memory > MOST_MEMORY else 0


if __name__ == "__main__":
    sys.exit(main())
