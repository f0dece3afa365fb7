"""Worker: one contender in a process of its own, answering over its standard input and output.

A peer may need another NumPy than this program, print, or abort: so it lives in its own process, if need be in an
environment of its own, and the race goes on without it. One line of JSON in, one line of JSON out:

    {"task": ..., "question": {...}}  ->  {"ready": true} | {"not_offered": text}
    {"run": n}                        ->  {"seconds": s, "cpu_s": s, "found": {...}}
    anything that raises              ->  {"error": text}
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.question import NotOffered, Question


def main(name: str) -> None:
    """Serve the contender `benchmarks.contenders.<name>` until standard input ends."""
    # What a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    run: Callable[[], dict[str, Any]] | None = None

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        contender = importlib.import_module(f"benchmarks.contenders.{name}")
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})
        return
    say({"versions": contender.versions()})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "task" in request:
                run = None  # what the last task holds in memory goes first
                run = contender.prepare(request["task"], Question.from_dict(request["question"]))
                say({"ready": True})
            else:
                assert run is not None
                cpu, began = time.process_time(), time.perf_counter()
                for _ in range(request["run"]):
                    found = run()
                seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
                say({"seconds": seconds / request["run"], "cpu_s": cpu / request["run"], "found": found})
        except NotOffered as reason:
            say({"not_offered": str(reason)})
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main(sys.argv[1])
