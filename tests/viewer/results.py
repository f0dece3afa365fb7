"""Plausible Results of all names: a three-state emitter at 2.5 MHz, for tests and pictures of the viewer."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamer.result import Axis, Result

NAMES = {
    1: ("steady",),
    2: ("dark", "bright"),
    3: ("dark", "grey", "bright"),
    4: ("dark", "grey 1", "grey 2", "bright"),
}
RATES = {1: (40e3,), 2: (6e3, 48e3), 3: (6e3, 24e3, 52e3), 4: (6e3, 18e3, 34e3, 55e3)}
LIFETIMES = {1: (22.0,), 2: (4.0, 26.0), 3: (4.0, 11.0, 26.0), 4: (4.0, 9.0, 16.0, 26.0)}
G2_0 = {1: (0.06,), 2: (0.42, 0.04), 3: (0.44, 0.19, 0.035), 4: (0.44, 0.3, 0.17, 0.035)}
PERIOD_NS = 400.0


def make(
    *,
    states: int = 3,
    seconds: float = 60.0,
    mode: str = "T3",
    pulsed: bool = True,
    run: str = "run-1",
    seq: int = 1,
    final: bool = False,
    thresholds: tuple[float, ...] | None = None,
    gate_ns: float = 2.0,
    lost: bool = True,
    offered: float | None = None,
    warnings: tuple[str, ...] = (),
    seed: int = 7,
) -> dict[str, Result]:
    """All Results of one moment, by name. `thresholds` given: the cut was made by hand, else by the mixture."""
    rng = np.random.default_rng(seed)
    names, rates = NAMES[states], np.array(RATES[states])
    auto = thresholds is None
    cuts = tuple(float(t) for t in (rates[1:] + rates[:-1]) / 2) if thresholds is None else thresholds
    cut = {"thresholds_cps": None if auto else list(cuts), "states": None, "gate_ns": gate_ns}
    provenance = {"run": run, "seq": seq, "stream_s": seconds, "cut": cut, "final": final}
    rows = ("all", *names)

    bins = int(seconds * 100)
    state = _walk(rng, bins, states)
    counts = rng.poisson(rates[state] * 0.01)
    out = [_trace(counts, cuts, lost), _levels(counts, rates, cuts, names, auto)]
    out.append(_g2(rng, rows, states, pulsed, seconds, offered))
    if pulsed:
        out.append(_peaks(rng, rows, states, seconds))
    if mode == "T3":
        out += [
            _decay(rng, rows, states, counts.sum()),
            _gate(rng, rows, states, gate_ns),
            _flid(rng, counts, state, states),
        ]
    out.append(_status(seconds, int(counts.sum()), mode, final, lost, warnings))
    out.append(Result("summary", "summary", values={"mode": mode, "warnings": list(warnings)}))
    return {r.name: Result(r.name, r.kind, r.axes, r.data, r.rows, r.values, provenance) for r in out}


def scale(top: float) -> np.ndarray:
    """Level centres on the half-sigma Anscombe scale of 10 ms bins up to `top` counts/s."""
    anscombe = np.arange(1.5, 2 * np.sqrt(top * 0.01 + 0.375) + 1, 0.5)
    return np.maximum((anscombe / 2) ** 2 - 0.375, 0) * 100


def _walk(rng: np.random.Generator, bins: int, states: int) -> np.ndarray:
    state = np.zeros(bins, int)
    at = 0
    while at < bins:
        stay = int(rng.pareto(1.1) * 8) + 1
        state[at : at + stay] = rng.integers(states)
        at += stay
    return state


def _trace(counts: np.ndarray, cuts: tuple[float, ...], lost: bool) -> Result:
    join = max(1, -(-counts.size // 2000))
    n = counts.size // join
    grouped = counts[: n * join].reshape(n, join) * 100.0
    time = (np.arange(n) + 0.5) * join * 0.01
    flags = np.zeros(n)
    if lost and n > 20:
        flags[int(0.31 * n) : int(0.31 * n) + max(3, n // 70)] = 1
        flags[int(0.74 * n)] = 1
    data = {"cps": grouped.mean(1), "cps_min": grouped.min(1), "cps_max": grouped.max(1), "lost": flags}
    return Result(
        "trace", "trace", (Axis("time", "s", time),), data, values={"bin_s": 0.01, "thresholds_cps": list(cuts)}
    )


def _levels(
    counts: np.ndarray, rates: np.ndarray, cuts: tuple[float, ...], names: tuple[str, ...], auto: bool
) -> Result:
    centres = scale(1.2 * counts.max() * 100)
    middle = np.concatenate(([-1.0], (centres[1:] + centres[:-1]) / 2, [1e12]))
    measured = np.histogram(counts * 100.0, middle)[0] * 0.01
    fine = np.arange(counts.max() * 2)
    expected = np.zeros(centres.size)
    for rate in rates:
        share = np.mean(
            np.argmin(np.abs(counts[:, None] * 100 - rates[None, :]), axis=1) == np.argmin(np.abs(rates - rate))
        )
        mean = rate * 0.01
        pdf = np.exp(-((fine - mean) ** 2) / (2 * mean)) / np.sqrt(2 * np.pi * mean)
        expected += np.histogram(fine * 100.0, middle, weights=pdf)[0] * share * counts.size * 0.01
    ends = [0.0, *cuts, None]
    states = [
        {"name": name, "low_cps": ends[i], "high_cps": ends[i + 1], "rate_cps": float(rates[i])}
        for i, name in enumerate(names)
    ]
    return Result(
        "levels",
        "curves",
        (Axis("rate", "counts/s", centres),),
        {"time_s": np.stack([measured, expected])},
        ("measured", "mixture"),
        {"thresholds_cps": list(cuts), "auto": auto, "states": states},
    )


def _decay(rng: np.random.Generator, rows: tuple[str, ...], states: int, photons: int) -> Result:
    centres = (np.arange(3125) + 0.5) * 0.128
    shares = np.array(RATES[states]) / sum(RATES[states])
    each = []
    for tau, share in zip(LIFETIMES[states], shares, strict=True):
        rise = 1 / (1 + np.exp(-(centres - 5.0) / 0.15))
        shape = rise * np.exp(-np.maximum(centres - 5.0, 0) / tau)
        each.append(rng.poisson(shape / shape.sum() * photons * share + 0.02 * photons / 1e5))
    counts = np.stack([np.sum(each, axis=0), *each]).astype(float)
    lifetimes: list[dict[str, Any]] = [
        {
            "name": "all",
            "lifetime_ns": None,
            "lifetime_error_ns": None,
            "one_over_e_ns": 19.6,
            "photons": photons,
            "reason": "several states",
        }
    ]
    for name, tau, row in zip(rows[1:], LIFETIMES[states], each, strict=True):
        lifetimes.append(
            {
                "name": name,
                "lifetime_ns": tau * 1.003,
                "lifetime_error_ns": tau / np.sqrt(row.sum()),
                "one_over_e_ns": tau * 0.99,
                "photons": int(row.sum()),
                "reason": None,
            }
        )
    values = {"t0_ns": {"0": 5.0, "1": 5.1}, "lifetimes": lifetimes}
    return Result("decay", "curves", (Axis("nanotime", "ns", centres),), {"counts": counts}, rows, values)


def _g2(
    rng: np.random.Generator, rows: tuple[str, ...], states: int, pulsed: bool, seconds: float, offered: float | None
) -> Result:
    tau = np.arange(-500, 501) * 1.0 if pulsed else np.arange(-200, 201) * 0.5
    truth = (sum(G2_0[states]) / states, *G2_0[states])
    curves, counts = [], []
    for row, zero in enumerate(truth):
        life = 18.0 if row == 0 else LIFETIMES[states][row - 1]
        if pulsed:
            shape = np.zeros(tau.size)
            for k in (-1, 0, 1):
                area = zero if k == 0 else 1.0
                shape += area * PERIOD_NS / (2 * life) * np.exp(-np.abs(tau - k * PERIOD_NS) / life)
        else:
            shape = 1 - (1 - zero) * np.exp(-np.abs(tau) / life)
        weight = seconds / 60 * (40.0 if row == 0 else 16.0)
        number = rng.poisson(shape * weight)
        counts.append(number)
        curves.append(number / weight)
    values: dict[str, Any] = {
        "pair": [0, 1],
        "delay_ns": 0.0,
        "offered_delay": None if offered is None else {"delay_ns": offered, "significance": 41.0},
        "pulsed": pulsed,
        "period_ns": PERIOD_NS if pulsed else None,
    }
    if not pulsed:
        values["per_row"] = [_figure(name, zero, pulsed) for name, zero in zip(rows, truth, strict=True)]
    data = {"counts": np.array(counts, float), "g2": np.array(curves)}
    return Result("g2", "curves", (Axis("tau", "ns", tau),), data, rows, values)


def _figure(name: str, zero: float, pulsed: bool) -> dict[str, Any]:
    if name == "dark":
        reason = "7 side pairs, at least 20 needed for a g2(0)"
        return {
            "name": name,
            "g2_0": None,
            "low": None,
            "high": None,
            "central": 1,
            "side_mean": 3.1,
            "g2_0_segments": None,
            "verdict": "undecided",
            "reason": reason,
        }
    low, high = zero * 0.8, zero * 1.25 + 0.01
    verdict = "single" if high < 0.5 else "not single" if low > 0.5 else "undecided"
    return {
        "name": name,
        "g2_0": zero,
        "low": low,
        "high": high,
        "central": int(zero * 400),
        "side_mean": 400.0,
        "g2_0_segments": zero * 1.04 if pulsed else None,
        "verdict": verdict,
        "reason": None,
    }


def _peaks(rng: np.random.Generator, rows: tuple[str, ...], states: int, seconds: float) -> Result:
    lag = np.arange(-10, 11).astype(float)
    truth = (sum(G2_0[states]) / states, *G2_0[states])
    counts, expected = [], []
    for zero in truth:
        mean = 400.0 * seconds / 60
        counts.append(rng.poisson(np.where(lag == 0, zero, 1.0) * mean))
        expected.append(np.full(lag.size, mean * 0.97))
    figures = [_figure(name, zero, True) for name, zero in zip(rows, truth, strict=True)]
    for figure, row in zip(figures, counts, strict=True):
        figure["side_mean"] = float(row[lag != 0].mean())
    data = {"counts": np.array(counts, float), "expected": np.array(expected)}
    return Result("g2_peaks", "curves", (Axis("lag", "pulses", lag),), data, rows, {"per_row": figures})


def _gate(rng: np.random.Generator, rows: tuple[str, ...], states: int, gate_ns: float) -> Result:
    gate = np.arange(0, 60, 0.512)
    truth = (sum(G2_0[states]) / states, *G2_0[states])
    middle, low, high = [], [], []
    for zero in truth:
        curve = 0.015 + (zero - 0.015) * np.exp(-gate / 6.0) + rng.normal(0, 0.004, gate.size)
        error = 0.01 + 0.02 * np.exp(gate / 30.0)
        known = gate < 48
        curve = np.where(known, np.maximum(curve, 0), np.nan)
        middle.append(curve)
        low.append(np.maximum(curve - error, 0))
        high.append(curve + 1.3 * error)
    at = int(np.argmin(np.abs(gate - gate_ns)))
    chosen = [{"name": name, "g2_0": float(row[at])} for name, row in zip(rows, middle, strict=True)]
    data = {"g2_0": np.array(middle), "low": np.array(low), "high": np.array(high)}
    return Result(
        "gate",
        "curves",
        (Axis("gate", "ns", gate),),
        data,
        rows,
        {"gate_ns": gate_ns, "gate_used_ns": gate_ns, "per_row": chosen},
    )


def _flid(rng: np.random.Generator, counts: np.ndarray, state: np.ndarray, states: int) -> Result:
    centres = scale(1.1 * counts.max() * 100)
    nanotime = (np.arange(100) + 0.5) * 0.5
    lifetime = np.array(LIFETIMES[states])[state] + 1.0
    seen = rng.normal(lifetime, lifetime / np.sqrt(np.maximum(counts, 4)))
    middle = np.concatenate(([-1.0], (centres[1:] + centres[:-1]) / 2, [1e12]))
    segments = np.histogram2d(counts * 100.0, seen, bins=(middle, np.arange(101) * 0.5))[0].astype(np.int64)
    return Result(
        "flid",
        "map",
        (Axis("rate", "counts/s", centres), Axis("mean nanotime", "ns", nanotime)),
        {"segments": segments},
    )


def _status(seconds: float, photons: int, mode: str, final: bool, lost: bool, warnings: tuple[str, ...]) -> Result:
    values = {
        "state": "ended" if final else "running",
        "run": "run-1",
        "source": "ptu:dot_07.ptu",
        "file": "/data/2026-03-12/dot_07.ptu",
        "format": f"PTU HydraHarp2{mode}",
        "mode": mode,
        "stream_s": seconds,
        "photons": photons,
        "photons_per_s": 31.2e6,
        "channel_rates": {"0": 14.7e3, "1": 13.9e3},
        "lag_s": 0.012,
        "lost_records": 1200 if lost else 0,
        "gaps": 2 if lost else 0,
        "span_s": seconds,
        "live_s": seconds * (0.985 if lost else 1.0),
        "memory_bytes": 312_000_000,
        "warnings": list(warnings),
        "account": {"received": photons, "analysed": photons - 320, "open": 320, "outside": 0},
        "stopped_by": "end of file" if final else None,
        "results_per_s": 20.0,
    }
    return Result("status", "status", values=values)
