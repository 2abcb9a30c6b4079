"""Programs of others that are waited for, with a look now and then at how far they are."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.5


def printed(process: subprocess.Popen[str], look: Callable[[], None], seconds: float = math.inf) -> str:
    """What a program prints until it ends, while `look` is called twice a second.

    subprocess.TimeoutExpired after so many seconds, with the program still running.
    """
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        try:
            return process.communicate(timeout=max(0.0, min(left, _LOOK_SECONDS)))[0]
        except subprocess.TimeoutExpired:
            if left <= _LOOK_SECONDS:
                raise
            look()
