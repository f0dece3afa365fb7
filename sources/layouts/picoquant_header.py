"""Headers of PicoQuant's formats before PTU: fixed blocks of text and numbers, and the checks that all of them share.

Each header is a chain of little-endian blocks without padding; the last one says how many words of a special header
follow before the records. Sizes and fields: .pt2 and .pt3 from the vendor's file demos (PicoQuant, "legacy" folder of
the Time-Tagged-File-Format-Demos), .ht2 and .ht3 from libpicoquant and phconvert, .t3r from libpicoquant and phconvert.

    format             text   settings   board                             time tagging   records at
    .pt2, .pt3         328    208        156                               36             728 + 4 * words
    .ht2, .ht3         328    208        160 + 20 * input channels         24             720 + 20 * inputs + 4 * words
    .t3r 5.0           304    212        24                                52             592 + 4 * words
    .t3r 6.0           328    212        48                                52             640 + 4 * words
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

_READ = 4096  # bytes; the longest header before its special one has 880
_IDENT_BYTES = 16
_LONGEST_SPECIAL = 4096  # words; an image header has some 40
_RECORD_BYTES = 4
_FINEST_S = 1e-13  # finer than any card's channels


def text(raw: bytes) -> str:
    """Characters up to the first NUL, without the blanks that LabVIEW pads with."""
    return raw.split(b"\0")[0].decode("latin-1").strip()


def has_ident(head: bytes, ident: str) -> bool:
    """Does a file with these first bytes name this device?"""
    return len(head) >= _IDENT_BYTES and text(head[:_IDENT_BYTES]) == ident


def shortest(single: float) -> float:
    """The decimal number that a 32-bit one was written from: 0.004 for 0.004000000189989805."""
    return float(str(np.float32(single)))


class Block:
    """One block of a header.

    Attributes:
        names: of its fields.
        struct: of its bytes.
    """

    def __init__(self, fields: str) -> None:
        """`fields` such as "Ident:16s 4x Mode:i": name and struct code, or bytes that nobody asks for."""
        parts = [part.rpartition(":") for part in fields.split()]
        self.names = [name for name, _, _ in parts if name]
        self.struct = struct.Struct("<" + "".join(code for _, _, code in parts))


_BEGIN = Block(f"Ident:{_IDENT_BYTES}s FormatVersion:6s")


class HeaderFile:
    """The beginning of one file, read block after block.

    Attributes:
        path: the file.
        version: of its format.
        at: byte after the blocks read so far.
        warnings: contradictions that leave the photons sure, one line each.
    """

    def __init__(self, path: Path, device: str, versions: Iterable[str], suffixes: str) -> None:
        """Read the first bytes, and see that they are those of `device` in one of the versions known.

        Raises:
            InputError: no such file, another device's, or a version that is not known.
        """
        self.path, self.at = path, 0
        self.warnings: list[str] = []
        self._template = False
        if path.is_dir():
            raise InputError(f"{path}: is a directory; name one {suffixes} file in it")
        try:
            with path.open("rb") as file:
                self._head = file.read(_READ)
                self._length = file.seek(0, io.SEEK_END)
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; check the name") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
        if not self._head:
            raise InputError(f"{path}: is empty; a {suffixes} file begins with a header")
        if not has_ident(self._head, device):
            raise InputError(
                f"{path}: is not a {device} file ({suffixes}): it must begin with {device!r}, got {self._head[:16]!r}"
            )
        self.version = text(self.take(_BEGIN)["FormatVersion"])
        if self.version not in versions:
            raise self.refuse("FormatVersion", f"must be {' or '.join(versions)}, got {self.version!r}")

    def take(self, block: Block) -> dict[str, Any]:
        """The fields of the next block.

        Raises:
            InputError: the file ends within it.
        """
        end = self.at + block.struct.size
        if end > len(self._head):
            raise InputError(
                f"{self.path}: the header is cut: it has at least {end} bytes, the file {self._length}; "
                "copy the file again"
            )
        values = block.struct.unpack_from(self._head, self.at)
        self.at = end
        return dict(zip(block.names, values, strict=True))

    def refuse(self, name: str, rule: str) -> InputError:
        """The error for a field that leaves the photons in doubt."""
        return InputError(f"{self.path}: {name}: {rule}; the header is wrong or damaged, save the measurement again")

    def check_mode(self, mode: int, known: Mapping[int, str], bits: int) -> str:
        """The mode's name, after a look at the record size too.

        Raises:
            InputError: a histogram, an unknown mode, or records of another size than 32 bits.
        """
        if mode in (0, 1):
            raise InputError(
                f"{self.path}: is a PicoQuant histogram file, which holds no time tags; "
                f"record in {' or '.join(known.values())} mode"
            )
        if mode not in known:
            names = " or ".join(f"{number} ({name})" for number, name in known.items())
            raise self.refuse("MeasurementMode", f"must be {names}, got {mode}")
        if bits != 8 * _RECORD_BYTES:
            raise self.refuse("BitsPerRecord", f"must be {8 * _RECORD_BYTES}, got {bits}")
        return known[mode]

    def positive(self, name: str, value: int, unit: str, why: str) -> int:
        """The value, when it is above 0; `why` it must be."""
        if value <= 0:
            raise self.refuse(name, f"must be above 0 {unit}, got {value}, {why}")
        return value

    def first_records(self, records: int) -> NDArray[np.uint32]:
        """So many words from where the records begin, or fewer where the file has become shorter."""
        try:
            return np.fromfile(self.path, "<u4", records, offset=self.at)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read any more ({error.strerror or error})") from None

    def nanotime_unit(self, resolution_s: float, most_s: float, what: str = "sync period") -> float:
        """The unit of the nanotimes in seconds, when a card may have it and it is at most the laser period."""
        if not _FINEST_S <= resolution_s <= most_s:
            raise self.refuse(
                "Resolution",
                f"must be {_FINEST_S * 1e12:g} ps to the {what} of {most_s * 1e9:g} ns, got {resolution_s * 1e12:g} ps",
            )
        return resolution_s

    def is_template(self, acquisition_ms: int, stopped_ms: int) -> bool:
        """Is the header of no measurement, or of another one, put before records by some other program?

        A measurement has a time after which it was to end and, when it has ended, one after which it did.
        """
        self._template = acquisition_ms <= 0 and stopped_ms <= 0
        if self._template:
            self.warnings.append(
                "the header says neither how long the measurement was to take nor how long it took: it was not written "
                "for these records, and its rates are those of another measurement"
            )
        return self._template

    def records(self, name: str, says: int, special: int) -> int:
        """Pass over the special header; how many whole records follow, which the file's length decides.

        Args:
            name: of the count in the header.
            says: that count.
            special: words of the special header.

        Raises:
            InputError: a special header that cannot be.
        """
        if not 0 <= special <= _LONGEST_SPECIAL:
            raise self.refuse("special header", f"must have 0 to {_LONGEST_SPECIAL} words, got {special}")
        self.at += 4 * special
        if self.at > self._length:
            raise InputError(
                f"{self.path}: the header is cut: it has {self.at} bytes, the file {self._length}; copy the file again"
            )
        records, partial = divmod(self._length - self.at, _RECORD_BYTES)
        if says != records:
            cut = "; it may be cut" if says > records and not self._template else ""
            self.warnings.append(f"{name} says {says}, the file holds {records} records, which are used{cut}")
        if partial:
            left = "1 byte is" if partial == 1 else f"{partial} bytes are"
            self.warnings.append(f"the file ends within a record: its last {left} left out")
        return records


def template_doubts(mode: str) -> dict[str, str]:
    """What a template makes doubtful: in T3 ticks and nanotimes have their units from it; in T2 nothing has."""
    why = "the header, which gives it its unit, is not that of these records"
    return dict.fromkeys(("times", "nanotimes"), why) if mode == "T3" else {}


def duration_s(*times_ms: int) -> float | None:
    """The shorter of the time that was set and the time after which it was stopped; None when neither is said."""
    return min((value * 1e-3 for value in times_ms if value > 0), default=None)
