"""New processes get no main module: they need nothing from the user's script, which must not run again there."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_hidden: list[ModuleType] = []
_hiding = threading.Lock()


@contextmanager
def no_main_module() -> Iterator[None]:
    """Processes that are started meanwhile do not import the user's main module.

    A script without ``if __name__ == '__main__'``, one on standard input or a notebook would otherwise fail or run
    twice. Several of these may overlap: the first one hides it, the last one brings it back.
    """
    with _hiding:
        _hidden.append(sys.modules["__main__"])
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        with _hiding:
            mine = _hidden.pop()
            if not _hidden:
                sys.modules["__main__"] = mine
