"""Race: the same task run by every contender in turn, round after round, so that a noisy neighbour slows all alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.question import Question

ROOT = Path(__file__).parents[1]
SHORTEST_S = 0.05  # what takes less is repeated within one measurement


# Contenders that cannot live in this program's environment (see peers.txt), and that other one.
APART = ("eta", "phconvert")
OTHER = Path(sys.prefix + "-peers").joinpath(*(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


@dataclass
class Runs:
    """One contender's measurements of one task.

    Attributes:
        seconds, cpu_s: wall and processor time of each round.
        found: what the last run found.
        reason: why there are none.
    """

    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    found: dict[str, int] = field(default_factory=dict)
    reason: str | None = None

    @property
    def median_s(self) -> float:
        """Median wall time."""
        return statistics.median(self.seconds)


class Contender:
    """One program in a process of its own; a context manager."""

    def __init__(self, name: str) -> None:
        """Start it, in the other environment where that is its place and there is one."""
        self.name = name
        self.python = str(OTHER) if name in APART and OTHER.exists() else sys.executable
        self.versions: dict[str, str] = {}
        self.gone: str | None = None
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [self.python, "-m", "benchmarks.worker", self.name], cwd=ROOT, text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        answer = self._hear()
        self.versions = answer.get("versions", {})
        self.gone = answer.get("error")

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            return {"error": f"its process ended with status {self._process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Its answer; a process that died is started again for the next task."""
        if self.gone is not None:
            return {"error": self.gone}
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        answer = self._hear()
        if self._process.poll() is not None:
            self._end()
            self._start()
        return answer

    def _end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        """Running already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End its process."""
        self._end()


def race(task: str, contenders: list[Contender], question: Question, rounds: int) -> dict[str, Runs]:
    """Contender -> its runs, after one run each to warm up; round by round, everyone once."""
    runs = {contender.name: Runs() for contender in contenders}
    times: dict[str, int] = {}
    for contender in contenders:
        answer = contender.ask({"task": task, "question": question.to_dict()})
        if "ready" in answer:
            answer = contender.ask({"run": 1})
        if "seconds" in answer:
            times[contender.name] = max(1, round(SHORTEST_S / max(answer["seconds"], 1e-6)))
        else:
            runs[contender.name].reason = answer.get("not_offered") or _reason(answer["error"])
    for _ in range(rounds):
        for contender in contenders:
            one = runs[contender.name]
            if one.reason is None:
                answer = contender.ask({"run": times[contender.name]})
                if "error" in answer:
                    one.reason = f"failed: {answer['error']}"
                    continue
                one.seconds.append(answer["seconds"])
                one.cpu_s.append(answer["cpu_s"])
                one.found = answer["found"]
    return runs


def _reason(error: str) -> str:
    missing = error.removeprefix("ModuleNotFoundError: ")
    return f"failed: {error}" if missing == error else f"not installed: {missing}"


def ratio(ours: Runs, theirs: Runs) -> float:
    """How many times faster: the median over rounds, each compared with its neighbour in time."""
    return statistics.median(other / own for own, other in zip(ours.seconds, theirs.seconds, strict=False))
