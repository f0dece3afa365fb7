"""Formats: which source reads a file, known by its content and never by its name."""

from __future__ import annotations

import importlib
from pathlib import Path

from streamer.errors import InputError

HEAD = 4096  # bytes looked at
# First bytes -> source. A histogram of the same make goes to the same source, which refuses it with its reason.
MAGIC: dict[bytes, str] = {
    b"PQTTTR": "ptu",
    b"PQHIST": "ptu",
    b"PicoHarp 300": "pt3",
    b"HydraHarp": "ht3",
    b"TimeHarp 200": "t3r",
    b"Simple Small Time Tagged": "sstt",
    b"SSTT": "sstt",
    b"\x89HDF\r\n\x1a\n": "photon_hdf5",
    b"PK\x03\x04": "arrays",
    b"\x93NUMPY": "arrays",
    b"PAR1": "arrays",
}
# Not known by their first bytes: what follows must look right (HDF5 may have a user block before it). Strictest first.
BY_LOOKS = ("photon_hdf5", "qutag", "spc", "arrays")


def name_of(path: Path) -> str:
    """The source that reads a file.

    Raises:
        InputError: no readable file, or none of the formats; one line.
    """
    try:
        folder = path.is_dir()
    except OSError:  # in a folder that may not be entered; opening it says so
        folder = False
    if folder:
        raise InputError(
            f"{path}: is a folder; give the path of one recording, or join:{path / '*'} for several files of one run"
        )
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); give the path of a recording, or a "
            "source such as simulate:"
        ) from None
    for magic, name in MAGIC.items():
        if head.startswith(magic):
            return name
    for name in BY_LOOKS:
        if importlib.import_module(f"sources.{name}").recognise(path, head):
            return name
    if b"*IDENTIFICATION" in head:
        raise InputError(
            f"{path}: is a Becker & Hickl setup file; give the .spc recorded with it, which finds its setup"
        )
    found = "the file is empty" if not head else f"it begins with {head[:8]!r}"
    raise InputError(
        f"{path}: not a recording this version reads ({found}); it reads PicoQuant ptu, pt2, pt3, ht2, ht3, t3r, "
        "Becker & Hickl spc, quTAG, SSTT, Photon-HDF5, npz, npy, csv and parquet; where the content cannot be "
        "recognised, say the format: spc:FILE, qutag:FILE or arrays:FILE"
    )
