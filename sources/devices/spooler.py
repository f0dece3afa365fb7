"""Spooler: the thread that writes a device's records to the disk, and only then lets them be decoded."""

from __future__ import annotations

import threading

from sources.devices.precedence import ask_for_precedence
from sources.devices.ring import Ring
from sources.devices.spool import RECORD_BYTES, Spool
from sources.devices.spooled import Break, Spooled


class Spooler:
    """Takes records out of the ring and writes them, a new file after each break at which the clock begins anew.

    Attributes:
        spool: the files.
        spooled: where the records can be had once they are written.
        unspooled: records that came when nothing could be written any more.
        failed: what went wrong beside the disk; "" if nothing did.
    """

    def __init__(
        self, ring: Ring[Break], spool: Spool, spooled: Spooled, tick_s: float, stopping: threading.Event
    ) -> None:
        """Nothing is written yet.

        Args:
            ring: what comes from the device.
            spool: the files.
            spooled: where the records go.
            tick_s: of the records' clock.
            stopping: nobody decodes any more, so nothing waits in memory for that.
        """
        self._ring, self.spool, self.spooled, self._tick_s = ring, spool, spooled, tick_s
        self.unspooled = 0
        self.failed = ""
        self._stopping = stopping
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self) -> bool:
        """Begin the first file and the thread; False, with `spool.failed`, when it cannot be written."""
        if not self.spool.begin():
            return False
        self.spooled.begin(self.spool.path, self.spool.offset)
        self._thread.start()
        return True

    def finish(self) -> None:
        """Write what is in the ring, close the last file, and end; the ring's other end is closed by now."""
        self._ring.close()
        self._thread.join()

    def _run(self) -> None:
        ask_for_precedence()
        try:
            while (item := self._ring.take()) is not None:
                if isinstance(item, Break):
                    self._break(item)
                else:
                    self._store(item)
        except Exception as error:  # whoever waits for records must be told, whatever it was
            self.failed = f"spooling failed: {error!r}"
        finally:
            self.spool.close()
            self.spooled.finish()

    def _break(self, broken: Break) -> None:
        if not broken.anew:
            path = None if self.spool.failed else self.spool.path
            self.spooled.begin(path, self.spool.offset + RECORD_BYTES * self.spool.records, broken)
        else:
            self._next_file(broken, ("Streamer_StartSeconds", -1, broken.ticks * self._tick_s))

    def _next_file(self, broken: Break | None, *tags: tuple[str, int, int | float | str]) -> None:
        if self.spool.begin(*tags):
            self.spooled.begin(self.spool.path, self.spool.offset, broken)
        else:
            self.spooled.begin(None, before=broken)

    def _store(self, block: memoryview) -> None:
        """Into the spool first of all; into memory only where the disk takes no more."""
        if not self.spool.failed:
            written = self.spool.append(block)
            self.spooled.extend(written)
            if not self.spool.failed:
                if self.spool.full:
                    self._next_file(None, ("Streamer_StartRecord", -1, self.spool.total))
                return
            self.spooled.begin(None)
            block = block[RECORD_BYTES * written :]
        self.unspooled += len(block) // RECORD_BYTES
        self.spooled.hand_over(memoryview(bytes(block)), self._stopping)
