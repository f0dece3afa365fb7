"""Evidence on g2(0): its e-values against a plain loop, and what it promises at every moment, on simulated pairs."""

import math

import numpy as np
import pytest
from scipy.stats import poisson

from streamer.estimators.intervals import NOT_SINGLE, SINGLE, UNDECIDED
from streamer.estimators.ratio_evidence import ABOVE, ABOVE_WEIGHTS, BELOW, BELOW_WEIGHTS, MOST, RatioEvidence

SIDE = 20.0


def naive_log_e(steps, references, g, side):
    """Of the mixture of bets below (side 0) or above r0, step by step, bet by bet; the smallest of the references."""
    bets, weights = ((BELOW, BELOW_WEIGHTS), (ABOVE, ABOVE_WEIGHTS))[side]
    least = min((weight for weight in references if weight is not None), default=math.inf)
    found = []
    for at, reference in enumerate(references):
        total = 0.0
        for wished, weight in zip(bets, weights, strict=True):
            bet = min(wished, 1 + 0.9 * least / MOST)
            wealth = 1.0
            ends = [1 + (g - 1) * share for share in steps[-1][2]]  # the share is that of all so far
            r0 = max(min(ends) if side == 0 else max(ends), 0.0)
            for central, sides, _ in steps:
                wealth *= bet**central
                if reference is None:
                    wealth *= math.exp(-r0 * (bet - 1) * sides[at])
                else:
                    wealth *= (1 - r0 * (bet - 1) / reference) ** sides[at]
            total += weight / sum(weights) * wealth
        found.append(math.log(total))
    return min(found)


@pytest.mark.parametrize("references", [(SIDE,), (None,), (None, 60.0), (2.0,)])
@pytest.mark.parametrize("shares", [None, (0.4, 0.9)])
def test_e_values_are_those_of_a_plain_loop(references, shares):
    rng = np.random.default_rng(7)
    candidates = np.array([0.1, 0.5, 1.2])
    evidence = RatioEvidence(references, candidates)
    steps = []
    for _ in range(12):
        share = (1.0, 1.0) if shares is None else tuple(np.sort(rng.uniform(*shares, 2)))
        step = (int(rng.poisson(0.8)), [float(rng.poisson(weight or 1)) for weight in references], share)
        steps.append(step)
        evidence.add(*step)
    assert evidence.log_e == pytest.approx([naive_log_e(steps, references, 0.5, side) for side in (0, 1)], abs=1e-9)
    for error in (0.5, 0.2, 0.05):
        too_high = [g for g in candidates if naive_log_e(steps, references, g, 0) >= -math.log(error)]
        too_low = [g for g in candidates if naive_log_e(steps, references, g, 1) >= -math.log(error)]
        low, high = evidence.limits(error)
        assert high == min(too_high, default=math.inf)
        assert low == max(too_low, default=0.0)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("accidental", [0.3, 3.0])
@pytest.mark.parametrize(("weight", "signal"), [(SIDE, 1.0), (None, 1.0), (SIDE, 0.6)])
def test_the_mean_e_value_at_the_edge_is_one(side, accidental, weight, signal):
    r0 = 1 + (0.5 - 1) * signal
    mean = 0.0
    mean_side = accidental * weight if weight else 0.0
    for central in range(int(r0 * accidental + 25)):
        for sides in range(int(mean_side - 7 * mean_side**0.5), int(mean_side + 10 * mean_side**0.5 + 15)):
            if weight is None and sides != 0:
                continue
            evidence = RatioEvidence((weight,), np.array([0.5]))
            evidence.add(central, [max(sides, 0) if weight else accidental], (signal, signal))
            chance = poisson.pmf(central, r0 * accidental) * (poisson.pmf(sides, mean_side) if weight else 1.0)
            mean += chance * math.exp(evidence.log_e[side])
    assert mean == pytest.approx(1.0, abs=2e-4)


def followed(rng, g, steps, accidental, signal=1.0):
    """A dot that is looked at all along: verdict, pairs until then, and whether the limits ever left out g."""
    evidence = RatioEvidence((SIDE,), np.unique([0.5, g]))
    verdict, pairs, outside = UNDECIDED, 0.0, False
    r = 1 + (g - 1) * signal
    for _ in range(steps):
        # Blinking and drift multiply centre and side alike.
        mean = accidental * rng.exponential(1.0)
        evidence.add(rng.poisson(r * mean), [rng.poisson(SIDE * mean)], (signal, signal))
        low, high = evidence.interval(0.05)
        outside |= not low < g < high
        if verdict == UNDECIDED:
            verdict = evidence.verdict(0.05)
            pairs = evidence.central + evidence.reference[0]
    return verdict, pairs, outside


def wald(r, r0=0.5):
    p, p0 = r / (r + SIDE), r0 / (r0 + SIDE)
    return math.log(20) / (p * math.log(p / p0) + (1 - p) * math.log((1 - p) / (1 - p0)))


@pytest.mark.parametrize(("g", "accidental", "signal"), [(0.5, 1.0, 1.0), (0.45, 1.0, 0.7), (0.6, 1.0, 1.0)])
def test_verdicts_and_limits_keep_their_promise_near_the_edge(g, accidental, signal):
    rng = np.random.default_rng(11)
    dots = [followed(rng, g, 120, accidental, signal) for _ in range(300)]
    wrong = np.mean([verdict == (SINGLE if g >= 0.5 else NOT_SINGLE) for verdict, _, _ in dots])
    chance = 3 * math.sqrt(0.05 * 0.95 / len(dots))
    assert wrong <= 0.05 + chance
    assert np.mean([outside for _, _, outside in dots]) <= 0.05 + chance


@pytest.mark.parametrize("g", [0.02, 0.1, 0.2, 0.85, 1.0])
def test_far_from_the_edge_the_pairs_are_within_1_3_of_walds_bound(g):
    rng = np.random.default_rng(12)
    bound = wald(g)
    accidental = 0.05 * bound / (g + SIDE)  # a verdict takes some 25 looks
    dots = [followed(rng, g, 130, accidental) for _ in range(250)]
    pairs = np.array([pairs for _, pairs, _ in dots])
    verdicts = [verdict for verdict, _, _ in dots]
    assert (NOT_SINGLE if g < 0.5 else SINGLE) not in verdicts
    assert verdicts.count(UNDECIDED) <= 3
    assert pairs.mean() / bound < 1.3 + 3 * pairs.std() / bound / math.sqrt(len(dots))
    assert np.mean([outside for _, _, outside in dots]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(dots))


def test_a_background_known_within_limits_claims_no_more_than_either_end():
    rng = np.random.default_rng(13)
    ends = RatioEvidence((SIDE,)), RatioEvidence((SIDE,))
    between = RatioEvidence((SIDE,))
    for _ in range(40):
        step = rng.poisson(0.6), [rng.poisson(SIDE)]
        between.add(*step, (0.6, 0.9))
        for evidence, share in zip(ends, (0.6, 0.9), strict=True):
            evidence.add(*step, (share, share))
        for side in (0, 1):
            assert between.log_e[side] <= min(evidence.log_e[side] for evidence in ends) + 1e-9


def test_the_verdict_is_that_of_the_limits():
    rng = np.random.default_rng(14)
    for g in (0.1, 0.5, 1.0):
        evidence = RatioEvidence((SIDE,))
        for _ in range(60):
            evidence.add(rng.poisson(g), [rng.poisson(SIDE)])
            low, high = evidence.limits(0.05)
            verdict = SINGLE if high <= 0.5 else NOT_SINGLE if low >= 0.5 else UNDECIDED
            assert evidence.verdict(0.05) == verdict


def test_nothing_seen_says_nothing():
    evidence = RatioEvidence((SIDE,))
    assert evidence.value is None
    assert evidence.limits(0.05) == (0.0, math.inf)
    assert evidence.verdict(0.05) == UNDECIDED
    evidence.add(3, [40])
    assert evidence.value == pytest.approx(1.5)
    assert evidence.accidental == pytest.approx(2.0)
