"""Scans of simulated emitters: saturation, pump rate, Arrhenius, weak-pump g2(0)."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from streamer.estimators.intervals import poisson_interval
from streamer.estimators.scan_fits import ScanFit, fit_scan
from streamer.estimators.scan_laws import LAWS
from streamer.estimators.scan_points import make_points
from tests.coverage.case import Case, Trial

Draw = Callable[[np.random.Generator], Iterator[tuple[str, float, ScanFit, str]]]


def trials(draws: dict[str, Draw]) -> Callable[[np.random.Generator, int], Iterable[Trial]]:
    """Trials dealt evenly over settings; each draw yields (parameter's name, truth, fit, setting)."""

    def draw(rng: np.random.Generator, n: int) -> Iterator[Trial]:
        for _ in range(-(-n // len(draws))):
            for one in draws.values():
                for name, truth, fit, setting in one(rng):
                    found = fit.parameters[name]
                    known = found.value is not None
                    low, high = (found.low, found.high) if known else (None, None)
                    yield Trial(setting, truth, found.value, low, high)

    return draw


def rates(x, counts, seconds):
    """Count rates with the intervals that `streamer series` gives them."""
    low, high = np.transpose([poisson_interval(int(n), 1.0) for n in counts])
    return make_points(x, counts / seconds, np.sqrt(counts) / seconds, low / seconds, high / seconds)


def saturating(points: int, reach: float, counts: float, dark: bool = False, name: str = "I_s") -> Draw:
    """Powers up to `reach` I_s, `counts` photons at saturation; I_s = 690 W/cm2 (Chandrasekaran et al.)."""
    x = np.linspace(reach / points, reach, points) * 690.0
    truth = {"I_s": 690.0, "rate_max": counts / 10.0, "dark": 0.005 * counts}[name]

    def draw(rng):
        photons = rng.poisson(counts * x / (x + 690.0) + (0.05 * counts if dark else 0.0))
        fit = fit_scan("saturation", rates(x, photons, 10.0), extra=["dark"] * dark)
        yield name, truth, fit, f"{points} points to {reach} I_s, {counts:.0e} photons, dark {dark}"

    return draw


def blurred(n: int, error: float) -> Draw:
    """A line through points whose scan variable is known to `error` only."""
    x = np.linspace(1.0, 10.0, n)

    def draw(rng):
        points = make_points(
            x + rng.normal(0, error, n), 3 + 2 * x + rng.normal(0, 0.5, n), np.full(n, 0.5), x_error=np.full(n, error)
        )
        yield "slope", 2.0, fit_scan("linear", points), f"{n} points, error of x {error}"

    return draw


def pumped(name: str, points: int, photons: int, most: float) -> Draw:
    """Times 1/(gamma + slope I) as means of so many exponential arrivals; gamma 47/us, w_p up to `most` gamma."""
    truth = {"gamma": 47.0, "slope": 0.06}
    x = np.linspace(0.05, 1, points) * most * truth["gamma"] / truth["slope"]
    mean = 1e3 / (truth["gamma"] + truth["slope"] * x)

    def draw(rng):
        time = rng.gamma(photons, mean / photons)
        fit = fit_scan("pump_rate", make_points(x, time, time / np.sqrt(photons)))
        yield name, truth[name], fit, f"{points} points, {photons} photons each, w_p to {most} gamma"

    return draw


def straight(name: str, n: int) -> Draw:
    """A line, or a power law, through points of 5 % error."""
    x = np.geomspace(1.0, 30.0, n)
    truth = {"intercept": 3.0, "exponent": 0.8, "mean": 5.0}
    law = {"intercept": "linear", "exponent": "power_law", "mean": "constant"}[name]
    mean = {"linear": 3.0 + 0.5 * x, "power_law": 2.0 * x**0.8, "constant": np.full(n, 5.0)}[law]

    def draw(rng):
        points = make_points(x, rng.normal(mean, 0.05 * mean), 0.05 * mean)
        yield name, truth[name], fit_scan(law, points), f"{law}, {n} points"

    return draw


def thermal(kind: str, photons: int, points: int, values: tuple[float, float, float], name: str = "E_a") -> Draw:
    """Lifetimes from 4 to 90 K."""
    x = np.linspace(4.0, 90.0, points)
    mean = LAWS[kind].model(x, np.array(values), {})
    truth = values[LAWS[kind].names.index(name)]

    def draw(rng):
        time = rng.gamma(photons, mean / photons)
        fit = fit_scan(kind, make_points(x, time, time / np.sqrt(photons)))
        yield name, truth, fit, f"{kind}, {points} points, {photons} photons each"

    return draw


def paired(n: int, side: float, nbar: float, ratio: float) -> Draw:
    """Central and side pairs at powers up to `nbar` excitations per pulse."""
    x = np.linspace(1 / n, 1, n)
    g2 = LAWS["g2_power"].model(x, np.array([ratio, nbar]), {})
    weight = np.full(n, 20.0)

    def draw(rng):
        centre = rng.poisson(g2 * side / 20).astype(float)
        sides = rng.poisson(side, n).astype(float)
        known = {"nbar_per_x": (nbar * (1 + 0.05 * rng.normal()), 0.05 * nbar)}  # as a fit of the rates gives it
        points = make_points(x, 20 * centre / sides, pairs=(centre, sides, weight))
        fit = fit_scan("g2_power", points, known=known)
        yield "ratio", ratio, fit, f"{n} points, {side:.0f} side pairs, nbar to {nbar}, ratio {ratio}"

    return draw


def emitting(n: int, seconds: float, most: float, free: tuple[str, ...], name: str = "nbar_per_x") -> Draw:
    """Rates of pulsed multi-exciton emission at powers up to `most` uW; eta_BX/eta_X known unless it is in `free`."""
    truth = {"yield_x": 0.01, "ratio": 0.21, "nbar_per_x": 1.5, "yield_h": 0.0007 if "yield_h" in free else 0.0}
    x = np.geomspace(0.02, most, n)
    rate = LAWS["emission"].model(x, np.array([*truth.values(), 0.0]), {"rate_hz": 2.5e6})
    fixed = {} if "ratio" in free else {"ratio": 0.21}

    def draw(rng):
        counts = rng.poisson(rate * seconds)
        points = rates(x, counts, seconds)
        fit = fit_scan("emission", points, fixed, [one for one in free if one == "yield_h"], {"rate_hz": 2.5e6})
        yield name, truth[name], fit, f"{n} powers to {most} uW, {seconds} s, free {free}"

    return draw


def named(*draws: Draw) -> dict[str, Draw]:
    return {str(at): one for at, one in enumerate(draws)}


RATES = [(5, 200), (8, 1000), (12, 5000), (20, 300)]
CASES = [
    Case(
        "series: saturation I_s", "5 to 15 powers up to 1 to 5 I_s, 1e5 to 1e6 photons, with and without dark counts",
        trials(named(
            saturating(5, 2.0, 1e6), saturating(8, 2.0, 1e5), saturating(10, 1.0, 1e6), saturating(15, 5.0, 1e5),
            saturating(8, 4.0, 1e6, dark=True),
        )),
    ),
    Case(
        "series: rate at saturation", "the same",
        trials(named(
            saturating(5, 2.0, 1e6, name="rate_max"), saturating(8, 2.0, 1e5, name="rate_max"),
            saturating(15, 5.0, 1e5, name="rate_max"), saturating(8, 4.0, 1e6, True, "rate_max"),
        )),
    ),
    Case(
        "series: dark counts of a saturation", "6 to 15 powers up to 2 to 5 I_s, 1e5 to 1e6 photons",
        trials(named(
            saturating(8, 4.0, 1e6, True, "dark"), saturating(15, 5.0, 1e5, True, "dark"),
            saturating(6, 2.0, 1e6, True, "dark"),
        )),
    ),
    Case(
        "series: constant, intercept, exponent of a power law", "4 to 12 points of 5 %",
        trials(named(*(straight(name, n) for name in ("mean", "intercept", "exponent") for n in (4, 12)))),
    ),
    Case(
        "series: gamma of 1/t = gamma + w_p", "5 to 20 powers, 200 to 5000 photons each",
        trials(named(*(pumped("gamma", *one, 1.3) for one in RATES), pumped("gamma", 6, 2000, 0.4))),
    ),
    Case(
        "series: slope of 1/t = gamma + w_p", "5 to 20 powers, 200 to 5000 photons each",
        trials(named(*(pumped("slope", *one, 1.3) for one in RATES), pumped("slope", 6, 2000, 0.4))),
    ),
    Case(
        "series: slope with an error of the scan variable", "6 to 20 points, errors of x up to those of y",
        trials(named(blurred(6, 0.1), blurred(10, 0.25), blurred(20, 0.4))),
    ),
    Case(
        "series: activation energy", "9 to 20 temperatures from 4 to 90 K, 1000 to 1e5 photons each; rate or lifetime",
        trials(named(
            thermal("quenching", 1000, 10, (20.0, 30.0, 9.0)), thermal("quenching", 10000, 9, (20.0, 30.0, 9.0)),
            thermal("arrhenius_time", 100000, 12, (1e4, -4e4, 15.0)),
            thermal("arrhenius_time", 10000, 12, (50.0, 1500.0, 9.0)),
            thermal("arrhenius_time", 3000, 20, (50.0, 300.0, 9.0)),
        )),
    ),
    Case(
        "series: strength of a thermal loss (C, A) and rate without (tau0, k0)", "the same",
        trials(named(
            thermal("quenching", 1000, 10, (20.0, 30.0, 9.0), "C"),
            thermal("quenching", 10000, 9, (20.0, 30.0, 9.0), "tau0"),
            thermal("arrhenius_time", 10000, 12, (50.0, 1500.0, 9.0), "A"),
            thermal("arrhenius_time", 3000, 20, (50.0, 300.0, 9.0), "k0"),
        )),
    ),
    Case(
        "series: excitations per pulse from the rates", "6 to 10 powers, nbar up to 1.5 to 6, 1 to 100 s",
        trials(named(
            emitting(6, 1.0, 1.0, ()), emitting(8, 10.0, 4.0, ("yield_h",)), emitting(10, 1.0, 2.0, ()),
            emitting(10, 100.0, 4.0, ("ratio",)),
        )),
    ),
    Case(
        "series: yields from the rates", "the same: eta_C eta_X, eta_BX/eta_X, eta_C eta_H",
        trials(named(
            emitting(6, 1.0, 1.0, (), "yield_x"), emitting(8, 10.0, 4.0, ("yield_h",), "yield_h"),
            emitting(10, 1.0, 2.0, (), "yield_x"), emitting(10, 100.0, 4.0, ("ratio",), "ratio"),
        )),
    ),
    Case(
        "series: eta_BX/eta_X from g2(0) against power", "5 to 8 powers, 2000 to 50000 side pairs, nbar up to 0.3 to 2",
        trials(named(
            paired(5, 20000, 1.0, 0.21), paired(8, 5000, 1.0, 0.21), paired(6, 50000, 0.3, 0.1),
            paired(8, 2000, 2.0, 0.5),
        )),
    ),
]  # fmt: skip
