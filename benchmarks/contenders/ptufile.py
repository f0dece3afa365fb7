"""ptufile: reads and decodes PTU files; no analysis."""

from __future__ import annotations

from collections.abc import Callable

import ptufile

from benchmarks.question import NotOffered, Question


def versions() -> dict[str, str]:
    """Of the packages raced."""
    return {"ptufile": ptufile.__version__}


def prepare(task: str, question: Question) -> Callable[[], dict[str, int]]:
    """See `benchmarks.contenders`."""
    if not task.startswith("decode"):
        raise NotOffered("decodes only")
    path = question.t3 if task == "decode T3" else question.t2

    def decode() -> dict[str, int]:
        with ptufile.PtuFile(path) as file:
            return {"records": len(file.decode_records())}

    return decode
