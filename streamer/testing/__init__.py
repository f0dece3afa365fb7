"""Testing: the law suite and the synthetic streams that it uses, public for plug-ins.

def test_mine_keeps_the_laws():
    check_laws(Mine)
"""

from streamer.testing.laws import check_laws, check_stream
from streamer.testing.streams import (
    OTHER_CHANNEL,
    Segment,
    cut,
    layouts,
    part,
    random_stream,
    rechunk,
    segments,
    stretches,
)

__all__ = [
    "OTHER_CHANNEL",
    "Segment",
    "check_laws",
    "check_stream",
    "cut",
    "layouts",
    "part",
    "random_stream",
    "rechunk",
    "segments",
    "stretches",
]
