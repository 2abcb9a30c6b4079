"""The command line: arguments in, a command, its exit code out; what the user can mend becomes a message."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

from snntoolbox.errors import SNNToolboxError
from snntoolbox.workflow.commands import COMMANDS, command, parser

_SURROUNDINGS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE, errno.ELOOP, errno.ESTALE),
}
"""Error numbers that tell of the machine and not of a defect; others keep their traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for anything that the user can mend, 1 if a check fails."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    first = next((a for a in arguments if not a.startswith("-")), None)
    if first is not None and first not in COMMANDS:
        if not os.path.exists(first) and (near := get_close_matches(first, COMMANDS, 1)):
            return _fail(f"there is no command or file '{first}'\n  hint: did you mean {near[0]}?")
        arguments.insert(0, "run")  # `snntoolbox config.ini` is `snntoolbox run config.ini`
    options = parser(*COMMANDS.keys() & set(arguments[:1])).parse_args(arguments)
    # Threads that wait for work must sleep: on a busy machine spinning ones make a run ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, force=True)
    with _ended_by_signals():
        return _guarded(options)


class _Ended(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP raise, so that what was begun is cleaned up as after Ctrl-C."""

    def end(number: int, frame: object) -> None:
        raise _Ended(number)

    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    main = threading.current_thread() is threading.main_thread()  # no other may set handlers
    ours = [number for number in known if main and signal.getsignal(number) is signal.SIG_DFL]
    hook = sys.unraisablehook
    for number in ours:
        signal.signal(number, end)
    sys.unraisablehook = _send_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _send_again(unraisable: sys.UnraisableHookArgs) -> None:
    """A signal that came within a callback of a compiled library, which drops what is raised, is sent once more."""
    error = unraisable.exc_value
    if not isinstance(error, (_Ended, KeyboardInterrupt)):
        sys.__unraisablehook__(unraisable)
        return
    number = error.number if isinstance(error, _Ended) else signal.SIGINT
    later = threading.Timer(0.05, os.kill, (os.getpid(), number))
    later.daemon = True
    later.start()


def _guarded(options: argparse.Namespace) -> int:
    """Run the command; what the user can mend becomes a message and exit code 2."""
    code = 0
    try:
        code = command(options.command).execute(options) or 0
        sys.stdout.flush()
    except SNNToolboxError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted; results of earlier runs are as they were")
    except _Ended as error:
        _fail(f"ended by {signal.Signals(error.number).name}; results of earlier runs are as they were")
        return 128 + error.number
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in _SURROUNDINGS:
            raise
        return _fail(f"{error.strerror}: '{error.filename}'" if error.filename else f"cannot write: {error.strerror}")
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        return _fail("not enough memory\n  hint: a smaller [simulation] batch_size needs less")
    return code


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; PyTorch tells it in RuntimeErrors."""
    text = str(error)
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def _fail(message: str) -> int:
    print(f"snntoolbox: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
