"""The command line: arguments in, pipeline, text out; the only prints and the only exit codes."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox import __version__
from snntoolbox.errors import SNNToolboxError

if TYPE_CHECKING:
    from snntoolbox.pipeline import Run

COMMANDS = ("run", "init", "inspect", "demo")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, or 2 for anything that the user can mend."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    first = next((a for a in arguments if not a.startswith("-")), None)
    if first is not None and first not in COMMANDS:
        arguments.insert(0, "run")  # `snntoolbox config.ini` is `snntoolbox run config.ini`
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, force=True)
    try:
        options.command(options)
    except SNNToolboxError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted; results of earlier runs are as they were")
    except MemoryError:
        return _fail("not enough memory\n  hint: a smaller [simulation] batch_size needs less")
    except BrokenPipeError:
        sys.stderr.close()
    return 0


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
    run.set_defaults(command=_run)

    init = commands.add_parser("init", help="write a commented configuration for a model")
    init.add_argument("model", type=Path, help="the model file")
    init.add_argument("-o", "--output", type=Path, help="where to write (default: config.ini beside the model)")
    init.add_argument("--force", action="store_true", help="replace an existing file")
    init.set_defaults(command=_init)

    inspect = commands.add_parser("inspect", help="show a model's layers, what will spike, and what would be refused")
    inspect.add_argument("model", type=Path, help="the model file")
    inspect.add_argument("--maxpool-type", choices=("relu_tree", "gate"), default="relu_tree")
    inspect.set_defaults(command=_inspect)

    demo = commands.add_parser("demo", help="convert and run a small digit classifier that comes with the package")
    demo.add_argument("--framework", choices=("onnx", "keras", "pytorch"), default="onnx", help="the model's format")
    demo.add_argument("--folder", type=Path, default=Path("snntoolbox-demo"), help="where to work")
    demo.set_defaults(command=_demo)
    return parser


def _run(options: argparse.Namespace) -> None:
    from snntoolbox.config import load_config

    _run_config(load_config(options.config, options.set))


def _run_config(settings: Any) -> None:
    from snntoolbox.pipeline import run

    logging.getLogger().setLevel({0: logging.ERROR, 1: logging.WARNING}.get(settings.output.verbose, logging.INFO))
    _show(run(settings))


def _show(run: Run) -> None:
    """The short tables at the end of a run."""
    from rich.console import Console

    from snntoolbox.report.terminal import AccuracyRow, accuracy_table, layer_rows, layer_table

    console = Console()
    report, samples = run.report, run.report["samples"]
    names = {"ann_accuracy": "ANN", "parsed_accuracy": "parsed", "snn_accuracy_unquantized": "SNN, float weights"}
    rows = [AccuracyRow(network=n, accuracy=report[k], samples=samples) for k, n in names.items() if k in report]
    if "snn_accuracy" in report:
        label = f"SNN, {report['duration']} ms on {report['simulator']}"
        rows.append(AccuracyRow(network=label, accuracy=report["snn_accuracy"], samples=samples))
    if run.network is not None and run.statistics is not None:
        layers = layer_rows(run.network, run.statistics.mean_rates, run.statistics.correlations)
        console.print(layer_table(layers))
    if rows:
        console.print(accuracy_table(rows))
    if "agreement" in report:
        console.print(f"The spiking network agrees with the original on {report['agreement']:.1%} of {samples} samples.")
    if "snn_error" in report:
        console.print(f"Error of the spiking network: rmse {report['snn_error']['rmse']:.4g}.")
    if "synaptic_operations" in report and "ann_operations" in report:
        spiking, analogue = report["synaptic_operations"], report["ann_operations"]
        console.print(f"Operations per sample: {spiking:,.0f} synaptic, {analogue:,} in the ANN.")
    console.print(f"Report: {run.settings.paths.log_dir_of_current_run / 'report.json'}", soft_wrap=True)


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
    head = f"# {path.name} takes samples of shape ({shape}): x_test.npz and x_norm.npz hold arrays (samples, {shape}).\n"
    try:
        target.write_text(head + default_config_text(values))
    except OSError as error:
        raise ConfigError(f"cannot write '{target}': {error.strerror}") from None
    print(f"Wrote {target}. Put x_test.npz, y_test.npz and x_norm.npz beside the model, then: snntoolbox {target}")


def _inspect(options: argparse.Namespace) -> None:
    from snntoolbox.conversion import Recipe, check_on_probe, convert, lower, simplify
    from snntoolbox.models import find_model

    model: Path = options.model
    frontend, path = find_model(model.parent, model.name, "auto")
    opened = frontend.open(path)
    parsed = frontend.parse(opened)
    graph = simplify(parsed)
    difference = check_on_probe(graph, frontend, opened)
    print(f"{path} ({frontend.name})\n")
    print(graph.summary())
    print(f"\nEqual to the original on random input: largest difference {difference:.1g} of the output's scale.")
    folded = [n.label for name, n in parsed.nodes.items() if name not in graph.nodes and n.kind == "Scale"]
    if folded:
        print(f"Folded into weights: {', '.join(folded)}.")
    recipe = Recipe(max_pool=options.maxpool_type)
    lower(graph, recipe)
    print("\nAs a spiking network (thresholds from the weights alone, for want of data):\n")
    print(convert(graph, recipe=recipe).summary())


def _demo(options: argparse.Namespace) -> None:
    from snntoolbox import demo
    from snntoolbox.config import load_config

    config = demo.copy_to(options.folder, options.framework)
    print(f"Converting {config} …")
    _run_config(load_config(config))


if __name__ == "__main__":
    sys.exit(main())
