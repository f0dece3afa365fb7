"""ETA (etabackend): compiles an event graph to machine code and runs it over the file, piece by piece.

Its graphs are written here in its own language. A correlation keeps the last STARTS starts of the other detector, as
the recipe that comes with it does, so it misses some pairs. Its figures include decoding; compiling is not timed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from etabackend.eta import ETA

from benchmarks.question import NotOffered, Question

STARTS = 100
TRACE_BINS = 1_000_000  # enough for every recording; it wants to know beforehand
RECORDS = 1 << 20  # read at a time, as when it follows a growing file

Edge = tuple[int, int, int]  # from node, to node, on a photon of this channel


def versions() -> dict[str, str]:
    """Of the packages raced."""
    return {"etabackend": version("etabackend"), "numpy for etabackend": version("numpy")}


def prepare(task: str, question: Question) -> Callable[[], dict[str, int]]:
    """See `benchmarks.contenders`."""
    logging.disable(logging.WARNING)
    path, graphs = question.t3, [_graph("file", ["idle"], [], "RFILE(file,[0,1,2])")]
    if task == "g2 pulsed":
        graphs += _correlation(0, 1, question.half, round(question.width_s * 1e12))
    elif task == "g2 cw":
        path = question.t2
        graphs += _correlation(1, 2, question.cw_half, round(question.cw_width_s * 1e12))
    elif task == "lifetime":
        graphs += [_decay(channel, question) for channel in (0, 1)]
    elif task == "trace":
        width_ps = round(question.trace_s * 1e12)
        code = f"HISTOGRAM(trace,({TRACE_BINS},{width_ps}))\nCLOCK(c)\nany:\n c.stop()\n trace.record(c)"
        graphs.append(_graph("trace", ["any"], [(0, 0, 0), (0, 0, 1)], code))
    else:
        raise NotOffered("gives no photons, only results" if task.startswith("decode") else "cannot part by intensity")
    eta = ETA()
    eta.load_recipe({"eta_index_table": json.dumps([head for head, _ in graphs])} | {h["id"]: g for h, g in graphs})
    keys = {"g2": "pairs", "li": "decays", "tr": "photons"}

    def run() -> dict[str, int]:
        found = eta.run(eta.clips(path, read_events=RECORDS), group="main")
        return {keys[task[:2]]: sum(int(one.sum()) for key, one in found.items() if key != "file")}

    run()  # compiles
    return run


def _graph(name: str, nodes: list[str], edges: list[Edge], code: str) -> tuple[dict[str, str], str]:
    """One of its instruments: (entry of its table of contents, the graph)."""
    head = {"id": f"vi_{name}", "name": name, "group": "main", "info": "", "config": ""}
    graph = {
        "nodes": [{"text": node, "initial": i == 0, "x": 0, "y": 0} for i, node in enumerate(nodes)],
        "edges": [{"source": a, "target": b, "text": str(channel)} for a, b, channel in edges],
        "usercode": code,
    }
    return head, json.dumps(graph)


def _correlation(first: int, second: int, bins: int, width_ps: int) -> list[Any]:
    """Two one-sided histograms of all stops after each start."""
    graphs = []
    for name, start, stop in (("forward", first, second), ("backward", second, first)):
        edges = [(0, 1, start), (1, 1, start), (1, 0, stop), (0, 0, stop)]
        code = (
            f"HISTOGRAM({name},({bins},{width_ps}))\nCLOCK(c_{name},{STARTS},1)\n"
            f"started:\n c_{name}.start()\nwaiting:\n c_{name}.stop()\n {name}.record_all(c_{name})"
        )
        graphs.append(_graph(name, ["waiting", "started"], edges, code))
    return graphs


def _decay(channel: int, question: Question) -> Any:
    name = f"decay{channel}"
    code = (
        f"HISTOGRAM({name},({question.period + 1},{round(question.resolution_s * 1e12)}))\nCLOCK(c{channel})\n"
        f"any:\n c{channel}.stop()\n c{channel}.start(LAST_SYNC)\n {name}.record(c{channel})"
    )
    return _graph(name, ["any"], [(0, 0, channel)], code)
