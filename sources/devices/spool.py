"""Spool: raw records of a running measurement as PTU files that are valid from their first moment."""

from __future__ import annotations

import struct
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

RECORD_BYTES = 4
_EMPTY, _INT, _FLOAT, _DATE, _TEXT = 0xFFFF0008, 0x10000008, 0x20000008, 0x21000008, 0x4001FFFF  # tag types
_DAYS_TO_1970 = 25569  # a date is in days since the end of 1899

Tag = tuple[str, int, int | float | str]  # name, index (-1: none), value


class Spool:
    """Writes records into `path`, and what comes after a break or a full file into `path` with _001, _002 ...

    Nothing is buffered here: what was appended outlives this process. The header's number of records is 0 until a file
    is closed, so readers go by its length. When writing fails, the file is cut behind its last whole record and no
    other is begun: a recording with a hole in it could not be told from a whole one.

    Attributes:
        paths: of the files so far.
        records: in the present file.
        total: in all files.
        failed: why nothing is written any more; "" as long as all is well.
    """

    def __init__(self, path: Path, tags: Sequence[Tag], rotate: int | None = None) -> None:
        """Nothing is written yet.

        Args:
            path: of the first file, which must not exist.
            tags: of every file's header, beside identity, time and counts.
            rotate: bytes after which the next file should be begun.
        """
        self._first, self._tags, self._rotate = path, list(tags), rotate
        self.paths: list[Path] = []
        self.records = self.total = 0
        self.failed = ""
        self._file: FileIO | None = None
        self._header = b""
        self._places: dict[str, int] = {}
        self._begun = 0.0

    @property
    def path(self) -> Path:
        """Of the present file."""
        return self.paths[-1]

    @property
    def offset(self) -> int:
        """Byte at which its records begin."""
        return len(self._header)

    @property
    def full(self) -> bool:
        """Is it time for the next file?"""
        return self._rotate is not None and self.offset + self.records * RECORD_BYTES >= self._rotate

    def begin(self, *extra: Tag) -> bool:
        """Close the present file and begin the next one; False, with `failed`, when it cannot be written.

        Args:
            extra: tags of this file's header alone.
        """
        self.close()
        if self.failed:
            return False
        path = self._free() if self.paths else self._first
        self._header, self._places = ptu_header([*self._tags, *extra])
        self._begun = time.monotonic()
        self.records = 0
        try:
            self._file = FileIO(path, "x+")
            written = self._file.write(self._header)
            if written < len(self._header):
                raise OSError("the header does not fit on the disk")
        except OSError as error:
            self.failed = f"{path}: {error.strerror or error}"
            if self._file is not None:
                self._file.close()
                self._file = None
                path.unlink(missing_ok=True)
            return False
        self.paths.append(path)
        return True

    def append(self, block: memoryview) -> int:
        """Write whole records; return how many are in the file, fewer than given only once `failed`."""
        if self._file is None:
            return 0
        done = 0
        try:
            while done < len(block):
                done += self._file.write(block[done:]) or 0
        except OSError as error:
            whole = done // RECORD_BYTES
            with suppress(OSError):  # readers leave a partial last record out
                self._file.truncate(self.offset + (self.records + whole) * RECORD_BYTES)
            self.records += whole
            self.total += whole
            self.failed = f"{self.path}: {error.strerror or error}"
            self.close()
            return whole
        count = len(block) // RECORD_BYTES
        self.records += count
        self.total += count
        return count

    def close(self) -> None:
        """Write the counts into the header and let go of the file; may be called twice."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            with file:
                for name, value in (
                    ("TTResult_NumberOfRecords", self.records),
                    ("TTResult_StopAfter", round((time.monotonic() - self._begun) * 1e3)),
                ):
                    file.seek(self._places[name])
                    file.write(struct.pack("<q", value))
        except OSError as error:
            self.failed = self.failed or f"{self.path}: {error.strerror or error}"

    def _free(self) -> Path:
        """The next name that is not taken, by an earlier run for instance."""
        number = len(self.paths)
        while (path := self._first.with_name(f"{self._first.stem}_{number:03d}{self._first.suffix}")).exists():
            number += 1
        return path


def ptu_header(tags: Sequence[Tag]) -> tuple[bytes, dict[str, int]]:
    """A PTU header with these tags, and at which byte each one's value stands.

    Layout: "PQTTTR", version, then tags of 48 bytes: name, index, type, value; text and its length behind
    (PicoQuant-Time-Tagged-File-Format-Demos).
    """
    now = datetime.now(UTC)
    own: list[Tag] = [
        ("File_GUID", -1, "{" + str(uuid.uuid4()).upper() + "}"),
        ("CreatorSW_Name", -1, "streamer"),
        ("CreatorSW_Version", -1, "1"),
        ("TTResult_NumberOfRecords", -1, 0),
        ("TTResult_StopAfter", -1, 0),
        ("TTResultFormat_BitsPerRecord", -1, 8 * RECORD_BYTES),
    ]
    header, places = bytearray(b"PQTTTR\0\0" + b"1.0.00\0\0"), {}
    date = now.timestamp() / 86400 + _DAYS_TO_1970
    header += struct.pack("<32siId", b"File_CreatingTime", -1, _DATE, date)
    for name, index, value in [*own, *tags]:
        kind = _TEXT if isinstance(value, str) else _FLOAT if isinstance(value, float) else _INT
        header += struct.pack("<32siI", name.encode("ascii"), index, kind)
        places[name] = len(header)
        if isinstance(value, str):
            data = value.encode("cp1252", "replace") + b"\0"
            data += b"\0" * (-len(data) % 8)
            header += struct.pack("<q", len(data)) + data
        else:
            header += struct.pack("<d" if kind == _FLOAT else "<q", value)
    header += struct.pack("<32siIq", b"Header_End", -1, _EMPTY, 0)
    return bytes(header), places
