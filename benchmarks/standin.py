"""Stand-in: compiles the vendor libraries of the tests, and makes records for them to play back for ever."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SOURCE = Path(__file__).parents[1] / "tests" / "sources" / "standin" / "standin.c"
# Model -> prefix of its functions, and how the C source calls it.
KINDS = {
    "PH300": ("PH_", "PH300"),
    "TH260": ("TH260_", "TH260"),
    "HH400": ("HH_", "HH400"),
    "MH150": ("MH_", "MH150"),
    "MH160": ("MH_", "MH150"),
    "PH330": ("PH330_", "PH330"),
}
UNIT_PS = 16  # of the nanotime, by binning=4 on a base resolution of 1 ps
_WRAP = 1024  # laser pulses of one overflow in HydraHarp T3 records
_WRAPS = 256  # of the piece that is repeated
_OVERFLOW = 0xFE000001


def compiler() -> str | None:
    """A C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def library(model: str, folder: Path) -> Path:
    """The stand-in for a model's vendor library, compiled into a folder once."""
    prefix, kind = KINDS[model]
    path = folder / f"standin_{kind.lower()}.so"
    if not path.exists():
        found = compiler()
        assert found is not None
        command = [found, "-O2", "-shared", "-fPIC", f"-DPREFIX={prefix}", f"-D{kind}", "-o", str(path), str(SOURCE)]
        subprocess.run(command, check=True)
    return path


def piece(photons: int, period: int, seed: int = 1) -> NDArray[np.uint32]:
    """HydraHarp T3 records of 256 wraps with so many photons each on two channels, one exponential decay; repeatable.

    Args:
        photons: in one wrap of 1024 laser pulses.
        period: of the laser in units of the nanotime; the lifetime is an eighth of it.
        seed: of the random numbers.

    Returns:
        uint32[256 * (photons + 1)]; each wrap ends with an overflow.
    """
    rng = np.random.default_rng(seed)
    shape = (_WRAPS, photons)
    words = np.empty((_WRAPS, photons + 1), np.uint32)
    nanotime = (rng.exponential(period / 8, shape) + period / 16).astype(np.uint32) % np.uint32(period)
    pulse = np.sort(rng.integers(0, _WRAP, shape), axis=1)
    words[:, :photons] = pulse | nanotime << 10 | rng.integers(0, 2, shape) << 25
    words[:, photons] = _OVERFLOW
    return words.ravel()


def steady(rate: float, sync_hz: float) -> tuple[NDArray[np.uint32], float]:
    """A piece whose records come at about `rate` per second when its pulses come at `sync_hz`; and the exact rate."""
    wraps_per_s = sync_hz / _WRAP
    photons = max(1, round(rate / wraps_per_s) - 1)
    return piece(photons, int(1e12 / sync_hz / UNIT_PS)), (photons + 1) * wraps_per_s
