"""What the tests of surveys share: rules, short simulated dots, and a look at the table while it is written."""

import subprocess
import sys
import time

import h5py

from streamer.config import Settings
from streamer.survey import Dot, Plan

STREAMER = [sys.executable, "-m", "streamer"]
DEADLINE_S = 120.0
G2 = {"rule": "g2", "budget_s": 60.0}
SETTINGS = Settings(studies=(), stop=G2)
PLAN = Plan(SETTINGS)
SHORT = {"duration": "6", "rate": "40000"}


def dots(*addresses, **options):
    return [Dot(at, one, SHORT | {"seed": str(at)} | options) for at, one in enumerate(addresses, 1)]


def nobody(row):
    pass


def wait_for_dots(folder, count, process):
    """Until the table, of which survey.h5 is written last, has so many dots; the process must live."""
    path = folder / "survey.h5"
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            with h5py.File(path) as file:
                if len(file["dots/number"]) >= count:
                    return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"no {count} dots in {path}: {process.poll()}")
