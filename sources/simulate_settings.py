"""Settings of the simulated emitter: what they are, what they may be, and the presets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from streamer.errors import InputError

EXPONENTIAL, POWER_LAW = "exp", "power"
DOT, COHERENT = "dot", "coherent"
MOST_NANOTIMES = 32768  # 15 bits, as the T3 records of the cards that files imitate


def need(good: bool, key: str, rule: str, value: object, remedy: str) -> None:
    """Raise the one-line error of a setting that breaks its rule."""
    if not good:
        raise InputError(f"simulate: {key} must be {rule}, got {value}; {remedy}")


@dataclass(frozen=True, slots=True)
class Dwell:
    """How long a state lasts.

    Attributes:
        law: "exp" (exponential) or "power" (density t**-exponent between `min_s` and `max_s`).
        mean_s: mean of the exponential law, s.
        exponent, min_s, max_s: of the truncated power law, s.
    """

    law: str = EXPONENTIAL
    mean_s: float = 1.0
    exponent: float = 1.5
    min_s: float = 0.01
    max_s: float = 10.0

    def __post_init__(self) -> None:
        """Refuse a law that cannot be drawn from."""
        need(self.law in (EXPONENTIAL, POWER_LAW), "dwell", "exp or power", self.law, "write exp:MEAN_S")
        if self.law == EXPONENTIAL:
            need(0 < self.mean_s < math.inf, "dwell", "exp: a mean above 0 s", self.mean_s, "write exp:0.2")
        else:
            remedy = "write power:EXPONENT:MIN_S:MAX_S, such as power:1.5:0.01:10"
            need(math.isfinite(self.exponent), "dwell", "power: a finite exponent", self.exponent, remedy)
            need(
                0 < self.min_s < self.max_s < math.inf,
                "dwell",
                "power: 0 < shortest < longest, in s",
                f"{self.min_s} and {self.max_s}",
                remedy,
            )

    def mean(self) -> float:
        """Mean dwell in s, exact for both laws."""
        if self.law == EXPONENTIAL:
            return self.mean_s
        high = self.max_s / self.min_s  # in units of the shortest dwell
        return self.min_s * _power_integral(1.0 - self.exponent, high) / _power_integral(-self.exponent, high)


def _power_integral(power: float, high: float) -> float:
    """Integral of t**power from 1 to `high`."""
    return math.log(high) if abs(power + 1.0) < 1e-9 else (high ** (power + 1.0) - 1.0) / (power + 1.0)


@dataclass(frozen=True, slots=True)
class State:
    """One emission state of the emitter.

    Attributes:
        eta_x, eta_bx: quantum yields of exciton and biexciton.
        tau_x_ns, tau_bx_ns: their lifetimes, ns. The coherent source has `eta_x` and `tau_x_ns` only.
        dwell: how long it lasts; of no meaning when there is only one state.
    """

    eta_x: float = 0.9
    tau_x_ns: float = 20.0
    eta_bx: float = 0.1
    tau_bx_ns: float = 2.0
    dwell: Dwell = Dwell()

    def __post_init__(self) -> None:
        """Refuse what no emitter has."""
        for key in ("eta_x", "eta_bx"):
            value = getattr(self, key)
            need(0 <= value <= 1, key, "between 0 and 1", value, f"write {key}=0.5")
        for key in ("tau_x_ns", "tau_bx_ns"):
            value = getattr(self, key)
            need(0 < value <= 1e6, key, "above 0 and at most 1000000 ns", value, f"write {key}=20")


Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a simulated stream is made from; the same settings make the same stream.

    Attributes:
        model: "dot" (exciton, biexciton) or "coherent" (independent photons, Poisson per pulse: g2 = 1).
        states: one or more.
        transition: probability of the next state (column) after each state (row), diagonal 0; () means that all
            other states are equally likely.
        rate_hz: laser pulses per second.
        nbar: mean excitations per pulse, Poisson.
        eta_c: detection efficiency per emitted photon, detector included.
        split: share of the photons that go to channel 0.
        resolution_ps: unit of the nanotime.
        t0_ns: instant of the excitation after the sync signal.
        jitter_ps, dark_cps, dead_ns, delay_ns: per channel: sigma of the Gaussian response, dark counts per second,
            non-extending dead time, cable delay.
        mode: "T3" or "T2" (absolute picoseconds of the same pulsed emitter).
        seed: of all random numbers.
        duration_s: length of the stream, inf for endless.
        live: paced by the wall clock.
        chunk_s: span of a chunk. It changes no photon.
    """

    model: str = DOT
    states: tuple[State, ...] = (State(),)
    transition: tuple[tuple[float, ...], ...] = ()
    rate_hz: float = 10e6
    nbar: float = 0.1
    eta_c: float = 0.08
    split: float = 0.5
    resolution_ps: float = 64.0
    t0_ns: float = 2.0
    jitter_ps: Pair = (100.0, 100.0)
    dark_cps: Pair = (50.0, 50.0)
    dead_ns: Pair = (80.0, 80.0)
    delay_ns: Pair = (0.0, 0.0)
    mode: str = "T3"
    seed: int = 1
    duration_s: float = 30.0
    live: bool = False
    chunk_s: float = 0.05

    def __post_init__(self) -> None:
        """Refuse settings that contradict themselves or that a 32-bit T3 record could not hold."""
        need(self.model in (DOT, COHERENT), "model", "dot or coherent", self.model, "leave it out for a dot")
        need(self.mode in ("T2", "T3"), "mode", "T2 or T3", self.mode, "leave it out for T3")
        need(len(self.states) >= 1, "states", "at least one", len(self.states), "give at least one state")
        need(1e3 <= self.rate_hz <= 1e10, "rate_hz", "between 1e3 and 1e10", self.rate_hz, "write rate_hz=10e6")
        need(0 < self.nbar <= 50, "nbar", "above 0 and at most 50", self.nbar, "write nbar=0.1")
        need(0 < self.eta_c <= 1, "eta_c", "above 0 and at most 1", self.eta_c, "write eta_c=0.1")
        need(0 <= self.split <= 1, "split", "between 0 and 1", self.split, "write split=0.5")
        need(self.seed >= 0, "seed", "a whole number from 0", self.seed, "write seed=1")
        need(self.duration_s > 0, "duration", "above 0 s", self.duration_s, "write duration=30 or duration=inf")
        need(0 < self.chunk_s <= 10, "chunk_ms", "above 0 and at most 10000", self.chunk_s * 1e3, "write chunk_ms=5")
        period_ns = 1e9 / self.rate_hz
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
        for key, most in (("jitter_ps", 1e6), ("dark_cps", 1e7), ("dead_ns", 1e6), ("delay_ns", 1e6)):
            pair = getattr(self, key)
            need(
                len(pair) == 2 and all(0 <= value <= most for value in pair),
                key,
                f"one or two numbers from 0 to {most:g}",
                ",".join(f"{value:g}" for value in pair),
                f"write {key}=VALUE or {key}=CHANNEL0,CHANNEL1",
            )
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

    @property
    def period_fs(self) -> int:
        """Laser period in whole femtoseconds; the true rate is 1e15 / period_fs, within 1e-8 of the one asked for
        at 10 MHz."""
        return max(1, round(1e15 / self.rate_hz))

    @property
    def resolution_fs(self) -> int:
        """Unit of the nanotime in whole femtoseconds."""
        return max(1, round(self.resolution_ps * 1e3))


_DARK = State(eta_x=0.08, tau_x_ns=2.0, eta_bx=0.055, tau_bx_ns=0.7, dwell=Dwell(mean_s=0.25))
_GREY = State(eta_x=0.32, tau_x_ns=5.0, eta_bx=0.11, tau_bx_ns=1.2, dwell=Dwell(mean_s=0.2))
_BRIGHT = State(eta_x=0.9, tau_x_ns=10.0, eta_bx=0.13, tau_bx_ns=2.0, dwell=Dwell(mean_s=0.5))
_SCALE_FREE = Dwell(POWER_LAW, exponent=1.6, min_s=0.005, max_s=20.0)

PRESETS: dict[str, Settings] = {
    "": Settings(states=(_DARK, _GREY, _BRIGHT)),
    "steady": Settings(states=(_BRIGHT,)),
    "powerlaw": Settings(states=(replace(_DARK, dwell=_SCALE_FREE), replace(_BRIGHT, dwell=_SCALE_FREE))),
    "single": Settings(states=(replace(_BRIGHT, eta_bx=0.0),), dark_cps=(0.0, 0.0)),
    "poisson": Settings(model=COHERENT, states=(replace(_BRIGHT, eta_x=1.0, eta_bx=0.0),), dark_cps=(0.0, 0.0)),
}
