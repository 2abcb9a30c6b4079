"""The command line: arguments in, pipeline, text out; the only prints and the only exit codes."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox.command_line import COMMANDS, parser
from snntoolbox.errors import SNNToolboxError

if TYPE_CHECKING:
    from snntoolbox.pipeline import Run

_SURROUNDINGS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE, errno.ELOOP, errno.ESTALE),
}
"""Error numbers that tell of the machine and not of a defect; others keep their traceback."""

_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
"""What is logged for each [output] verbose."""

_WIDTH = 120
"""Columns of tables that go to a file or a pipe."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for anything that the user can mend, 1 if a check fails."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    first = next((a for a in arguments if not a.startswith("-")), None)
    if first is not None and first not in COMMANDS:
        arguments.insert(0, "run")  # `snntoolbox config.ini` is `snntoolbox run config.ini`
    options = parser().parse_args(arguments)
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
        code = _COMMANDS[options.command](options) or 0
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


def _deploy(options: argparse.Namespace) -> int:
    """Exit code 0, or 1 if something that was checked failed; missing tools are told and are no failure."""
    from snntoolbox.deployment.deploy import Wanted
    from snntoolbox.deployment.from_settings import deploy_settings, deployment_settings
    from snntoolbox.deployment.report import in_words

    settings = deployment_settings(options.config, options.set)
    _set_log_level(settings.output.verbose)
    wanted = Wanted(**{field.name: getattr(options, field.name) for field in fields(Wanted)})
    found = deploy_settings(settings, options.output, wanted)
    for line in in_words(found.measured):
        print(line)
    print(f"Report: {found.folder / 'report.md'}")
    return 1 if any(check.outcome == "failed" for check in found.measured.checks) else 0


def _run(options: argparse.Namespace) -> None:
    from snntoolbox.config import load_config

    settings = load_config(options.config, options.set)
    if settings.parameter_sweep.param_values:
        _sweep(options, settings)
    else:
        _run_config(settings, force=options.force)


def _diagnose(options: argparse.Namespace) -> None:
    from snntoolbox.config import load_config

    needed = ["output.diagnosis=True", "tools.simulate=True"]
    _run_config(load_config(options.config, [*options.set, *needed]), advise=options.seconds)


def _tune(options: argparse.Namespace) -> int:
    """Exit code 0, or 1 where the target is not reached."""
    from snntoolbox.config import load_config
    from snntoolbox.tuned import tune_config

    _set_log_level(load_config(options.config, options.set).output.verbose)
    wanted = {name: getattr(options, name) for name in ("steps", "agreement", "operations", "budget", "keep")}
    found = tune_config(options.config, options.set, output=options.output, force=options.force, **wanted)
    print(f"{found.tuning}\n\nReport: {found.folder / 'tune.json'}\nWrote {found.config}: snntoolbox {found.config}")
    return 0 if found.tuning.reached else 1


def _run_config(settings: Any, *, force: bool = False, advise: float | None = None) -> None:
    from snntoolbox.pipeline import run

    _set_log_level(settings.output.verbose)
    found = run(settings, force=force, advise=advise)
    _show(found)
    if found.failure is not None:
        raise found.failure


def _set_log_level(verbose: int) -> None:
    logging.getLogger().setLevel(logging.WARNING if verbose else logging.ERROR)
    logging.getLogger("snntoolbox").setLevel(_LEVELS[verbose])


def _compare(options: argparse.Namespace) -> int:
    """Exit code 0 if all ran and no raster differs beyond rounding, 1 if one does, 2 if a simulator did not finish."""
    from rich.console import Console

    from snntoolbox.comparing import compare_settings
    from snntoolbox.comparison.table import in_words, population_table, side_table
    from snntoolbox.config import load_config

    samples = [] if options.samples is None else [f"simulation.num_to_test={options.samples}"]
    settings = load_config(options.config, [*options.set, *samples])
    _set_log_level(settings.output.verbose)
    simulators = [name.strip() for name in options.simulators.split(",") if name.strip()]
    found, folder = compare_settings(settings, simulators, force=options.force)
    console = Console() if sys.stdout.isatty() or os.environ.get("COLUMNS") else Console(width=80)
    console.print(side_table(found))
    if any(side.compared for side in found.sides):
        console.print(population_table(found))
    print(in_words(found))
    print(f"Report: {folder / 'compare.json'}")
    if any(side.compared for side in found.sides) and not found.as_expected:
        return 1
    return 0 if found.complete else 2


def _sweep(options: argparse.Namespace, settings: Any) -> None:
    """One run for each value of [parameter_sweep], and a table of all of them."""
    from rich.console import Console

    from snntoolbox.report.terminal import sweep_table
    from snntoolbox.sweeps import sweep

    _set_log_level(settings.output.verbose)
    found = sweep(options.config, overrides=options.set, force=options.force)
    console = Console() if sys.stdout.isatty() or os.environ.get("COLUMNS") else Console(width=_WIDTH)
    console.print(sweep_table(found.name, found.values, found.reports))
    print(f"All results: {settings.paths.log_dir_of_current_run}")


def _show(run: Run) -> None:
    """The short tables at the end of a run."""
    from rich.console import Console

    from snntoolbox.report.ending import run_told

    console = Console() if sys.stdout.isatty() or os.environ.get("COLUMNS") else Console(width=_WIDTH)
    for part in run_told(run.report, run.network, run.statistics):
        console.print(part)
    if run.advise is not None:
        print(f"\n{run.diagnosis}\n")
    console.print(f"Report: {run.folder / 'report.json'}", soft_wrap=True)


def _init(options: argparse.Namespace) -> None:
    from snntoolbox.config import default_config_text
    from snntoolbox.errors import ConfigError
    from snntoolbox.models import find_model

    model: Path = options.model
    frontend, path = find_model(model.parent, model.name, "auto")
    target: Path = options.output or path.with_name("config.ini")
    if target.exists() and not options.force:
        raise ConfigError(f"'{target}' exists", hint="--force replaces it, -o names another file")
    graph = frontend.parse(frontend.open(path))
    values = {"paths.filename_ann": path.name, "input.model_lib": frontend.name}
    if target.parent.resolve() != path.parent.resolve():
        values["paths.path_wd"] = str(path.parent.resolve())
    shape = ", ".join(str(n) for n in graph.shapes[graph.inputs[0]])
    arrays = f"x_test.npz and x_norm.npz hold arrays (samples, {shape})"
    head = f"# {path.name} takes samples of shape ({shape}): {arrays}.\n"
    try:
        target.write_text(head + default_config_text(values))
    except OSError as error:
        raise ConfigError(f"cannot write '{target}': {error.strerror}") from None
    print(f"Wrote {target}. Put x_test.npz, y_test.npz and x_norm.npz beside the model, then: snntoolbox {target}")


def _capabilities(options: argparse.Namespace) -> None:
    from snntoolbox import plugins
    from snntoolbox.report.capability_table import capability_data, text_table

    backends = {name: plugins.backend(name).capabilities for name in plugins.names(plugins.BACKENDS)}
    if options.json:
        print(json.dumps(capability_data(backends), indent=2))
    else:
        print(text_table(backends), end="")


def _inspect(options: argparse.Namespace) -> None:
    from snntoolbox.inspection import inspect

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
    overrides = [*options.set, *([f"conversion.maxpool_type={options.maxpool_type}"] if options.maxpool_type else [])]
    chosen = {"simulator": options.simulator, "force": options.force}
    # The table of thresholds says itself that they follow from the weights alone.
    logging.getLogger("snntoolbox").setLevel(logging.ERROR)
    for paragraph in inspect(options.model, overrides, **chosen, width=width):
        print(paragraph, flush=True)


def _demo(options: argparse.Namespace) -> None:
    from snntoolbox import demo
    from snntoolbox.config import load_config

    config = demo.copy_to(options.folder, options.framework)
    print(f"Converting {config} …")
    _run_config(load_config(config))


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int | None]] = {
    "run": _run,
    "compare": _compare,
    "diagnose": _diagnose,
    "tune": _tune,
    "deploy": _deploy,
    "init": _init,
    "inspect": _inspect,
    "capabilities": _capabilities,
    "demo": _demo,
}


if __name__ == "__main__":
    sys.exit(main())
