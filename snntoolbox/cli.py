"""The command line: arguments in, pipeline, text out; the only prints and the only exit codes."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox import __version__
from snntoolbox.errors import SNNToolboxError

if TYPE_CHECKING:
    from snntoolbox.pipeline import Run

COMMANDS = ("run", "compare", "diagnose", "tune", "deploy", "init", "inspect", "capabilities", "demo")

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
    options = _parser().parse_args(arguments)
    # Threads that wait for work must sleep: on a busy machine spinning ones make a run ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, force=True)
    return _guarded(options)


def _guarded(options: argparse.Namespace) -> int:
    """Run the command; what the user can mend becomes a message and exit code 2."""
    code = 0
    try:
        code = options.command(options) or 0
        sys.stdout.flush()
    except SNNToolboxError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted; results of earlier runs are as they were")
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="snntoolbox",
        description="Turn a trained neural network into a spiking one and run it.",
        epilog="`snntoolbox config.ini` is short for `snntoolbox run config.ini`.",
    )
    parser.add_argument("--version", action="version", version=f"snntoolbox {__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)

    run = commands.add_parser("run", help="convert and simulate as a configuration file says")
    run.add_argument("config", type=Path, help="the configuration file")
    run.add_argument("-t", "--terminal", action="store_true", help="accepted and ignored: there is no window to open")
    run.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one key")
    run.add_argument("--force", action="store_true", help="take a network that is too large for the simulator")
    run.set_defaults(command=_run)

    compare = commands.add_parser("compare", help="run the same network on several simulators, spike by spike")
    compare.add_argument("config", type=Path, help="the configuration file")
    compare.add_argument(
        "--simulators", required=True, metavar="A,B,...", help="which; the first that runs is the reference"
    )
    compare.add_argument("--samples", type=int, metavar="N", help="how many test samples (num_to_test)")
    compare.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one key")
    compare.add_argument("--force", action="store_true", help="take a network that is too large for a simulator")
    compare.set_defaults(command=_compare)

    diagnose = commands.add_parser("diagnose", help="run, say what the errors come from, and try what makes them less")
    diagnose.add_argument("config", type=Path, help="the configuration file")
    diagnose.add_argument("--seconds", type=float, default=60.0, help="about how long to try settings (default: 60)")
    diagnose.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one key")
    diagnose.set_defaults(command=_diagnose)

    tune = commands.add_parser("tune", help="search the settings that reach a target, on the calibration data")
    tune.add_argument("config", type=Path, help="the configuration file")
    tune.add_argument("--steps", type=_numbers, default=(), metavar="N,N,...", help="numbers of time steps to try")
    tune.add_argument("--agreement", type=float, metavar="SHARE", help="find the fewest steps that reach it, say 0.99")
    tune.add_argument("--operations", type=float, metavar="N", help="most synaptic operations per sample")
    tune.add_argument("--budget", type=float, default=120.0, metavar="SECONDS", help="how long to try (default: 120)")
    tune.add_argument("--keep", type=_names, default=(), metavar="AXIS,...", help="what stays as it is, such as coding")
    tune.add_argument("-o", "--output", type=Path, help="where to write (default: tuned.ini beside the configuration)")
    tune.add_argument("--force", action="store_true", help="replace an existing file")
    tune.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one key")
    tune.set_defaults(command=_tune)

    _add_deploy(commands)

    init = commands.add_parser("init", help="write a commented configuration for a model")
    init.add_argument("model", type=Path, help="the model file")
    init.add_argument("-o", "--output", type=Path, help="where to write (default: config.ini beside the model)")
    init.add_argument("--force", action="store_true", help="replace an existing file")
    init.set_defaults(command=_init)

    inspect = commands.add_parser("inspect", help="show a model's layers, what will spike, and what would be refused")
    inspect.add_argument("model", type=Path, help="the model file")
    inspect.add_argument("--maxpool-type", choices=("relu_tree", "gate"), default="relu_tree")
    inspect.add_argument("--simulator", default="", metavar="NAME", help="say what this simulator could not run")
    inspect.add_argument("--force", action="store_true", help="take a network that is too large for the simulator")
    inspect.set_defaults(command=_inspect)

    capabilities = commands.add_parser("capabilities", help="show what each simulator runs, and which are installed")
    capabilities.add_argument("--json", action="store_true", help="print it as JSON")
    capabilities.set_defaults(command=_capabilities)

    demo = commands.add_parser("demo", help="convert and run a small digit classifier that comes with the package")
    demo.add_argument("--framework", choices=("onnx", "keras", "pytorch"), default="onnx", help="the model's format")
    demo.add_argument("--folder", type=Path, default=Path("snntoolbox-demo"), help="where to work")
    demo.set_defaults(command=_demo)
    return parser


def _add_deploy(commands: Any) -> None:
    deploy = commands.add_parser("deploy", help="write the network as a checked hardware project for an FPGA")
    deploy.add_argument("config", type=Path, help="the configuration file")
    deploy.add_argument("--target", required=True, metavar="NAME", help="artix7, ice40, ecp5 or generic")
    deploy.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where to write")
    deploy.add_argument("--device", default="", metavar="NAME", help="another device of the target than its first")
    deploy.add_argument("--samples", type=int, default=3, metavar="N", help="test samples of the test bench (3)")
    deploy.add_argument("--clock-mhz", type=float, default=0.0, metavar="MHZ", help="clock of the report")
    deploy.add_argument("--lanes", type=int, default=1, metavar="N", help="neurons that a layer updates at once (1)")
    deploy.add_argument("--membrane-bits", type=int, default=0, metavar="N", help="refuse wider potentials")
    deploy.add_argument("--saturate", action="store_true", help="clip potentials to --membrane-bits instead")
    deploy.add_argument("--queue", type=int, default=4, metavar="N", help="words of each queue of spikes (4)")
    deploy.add_argument("--sim-seconds", type=float, default=600, metavar="S", help="limit of each simulation (600)")
    deploy.add_argument("--synth-seconds", type=float, default=600, metavar="S", help="limit of each synthesis step")
    deploy.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one key")
    deploy.add_argument("--force", action="store_true", help="replace an earlier deployment; write what does not fit")
    deploy.set_defaults(command=_deploy)


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


def _numbers(text: str) -> list[int]:
    """Whole numbers between commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of whole numbers such as 8,16,32") from None


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


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

    from snntoolbox.report.terminal import AccuracyRow, accuracy_table, layer_rows, layer_table

    console = Console() if sys.stdout.isatty() or os.environ.get("COLUMNS") else Console(width=_WIDTH)
    report, samples = run.report, run.report["samples"]
    names = {"ann_accuracy": "ANN", "parsed_accuracy": "parsed", "snn_accuracy_unquantized": "SNN, float weights"}
    known = {k: n for k, n in names.items() if report.get(k) is not None}
    rows = [AccuracyRow(network=n, accuracy=report[k], samples=samples) for k, n in known.items()]
    if report["snn_accuracy"] is not None:
        label = f"SNN, {report['duration']} ms on {report['simulator']}"
        rows.append(AccuracyRow(network=label, accuracy=report["snn_accuracy"], samples=samples))
    if run.network is not None and run.statistics is not None:
        layers = layer_rows(run.network, run.statistics.mean_rates, run.statistics.correlations)
        console.print(layer_table(layers))
    if rows:
        console.print(accuracy_table(rows))
    if "agreement" in report:
        share = f"{report['agreement']:.1%} of {samples} samples"
        console.print(f"The spiking network agrees with the original on {share}.")
    if report.get("throughput") and report["latency_steps"] * report["throughput"]["one_membrane"] > 1:
        one, two = (1 / report["throughput"][key] for key in ("one_membrane", "two_membranes"))
        latency = f"An answer takes {report['latency_steps']} steps"
        console.print(f"{latency}; a sample can follow every {one:.0f} ({two:.0f} with two membranes per neuron).")
    if exits := report.get("early_exit"):
        kept = f"the prediction after all steps on {exits['agreement']:.1%} of {samples} samples"
        console.print(f"Early exit: {exits['mean_steps']:.1f} steps on average, {kept}.")
    for key, name in {"parsed_error": "model", "snn_error": "spiking network"}.items():
        if key in report:
            console.print(f"Error of the {name}: rmse {report[key]['rmse']:.4g}, largest {report[key]['largest']:.4g}.")
    spiking, analogue = report["synaptic_operations"], report["ann_operations"]
    if spiking is not None and analogue is not None:
        console.print(f"Operations per sample: {spiking:,.0f} synaptic, {analogue:,} in the ANN.")
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
    chosen = {"max_pool": options.maxpool_type, "simulator": options.simulator, "force": options.force}
    # The table of thresholds says itself that they follow from the weights alone.
    logging.getLogger("snntoolbox").setLevel(logging.ERROR)
    for paragraph in inspect(options.model, **chosen, width=width):
        print(paragraph, flush=True)


def _demo(options: argparse.Namespace) -> None:
    from snntoolbox import demo
    from snntoolbox.config import load_config

    config = demo.copy_to(options.folder, options.framework)
    print(f"Converting {config} …")
    _run_config(load_config(config))


if __name__ == "__main__":
    sys.exit(main())
