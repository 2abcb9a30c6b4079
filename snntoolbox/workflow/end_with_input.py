"""Ends a command with whoever started it, however that one dies: by the end of standard input."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import IO

PATIENCE_SECONDS = 15.0
"""So long what was begun may be cleaned up; then the process is killed, with its group where it leads one."""


def end_with_input(stream: IO[bytes] | None = None) -> None:
    """From now on the end of a stream, by default of standard input, is Ctrl-C for this process."""
    source = stream or getattr(sys.stdin, "buffer", None)
    if source is not None:  # one that is closed has no end
        threading.Thread(target=_wait, args=(source.fileno(),), daemon=True, name="end with input").start()


def _wait(file: int) -> None:
    try:
        while os.read(file, 4096):
            pass
    except OSError:
        return
    _interrupt()
    time.sleep(PATIENCE_SECONDS)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(128 + signal.SIGINT)


def _interrupt() -> None:
    """Ctrl-C in the main thread, also where that waits for something."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()
