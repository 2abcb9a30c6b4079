"""``snntoolbox completion``: a script that completes commands and options in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snntoolbox.workflow.commands.outcome import Outcome

_SHELLS = ("bash", "zsh", "tcsh")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which shell."""
    parser.add_argument("shell", choices=_SHELLS, help='for instance: eval "$(snntoolbox completion bash)"')


def execute(options: argparse.Namespace) -> Outcome:
    """Print the script."""
    from snntoolbox.errors import SNNToolboxError
    from snntoolbox.workflow.commands import parser

    try:
        import shtab
    except ImportError as error:
        hint = "pip install 'snntoolbox[completion]'"
        raise SNNToolboxError("completion needs shtab, which is not installed", hint=hint) from error
    whole = parser()
    for action in _actions(whole):
        if action.type is Path:
            action.complete = shtab.FILE
    script = str(shtab.complete(whole, options.shell))
    print(script)
    return Outcome({"shell": options.shell, "script": script})


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """All options and arguments, those of commands too."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                yield from _actions(part)
