"""SPC decoder: the records of one Becker & Hickl file in ticks and forward nanotimes, for the record reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.layouts.spc_records import GAPS, Family, decode
from sources.reading.events import Gap
from streamer.errors import InputError

_ROUNDING = 1e-6  # channels: a period of a whole number of them, as quotients of decimals give it
_NO_WORDS, _NO_HALVES = np.empty(0, np.uint32), np.empty(0, np.uint16)


class SpcDecoder:
    """Decoder of one file; see `sources.reading.record_file.Decoder`.

    Attributes:
        steps: int64[2, 16, 16], see `decode`.
    """

    def __init__(
        self, path: Path, family: Family, period: float, reach: float, near: int, far: int, *, raw: bool = False
    ) -> None:
        """Nothing is decoded yet.

        Args:
            path: for messages.
            family: the layout.
            period: laser period in ADC channels; infinite where it is not known.
            reach: greatest time between a photon and the pulse that stops it, in ADC channels.
            near, far: ticks, for `steps`.
            raw: the first record says that overflow entries may not be counted.
        """
        self._path, self._family, self._raw = path, family, raw
        self._fields = np.array(family.fields, np.int64)
        self.steps = np.zeros((2, 16, 16), np.int64)
        self._table = nanotimes(family.bins, period, reach)
        self._rules = np.array((family.wrap, family.markers, near, far), np.int64)
        self._gaps: tuple[NDArray[np.int64], NDArray[np.int64]] = (np.empty(0, np.int64), np.empty(0, np.int64))

    def decode(
        self,
        block: NDArray[np.uint8],
        time: NDArray[np.int64],
        nanotime: NDArray[np.uint16],
        channel: NDArray[np.uint8],
        marker_time: NDArray[np.int64],
        marker: NDArray[np.uint8],
        state: NDArray[np.int64],
    ) -> list[Gap]:
        """See `Decoder.decode`.

        Raises:
            InputError: overflow entries of a raw file that may mean something else.
        """
        records = len(block) // self._family.record_bytes
        wide = self._family.record_bytes == 6
        words, halves = (_NO_WORDS, block.view(np.uint16)) if wide else (block.view(np.uint32), _NO_HALVES)
        if self._raw:
            self._check_raw(words)
        if self._gaps[0].size < records:
            self._gaps = np.empty(records, np.int64), np.empty(records, np.int64)
        state[GAPS], earlier = 0, int(state[GAPS])
        decode(
            words, halves, self._fields, self._rules, self._table, time, nanotime, channel, marker_time, marker,
            *self._gaps, self.steps, state,
        )  # fmt: skip
        gaps = int(state[GAPS])
        state[GAPS] += earlier
        return [
            Gap(int(start), int(stop))
            for start, stop in zip(*(ends[:gaps].tolist() for ends in self._gaps), strict=True)
        ]

    def _check_raw(self, words: NDArray[np.uint32]) -> None:
        """An entry of raw data is one overflow; where its count says the same, both readings agree."""
        if ((words & 0xD0000000 == 0xC0000000) & (words & 0xFFFFFFF > 1)).any():
            raise InputError(
                f"{self._path}: the first record says raw data (a diagnostic mode), in which overflow entries have no "
                "count, but some have one, so time is not sure; record in the normal FIFO mode"
            )


def nanotimes(bins: int, period: float, reach: float) -> NDArray[np.uint16]:
    """Nanotime of each ADC value, uint16[bins].

    It runs forward: bins - 1 - ADC. Where the TAC range is longer than the laser period, that is brought into one
    period, for only the time since the last pulse has a meaning. An ADC value beyond `reach` cannot be: it stays, so
    that it is seen to be beyond the period.
    """
    adc = np.arange(bins)
    forward = bins - 1.0 - adc
    if period < bins:
        exact = forward + _ROUNDING
        forward = np.where(adc < reach, np.floor(exact - np.floor(exact / period) * period), adc)
    return forward.astype(np.uint16)
