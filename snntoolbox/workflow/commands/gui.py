"""``snntoolbox gui``: a page in the browser of this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from snntoolbox.workflow.commands.outcome import Outcome


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where, and how it is reached."""
    parser.add_argument("folder", type=Path, nargs="?", default=Path(), help="the working folder (default: this one)")
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    parser.add_argument("--upload-mib", type=_size, default=256, metavar="N", help="largest file that is sent (256)")


def execute(options: argparse.Namespace) -> Outcome:
    """Serve the page until Ctrl-C."""
    from snntoolbox.ir.foreign import shown
    from snntoolbox.workflow.gui.library import nicegui
    from snntoolbox.workflow.models import check_folder
    from snntoolbox.workflow.progress_lines import tell

    check_folder(options.folder, hint="name a folder that is there, or none for this one")
    nicegui()
    from snntoolbox.workflow.gui.server import serve

    with _door(options.folder) as door:

        def ready(address: str) -> None:
            tell("ready", address=address)
            print(f"{address}\nThe page works in '{shown(options.folder.resolve())}'. Ctrl-C ends it.", flush=True)
            if not options.no_browser:
                _open(address, door)

        serve(options.folder, port=options.port, most_bytes=options.upload_mib * 2**20, ready=ready)
    return Outcome({"folder": options.folder.resolve()})


@contextmanager
def _door(folder: Path) -> Iterator[IO[str]]:
    """A file of the owner's alone in the folder; ConfigError where none can be written there."""
    import tempfile

    from snntoolbox.errors import ConfigError
    from snntoolbox.ir.foreign import shown

    try:
        door = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below
            "w", dir=folder, prefix="snntoolbox-gui-", suffix=".html", delete=False
        )
    except OSError as error:
        told = f"cannot write into the working folder '{shown(folder.resolve())}': {error.strerror}"
        raise ConfigError(told, hint="choose a folder that you may write into") from error
    try:
        with door:
            yield door
    finally:
        with suppress(OSError):  # the folder may be gone
            Path(door.name).unlink()


def _open(address: str, door: IO[str]) -> None:
    """Open the browser by a file that its owner alone reads: all users of a machine see the arguments of programs."""
    import webbrowser

    door.write(f'<!DOCTYPE html><meta http-equiv="refresh" content="0;url={address}"><title>snntoolbox</title>')
    door.flush()
    webbrowser.open(Path(door.name).absolute().as_uri())


def _port(text: str) -> int:
    return _number(text, 0, 65535)


def _size(text: str) -> int:
    return _number(text, 1, 4096)


def _number(text: str, low: int, high: int) -> int:
    if not text.isdigit() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from {low} to {high}")
    return int(text)
