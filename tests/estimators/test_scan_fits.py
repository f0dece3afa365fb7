"""Laws fitted to scans: against other programs, the truth where it is exact, and what cannot be told."""

import lmfit
import numpy as np
import pytest
from scipy.optimize import curve_fit

from streamer.estimators.scan_fits import fit_scan
from streamer.estimators.scan_laws import K_B_MEV, LAWS
from streamer.estimators.scan_points import make_points

POWERS = np.array([0.02, 0.05, 0.1, 0.17, 0.5, 1.0, 1.8, 4.0])


def saturating(rng, x, counts=1e5, scale=690.0):
    photons = rng.poisson(counts * x / (x + scale)).astype(float)
    return make_points(x, photons, np.sqrt(photons))


def test_saturation_is_that_of_curve_fit_and_lmfit():
    x = np.array([76.0, 150, 300, 500, 700, 950])
    points = saturating(np.random.default_rng(1), x)
    fit = fit_scan("saturation", points)

    def law(x, rate_max, scale):
        return rate_max * x / (x + scale)

    sigma = np.sqrt(points.value)
    values, covariance = curve_fit(law, x, points.value, [1e5, 500], sigma, absolute_sigma=True)
    other = lmfit.Model(law).fit(points.value, x=x, rate_max=1e5, scale=500, weights=1 / sigma, scale_covar=False)
    for at, (name, theirs) in enumerate({"rate_max": "rate_max", "I_s": "scale"}.items()):
        ours = fit.parameters[name]
        assert ours.value == pytest.approx(values[at], abs=0.1 * ours.error)
        assert ours.error == pytest.approx(np.sqrt(covariance[at, at]), rel=0.02)
        assert ours.value == pytest.approx(other.params[theirs].value, abs=0.1 * ours.error)
        low, high = (one[1] for one in other.conf_interval(sigmas=[1.959964])[theirs][::2])
        # Its interval is by an F-test on the scatter seen; with the errors taken as true it would be ours.
        assert low < ours.value < high
    assert fit.chi2 == pytest.approx(other.chisqr, rel=1e-3)
    assert fit.dof == 4


def test_a_line_is_exact():
    rng = np.random.default_rng(2)
    x, sigma = np.arange(8.0), rng.uniform(0.1, 2, 8)
    y = 3 + 0.5 * x + rng.normal(0, sigma)
    fit = fit_scan("linear", make_points(x, y, sigma))
    values, covariance = np.polyfit(x, y, 1, w=1 / sigma, cov="unscaled")
    for name, at in (("slope", 0), ("intercept", 1)):
        one = fit.parameters[name]
        error = np.sqrt(covariance[at, at])
        assert one.value == pytest.approx(values[at], abs=1e-3 * error)
        assert (one.error, one.high - one.value, one.value - one.low) == pytest.approx(
            (error, 1.96 * error, 1.96 * error), rel=2e-3
        )
    middle = fit.curve.value[100]
    slopes = np.array([fit.curve.x[100], 1.0])
    assert fit.curve.high[100] - middle == pytest.approx(1.96 * np.sqrt(slopes @ covariance @ slopes), rel=2e-3)


def test_a_scan_that_does_not_saturate_says_so_and_gives_the_bound():
    x = np.array([5.0, 10, 20, 40])
    fit = fit_scan("saturation", saturating(np.random.default_rng(3), x))
    assert fit.parameters["I_s"].value is None
    assert 100 < fit.parameters["I_s"].low < 690
    assert "does not reach saturation" in fit.parameters["I_s"].reason
    assert fit.parameters["rate_max"].value is None


def test_a_law_that_does_not_hold_is_named():
    x = np.linspace(1, 10, 8)
    fit = fit_scan("linear", make_points(x, x**2, np.full(8, 0.5)))
    assert fit.p_value < 1e-6
    assert "does not fit" in fit.remarks[0]
    assert fit_scan("linear", make_points(x, 2 * x, np.full(8, 0.5))).remarks == ()


def test_pump_rate_gives_decay_rate_and_slope():
    x = np.linspace(50, 950, 10)
    times = 1e3 / (47 + 0.06 * x)
    fit = fit_scan("pump_rate", make_points(x, times, 0.02 * times))
    assert fit.parameters["gamma"].value == pytest.approx(47, rel=2e-3)
    assert fit.parameters["slope"].value == pytest.approx(0.06, rel=2e-3)


@pytest.mark.parametrize(
    ("kind", "values"),
    [("arrhenius", (50.0, 800.0, 9.0)), ("arrhenius_time", (1e4, -4e4, 15.0)), ("quenching", (20.0, 30.0, 9.0))],
)
def test_activation_energy(kind, values):
    x = np.linspace(4, 90, 12)
    y = LAWS[kind].model(x, np.array(values), {})
    fit = fit_scan(kind, make_points(x, y, 0.005 * y))
    one = fit.parameters["E_a"]
    assert one.value == pytest.approx(values[2], abs=0.1 * one.error)
    assert one.low < values[2] < one.high


def test_temperatures_that_do_not_determine_an_energy():
    x = np.array([4.0, 5, 6, 7, 8])  # 9 meV is 100 K
    y = np.full(5, 20.0) * (1 + 0.01 * np.array([1, -1, 0, 1, -1]))
    fit = fit_scan("quenching", make_points(x, y, 0.02 * y))
    assert fit.parameters["E_a"].value is None
    assert fit.parameters["C"].value is None
    assert fit.parameters["tau0"].value == pytest.approx(20, rel=0.03)


def test_boltzmann_constant():
    assert pytest.approx(25.85, abs=0.01) == K_B_MEV * 300


def test_emission_finds_the_excitations_per_pulse():
    truth = np.array([0.01, 0.21, 1.5, 0.0007, 0.0])
    y = LAWS["emission"].model(POWERS, truth, {"rate_hz": 2.5e6})
    points = make_points(POWERS, y, np.sqrt(y / 100))
    fit = fit_scan("emission", points, {"ratio": 0.21}, ["yield_h"], {"rate_hz": 2.5e6})
    for name, value in (("yield_x", 0.01), ("nbar_per_x", 1.5), ("yield_h", 0.0007)):
        one = fit.parameters[name]
        assert one.value == pytest.approx(value, abs=0.1 * one.error)
        assert "dark" not in fit.parameters


def test_a_background_is_found_though_it_may_be_none():
    """The first guess must lie off the bound at 0, from which a fit does not move."""
    x = np.array([0.01, 0.02, 0.05, 0.1, 0.3, 1.0])
    y = LAWS["emission"].model(x, np.array([0.01, 0.21, 1.5, 0.0, 100.0]), {"rate_hz": 2.5e6})
    points = make_points(x, y, np.sqrt(y / 100))
    fit = fit_scan("emission", points, {"ratio": 0.21}, ["dark"], {"rate_hz": 2.5e6})
    assert fit.parameters["dark"].value == pytest.approx(100, abs=0.1 * fit.parameters["dark"].error)
    y = LAWS["saturation"].model(x, np.array([1e4, 0.3, 0.0, 100.0]), {})
    one = fit_scan("saturation", make_points(x, y, np.sqrt(y / 100)), extra=["dark"]).parameters["dark"]
    assert one.value == pytest.approx(100, abs=0.1 * one.error)


def test_a_background_that_is_none_has_an_upper_end():
    x = np.array([0.01, 0.02, 0.05, 0.1, 0.3, 1.0])
    y = LAWS["saturation"].model(x, np.array([1e4, 0.3, 0.0, 0.0]), {}) - 0.5
    one = fit_scan("saturation", make_points(x, y, np.sqrt(y / 100)), extra=["dark"]).parameters["dark"]
    assert one.value == pytest.approx(0, abs=1)
    assert one.low == 0
    assert 1 < one.high < 10


def test_g2_by_its_pairs_takes_the_excitations_from_elsewhere():
    g2 = LAWS["g2_power"].model(POWERS, np.array([0.21, 1.5]), {})
    side = np.full(8, 20_000.0)
    central = np.round(g2 * side / 20)
    points = make_points(POWERS, 20 * central / side, pairs=(central, side, np.full(8, 20.0)))
    fit = fit_scan("g2_power", points, known={"nbar_per_x": (1.5, 0.1)})
    one = fit.parameters["ratio"]
    assert set(fit.parameters) == {"ratio"}
    assert one.value == pytest.approx(0.21, abs=0.2 * one.error)
    with pytest.raises(ValueError, match="nbar_per_x: must be known"):
        fit_scan("g2_power", points)


def test_the_weak_pump_limit_is_the_ratio_of_yields():
    assert LAWS["g2_power"].model(np.array([1e-4]), np.array([0.21, 1.0]), {})[0] == pytest.approx(0.21, rel=1e-3)


def test_intervals_that_are_not_symmetric_act_as_they_are():
    """Few counts as intervals: the mean of a constant comes out near the pooled counts, not near the low points."""
    rng = np.random.default_rng(5)
    counts = rng.poisson(12.0, 400).astype(float)
    half = 1.96 * np.sqrt(counts + 1)
    shift = 1.96**2 / 3
    fit = fit_scan(
        "constant", make_points(np.arange(400.0), counts, low=counts - half + shift, high=counts + half + shift)
    )
    plain = fit_scan("constant", make_points(np.arange(400.0), counts, np.sqrt(counts + 1)))
    assert abs(plain.parameters["mean"].value - counts.mean()) > 0.5
    assert fit.parameters["mean"].value == pytest.approx(counts.mean(), abs=0.15)


def test_an_error_of_the_scan_variable_is_yorks():
    """Pearson's data with York's weights; the answer is that of York 1966, to the digits of his table."""
    x = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
    y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
    wx = np.array([1000, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1.0])
    wy = np.array([1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500])
    fit = fit_scan("linear", make_points(x, y, wy**-0.5, x_error=wx**-0.5))
    assert fit.parameters["slope"].value == pytest.approx(-0.4805, abs=0.003)
    assert fit.parameters["intercept"].value == pytest.approx(5.4799, abs=0.015)
    assert fit.chi2 / fit.dof == pytest.approx(1.4833, abs=0.002)


def test_too_few_points_and_wrong_words():
    few = fit_scan("saturation", make_points([1.0], [2.0], [0.1]))
    assert "1 different points do not determine 2" in few.parameters["I_s"].reason
    points = make_points([1.0, 2, 3], [1.0, 2, 3], [0.1] * 3)
    with pytest.raises(ValueError, match="extra: must be out of linear, dark"):
        fit_scan("saturation", points, extra=["light"])
    with pytest.raises(ValueError, match="fixed: must be out of"):
        fit_scan("linear", points, fixed={"curve": 1.0})
    with pytest.raises(ValueError, match="rate_hz: must be given"):
        fit_scan("emission", points)
    with pytest.raises(ValueError, match="an error above 0"):
        make_points([1.0], [1.0])
    with pytest.raises(ValueError, match="one length"):
        make_points([1.0, 2], [1.0], [0.1])


def test_as_many_points_as_parameters_cannot_be_judged():
    fit = fit_scan("linear", make_points([1.0, 2.0], [1.0, 3.0], [0.1, 0.1]))
    assert fit.p_value is None
    assert fit.parameters["slope"].value == pytest.approx(2)
    assert "cannot be told" in fit.remarks[0]


@pytest.mark.slow
def test_intervals_hold_the_truth():
    rng = np.random.default_rng(8)
    x = np.linspace(100, 1400, 8)
    found = [fit_scan("saturation", saturating(rng, x)).parameters["I_s"] for _ in range(600)]
    held = np.mean([one.low <= 690 <= one.high for one in found])
    z = np.array([one.value - 690 for one in found])
    assert 0.92 < held < 0.975
    assert abs(z.mean() / z.std()) < 0.1 + 2 / np.sqrt(600)


def test_a_scan_that_is_saturated_throughout_knows_the_most_and_bounds_the_scale():
    rng, x = np.random.default_rng(6), np.linspace(100.0, 1000.0, 8)
    told = 0
    for _ in range(20):
        truth = 5000.0 * x / (x + 2.0)
        fit = fit_scan("saturation", make_points(x, truth * (1 + 0.015 * rng.standard_normal(8)), 0.015 * truth))
        scale, most = fit.parameters["I_s"], fit.parameters["rate_max"]
        assert scale.value is not None
        assert scale.high < 30
        told += most.low < 5000 < most.high
    assert told >= 15
