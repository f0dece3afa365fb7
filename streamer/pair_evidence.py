"""Pair evidence: the coincidences of a state and gate, credited look by look to the evidence on its g2(0)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from streamer.accumulators.exposure import FIXED
from streamer.config import Settings
from streamer.decays import overlap_of
from streamer.errors import InputError
from streamer.estimators.intervals import SINGLE
from streamer.estimators.ratio_evidence import HALF, STEADY, RatioEvidence
from streamer.evidence import ALL, Credited, Evidence
from streamer.plan import Plan

Floats = NDArray[np.float64]

FAR = 0.4  # of the tau range, from which on cw pairs make the reference: far from any dip, near to any blinking
BACKGROUND_ERROR = 0.1  # of the promised error goes to the limits of a measured background
LEAST_SIGNAL = 0.01  # of the pairs: below it nothing can be said of the emitter


class PairEvidence:
    """Pairs of one state and gate.

    Args:
        rule: name of the rule that asks.
        plan, settings: of the run.
        state: name of the state, or "all".
        gate_ns: pairs count whose photons both come later than this after the excitation; 0: all.
        pair: (a, b); None: the first that is counted.
        error: promised for what is claimed.

    Raises:
        InputError: there are no pairs, or no nanotimes to gate on.

    Attributes:
        ratio: the evidence.
        error: what of the promised error is left for the pairs.
        why: why nothing can be claimed, where that is so.
        signal: share of the pairs that is signal, limits; of all that was credited.
        since_s: exposure from which pairs count.
        earlier: (pairs, accidental pairs) credited while other states were told than now; None where there are none.
    """

    def __init__(
        self,
        rule: str,
        plan: Plan,
        settings: Settings,
        state: str,
        gate_ns: float,
        pair: tuple[int, int] | None,
        error: float,
    ) -> None:
        layout = plan.layout
        if not layout.pairs:
            told = next((line.removeprefix("g2: ") for line in plan.warnings if line.startswith("g2:")), None)
            only = f"only channel {layout.detectors[0]} has photons" if len(layout.detectors) == 1 else "no pair is set"
            raise InputError(f"rule {rule}: {told or f'needs two detectors, {only}'}; use another rule")
        if pair is not None and tuple(pair) not in layout.pairs:
            raise InputError(f"rule {rule}: pair: must be one of {list(map(list, layout.pairs))}, got {list(pair)}")
        if gate_ns > 0 and (layout.mode != "T3" or not layout.pulsed):
            raise InputError(f"rule {rule}: gate_ns: there is no nanotime to gate on, got {gate_ns:g}; leave it out")
        if gate_ns > 0 and gate_ns >= layout.period * layout.fine_s * 1e9:
            raise InputError(f"rule {rule}: gate_ns: must be below the laser period, got {gate_ns:g}; lower it")
        self.plan, self.settings, self.state, self.gate_ns = plan, settings, state, gate_ns
        self.at = 0 if pair is None else layout.pairs.index(tuple(pair))
        self.pair = layout.pairs[self.at]
        self._columns = [layout.detector_of[channel] for channel in self.pair]
        self.rates = [settings.background(channel) for channel in self.pair]
        measured = any(one is not None and one[1] > 0 for one in self.rates)
        self.error = error * (1 - BACKGROUND_ERROR) if measured else error
        self._z = float(norm.isf(error * BACKGROUND_ERROR / 4)) if measured else 0.0
        self.centre, self.side, weight = self._parts()
        self.ratio = RatioEvidence((weight,) if layout.pulsed else (None, *([weight] if self.side.any() else [])))
        self._pairs, self._singles, self._expected = Credited(), Credited(), Credited()
        # Of what was credited: product counts per s, photons of a and b, those after the gate, seconds.
        self._seen: Floats = np.zeros(6)
        self.signal = STEADY
        self.earlier: tuple[int, float] | None = None
        self._told: tuple[str, ...] | None = None
        self.why: str | None = None
        self.since_s = 0.0
        self._looked = False

    def _parts(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
        """What of the pair axis is about zero delay, what is the reference, and the reference's weight."""
        layout = self.plan.layout
        if layout.pulsed:
            lag = np.abs(np.arange(-layout.lags, layout.lags + 1))
            pulses = layout.scale.ticks / (1.0 if layout.mode == "T3" else layout.period)
            fall = np.ones(len(lag)) if self.state == ALL else np.maximum(1 - lag / pulses, 0)
            return lag == 0, lag > 0, float(fall[lag > 0].sum())
        tau = np.abs(layout.tau_ns())
        bin_ns = layout.tau_width * layout.fine_s * 1e9
        window_ns = max(self.settings.cw_window_ns, bin_ns)
        centre = tau <= window_ns / 2 * (1 + 1e-9)
        side = (tau >= FAR * tau[-1]) & (tau > 2 * window_ns)
        fall = np.ones(len(tau)) if self.state == ALL else np.maximum(1 - tau / (layout.scale.seconds * 1e9), 0)
        return centre, side, float(fall[side].sum() / fall[centre].sum())

    def look(self, evidence: Evidence) -> RatioEvidence:
        """Credit what came since the last look."""
        if evidence.late and not self._looked:
            self.since_s = evidence.elapsed_s
        self._looked = True
        if self.state != ALL and evidence.states is not None and evidence.states.names != self._told:
            if self.ratio.accidental:
                self.earlier = self.ratio.central, self.ratio.accidental
            self._told = evidence.states.names
        doubt = evidence.moment.doubts.get("pairs") or (
            evidence.moment.doubts.get("nanotimes") if self.gate_ns > 0 else None
        )
        levels = evidence.levels(self.state, resting=True)
        self.why = doubt or (None if levels is not None else "the state has not been told yet")
        late, exposure = evidence.late, evidence.tables["exposure"]
        pairs = self._pairs.take(self._table(evidence), levels, late=late)
        expected = self._expected.take(exposure["products"][:, self.at, 0], levels, late=late)
        photons, time = exposure["photons"][:, self._columns], exposure["time"][:, :1]
        singles = self._singles.take(
            np.concatenate([self._photons(evidence), photons, time], axis=1), levels, late=late
        )
        if pairs is None or expected is None or singles is None:
            return self.ratio
        layout = self.plan.layout
        nominal_s = layout.scale.seconds
        product = float(expected) / FIXED / nominal_s  # sum of Na Nb / T
        late_a, late_b, a, b, ticks = (float(one) for one in singles)
        self._seen += (product, a, b, late_a, late_b, ticks * layout.tick_s)
        self._find_signal()
        reference = [float(pairs[1])] if self.side.any() else []
        if not layout.pulsed:
            window_s = self.centre.sum() * layout.tau_width * layout.fine_s
            reference = [product * window_s, *reference]
        self.ratio.add(int(pairs[0]), reference, self.signal)
        return self.ratio

    def _table(self, evidence: Evidence) -> NDArray[np.int64]:
        """Pairs about zero delay and those of the reference by level, after the gate; int64[levels + 1, 2]."""
        layout, tables = self.plan.layout, evidence.tables["coincidences"]
        # Few levels are ever visited; the others are empty.
        visited = np.append(np.flatnonzero(evidence.tables["exposure"]["time"][:-1, 1]), layout.scale.n)
        if layout.pulsed:
            first = int(np.argmin(np.abs(layout.gate_ns() - self.gate_ns))) if self.gate_ns > 0 else 0
            pairs = tables[f"lags{self.at}"][visited, :, first:].sum(axis=2)
        else:
            pairs = tables[f"tau{self.at}"][visited]
        table = np.zeros((layout.scale.rows, 2), np.int64)
        table[visited, 0], table[visited, 1] = pairs[:, self.centre].sum(axis=1), pairs[:, self.side].sum(axis=1)
        return table

    def _photons(self, evidence: Evidence) -> NDArray[np.int64]:
        """Photons of both detectors by level, after the gate; int64[levels + 1, 2]."""
        if self.gate_ns <= 0:
            return evidence.tables["exposure"]["photons"][:, self._columns]
        layout = self.plan.layout
        period_ns, late = layout.period * layout.fine_s * 1e9, []
        decay = evidence.tables["lifetime"]["decay"]
        for column in self._columns:
            after = (layout.nanotime_ns() - layout.zero[column] * layout.fine_s * 1e9) % period_ns
            late.append(decay[:, column, after >= self.gate_ns].sum(axis=1))
        return np.stack(late, axis=1)

    def _find_signal(self) -> None:
        """Limits of the share of the pairs that is signal, of all that was credited: pairs and share add up alike."""
        if all(one is None for one in self.rates):
            return
        whole = self._shares(self._seen)
        if whole:
            self.signal = min(whole), max(whole)
            if self.signal[0] < LEAST_SIGNAL:
                self.why = self.why or "the background is nearly all of what is counted"

    def _shares(self, span: Floats) -> list[float]:
        """Share of the pairs of a span that is signal, with more and with less background; [] where it has none."""
        product, a, b, late_a, late_b, seconds = (float(one) for one in span)
        if not (seconds > 0 and a > 0 and b > 0 and product > 0):
            return []
        # Background does not decay: of it a gate leaves its share of the period.
        period_ns = self.plan.layout.period * self.plan.layout.fine_s * 1e9
        rest = 1 - self.gate_ns / period_ns if self.gate_ns > 0 else 1.0
        shares = []
        for sign in (1, -1):
            dark_a, dark_b = (0.0 if one is None else max(one[0] + sign * self._z * one[1], 0.0) for one in self.rates)
            left_a, left_b = a - dark_a * seconds, b - dark_b * seconds
            if left_a <= 0 or left_b <= 0:
                shares.append(0.0)
                continue
            # Of both detectors' light together, segment by segment, for it varies together.
            light = max(product - dark_b * a - dark_a * b + dark_a * dark_b * seconds, 0.0)
            through_a = max(late_a - rest * dark_a * seconds, 0.0) / left_a
            through_b = max(late_b - rest * dark_b * seconds, 0.0) / left_b
            signal = light * through_a * through_b
            dark = rest * (dark_b * through_a * left_a + dark_a * through_b * left_b + rest * dark_a * dark_b * seconds)
            shares.append(signal / (signal + dark) if signal + dark > 0 else 0.0)
        return shares

    def emitter(self, measured: float | None) -> float | None:
        """g2(0) without its background, by the middle of what is known of it; None where there is none."""
        share = sum(self.signal) / 2
        return None if measured is None or share < LEAST_SIGNAL else 1 + (measured - 1) / share

    def contradicted(self, evidence: Evidence, verdict: str) -> str | None:
        """Why a verdict may not stand: all pairs of the state as it is told now lie on the other side.

        At the beginning the brightest state may have been one that is not the brightest now. To hold a verdict back
        breaks no promise.
        """
        levels = evidence.levels(self.state, resting=True)
        if levels is None:
            return "the state is not told any more"
        central, accidental = (float(one) for one in self._table(evidence)[levels].sum(axis=0))
        if self.plan.layout.pulsed:
            accidental /= self.ratio.references[0] or 1.0
        else:
            product = float(evidence.tables["exposure"]["products"][levels, self.at, 0].sum()) / FIXED
            window_s = float(self.centre.sum()) * self.plan.layout.tau_width * self.plan.layout.fine_s
            accidental = product / self.plan.layout.scale.seconds * window_s
        border = 1 - (1 - HALF) * sum(self.signal) / 2
        if (central < border * accidental) == (verdict == SINGLE):
            return None
        return "the pairs of the state as it is told now say otherwise than those filed before"

    def overlap(self, evidence: Evidence) -> str | None:
        """Why neighbouring pulses cannot be told apart, so that no verdict may be given; asked before one is."""
        layout = self.plan.layout
        if not layout.pulsed or layout.mode != "T3":
            return None
        row = evidence.decay_row(self.state)
        if row is None:
            return "the lifetime of the state is not known yet, nor whether pulses overlap"
        return overlap_of(evidence.decays, row, layout.period * layout.fine_s * 1e9)
