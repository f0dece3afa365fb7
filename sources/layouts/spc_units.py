"""SPC units: the layout of an .spc file, its ticks and its nanotimes, from first record, setup file and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sources.layouts.spc_header import PROBE, FirstRecord, filler, first_record, fitting
from sources.layouts.spc_records import FAMILIES, Family
from sources.layouts.spc_set import SpcSetup, read_setup, setup_beside
from sources.reading import options as read_option
from streamer.errors import InputError

OPTIONS = ("format", "set", "resolution_ps", "period_ns", "tick_ns", "macro_clock")
SYNC, INTERNAL = "sync", "internal"
_ROUNDED_S = 0.051e-9  # the first record says the macro clock to 0.1 ns
_CARD_CLOCKS_S = (25e-9, 50e-9)  # a card's own macro clock
_OLD_CLOCK_S = 50e-9  # the only one of an SPC-600/630
_ASK = "say which it is with format=" + " or format=".join(FAMILIES)


@dataclass(frozen=True, slots=True)
class Units:
    """What ticks and nanotimes are.

    Attributes:
        tick_s: macro tick in seconds.
        width_s: ADC channel in seconds; None where it is not known.
        laser_s: laser period in seconds; None where it is not known.
        pulsed: a macro tick is a laser pulse.
        divider: laser pulses for one that the TAC sees.
    """

    tick_s: float
    width_s: float | None
    laser_s: float | None
    pulsed: bool
    divider: int


class Opening:
    """One file being opened.

    Attributes:
        family: layout of its records.
        setup: its setup file, if there is one.
        first: its first record.
        warnings, doubts: so far, as in StreamInfo.
    """

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        """Read the beginning of the file, and its setup.

        Raises:
            InputError: no such file, or no sure layout.
        """
        self.path, self.options = path, options
        self.warnings: list[str] = []
        self.doubts: dict[str, str] = {}
        try:
            with path.open("rb") as file:
                self._data = file.read(PROBE)
                self._length = file.seek(0, 2)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{path}: cannot be read ({reason}); give the path of one .spc file") from None
        if not self._data:
            raise InputError(f"{path}: is empty; an SPC file begins with a record that says the macro clock")
        self.setup = self._read_setup()
        self.family = self._find_family()
        self.first = self._read_first()

    def _read_setup(self) -> SpcSetup | None:
        if "set" in self.options:
            return read_setup(Path(self.options["set"]))
        beside = setup_beside(self.path)
        if beside is None:
            return None
        try:
            return read_setup(beside)
        except InputError as error:
            self.warnings.append(f"the setup file beside the recording is not used: {error}")
            return None

    def _find_family(self) -> Family:
        """The layout: by option, else the only one that fits, if its records or the setup make sure of it."""
        if "format" in self.options:
            return FAMILIES[read_option.choice("spc", "format", self.options["format"], FAMILIES)]
        fits, module = fitting(self._data), ""
        if not fits:
            raise InputError(
                f"{self.path}: is not an SPC file: in no known layout does the first record say a macro clock and time "
                f"run forward; if it is one, {_ASK}"
            )
        if self.setup and self.setup.module:
            module = self.setup.module
            old = module.startswith(("SPC-60", "SPC-63"))
            named = {} if module.startswith(("DPC", "SPC-QC")) else fits
            named = {key: one for key, one in named.items() if (key != "spc130") == old}
            if not named:
                raise InputError(
                    f"{self.path}: the records look like {' or '.join(fits)}, but {self.setup.path} names the module "
                    f"{module}; {_ASK}, or name the right setup with set="
                )
            fits = named
        if len(fits) > 1 or not (module or all(one.right for one in fits.values())):
            raise InputError(f"{self.path}: too few records follow each other closely to tell the layout; {_ASK}")
        return FAMILIES[next(iter(fits))]

    def _read_first(self) -> FirstRecord:
        first = first_record(self._data, self.family)
        if first is None:
            raise InputError(
                f"{self.path}: record 0: must say the macro clock as {self.family.key}, got "
                f"{self._data[: self.family.record_bytes].hex(' ')}; copy the file again, or {_ASK}"
            )
        if first.raw:
            self.warnings.append(
                "the first record says raw data, a diagnostic mode; its records are read as usual ones"
            )
        return first

    def units(self) -> Units:
        """Ticks and nanotimes; contradictions are refused or said.

        Raises:
            InputError: options that contradict the file, or a macro clock that is not known.
        """
        period_s = self._seconds("period_ns", 1e-9)
        divider = (self.setup.sync_divider if self.setup else None) or 1
        clock = self._clock(divider)
        tick_s = self._tick(period_s * 2 ** (clock - 1) if period_s and clock else None, clock)
        laser_s = tick_s / 2 ** (clock - 1) if clock else period_s
        width_s = self._width()
        if width_s and laser_s and width_s > laser_s:
            raise InputError(
                f"{self.path}: resolution_ps: an ADC channel must not be wider than the laser period of "
                f"{laser_s * 1e9:g} ns, got {width_s * 1e12:g} ps; check it and period_ns"
            )
        return Units(tick_s, width_s, laser_s, clock == 1, divider)

    def _clock(self, divider: int) -> int | None:
        """What the macro clock is: 0 the card's own, n the laser / 2 ** (n - 1), None not known.

        With a divided sync it is not documented whether the clock is divided as well.
        """
        if not self.family.markers:
            says: int | None = 0
        else:
            says = self.setup.clock if self.setup else None
            says = None if says and divider > 1 else says
        if "macro_clock" not in self.options:
            return says
        given = read_option.choice("spc", "macro_clock", self.options["macro_clock"], (SYNC, INTERNAL))
        if says is None:
            return int(given == SYNC)
        if (given == SYNC) != (says == 1):
            where = "SP_MTCLK in the setup" if self.family.markers else "that of an SPC-600/630, which is its own"
            raise InputError(f"{self.path}: macro_clock: must agree with {where}, got {given!r}; leave the option out")
        return says

    def _tick(self, period_s: float | None, clock: int | None) -> float:
        """Macro tick in seconds; `period_s` is what the laser period makes of it, where that is known by option."""
        said, given, option = self.first.clock_s, self._seconds("tick_ns", 1e-9), "tick_ns"
        if period_s is not None:
            if given is not None and abs(given / period_s - 1) > 1e-9:
                raise InputError(
                    f"{self.path}: tick_ns: the macro clock is the laser's, which by period_ns makes it "
                    f"{period_s * 1e9:g} ns, got {given * 1e9:g} ns; leave one of the two out"
                )
            given, option = period_s, "period_ns"
        if not self.family.markers and abs(said - _OLD_CLOCK_S) > _ROUNDED_S:
            if given is None:
                raise InputError(
                    f"{self.path}: the macro clock is not known: an SPC-600/630 has one of 50 ns, the first record "
                    f"says {said * 1e9:.1f} ns; give it with tick_ns="
                )
            return given
        if given is not None:
            if abs(given - said) > _ROUNDED_S:
                raise InputError(
                    f"{self.path}: {option}: must give a macro clock of {said * 1e9:.1f} ns, to 0.05 ns, as the first "
                    f"record says, got {given * 1e9:g} ns; check it or leave it out"
                )
            return given
        own = any(abs(said - one) < _ROUNDED_S for one in _CARD_CLOCKS_S)
        if clock == 0 and not own:
            self.doubts["nanotimes"] = (
                f"the macro clock is said to be the card's own, which has 25 or 50 ns, but the first record says "
                f"{said * 1e9:.1f} ns; the setup or the options may be of another run"
            )
            self.warnings.append(self.doubts["nanotimes"])
        elif clock or not own:
            self.warnings.append(
                f"the macro clock of {said * 1e9:.1f} ns is rounded to 0.1 ns, so times and rates are sure to "
                f"{0.05e-9 / said:.1%} only; tick_ns= says it exactly"
            )
        return said

    def _width(self) -> float | None:
        """ADC channel in seconds; None, and a warning, where it is not known."""
        given = self._seconds("resolution_ps", 1e-12)
        found, why = self.setup.width(self.family.bins) if self.setup else (None, "there is no setup file beside it")
        if given and found and abs(given / found - 1) > 0.01:
            self.warnings.append(f"resolution_ps={given * 1e12:g} is used; the setup says {found * 1e12:.5g} ps")
        if not given and not found:
            self.warnings.append(
                f"nanotimes are left out, for the width of an ADC channel is not known ({why}); put the .set of this "
                "recording beside it, name it with set=, or give resolution_ps="
            )
        return given or found

    def _seconds(self, key: str, unit: float) -> float | None:
        return read_option.number("spc", key, self.options[key], 1e-3, 1e9) * unit if key in self.options else None

    def records(self) -> int:
        """Whole records behind the first one, without filler at the end.

        Raises:
            InputError: the file cannot be read any more.
        """
        records, partial = divmod(self._length, self.family.record_bytes)
        if partial:
            self.warnings.append(f"the file ends within a record: its last {partial} bytes are left out")
        try:
            empty = filler(self.path, self.family, records - 1)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror or error}); copy it again") from None
        if empty:
            self.warnings.append(
                f"the last records, {empty} with all bits 0, are no photons, for they would be earlier than those "
                "before them; they are left out as filler"
            )
        return records - 1 - empty
