"""Parts of a simulated emitter's settings: dwell, state, drift, bleaching, markers; and what each may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamer.errors import InputError

EXPONENTIAL, POWER_LAW = "exp", "power"
LINEAR, SINE, WALK = "linear", "sine", "walk"
AT, PHOTONS = "at", "photons"
MOST_ORDERS = 50  # excitons in one cascade, as Dhawan et al. sum over
MARKER_INPUTS = 4  # of the cards that files imitate


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
        tau_x_ns, tau_bx_ns: their lifetimes, ns. The coherent and the thermal source have `eta_x` and `tau_x_ns` only.
        dwell: how long it lasts; of no meaning when there is only one state.
        eta_mx, tau_mx_ns: yields and lifetimes, ns, of the orders 3, 4, ...; () for a dot that holds two excitons.
    """

    eta_x: float = 0.9
    tau_x_ns: float = 20.0
    eta_bx: float = 0.1
    tau_bx_ns: float = 2.0
    dwell: Dwell = Dwell()
    eta_mx: tuple[float, ...] = ()
    tau_mx_ns: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no emitter has."""
        for key, values in (("eta_x", (self.eta_x,)), ("eta_bx", (self.eta_bx,)), ("eta_mx", self.eta_mx)):
            for value in values:
                need(0 <= value <= 1, key, "between 0 and 1", value, f"write {key}=0.5")
        lifetimes = (("tau_x_ns", (self.tau_x_ns,)), ("tau_bx_ns", (self.tau_bx_ns,)), ("tau_mx_ns", self.tau_mx_ns))
        for key, values in lifetimes:
            for value in values:
                need(0 < value <= 1e6, key, "above 0 and at most 1000000 ns", value, f"write {key}=20")
        need(
            len(self.tau_mx_ns) == len(self.eta_mx) <= MOST_ORDERS - 2,
            "tau_mx_ns",
            f"as many lifetimes as eta_mx has yields, at most {MOST_ORDERS - 2}",
            f"{len(self.tau_mx_ns)} beside {len(self.eta_mx)}",
            "write such as eta_mx=0.2:0.1 and tau_mx_ns=1:0.5",
        )

    def yields(self, orders: int) -> tuple[float, ...]:
        """Quantum yield of the orders 1 to `orders`; the last one given holds for the higher ones."""
        known = (self.eta_x, self.eta_bx, *self.eta_mx)[:orders]
        return known + known[-1:] * (orders - len(known))

    def lifetimes_ns(self, orders: int) -> tuple[float, ...]:
        """Lifetime in ns of the orders 1 to `orders`; the last one given holds for the higher ones."""
        known = (self.tau_x_ns, self.tau_bx_ns, *self.tau_mx_ns)[:orders]
        return known + known[-1:] * (orders - len(known))


@dataclass(frozen=True, slots=True)
class Drift:
    """A slow change of excitation or collection: the factor by which it differs from its setting, 1 at the start.

    Attributes:
        law: "linear" (1 + amplitude t, kept between 0 and 2), "sine" (1 + amplitude sin(2 pi t / period_s)) or
            "walk" (a random walk of standard deviation amplitude sqrt(t), reflected at 0.5 and 1.5: its mean stays 1).
        amplitude: per s; of 1; per square root of s.
        period_s: of the sine.
    """

    law: str
    amplitude: float
    period_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a law that is not known or would make light negative."""
        need(self.law in (LINEAR, SINE, WALK), "drift", "linear, sine or walk", self.law, "write linear:-0.01")
        if self.law == SINE:
            need(
                -1 <= self.amplitude <= 1,
                "drift",
                "sine: an amplitude from -1 to 1",
                self.amplitude,
                "write sine:0.2:10",
            )
            need(0.1 <= self.period_s <= 1e9, "drift", "sine: a period from 0.1 s", self.period_s, "write sine:0.2:10")
        elif self.law == WALK:
            need(
                0 < self.amplitude <= 3,
                "drift",
                "walk: above 0 and at most 3 per root of s",
                self.amplitude,
                "write walk:0.05",
            )
        else:
            need(
                abs(self.amplitude) <= 1e3, "drift", "linear: at most 1000 per s", self.amplitude, "write linear:-0.01"
            )


@dataclass(frozen=True, slots=True)
class Bleach:
    """When a dot goes dark for good.

    Attributes:
        law: "at" (after `value` s), "exp" (after an exponential time of mean `value` s) or "photons" (after an
            exponential number of detected photons of mean `value`).
        value: s or photons.
    """

    law: str
    value: float

    def __post_init__(self) -> None:
        """Refuse a law that is not known."""
        remedy = "write at:SECONDS, exp:MEAN_S or photons:MEAN"
        need(self.law in (AT, EXPONENTIAL, PHOTONS), "bleach", "at, exp or photons", self.law, remedy)
        need(0 < self.value < 1e15, "bleach", f"{self.law}: above 0 and below 1e15", self.value, remedy)


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker signal at 0, `period_s`, 2 `period_s`, ...

    Attributes:
        number: input of the card, 1 to 4; it sets bit `number` - 1 of the marker.
        period_s: s.
    """

    number: int
    period_s: float

    def __post_init__(self) -> None:
        """Refuse what no card has."""
        remedy = "write such as markers=1:0.01 for a marker 1 every 10 ms"
        need(1 <= self.number <= MARKER_INPUTS, "markers", "of input 1 to 4", self.number, remedy)
        need(1e-6 <= self.period_s <= 1e9, "markers", "a period from 1e-6 s", self.period_s, remedy)

    @property
    def bit(self) -> int:
        """Value of the marker."""
        return 1 << (self.number - 1)
