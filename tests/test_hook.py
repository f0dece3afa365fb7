"""Hook: what goes wrong is one line, and nothing waits for it."""

import sys
import time

from streamer.hook import Hook

DEADLINE_S = 30.0


def after(hook):
    hook.start({"words": "enough"})
    hook.wait(DEADLINE_S)
    return hook.trouble


def test_a_hook_that_works_is_silent():
    assert after(Hook((sys.executable, "-c", "import sys; assert 'enough' in sys.stdin.read()"))) is None


def test_a_command_that_is_not_there():
    assert "no-such-shutter: cannot be started" in after(Hook(("no-such-shutter",)))


def test_a_status_other_than_0_with_its_last_line():
    trouble = after(Hook((sys.executable, "-c", "print('stage is stuck'); raise SystemExit(3)")))
    assert "status 3: stage is stuck" in trouble


def test_one_that_hangs_is_ended_and_nobody_waits():
    hook = Hook((sys.executable, "-c", "import threading; threading.Event().wait()"), longest_s=0.5)
    began = time.monotonic()
    hook.start({})
    assert time.monotonic() - began < 0.4
    hook.wait(DEADLINE_S)
    assert "still ran after 0.5 s" in hook.trouble
