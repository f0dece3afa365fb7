"""Send: one source's photons to a daemon, with what a first look at a recording found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from streamer.batch import looked_at
from streamer.chunk import StreamEnd
from streamer.config import Settings
from streamer.errors import Refused
from streamer.registry import open_source
from streamer.transport import Sender

TOTALS_S = 60.0  # the daemon may still have chunks to count


def send(
    address: str, to: str, settings: Settings, options: Mapping[str, str], wait_s: float
) -> tuple[dict[str, Any], StreamEnd]:
    """Push the whole source and return (the daemon's totals, how it ended); Ctrl-C ends the stream and breaks nothing.

    Raises:
        InputError: the source cannot be opened.
        Refused, TimeoutError: the daemon does not take it, or does not answer.
    """
    source = looked_at(open_source(address, options), address, options, settings)
    with Sender(to, source.info) as sender:
        try:
            sender.connect(wait_s)
        except Refused as refused:  # of what stream, says more than at which port
            raise Refused(str(refused).replace(f"{sender.address}", address, 1)) from None
        interrupted = False
        try:
            for chunk in source.chunks():
                sender.send(chunk)
                if sender.stopped is not None:
                    source.stop(sender.stopped)
        except KeyboardInterrupt:
            interrupted = True
            source.stop("interrupted")
        end = StreamEnd("interrupted") if interrupted else source.end()
        totals = sender.end(end, TOTALS_S)
        return totals, end if sender.stopped is None else replace(end, reason=sender.stopped)
