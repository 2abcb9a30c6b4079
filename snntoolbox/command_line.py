"""What may be said on the command line: the commands and their options."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from snntoolbox import __version__

COMMANDS = ("run", "compare", "diagnose", "tune", "deploy", "init", "inspect", "capabilities", "demo")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; `command` of what it gives is the name of one."""
    whole = argparse.ArgumentParser(
        prog="snntoolbox",
        description="Turn a trained neural network into a spiking one and run it.",
        epilog="`snntoolbox config.ini` is short for `snntoolbox run config.ini`.",
    )
    whole.add_argument("--version", action="version", version=f"snntoolbox {__version__}")
    commands = whole.add_subparsers(metavar="command", required=True)

    run = commands.add_parser("run", help="convert and simulate as a configuration file says")
    run.add_argument("config", type=Path, help="the configuration file")
    run.add_argument("-t", "--terminal", action="store_true", help="accepted and ignored: there is no window to open")
    run.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one key")
    run.add_argument("--force", action="store_true", help="take a network that is too large for the simulator")
    run.set_defaults(command="run")

    compare = commands.add_parser("compare", help="run the same network on several simulators, spike by spike")
    compare.add_argument("config", type=Path, help="the configuration file")
    compare.add_argument(
        "--simulators", required=True, metavar="A,B,...", help="which; the first that runs is the reference"
    )
    compare.add_argument("--samples", type=int, metavar="N", help="how many test samples (num_to_test)")
    compare.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one key")
    compare.add_argument("--force", action="store_true", help="take a network that is too large for a simulator")
    compare.set_defaults(command="compare")

    diagnose = commands.add_parser("diagnose", help="run, say what the errors come from, and try what makes them less")
    diagnose.add_argument("config", type=Path, help="the configuration file")
    diagnose.add_argument("--seconds", type=float, default=60.0, help="about how long to try settings (default: 60)")
    diagnose.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one key")
    diagnose.set_defaults(command="diagnose")

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
    tune.set_defaults(command="tune")

    _add_deploy(commands)

    init = commands.add_parser("init", help="write a commented configuration for a model")
    init.add_argument("model", type=Path, help="the model file")
    init.add_argument("-o", "--output", type=Path, help="where to write (default: config.ini beside the model)")
    init.add_argument("--force", action="store_true", help="replace an existing file")
    init.set_defaults(command="init")

    inspect = commands.add_parser("inspect", help="show a model's layers, what will spike, and what would be refused")
    inspect.add_argument("model", type=Path, help="the model file")
    inspect.add_argument("--maxpool-type", choices=("relu_tree", "gate"), help="short for conversion.maxpool_type")
    inspect.add_argument("--simulator", default="", metavar="NAME", help="say what this simulator could not run")
    inspect.add_argument("--force", action="store_true", help="take a network that is too large for the simulator")
    inspect.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="choose one key")
    inspect.set_defaults(command="inspect")

    capabilities = commands.add_parser("capabilities", help="show what each simulator runs, and which are installed")
    capabilities.add_argument("--json", action="store_true", help="print it as JSON")
    capabilities.set_defaults(command="capabilities")

    demo = commands.add_parser("demo", help="convert and run a small digit classifier that comes with the package")
    demo.add_argument("--framework", choices=("onnx", "keras", "pytorch"), default="onnx", help="the model's format")
    demo.add_argument("--folder", type=Path, default=Path("snntoolbox-demo"), help="where to work")
    demo.set_defaults(command="demo")
    return whole


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
    deploy.set_defaults(command="deploy")


def _numbers(text: str) -> list[int]:
    """Whole numbers between commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of whole numbers such as 8,16,32") from None


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
