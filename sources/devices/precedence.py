"""Precedence: a thread that must not wait long for the processor asks the system for that."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress

_NICE = -10  # Linux gives threads a nice value of their own; below 0 it takes root, or CAP_SYS_NICE
_HIGHEST = 2  # THREAD_PRIORITY_HIGHEST, which Windows gives to everybody


def ask_for_precedence() -> None:
    """Let this thread run before others where the system allows it; elsewhere nothing changes."""
    with suppress(OSError, AttributeError):
        if sys.platform == "win32":
            kernel = ctypes.WinDLL("kernel32")
            kernel.GetCurrentThread.restype = ctypes.c_void_p
            kernel.SetThreadPriority.argtypes = (ctypes.c_void_p, ctypes.c_int)
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _HIGHEST)
        elif sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
