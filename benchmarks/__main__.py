"""Speed beside the peers in one run: `python -m benchmarks [--photons 1e7] [--rounds 5] [--only race daemon ...]`."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks import table
from benchmarks.emitter import EMITTERS, run
from benchmarks.formats import speeds
from benchmarks.memory import growth
from benchmarks.question import TASKS, Question
from benchmarks.race import Contender, race
from benchmarks.recordings import CACHE, question, recording
from benchmarks.through_daemon import moved_cuts, passage
from streamer.config import Settings

CONTENDERS = ("streamer", "ptufile", "tttrlib", "phconvert", "trattoria", "eta", "masks")
OURS_ONLY = ("states, one thread", "states, and every Result", "states, Results, first look")
TARGETS = {"decode T3": 500.0, "decode T2": 500.0, "states": 100.0}  # M/s
DAEMON_TARGET, CUT_TARGET_MS = 60.0, 100.0
LONGER = 4  # times the photons: for the daemon, that its start and end weigh less, and for memory


def say(text: str = "") -> None:
    """Print at once: a run takes minutes."""
    print(text, flush=True)


def race_all(asked: Question, photons: int, rounds: int) -> None:
    """Every task for every contender, and what only this program does."""
    with ExitStack() as stack:
        contenders = [stack.enter_context(Contender(name)) for name in CONTENDERS]
        versions = {key: value for one in contenders for key, value in one.versions.items()}
        say("versions: " + ", ".join(f"{key} {value}" for key, value in versions.items()))
        for name, remark in table.REMARKS.items():
            say(f"  {name:10} {remark}")
        say("questions:\n" + table.questions() + "\n")
        rows: list[table.Row] = [table.HEAD]
        for task in (*TASKS, *OURS_ONLY):
            runs = race(task, contenders if task in TASKS else contenders[:1], asked, rounds)
            events = runs[table.OURS].found.get("records", photons)
            rows += table.race_rows(task, runs, events, TARGETS.get(task))
            print(f"  {task} done", file=sys.stderr, flush=True)
        say(table.aligned(rows) + "\n")


def through_daemon(paths: dict[str, str], settings: dict[str, Settings], rounds: int) -> None:
    """Photons per second through source process, socket and daemon, and moved cuts at the end of the last run."""
    rows: list[table.Row] = [("through the daemon", "settings", "M photons/s", "Results/s", "CPU", "")]
    took: dict[str, list[float]] = {}
    runs: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for _ in range(rounds):
        for kind, path in paths.items():
            for name, chosen in settings.items():
                with passage(path, chosen) as one:
                    seen = runs.setdefault((kind, name), [])
                    seen.append((one.photons_per_s / 1e6, one.results_per_s, one.cpu_share))
                    account = one.account
                    assert account["received"] == account["analysed"] + account["open"] + account["outside"]
                    if kind == "T3":
                        for key, values in moved_cuts(one.daemon, 5).items():
                            took.setdefault(key, []).extend(values)
    for (kind, name), seen in runs.items():
        rate, results, cpu = (statistics.median(column) for column in zip(*seen, strict=True))
        lowest, highest = min(seen)[0], max(seen)[0]
        remark = f"{table.verdict(rate, DAEMON_TARGET)}, from {lowest:.0f} to {highest:.0f}"
        rows.append((kind, name, f"{rate:.0f}", f"{results:.1f}", f"{100 * cpu:.0f} %", remark))
    say(table.aligned(rows) + "\n")
    rows = [("cut moved after the end", "", "ms", "longest", "")]
    for key, values in took.items():
        middle = statistics.median(values)
        target = table.verdict(middle, CUT_TARGET_MS, below=True)
        rows.append((key, "", f"{middle:.0f}", f"{max(values):.0f}", target))
    say(table.aligned(rows) + "\n")


def memory(path: str, early: int) -> None:
    """Resident memory early and late in one recording."""
    found = growth(path, early)
    before, after = found["rss_early"] / 1e6, found["rss_late"] / 1e6
    say(
        f"memory: {before:.0f} MB after {found['photons_early'] / 1e6:.0f} M photons, {after:.0f} MB after "
        f"{found['photons_late'] / 1e6:.0f} M, growth {after - before:+.1f} MB\n"
    )


def emitters(photons: int, rounds: int) -> None:
    """The simulator."""
    rows: list[table.Row] = [("simulator", "", "M pulses/s", "M photons/s", "")]
    speeds = {name: [run(options, photons) for _ in range(rounds)] for name, options in EMITTERS.items()}
    for name, seen in speeds.items():
        pulses, made = (statistics.median(getattr(one, key) for one in seen) / 1e6 for key in ("pulses", "photons"))
        rows.append((name, "", f"{pulses:.0f}", f"{made:.1f}", ""))
    say(table.aligned(rows))


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed beside the peers, in one run.")
    parser.add_argument("--photons", type=float, default=1e7, help="of each recording")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each, after one to warm up")
    parser.add_argument("--data", type=Path, default=CACHE, help="folder that keeps the recordings")
    parser.add_argument(
        "--only", nargs="+", choices=("race", "formats", "daemon", "memory", "simulator"), help="parts to run"
    )
    arguments = parser.parse_args()
    photons, rounds, folder = int(arguments.photons), arguments.rounds, arguments.data
    asked = question(photons, folder)
    longer = {kind: str(recording(kind, LONGER * photons, folder)) for kind in ("t3", "t2")}
    same = Settings(lags=5, tau_bin_ns=asked.width_s * 1e9, tau_window_ns=asked.half * asked.width_s * 1e9)
    parts: dict[str, Callable[[], None]] = {
        "race": lambda: race_all(asked, photons, rounds),
        "formats": lambda: say(table.aligned(speeds(photons, rounds)) + "\n"),
        "daemon": lambda: through_daemon(
            {"T3": longer["t3"], "T2": longer["t2"]}, {"default": Settings(), "as raced": same}, rounds
        ),
        "memory": lambda: memory(longer["t3"], photons),
        "simulator": lambda: emitters(photons, min(rounds, 3)),
    }
    say(table.machine())
    say(f"{photons:,} photons of each kind; medians of {rounds} interleaved rounds; CPU: all threads, lowest round\n")
    for name, part in parts.items():
        if arguments.only is None or name in arguments.only:
            part()
    say(table.machine())


if __name__ == "__main__":
    main()
