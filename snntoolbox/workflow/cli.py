"""The command line: arguments in, a command, its exit code out; what the user can mend becomes a message."""

from __future__ import annotations

import argparse
import errno
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.foreign import shown
from snntoolbox.ir.interrupts import ENDING
from snntoolbox.ir.places import noted
from snntoolbox.workflow.commands import COMMANDS, command, parser
from snntoolbox.workflow.memory import HINT, NO_MEMORY, out_of_memory
from snntoolbox.workflow.streams import give_up_output, safe_streams

_SURROUNDINGS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE, errno.ELOOP, errno.ESTALE),
}
"""Error numbers that tell of the machine and not of a defect; others keep their traceback."""

_CLEANING_SECONDS = 10.0
"""For so long a second signal does not stop what the first one has begun: the removal of what is not finished."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for anything that the user can mend, 1 if a check fails."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    first = next((a for a in arguments if not a.startswith("-")), None)
    if first is not None and first not in COMMANDS:
        if not os.path.exists(first) and (near := get_close_matches(first, COMMANDS, 1)):
            with safe_streams():
                return _fail(f"there is no command or file '{first}'\n  hint: did you mean {near[0]}?")
        arguments.insert(0, "run")  # `snntoolbox config.ini` is `snntoolbox run config.ini`
    with safe_streams():
        options = parser(*COMMANDS.keys() & set(arguments[:1])).parse_args(arguments)
        # Threads that wait for work must sleep: on a busy machine spinning ones make a run ten times as long.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        logging.basicConfig(level=logging.WARNING, force=True)
        logging.root.handlers[0].setFormatter(_Log())
        with _ended_by_signals(), noted() as places:
            return _guarded(options, places)


class _Log(logging.Formatter):
    """One message with its level; further lines cannot be taken for messages of their own."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The message."""
        return _indented(super().formatMessage(record))


class _Ended(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP raise, so that what was begun is cleaned up as after Ctrl-C, which they do not interrupt."""
    last = -math.inf

    def forget() -> None:
        nonlocal last
        last = -math.inf

    def end(number: int, frame: object) -> None:
        nonlocal last
        if time.monotonic() - last < _CLEANING_SECONDS:
            return
        last = time.monotonic()
        raise KeyboardInterrupt if number == signal.SIGINT else _Ended(number)

    main = threading.current_thread() is threading.main_thread()  # no other may set handlers
    handlers = {number: signal.getsignal(number) for number in ENDING}
    plain = (signal.SIG_DFL, signal.default_int_handler)
    ours = {number: handler for number, handler in handlers.items() if main and handler in plain}
    hook = sys.unraisablehook
    for number in ours:
        signal.signal(number, end)
    sys.unraisablehook = partial(_send_again, forget)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in ours.items():
            signal.signal(number, handler)


def _send_again(forget: Callable[[], None], unraisable: sys.UnraisableHookArgs) -> None:
    """A signal that came within a callback of a compiled library, which drops what is raised, is sent once more."""
    error = unraisable.exc_value
    if not isinstance(error, (_Ended, KeyboardInterrupt)):
        sys.__unraisablehook__(unraisable)
        return
    number = error.number if isinstance(error, _Ended) else signal.SIGINT
    forget()
    later = threading.Timer(0.05, os.kill, (os.getpid(), number))
    later.daemon = True
    later.start()


def _guarded(options: argparse.Namespace, places: list[Path]) -> int:
    """Run the command; what the user can mend becomes a message and exit code 2. `places` is what has been written."""
    code = 0
    try:
        code = command(options.command).execute(options) or 0
        sys.stdout.flush()
    except SNNToolboxError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail(f"interrupted; {_results(places)}")
    except _Ended as error:
        _fail(f"ended by {signal.Signals(error.number).name}; {_results(places)}")
        return 128 + error.number
    except SystemExit as end:  # of a plug-in, or a layer of the user's: no command of ours ends so
        return _fail(f"code that was run for this command ends the program: it calls exit({end.code!r})")
    except BrokenPipeError:  # whoever read our output has seen enough
        give_up_output()
    except OSError as error:
        if out_of_memory(error):
            return _fail(f"{NO_MEMORY}\n  hint: {HINT}")
        if error.errno not in _SURROUNDINGS:
            raise
        give_up_output()
        return _fail(f"{error.strerror}: '{error.filename}'" if error.filename else f"cannot write: {error.strerror}")
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return _fail(f"{NO_MEMORY}\n  hint: {HINT}")
    return code


def _results(places: list[Path]) -> str:
    """What there is of results after an interruption."""
    there = [f"'{shown(place)}'" for place in dict.fromkeys(places) if os.path.lexists(place)]
    if not there:
        return "results of earlier runs are as they were"
    more = f" and {len(there) - 3} more" if len(there) > 3 else ""
    return f"written before that, and whole: {', '.join(there[:3])}{more}"


def _fail(message: str) -> int:
    with suppress(OSError):  # nobody may be there to read it
        print(_indented(f"snntoolbox: {message}"), file=sys.stderr, flush=True)
    return 2


def _indented(text: str) -> str:
    """A message of which all lines but the first stand further in, whatever a name in it holds."""
    first, *others = text.split("\n")
    return "\n".join([first, *(line if line.startswith("  ") or not line else f"  {line}" for line in others)])


if __name__ == "__main__":
    sys.exit(main())
