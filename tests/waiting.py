"""How tests wait: for what must happen, however long a busy machine takes, or one that stands still for a while."""

import time

PATIENCE = 300.0
"""Seconds after which it never will; whoever waits for them has found a defect."""


def until(happened):
    """Ask again and again; gives the first answer that is true."""
    end = time.monotonic() + PATIENCE
    while not (answer := happened()):
        assert time.monotonic() < end, "it never happens"
        time.sleep(0.02)
    return answer
