"""Events: what the reader of any format hands to the one source that makes chunks of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import NO_CHANNEL, NO_NANOTIME, NO_TIME, StreamEnd, StreamInfo


@dataclass(frozen=True, slots=True)
class Gap:
    """Ticks [start, stop) that were not watched, though the clock went on; `lost` records are known to be missing."""

    start: int
    stop: int
    lost: int = 0


@dataclass(slots=True, eq=False)
class Events:
    """Photons and markers in the order of the format.

    Attributes:
        time: int64[n], ticks; may go back where tags come late.
        nanotime: uint16[n] (T3) or uint16[0] (T2).
        channel: uint8[n].
        marker_time, marker: int64[m] and uint8[m].
        reached: tick below which nothing more comes, lateness apart.
        gaps: new ones, in order of time.
        backsteps: photons earlier than the one before them; 0 says that `time` never goes back.
        last: nothing follows.
    """

    time: NDArray[np.int64] = field(default_factory=lambda: NO_TIME)
    nanotime: NDArray[np.uint16] = field(default_factory=lambda: NO_NANOTIME)
    channel: NDArray[np.uint8] = field(default_factory=lambda: NO_CHANNEL)
    marker_time: NDArray[np.int64] = field(default_factory=lambda: NO_TIME)
    marker: NDArray[np.uint8] = field(default_factory=lambda: NO_CHANNEL)
    reached: int = 0
    gaps: tuple[Gap, ...] = ()
    backsteps: int = 0
    last: bool = False


class Reader(Protocol):
    """One format being read.

    Attributes:
        info: what its header says.
        horizon: ticks by which its tags are known to come late; 0 when they are strictly in order.
        begins: tick at which the recording began; None when its clock began long before, so with its first event.
    """

    info: StreamInfo
    horizon: int
    begins: int | None

    def read(self, held: Events) -> Events | None:
        """What was held back, then the next block, in fresh arrays; None at the end. May return no new photon."""
        ...

    def place(self, photon: int) -> str:
        """Where in the file the photon with this index in the latest block (0: first after `held`) stands."""
        ...

    def end(self) -> StreamEnd:
        """Records, sync records and warnings; its reason is left empty."""
        ...

    def close(self) -> None:
        """Let go of the file; may be called twice, and before anything was read."""
        ...
