"""Hook: a command that is started when a rule has stopped a run: close the shutter, move on to the next dot."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any

log = logging.getLogger(__name__)

LONGEST_S = 60.0  # then it is ended: a hook that hangs must not pile up behind a survey of hundreds of dots


class Hook:
    """Starts the command and looks after it in a thread, so that counting waits for nothing.

    Args:
        command: its words; no shell is asked.

    Attributes:
        trouble: what went wrong last, one line; None where nothing did.
    """

    def __init__(self, command: Sequence[str], longest_s: float = LONGEST_S) -> None:
        self.command, self.longest_s = tuple(command), longest_s
        self.trouble: str | None = None
        self._threads: list[threading.Thread] = []

    def start(self, record: Mapping[str, Any]) -> None:
        """Start it; `record` goes to its standard input as one line of JSON."""
        told = json.dumps(dict(record)).encode() + b"\n"
        self._threads = [one for one in self._threads if one.is_alive()]
        thread = threading.Thread(target=self._run, args=(told,), name="hook", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _run(self, told: bytes) -> None:
        try:
            done = subprocess.run(
                self.command, input=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=self.longest_s,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            self._complain(f"still ran after {self.longest_s:g} s and was ended")
        except OSError as error:
            self._complain(f"cannot be started ({error.strerror or error}); correct `on_stop`")
        else:
            if done.returncode:
                last = done.stdout.decode(errors="replace").strip().splitlines()[-1:]
                self._complain(f"ended with status {done.returncode}" + (f": {last[0]}" if last else ""))

    def _complain(self, what: str) -> None:
        self.trouble = f"on_stop: {self.command[0]}: {what}"
        log.error("%s", self.trouble)

    def wait(self, timeout_s: float) -> None:
        """Give what runs so long to end, before the program does."""
        for thread in self._threads:
            thread.join(timeout_s)
