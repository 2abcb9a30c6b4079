"""The commands: one file each, with its options and what it does; a new one is a file and a line here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol

from snntoolbox.workflow.commands.outcome import Outcome

COMMANDS: Mapping[str, str] = {
    "run": "convert and simulate as a configuration file says",
    "compare": "run the same network on several simulators, spike by spike",
    "diagnose": "run, say what the errors come from, and try what makes them less",
    "tune": "search the settings that reach a target, on the calibration data",
    "export": "write the network for another tool or for a chip",
    "deploy": "write the network as a checked hardware project for an FPGA",
    "init": "write a commented configuration for a model",
    "inspect": "show a model's layers, what will spike, and what would be refused",
    "capabilities": "show what each simulator runs and each exporter writes, and which are installed",
    "completion": "print a script that completes commands and options in a shell",
    "gui": "set, run and look at networks on a page in the browser",
    "demo": "convert and run a small digit classifier that comes with the package",
}
"""The name of each and what it is for; the module of that name beside this file is imported when it is asked for."""


class Command(Protocol):
    """What such a module holds."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare what may be said behind the name."""

    def execute(self, options: argparse.Namespace) -> Outcome | int | None:
        """Do it, and print what people read of it; an exit code alone (None: 0) has no report.

        Errors of snntoolbox are told and give exit code 2.
        """


def command(name: str) -> Command:
    """The command of this name."""
    module: Command = import_module(f"{__name__}.{name}")  # type: ignore[assignment]
    return module


class UsageError(SystemExit):
    """What is wrong with the arguments has been told; `message` says it once more."""

    def __init__(self, message: str) -> None:
        super().__init__(2)
        self.message = message


class Parser(argparse.ArgumentParser):
    """Tells what is wrong as argparse does, and raises it."""

    def error(self, message: str) -> NoReturn:
        """Tell it, and end."""
        self.print_usage(sys.stderr)
        print(f"{self.prog}: error: {message}", file=sys.stderr)
        raise UsageError(message)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that takes a third of the time of `--help`."""

    def __call__(self, parser: argparse.ArgumentParser, *parsed: object) -> None:
        from importlib.metadata import version

        print(f"snntoolbox {version('snntoolbox')}")
        parser.exit()


def parser(*names: str) -> argparse.ArgumentParser:
    """The parser of the command line: all commands by name and text, with their options those named (none: all)."""
    whole = Parser(
        prog="snntoolbox",
        description="Turn a trained neural network into a spiking one and run it.",
        epilog="`snntoolbox config.ini` is short for `snntoolbox run config.ini`.",
    )
    whole.add_argument("--version", action=_Version, nargs=0, help="say which version this is, and end")
    commands = whole.add_subparsers(metavar="command", required=True)
    for name, text in COMMANDS.items():
        part = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name in (names or COMMANDS):
            command(name).add_options(part)
            part.add_argument("-q", "--quiet", action="store_true", help="print nothing but what makes it fail")
            part.add_argument("--progress", type=Path, metavar="FILE", help="tell it what happens, as lines of JSON")
            part.add_argument("--end-with-input", action="store_true", help="stop when standard input ends")
            part.add_argument("--json", action="store_true", help="print the report as JSON, and nothing else")
        part.set_defaults(command=name)
    return whole
