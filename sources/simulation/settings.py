"""Settings of the simulated emitter: what they are and what they may be together."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from sources.simulation.parts import MOST_ORDERS, Bleach, Drift, Marker, State, need

DOT, COHERENT, THERMAL = "dot", "coherent", "thermal"
PULSED, CW = "pulsed", "cw"
MOST_NANOTIMES = 32768  # 15 bits, as the T3 records of the cards that files imitate
MOST_DETECTORS = 16
CW_CLOCK_HZ = 1e6  # under cw light, microseconds take the place of the laser's periods in the kernels
MOST_THERMAL = 20.0  # excitations per pulse and mode: more would need bursts of thousands of photons

Values = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a simulated stream is made from; the same settings make the same stream.

    Attributes:
        model: "dot" (excitons that decay one after another), "coherent" (independent photons, Poisson: g2 = 1) or
            "thermal" (bunched pulses of `modes` modes: g2(0) = 1 + 1 / modes).
        states: one or more.
        transition: probability of the next state (column) after each state (row), diagonal 0; () means that all
            other states are equally likely.
        rate_hz: laser pulses per second.
        nbar: mean excitations per pulse, Poisson.
        eta_c: detection efficiency per emitted photon, detector included.
        split: share of the photons that go to channel 0 of two, or the shares of 1 to 16 detectors.
        resolution_ps: unit of the nanotime.
        t0_ns: instant of the excitation after the sync signal.
        jitter_ps, dark_cps, dead_ns, delay_ns: per channel: sigma of the Gaussian response, dark counts per second,
            non-extending dead time, cable delay.
        mode: "T3" or "T2" (absolute picoseconds of the same pulsed emitter).
        seed: of all random numbers.
        duration_s: length of the stream, inf for endless.
        live: paced by the wall clock.
        chunk_s: span of a chunk. It changes no photon.
        excitation: "pulsed" or "cw" (T2 only; `rate_hz`, `nbar`, `t0_ns` have no meaning then).
        orders: most excitons of a pulse, more are taken as so many; 0 means 2 and as many as `eta_mx` has values.
        modes: of the thermal source; below 1 for bunching above 2, as of superradiant bursts.
        levels: of a dot under cw light: 3 (ground, exciton, biexciton) or 2.
        pump_per_us: excitations per microsecond under cw light, of the ground level and of the exciton alike.
        shelve_per_us, return_per_us: from the exciton into a dark level, and from there to the ground level (cw).
        filters: transmission of the bands X, BX and, where there are higher orders, MX (columns) to each detector
            (rows); () where every detector sees all.
        jitter_tail, jitter_tail_ns: per channel: share of the photons that are late by an exponential time, its mean.
        afterpulse, afterpulse_ns: per channel: probability that a record is followed by an afterpulse, and its mean
            delay after the end of the dead time.
        crosstalk, crosstalk_ns, crosstalk_sigma_ps: per channel: probability that a record makes one of the other
            detectors click (that click makes no third), the mean delay, its Gaussian spread.
        bleach: when the dot goes dark for good, if ever.
        drift_excitation, drift_collection: slow changes of `nbar` or `pump_per_us` and of `eta_c`.
        markers: periodic marker signals, such as those of lines and frames.
        next_dot: marker at which another dot, alike but not bleached, takes the place of the last one.
    """

    model: str = DOT
    states: tuple[State, ...] = (State(),)
    transition: tuple[Values, ...] = ()
    rate_hz: float = 10e6
    nbar: float = 0.1
    eta_c: float = 0.08
    split: float | Values = 0.5
    resolution_ps: float = 64.0
    t0_ns: float = 2.0
    jitter_ps: Values = (100.0, 100.0)
    dark_cps: Values = (50.0, 50.0)
    dead_ns: Values = (80.0, 80.0)
    delay_ns: Values = (0.0, 0.0)
    mode: str = "T3"
    seed: int = 1
    duration_s: float = 30.0
    live: bool = False
    chunk_s: float = 0.05
    excitation: str = PULSED
    orders: int = 0
    modes: float = 1.0
    levels: int = 3
    pump_per_us: float = 1.0
    shelve_per_us: float = 0.0
    return_per_us: float = 1.0
    filters: tuple[Values, ...] = ()
    jitter_tail: Values = ()
    jitter_tail_ns: Values = ()
    afterpulse: Values = ()
    afterpulse_ns: Values = ()
    crosstalk: Values = ()
    crosstalk_ns: Values = ()
    crosstalk_sigma_ps: Values = ()
    bleach: Bleach | None = None
    drift_excitation: Drift | None = None
    drift_collection: Drift | None = None
    markers: tuple[Marker, ...] = ()
    next_dot: Marker | None = None

    def __post_init__(self) -> None:
        """Refuse settings that contradict themselves or that a 32-bit T3 record could not hold."""
        remedy = "leave it out for a dot"
        need(self.model in (DOT, COHERENT, THERMAL), "model", "dot, coherent or thermal", self.model, remedy)
        need(self.mode in ("T2", "T3"), "mode", "T2 or T3", self.mode, "leave it out for T3")
        need(len(self.states) >= 1, "states", "at least one", len(self.states), "give at least one state")
        need(1e3 <= self.rate_hz <= 1e10, "rate_hz", "between 1e3 and 1e10", self.rate_hz, "write rate_hz=10e6")
        need(0 < self.nbar <= 50, "nbar", "above 0 and at most 50", self.nbar, "write nbar=0.1")
        need(0 < self.eta_c <= 1, "eta_c", "above 0 and at most 1", self.eta_c, "write eta_c=0.1")
        self._check_split()
        need(self.seed >= 0, "seed", "a whole number from 0", self.seed, "write seed=1")
        need(self.duration_s > 0, "duration", "above 0 s", self.duration_s, "write duration=30 or duration=inf")
        need(0 < self.chunk_s <= 10, "chunk_ms", "above 0 and at most 10000", self.chunk_s * 1e3, "write chunk_ms=5")
        period_ns = 1e9 / self.clock_hz
        need(
            0 <= self.t0_ns < period_ns,
            "t0_ns",
            f"from 0 to below the laser period of {period_ns:g} ns",
            self.t0_ns,
            "write t0_ns=0 or lower rate_hz",
        )
        lowest = max(1e-3, 1e3 * period_ns / MOST_NANOTIMES)
        need(
            self.mode == "T2" or lowest <= self.resolution_ps <= 1e3 * period_ns,
            "resolution_ps",
            f"between {lowest:g} (the period has at most {MOST_NANOTIMES} of it) and the laser period",
            self.resolution_ps,
            f"write resolution_ps={2 ** math.ceil(math.log2(lowest)):g} or change rate_hz",
        )
        self._check_detectors()
        self._check_light()
        if self.transition:
            n = len(self.states)
            rows = [tuple(row) for row in self.transition]
            good = len(rows) == n and all(
                len(row) == n and row[at] == 0 and min(row) >= 0 and abs(sum(row) - 1) < 1e-9
                for at, row in enumerate(rows)
            )
            shown = ";".join(",".join(f"{value:g}" for value in row) for row in rows)
            rule = f"{n} rows of {n} probabilities, each row summing to 1 with 0 on the diagonal"
            need(good and n > 1, "transition", rule, shown, "write such as transition=0,1;1,0")

    def _check_split(self) -> None:
        if isinstance(self.split, tuple):
            good = all(0 <= share <= 1 for share in self.split) and abs(sum(self.split) - 1) < 1e-9
            need(
                good and len(self.split) <= MOST_DETECTORS,
                "split",
                f"a share of channel 0, or shares of 1 to {MOST_DETECTORS} detectors with sum 1",
                ",".join(f"{share:g}" for share in self.split),
                "write split=0.5 or split=0.25,0.25,0.25,0.25",
            )
        else:
            need(0 <= self.split <= 1, "split", "between 0 and 1", self.split, "write split=0.5")

    def _check_detectors(self) -> None:
        n = self.detectors
        for key, most in PER_DETECTOR.items():
            values = getattr(self, key)
            need(
                (len(values) == n or (key in _NEW and not values)) and all(0 <= value <= most for value in values),
                key,
                f"one or {'two' if n == 2 else n} numbers from 0 to {most:g}",
                ",".join(f"{value:g}" for value in values),
                f"write {key}=VALUE or {key}=CHANNEL0,CHANNEL1" if n == 2 else f"write {key}=VALUE",
            )
        need(
            n > 1 or not any(self.crosstalk), "crosstalk", "0 where there is one detector", self.crosstalk, "give split"
        )
        if self.filters:
            bands = min(self.highest_order, 3) if self.model == DOT else 1
            need(
                len(self.filters) == n
                and all(len(row) == bands and all(0 <= value <= 1 for value in row) for row in self.filters),
                "filters",
                f"{n} rows (detectors) of {bands} transmissions ({', '.join(('X', 'BX', 'MX')[:bands])}) from 0 to 1",
                ";".join(",".join(f"{value:g}" for value in row) for row in self.filters),
                "write such as filters=0.05,1;1,0.02",
            )

    def _check_light(self) -> None:
        need(self.excitation in (PULSED, CW), "excitation", "pulsed or cw", self.excitation, "leave it out for pulsed")
        given = max(len(state.eta_mx) for state in self.states) + 2
        need(
            self.orders == 0 or given <= self.orders <= MOST_ORDERS,
            "orders",
            f"from {given}, which have a yield, to {MOST_ORDERS}",
            self.orders,
            f"write orders={given}",
        )
        need(0.01 <= self.modes <= 1e6, "modes", "from 0.01 to 1000000", self.modes, "write modes=1")
        thermal = self.model == THERMAL
        need(thermal or self.modes == 1, "modes", "left out unless model=thermal", self.modes, "write model=thermal")
        need(self.levels in (2, 3), "levels", "2 or 3", self.levels, "write levels=2")
        for key, least in (("pump_per_us", 1e-9), ("shelve_per_us", 0.0), ("return_per_us", 1e-9)):
            need(
                least <= getattr(self, key) <= 1e6, key, f"from {least:g} to 1e6", getattr(self, key), f"write {key}=1"
            )
        need(
            not thermal or self.nbar / self.modes <= MOST_THERMAL,
            "nbar",
            f"at most {MOST_THERMAL:g} per mode of the thermal source",
            self.nbar,
            "lower nbar or raise modes",
        )
        if self.excitation == CW:
            need(self.mode == "T2", "mode", "T2 under cw light, which has no pulses", self.mode, "write mode=T2")
            need(
                self.model != THERMAL, "model", "dot or coherent under cw light", self.model, "write excitation=pulsed"
            )
            need(
                self.highest_order == 2, "eta_mx", "left out under cw light", self.highest_order, "leave orders out too"
            )
        for marker in (*self.markers, *([self.next_dot] if self.next_dot else [])):
            need(
                marker.period_s >= 10 * self.period_fs / 1e15,
                "markers",
                f"at least {1e-14 * self.period_fs:g} s apart, ten laser periods or 10 us",
                marker.period_s,
                "write a longer period",
            )

    @property
    def shares(self) -> Values:
        """Share of the photons that go to each detector before its filter."""
        return self.split if isinstance(self.split, tuple) else (self.split, 1 - self.split)

    @property
    def detectors(self) -> int:
        """How many there are; their channels are 0, 1, ..."""
        return len(self.shares)

    @property
    def highest_order(self) -> int:
        """Most excitons of one pulse."""
        return self.orders or 2 + max(len(state.eta_mx) for state in self.states)

    @property
    def extended(self) -> bool:
        """More is asked for than one pulsed dot of at most two excitons before two plain detectors.

        The plain model keeps kernels of its own: they are faster, and keep the photons that a seed has always given.
        """
        plain = self.model in (DOT, COHERENT) and self.highest_order == 2 and not isinstance(self.split, tuple)
        same = ("markers", "orders")  # of no meaning to the photons, and looked at already
        unset = (value == default or value == (0.0,) * self.detectors for value, default in self._new(same))
        return not (plain and all(unset))

    def _new(self, leave_out: tuple[str, ...]) -> list[tuple[object, object]]:
        """Value and default of the fields beside those of the plain model."""
        return [(getattr(self, name), default) for name, default in new_fields().items() if name not in leave_out]

    @property
    def clock_hz(self) -> float:
        """Laser pulses per second; under cw light those of the clock that takes their place."""
        return CW_CLOCK_HZ if self.excitation == CW else self.rate_hz

    @property
    def period_fs(self) -> int:
        """Laser period in whole femtoseconds; the true rate is 1e15 / period_fs, within 1e-8 of the one asked for
        at 10 MHz."""
        return max(1, round(1e15 / self.clock_hz))

    @property
    def resolution_fs(self) -> int:
        """Unit of the nanotime in whole femtoseconds."""
        return max(1, round(self.resolution_ps * 1e3))


# Most of each setting that has one value per detector.
PER_DETECTOR = {
    "jitter_ps": 1e6,
    "dark_cps": 1e7,
    "dead_ns": 1e6,
    "delay_ns": 1e6,
    "jitter_tail": 1.0,
    "jitter_tail_ns": 1e6,
    "afterpulse": 0.5,
    "afterpulse_ns": 1e6,
    "crosstalk": 0.5,
    "crosstalk_ns": 1e6,
    "crosstalk_sigma_ps": 1e6,
}
_FIRST_NEW = [field.name for field in fields(Settings)].index("excitation")
_NEW = {field.name: field.default for field in fields(Settings)[_FIRST_NEW:]}


def new_fields() -> dict[str, object]:
    """Fields beside those of the plain model, with their defaults."""
    return _NEW
