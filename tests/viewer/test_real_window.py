"""The window's tests once more in a real window: an X server without a screen, real mouse events through it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEADLINE_S = 240.0


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs an X server in memory: apt-get install xvfb xauth")
def test_the_window_s_tests_pass_in_a_real_window() -> None:
    command = ["xvfb-run", "-a", sys.executable, "-m", "pytest", "-q", str(Path(__file__).with_name("test_window.py"))]
    environment = os.environ | {"VIEWER_TEST_PLATFORM": "xcb"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
