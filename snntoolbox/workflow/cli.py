"""The command line: arguments in, a command, its exit code out; what the user can mend becomes a message."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, Self

from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.foreign import shown
from snntoolbox.ir.interrupts import ENDING
from snntoolbox.ir.places import noted
from snntoolbox.workflow.commands import COMMANDS, UsageError, command, parser
from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.end_with_input import end_with_input
from snntoolbox.workflow.memory import HINT, NO_MEMORY, out_of_memory
from snntoolbox.workflow.progress_lines import told_to
from snntoolbox.workflow.streams import end_output, give_up_output, safe_streams, silent, silent_output

_SURROUNDINGS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE, errno.ELOOP, errno.ESTALE),
}
"""Error numbers that tell of the machine and not of a defect; others keep their traceback."""

_CLEANING_SECONDS = 10.0
"""For so long a second signal does not stop what the first one has begun: the removal of what is not finished."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for anything that the user can mend, 1 if a check fails."""
    return _main(list(sys.argv[1:] if argv is None else argv), _Signals())


def program() -> NoReturn:
    """The same as the whole process: signals that come while the interpreter ends change nothing any more."""
    code = _main(sys.argv[1:], _Signals(to_the_end=True))
    if "--json" in sys.argv:
        end_output()
    sys.exit(code)


def _main(arguments: list[str], signals: _Signals) -> int:
    first = next((a for a in arguments if not a.startswith("-")), None)
    if first is not None and first not in COMMANDS:
        if not os.path.exists(first) and (near := get_close_matches(first, COMMANDS, 1)):
            with safe_streams():
                return _fail(f"there is no command or file '{first}'\n  hint: did you mean {near[0]}?")
        arguments.insert(0, "run")  # `snntoolbox config.ini` is `snntoolbox run config.ini`
    with safe_streams():
        try:
            options = parser(*COMMANDS.keys() & set(arguments[:1])).parse_args(arguments)
        except UsageError as error:
            if "--json" in arguments:
                _print_json(_failure(error.message, "UsageError"))
            raise
        # Threads that wait for work must sleep: on a busy machine spinning ones make a run ten times as long.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        logging.basicConfig(level=logging.WARNING, force=True)
        logging.root.handlers[0].setFormatter(_Log())
        with signals, noted() as places:
            return _guarded(options, places, signals)


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


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C. After a plain KeyboardInterrupt within `exec` the interpreter dies of it at its end, caught or not."""


class _Signals:
    """SIGTERM and SIGHUP raise, so that what was begun is cleaned up as after Ctrl-C, which they do not interrupt.

    A context manager. Once it is `over`, everything being written and told, signals change nothing within it, and with
    `to_the_end` behind it neither.
    """

    def __init__(self, *, to_the_end: bool = False) -> None:
        self.to_the_end = to_the_end
        self.over = False
        self._last = -math.inf
        self._handlers: dict[int, Any] = {}
        self._hook = sys.unraisablehook

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()  # no other may set handlers
        handlers = {number: signal.getsignal(number) for number in ENDING}
        plain = (signal.SIG_DFL, signal.default_int_handler)
        self._handlers = {number: handler for number, handler in handlers.items() if main and handler in plain}
        self._hook, sys.unraisablehook = sys.unraisablehook, self._send_again
        for number in self._handlers:
            signal.signal(number, self._end)
        return self

    def __exit__(self, *error: object) -> None:
        self.over = True
        sys.unraisablehook = self._hook
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_IGN if self.to_the_end else handler)

    def _end(self, number: int, frame: object) -> None:
        if self.over or time.monotonic() - self._last < _CLEANING_SECONDS:
            return
        self._last = time.monotonic()
        raise _Interrupted if number == signal.SIGINT else _Ended(number)

    def _send_again(self, unraisable: sys.UnraisableHookArgs) -> None:
        """A signal that came within a callback of a compiled library, which drops what is raised, is sent once more."""
        error = unraisable.exc_value
        if not isinstance(error, (_Ended, KeyboardInterrupt)):
            sys.__unraisablehook__(unraisable)
            return
        number = error.number if isinstance(error, _Ended) else signal.SIGINT
        self._last = -math.inf
        later = threading.Timer(0.05, os.kill, (os.getpid(), number))
        later.daemon = True
        later.start()


def _guarded(options: argparse.Namespace, places: list[Path], signals: _Signals) -> int:
    """Run the command; what the user can mend becomes one message and exit code 2. `places` is what has been written.

    Where a signal comes before all is told, it is the message, whatever else there was to say.
    """
    try:
        code, message = _as_wanted(options)
        signals.over = True
    except KeyboardInterrupt:
        code, message = 2, f"interrupted; {_results(places)}"
    except _Ended as error:
        name = signal.Signals(error.number).name
        code, message = 128 + error.number, f"ended by {name}; {_results(places)}"
    except Exception as error:  # a defect, of which people get the traceback
        if options.json:
            _print_json(_failure(str(error) or "a defect", type(error).__name__))
        raise
    signals.over = True
    if message:
        _fail(str(message))
        if options.json:
            _print_json(_failure(message))
    return code


def _as_wanted(options: argparse.Namespace) -> tuple[int, SNNToolboxError | str]:
    """Run the command, printing what is wanted: what people read, the report as JSON, or nothing."""
    with ExitStack() as stack:
        if options.quiet:
            stack.enter_context(silent())
        if options.quiet or options.json:
            stack.enter_context(silent_output())
        code, report, message = _carried_out(options)
    if options.json and not message:
        _print_json(report)
    return code, message


def _print_json(report: Any) -> None:
    """Data as JSON, or a file of it as it is; letters that a terminal obeys are escapes of JSON."""
    from snntoolbox.ir.writing import json_text

    data = json.loads(report.read_text("utf-8")) if isinstance(report, Path) else report
    with suppress(BrokenPipeError):
        print(json.dumps(json.loads(json_text(data)), indent=2), flush=True)


def _failure(error: SNNToolboxError | str, kind: str = "Ended") -> dict[str, Any]:
    """What JSON says in place of a report; the same is told on standard error."""
    if isinstance(error, str):
        return {"error": {"kind": kind, "message": error}}
    about = {"kind": type(error).__name__, "message": error.message, "layer": error.layer, "hint": error.hint}
    return {"error": {key: value for key, value in about.items() if value}}


def _carried_out(options: argparse.Namespace) -> tuple[int, Any, SNNToolboxError | str]:
    """Run the command: its exit code, its report, and what is to be said of its end, if anything."""
    outcome = Outcome(None)
    try:
        if options.end_with_input:
            end_with_input()
        with told_to(options.progress):
            ended = command(options.command).execute(options)
        outcome = ended if isinstance(ended, Outcome) else Outcome(None, ended or 0)
        sys.stdout.flush()
        return outcome.code, outcome.report, ""
    except SNNToolboxError as error:
        return 2, None, error
    except SystemExit as end:  # of a plug-in, or a layer of the user's: no command of ours ends so
        return 2, None, f"code that was run for this command ends the program: it calls exit({end.code!r})"
    except BrokenPipeError:  # whoever read our output has seen enough
        give_up_output()
        return outcome.code, outcome.report, ""
    except OSError as error:
        if out_of_memory(error):
            return 2, None, f"{NO_MEMORY}\n  hint: {HINT}"
        if error.errno not in _SURROUNDINGS:
            raise
        give_up_output()
        return 2, None, f"{error.strerror}: '{error.filename}'" if error.filename else f"cannot write: {error.strerror}"
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return 2, None, f"{NO_MEMORY}\n  hint: {HINT}"


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
    program()
