"""PTU header: what it must say before a record may be decoded, and what it says wrongly without doing harm."""

from __future__ import annotations

import io
import json
import logging
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ptufile

from sources.layouts.ptu_records import RECORD_TYPES, Layout
from streamer.errors import InputError

_MAGIC = b"PQTTTR\0\0"
_LONGEST_HEADER = 1 << 20  # bytes; real ones have some 5 kB, and a damaged length must not load the whole file
_HEADER_END = b"Header_End".ljust(32, b"\0")
_TAG_BYTES = 48
_RECORD_BYTES = 4


@dataclass(frozen=True, slots=True)
class PtuHeader:
    """What a PTU header and the file's length say of its records.

    Attributes:
        layout: of its records.
        offset: byte at which the records begin.
        records: how many whole records the file holds.
        tick_s: macro tick in seconds: the sync period in T3.
        resolution_s: unit of the nanotime in seconds (T3); 0.0 in T2.
        sync_rate_hz: as the header says; None when that is nothing or 0.
        hardware: name and version.
        duration_s: how long the measurement took, or was to take; None when neither is said.
        warnings: contradictions that leave the photons sure, one line each.
        truth: what our own PTU writer has kept of a simulated stream; else {}.
        promised: records according to the header, where it says a number above 0 and the file is that long; else None.
        doubts: what it makes doubtful ("times", "nanotimes") -> why.
    """

    layout: Layout
    offset: int
    records: int
    tick_s: float
    resolution_s: float
    sync_rate_hz: float | None
    hardware: str
    duration_s: float | None
    warnings: tuple[str, ...] = ()
    truth: dict[str, Any] = field(default_factory=dict)
    promised: int | None = None
    doubts: dict[str, str] = field(default_factory=dict)


def read_header(path: Path) -> PtuHeader:
    """Read and check the header of a PTU file; no record is read.

    Raises:
        InputError: no such file, not a PTU file of time tags, or a header that leaves the photons in doubt.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a directory; name one .ptu file in it")
    try:
        with path.open("rb") as file:
            head = file.read(_LONGEST_HEADER)
            length = file.seek(0, io.SEEK_END)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    _check_magic(path, head)
    tags, offset, doubtful = _parse(path, head)
    return _Reading(path, tags, doubtful).header(offset, length)


def _check_magic(path: Path, head: bytes) -> None:
    if not head:
        raise InputError(f"{path}: is empty; a PTU file begins with a header")
    if head.startswith(_MAGIC):
        return
    if head.startswith(b"PQHIST"):
        raise InputError(f"{path}: is a PicoQuant histogram file, which holds no time tags; record in T2 or T3 mode")
    raise InputError(
        f"{path}: is not a PTU file: it must begin with 'PQTTTR', got {head[:8]!r}; "
        "export older formats as .ptu in the vendor's program"
    )


class _Lines(logging.Handler):
    """Keeps what ptufile logs, which would otherwise land on standard error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _parse(path: Path, head: bytes) -> tuple[dict[str, Any], int, list[str]]:
    """Tags, the byte after the header, and what ptufile complained of."""
    logger, kept = logging.getLogger("ptufile"), _Lines()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(kept)
    try:
        with ptufile.PtuFile(io.BytesIO(head)) as parsed:
            tags, offset = dict(parsed.tags), int(parsed.record_offset)
    except Exception as error:  # a damaged header raises whatever the damage leads to, also UnboundLocalError
        known = isinstance(error, ptufile.PqFileError)
        reason = str(error).replace(" @ 'BytesIO'", ":") if known else "it ends within the first tag"
        raise InputError(f"{path}: the header is cut or damaged ({reason}); copy the file again") from None
    finally:
        logger.removeHandler(kept)
        logger.propagate = propagate
    # ptufile leaves the header early at a tag type that it does not know, and would take the rest of it for records.
    if not head.startswith(_HEADER_END, offset - _TAG_BYTES):
        reason = kept.lines[-1] if kept.lines else "no Header_End"
        raise InputError(f"{path}: the header cannot be read to its end ({reason}); copy the file again")
    return tags, offset, kept.lines


class _Reading:
    """One header being checked: the tags, the file's name for messages, the warnings so far."""

    def __init__(self, path: Path, tags: dict[str, Any], doubtful: list[str]) -> None:
        self.path, self.tags, self.doubtful = path, tags, doubtful
        self.warnings: list[str] = []

    def header(self, offset: int, length: int) -> PtuHeader:
        """All checks, in the order in which a reader of the header would make them."""
        layout = self._layout()
        bits = self._number("TTResultFormat_BitsPerRecord", 32)
        if bits not in (0, 32):
            raise self._refuse("TTResultFormat_BitsPerRecord", f"must be 32, got {bits:g}")
        tick_s = self._number("MeasDesc_GlobalResolution")
        if tick_s <= 0:
            raise self._refuse("MeasDesc_GlobalResolution", f"must be a positive number of seconds, got {tick_s!r}")
        rate = self._number("TTResult_SyncRate", 0)
        resolution_s = self._resolution(tick_s) if layout.mode == "T3" else 0.0
        return PtuHeader(
            layout=layout,
            offset=offset,
            records=self._records(offset, length),
            tick_s=tick_s,
            resolution_s=resolution_s,
            sync_rate_hz=float(rate) if rate > 0 else None,
            hardware=" ".join(
                text for key in ("HW_Type", "HW_Version") if (text := str(self.tags.get(key) or "").strip())
            ),
            duration_s=self._duration(),
            truth=self._own_notes(),
            promised=says if isinstance(says := self.tags.get("TTResult_NumberOfRecords"), int) and says > 0 else None,
            warnings=tuple(self.warnings),
        )

    def _refuse(self, tag: str, what: str) -> InputError:
        return InputError(f"{self.path}: {tag}: {what}; the header is wrong, save the measurement again as .ptu")

    def _number(self, tag: str, default: float | None = None) -> float:
        """A tag that says how photons are to be read: one number, said once."""
        if any(line.startswith("duplicate tag") and f"tagid={tag!r}" in line for line in self.doubtful):
            raise self._refuse(tag, "appears twice with different values")
        value = self.tags.get(tag, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self._refuse(tag, "must be one number, got " + ("nothing" if value is None else repr(value)[:60]))
        return value

    def _layout(self) -> Layout:
        mode = self._number("Measurement_Mode") if "Measurement_Mode" in self.tags else None
        if mode not in (None, 2, 3):
            raise InputError(
                f"{self.path}: Measurement_Mode: must be 2 (T2) or 3 (T3), got {mode!r}; "
                "a histogram holds no time tags, record in T2 or T3 mode"
            )
        code = int(self._number("TTResultFormat_TTTRRecType")) & 0xFFFFFFFF
        if code not in RECORD_TYPES:
            known = ", ".join(f"0x{code:08X} {layout.name}" for code, layout in RECORD_TYPES.items())
            raise InputError(
                f"{self.path}: TTResultFormat_TTTRRecType: record type 0x{code:08X} is unknown; known are {known}"
            )
        layout = RECORD_TYPES[code]
        if mode and f"T{mode:g}" != layout.mode:
            raise self._refuse("Measurement_Mode", f"says T{mode:g} where the records are {layout.name}")
        return layout

    def _resolution(self, tick_s: float) -> float:
        resolution_s = self._number("MeasDesc_Resolution")
        if not 0 < resolution_s <= tick_s:
            raise self._refuse(
                "MeasDesc_Resolution",
                f"must be above 0 and at most the sync period of {tick_s!r} s in T3, got {resolution_s!r}",
            )
        return resolution_s

    def _records(self, offset: int, length: int) -> int:
        records, partial = divmod(max(length - offset, 0), _RECORD_BYTES)
        says = self.tags.get("TTResult_NumberOfRecords")
        if says != records:
            cut = "; it may be cut" if isinstance(says, int) and says > records else ""
            self.warnings.append(
                f"TTResult_NumberOfRecords says {'nothing' if says is None else says}, "
                f"the file holds {records} records, which are used{cut}"
            )
        if partial:
            self.warnings.append(f"the file ends within a record: its last {partial} bytes are left out")
        return records

    def _duration(self) -> float | None:
        """The shorter of the time that was set and the time after which it was stopped, both in ms."""
        times = [self.tags.get(tag) for tag in ("MeasDesc_AcquisitionTime", "TTResult_StopAfter")]
        return min((value * 1e-3 for value in times if isinstance(value, (int, float)) and value > 0), default=None)

    def _own_notes(self) -> dict[str, Any]:
        """What our own writer notes: the truth of a simulation, and loss that PTU records cannot say."""
        if self.tags.get("CreatorSW_Name") != "streamer":
            return {}
        lost, gap = self.tags.get("Streamer_LostRecords", 0), self.tags.get("Streamer_GapTicks", 0)
        if lost or gap:
            self.warnings.append(f"the recording lacks {lost} records and {gap} ticks of gaps, which read as silence")
        for line in str(self.tags.get("File_Comment") or "").splitlines():
            if line.startswith("truth: "):
                try:
                    truth = json.loads(line.removeprefix("truth: "))
                except ValueError:
                    return {}
                return truth if isinstance(truth, dict) else {}
        return {}
