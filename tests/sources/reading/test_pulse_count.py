"""The pulse-counting kernel: equal to a plain loop over the whole stream, in any blocks; no photon lost uncounted."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from sources.reading import pulse_count as pc

PERIOD = 1000.0
RULES = {
    pc.TOLERANCE: 40.0, pc.ERROR: 1e-3, pc.LIMIT: 150_000.0, pc.REACH: 20_000.0, pc.BASELINE: 30_000.0,
    pc.RESOLUTION: 4.0,
}  # fmt: skip


def made_rules(per_step, regular):
    rules = np.zeros(8)
    for key, value in RULES.items():
        rules[key] = value
    rules[pc.PER_STEP], rules[pc.REGULAR] = per_step, regular
    return rules


def plain(when, kind, origin, end, rules):
    """Of one stretch: photons (pulse, nanotime, channel), markers, gaps (from, to, lost), photons lost after them."""
    per_step, reach, units = int(rules[pc.PER_STEP]), rules[pc.REACH], rules[pc.RESOLUTION]
    photons, markers, gaps, waiting = [], [], [], []
    period, last, count, locked, strays, lost = PERIOD, origin, 0, False, 0, 0
    older = old = (0, 0)

    def place(time, what, tag, number, by):
        pulses = math.floor((time - tag) / by)
        if what < pc.MARKER:
            photons.append((number + pulses, int((time - tag - pulses * by) / units), what))
        else:
            markers.append((number + pulses, what - pc.MARKER))

    def across(tag, *, over, strayed):
        nonlocal last, count, locked, lost, waiting, strays, older, old
        exact = (tag - last) / period
        behind = count + (max(round(exact), 1) if locked and not over else math.ceil(exact))
        stays = [] if over else [one for one in waiting if one[0] == tag]
        for time, what in waiting:
            if (time, what) in stays:
                continue
            if (locked and not strayed and time - last <= reach) or what >= pc.MARKER:
                place(time, what, last, count, period)
            elif not over and not strayed and tag - time <= reach:
                place(time, what, tag, behind, period)
            else:
                lost += 1
        whole = 0 if strayed else math.ceil(reach / period)
        after, before = count + (whole + 1 if locked and not strayed else 0), behind - (0 if over else whole)
        if after < before and (lost or rules[pc.REGULAR]):
            gaps.append((after, before, lost))
            lost = 0
        waiting, last, count, locked, strays = stays, tag, behind, not over, 0
        older = old = (tag, behind)

    for time, what in zip(when.tolist(), kind.tolist(), strict=True):
        if what != pc.SYNC:
            waiting.append((time, what))
            continue
        if not locked or time - last > rules[pc.LIMIT]:
            across(time, over=False, strayed=False)
            continue
        steps = round((time - last) / (period * per_step))
        if (
            steps < 1
            or abs(time - last - steps * period * per_step) > rules[pc.TOLERANCE] + (time - last) * rules[pc.ERROR]
        ):
            strays += 1
            if strays == pc.MOST_STRAYS:
                across(time, over=False, strayed=True)
            continue
        by = (time - last) / (steps * per_step)
        for one in waiting:
            if one[0] < time:
                place(*one, last, count, by)
        waiting = [one for one in waiting if one[0] == time]
        last, count, strays = time, count + steps * per_step, 0
        if time - old[0] >= rules[pc.BASELINE]:
            period = (time - older[0]) / (count - older[1])
            older, old = old, (time, count)
    across(end, over=True, strayed=False)
    return photons, markers, gaps, lost


def counted(when, kind, origin, end, rules, borders):
    """The same by the kernel, block by block; and the most events that ever waited."""
    state, clock = np.zeros(pc.COLUMNS, np.int64), np.array([PERIOD])
    state[pc.LAST] = origin
    photons, markers, gaps, most, start = [], [], [], 0, 0
    held = np.empty(0, np.int64), np.empty(0, np.uint16)
    edges = [origin, *sorted(borders), end, end]
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        over = number == len(edges) - 2
        i, j = np.searchsorted(when, (low, high))
        block = np.concatenate((held[0], when[i:j])), np.concatenate((held[1], kind[i:j]))
        state[[pc.FIRST, pc.PHOTONS, pc.MARKERS]], state[pc.NEXT] = 0, len(held[0])
        n = len(block[0])
        out = [np.empty(n, dtype) for dtype in (np.int64, np.uint16, np.uint8, np.int64, np.uint8)]
        while pc.count_pulses(*block, high, over, made_rules(*rules), clock, state, *out):
            gaps.append((int(state[pc.FROM]), int(state[pc.TO]), int(state[pc.LOST])))
            assert start <= state[pc.FROM] < state[pc.TO]
            before = out[0][: state[pc.PHOTONS]]
            assert not ((before >= state[pc.FROM]) & (before < state[pc.TO])).any()
            state[pc.LOST], start = 0, int(state[pc.TO])
            if over:
                break
        assert start <= state[pc.SURE]
        new = [array[: state[pc.PHOTONS]] for array in out[:3]]
        assert not len(new[0]) or new[0][-1] < state[pc.SURE]
        start = max(start, int(state[pc.SURE]))
        photons += zip(*(array.tolist() for array in new), strict=True)
        markers += zip(*(array[: state[pc.MARKERS]].tolist() for array in out[3:]), strict=True)
        held = tuple(array[state[pc.FIRST] :] for array in block)
        most = max(most, len(held[0]))
    assert not len(held[0])
    return photons, markers, gaps, int(state[pc.LOST]), most


def events(seed, *, keep, per_step, strays, breaks, jitter=5.0):
    """Sync tags of a laser with photons and markers of any time between; sorted, ties and all."""
    rng = np.random.default_rng(seed)
    pulses = 6000
    tags = np.arange(0, pulses, per_step)
    tags = tags[rng.random(len(tags)) < keep]
    tags = tags * PERIOD * (1 + 2e-5 * tags / pulses) + rng.normal(0, jitter, len(tags)) + 4321
    for _ in range(breaks):
        at = rng.uniform(0, tags[-1])
        tags = np.where(tags > at, tags + rng.choice([0, 300, 400_000]), tags)
        tags = tags[(tags < at) | (tags > at + rng.choice([0, 50_000, 300_000]))]
    tags = np.concatenate((tags, rng.uniform(0, tags[-1], strays)))
    end = int(tags.max()) + 30_000
    photons = rng.integers(0, end, 3000)
    photons[:200] = rng.choice(np.rint(tags), 200)
    marks = rng.integers(0, end, 40)
    when = np.concatenate((np.rint(tags), photons, marks)).astype(np.int64)
    kind = np.concatenate(
        (np.full(len(tags), pc.SYNC), rng.integers(0, 256, 3000), pc.MARKER + rng.integers(1, 256, 40))
    ).astype(np.uint16)
    order = np.argsort(when, kind="stable")
    return when[order], kind[order], end


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("keep", "per_step", "strays", "regular"),
    [(1.0, 1, 0, 1), (0.97, 1, 30, 1), (0.05, 1, 3, 0), (1.0, 8, 10, 1), (0.3, 8, 0, 0)],
)
def test_kernel_equals_a_plain_loop_in_any_blocks(seed, keep, per_step, strays, regular):
    when, kind, end = events(seed, keep=keep, per_step=per_step, strays=strays, breaks=seed % 4)
    rules = per_step, regular
    photons, markers, gaps, lost = plain(when, kind, 0, end, made_rules(*rules))
    for pieces in (0, 5, 300):
        borders = np.random.default_rng(seed).integers(0, end, pieces).tolist()
        got = counted(when, kind, 0, end, rules, borders)
        # A nanotime exactly on a border between two units may round either way.
        assert [(pulse, channel) for pulse, _, channel in got[0]] == [(pulse, channel) for pulse, _, channel in photons]
        assert max(abs(a[1] - b[1]) for a, b in zip(got[0], photons, strict=True)) <= 1
        assert sorted(got[1]) == sorted(markers)
        assert (got[2], got[3]) == (gaps, lost)
    assert len(photons) + sum(gap[2] for gap in gaps) + lost == 3000
    assert len(markers) == 40


def test_what_waits_is_bounded_by_the_limit():
    rng = np.random.default_rng(1)
    tags = np.arange(0, 10**6, 1000)
    photons = np.sort(rng.integers(0, 10**8, 50_000))
    when = np.concatenate((tags, photons))
    kind = np.concatenate((np.full(len(tags), pc.SYNC), np.ones(len(photons)))).astype(np.uint16)
    order = np.argsort(when, kind="stable")
    borders = list(range(0, 10**8, 10_000))
    *_, most = counted(when[order], kind[order], 0, 10**8, (1, 1), borders)
    assert most <= 2 * 50_000 * RULES[pc.LIMIT] / 10**8
