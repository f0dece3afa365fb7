"""A lab's own accumulator, whole: copy it, change `shapes` and the kernel, and keep the two tests."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.accumulator import Accumulator, Block
from streamer.group import Group
from streamer.kernels import INT, INTS, LEVELS, TABLE2, TIMES, kernel
from streamer.layout import Layout
from streamer.testing import check_laws, layouts, random_stream, rechunk, segments

# ---- lab/waits.py


class Waits(Accumulator):
    """Waiting times between photons of one segment. Tables: waits[rows, 64], bin n holds 2**n to 2**(n+1) - 1 ticks."""

    name = "waits"

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        return {"waits": (layout.scale.rows, 64)}

    def count(self, block: Block) -> None:
        _add(block.time, block.offsets, block.level, self.tables["waits"])


@kernel(INT, TIMES, INTS, LEVELS, TABLE2)
def _add(time, offsets, level, table):  # type: ignore[no-untyped-def]
    for s in range(len(level)):
        for i in range(offsets[s] + 1, offsets[s + 1]):
            n, wait = 0, time[i] - time[i - 1]
            while wait > 1:
                n, wait = n + 1, wait >> 1
            table[level[s], n] += 1
    return 0


# ---- tests/test_waits.py


def test_waits_keeps_the_laws() -> None:
    check_laws(Waits)


@pytest.mark.parametrize("layout", layouts().values(), ids=layouts())
def test_waits_equals_a_plain_count(layout: Layout) -> None:
    rng = np.random.default_rng(1)
    stream = random_stream(rng, layout)
    expected = np.zeros(Waits.shapes(layout)["waits"], int)
    for segment in segments(stream, layout):
        for wait in np.diff(segment.time):
            expected[segment.level, int(np.log2(max(wait, 1)))] += 1
    group = Group(layout, [Waits(layout)])
    for chunk in rechunk(stream, rng):
        group.feed(chunk)
    group.finish()
    np.testing.assert_array_equal(group.accumulators[0].tables["waits"], expected)
