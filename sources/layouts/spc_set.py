"""SPC setup file (.set): what Becker & Hickl's SPCM notes of the card beside a recording.

A .set file has a binary header, an identification block, and the card's parameters as text, one a line:
`#SP [SP_TAC_R,F,5.0033574e-08]`. The file's parts and the module codes are those of the vendor's
SPC_data_file_structure.h, the macro clock's values those of its spcm_def.h; how range, gain, channels and width belong
together holds in a real file:
SP_TAC_R is the TAC range in seconds, SP_TAC_G its gain, SP_ADC_RE the channels over range / gain, SP_TAC_TC the width
of one; SP_SYN_FD divides the sync before the TAC; SP_MTCLK is the macro clock: 0 the card's own, 1 the sync, 2, 3, 4
the sync divided by 2, 4, 8.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import InputError

_LONGEST = 1 << 24  # bytes; real ones have some 10 kB
_IDENTIFICATION = b"SPC Setup"
_PARAMETER = re.compile(rb"#SP \[(SP_[A-Z0-9_]+),([A-Z]),([^\]\r\n]*)\]")
_MODULE = re.compile(rb"module\s+([A-Z][A-Z0-9]*-[A-Z0-9-]+)(?:[^\r\n]*?Ser\.\s*No\.\s*(\w+))?", re.IGNORECASE)
_MODULE_CODES = {
    0x20: "SPC-130", 0x21: "SPC-600", 0x22: "SPC-630", 0x23: "SPC-700", 0x24: "SPC-730", 0x25: "SPC-830",
    0x26: "SPC-140", 0x27: "SPC-930", 0x28: "SPC-150", 0x29: "DPC-230", 0x2A: "SPC-130EM",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SpcSetup:
    """What a .set file says; None where it says nothing.

    Attributes:
        path: of the file.
        module: such as "SPC-150"; "" when it is not named.
        serial: serial number; "" when it is not named.
        range_s: TAC range in seconds.
        gain: of the TAC.
        channels: of the ADC over range / gain.
        channel_s: width of one as noted, in seconds.
        sync_divider: sync pulses for one that the TAC sees.
        clock: 0 when the macro clock is the card's own; n > 0 when it is the sync divided by 2 ** (n - 1).
        collect_s: when the measurement was to stop by itself, in seconds.
    """

    path: Path
    module: str = ""
    serial: str = ""
    range_s: float | None = None
    gain: float | None = None
    channels: int | None = None
    channel_s: float | None = None
    sync_divider: int | None = None
    clock: int | None = None
    collect_s: float | None = None

    @property
    def hardware(self) -> str:
        """Module and serial number."""
        return " ".join(part for part in (self.module, self.serial) if part)

    def width(self, bins: int) -> tuple[float | None, str]:
        """Width of an ADC channel in seconds for records with `bins` ADC values; or None, and why it is not known."""
        if not self.range_s or not self.gain:
            return None, f"{self.path} has no SP_TAC_R and SP_TAC_G above 0"
        if self.channels != bins:
            return None, f"{self.path} says {self.channels} ADC channels (SP_ADC_RE) where the records have {bins}"
        width = self.range_s / self.gain / bins
        if self.channel_s is not None and abs(self.channel_s / width - 1) > 0.001:
            return None, (
                f"{self.path} contradicts itself: range / gain / channels is {width * 1e12:.5g} ps, SP_TAC_TC says "
                f"{self.channel_s * 1e12:.5g} ps"
            )
        return width, ""


def setup_beside(path: Path) -> Path | None:
    """The setup file with the name of a recording, if there is one."""
    for suffix in (".set", ".SET"):
        beside = path.with_suffix(suffix)
        if beside.is_file():
            return beside
    return None


def read_setup(path: Path) -> SpcSetup:
    """Read a .set file.

    Raises:
        InputError: no such file, not a setup file, or a parameter that cannot be.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: the setup file cannot be read ({reason}); check the name") from None
    found = {name.decode(): text.strip() for name, _, text in _PARAMETER.findall(data)}
    if _IDENTIFICATION not in data[:4096] or not found:
        raise InputError(f"{path}: is not a setup file of SPCM (no '{_IDENTIFICATION.decode()}' or no #SP lines in it)")
    named = _MODULE.search(data[: data.find(b"*SETUP")])
    code = (int.from_bytes(data[:2], "little") >> 4) & 0xFF
    stops = _whole(path, found, "SP_STOPT", 0, 1) and not _whole(path, found, "SP_EN_DLIM", 0, 1)
    collect_s = _number(path, found, "SP_COL_T")
    return SpcSetup(
        path=path,
        module=named[1].decode().upper() if named else _MODULE_CODES.get(code, ""),
        serial=(named[2] or b"").decode() if named else "",
        range_s=_number(path, found, "SP_TAC_R"),
        gain=_number(path, found, "SP_TAC_G"),
        channels=_whole(path, found, "SP_ADC_RE", 1, 1 << 16),
        channel_s=_number(path, found, "SP_TAC_TC"),
        sync_divider=_whole(path, found, "SP_SYN_FD", 1, 1 << 16),
        clock=_whole(path, found, "SP_MTCLK", 0, 4),
        collect_s=collect_s if stops else None,
    )


def _number(path: Path, found: dict[str, bytes], key: str) -> float | None:
    """A number above 0; None where it is not noted."""
    if key not in found:
        return None
    try:
        value = float(found[key])
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(f"{path}: {key}: must be a number above 0, got {_shown(found[key])}; save the setup again")
    return value


def _whole(path: Path, found: dict[str, bytes], key: str, low: int, high: int) -> int | None:
    """A whole number from `low` to `high`; None where it is not noted."""
    if key not in found:
        return None
    try:
        value = int(found[key])
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise InputError(
            f"{path}: {key}: must be a whole number from {low} to {high}, got {_shown(found[key])}; "
            "save the setup again"
        )
    return value


def _shown(text: bytes) -> str:
    return repr(text.decode("latin-1")[:40])
