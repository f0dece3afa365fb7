"""phconvert: decodes vendor files to convert them to Photon-HDF5; no analysis."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from phconvert import pqreader

from benchmarks.question import NotOffered, Question


def versions() -> dict[str, str]:
    """Of the packages raced."""
    return {"phconvert": version("phconvert")}


def prepare(task: str, question: Question) -> Callable[[], dict[str, int]]:
    """See `benchmarks.contenders`."""
    if not task.startswith("decode"):
        raise NotOffered("decodes only")
    path = question.t3 if task == "decode T3" else question.t2
    return lambda: {"photons": len(pqreader.load_ptu(path)[0])}
