"""Which board the user's own settings of sPyNNaker name."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

NAMING = ("machine_name", "spalloc_server", "remote_spinnaker_url")
"""Each of them says where a board is."""

HIDDEN, BESIDE = ".spynnaker.cfg", "spynnaker.cfg"
"""The user's settings, of which sPyNNaker 7.4 takes one file, and those for what runs in a folder, which go before."""

HOW = (
    "write into ~/.spynnaker.cfg, below [Machine], machine_name = ADDRESS and version = 5 (of the board), or "
    "spalloc_server = ADDRESS and spalloc_user = NAME for boards that are shared"
)


def missing() -> str:
    """What keeps sPyNNaker from having a board; empty where its settings name one. Nobody calls the board."""
    there = [path for path in _places() if path.is_file()]
    if not there:
        return f"no board is named: there is no {shown(Path.home() / HIDDEN)}"
    if len(there) > 1:
        return f"there are {' and '.join(map(shown, there))}, and sPyNNaker takes one alone"
    if (beside := Path(BESIDE).absolute()).is_file():
        there.append(beside)
    names = " and ".join(map(shown, there))
    chosen = _Settings(interpolation=None)
    try:
        for path in there:
            chosen.read(path, encoding="utf-8")
            chosen.read(chosen.machine("machine_spec_file"), encoding="utf-8")
    except (OSError, ValueError, configparser.Error) as error:
        return f"{names} cannot be read: {error}"
    if chosen.machine("virtual_board").lower() in ("true", "t", "yes", "y", "on", "1"):
        return f"the board of {names} is virtual, on which nothing runs"
    return "" if any(map(chosen.machine, NAMING)) else f"no board is named in {names}"


def shown(path: Path) -> str:
    """A path as people write it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _places() -> list[Path]:
    """Where sPyNNaker looks for the user's settings."""
    system = os.environ.get("XDG_CONFIG_DIRS", "").split(os.pathsep)[0] or "/etc/xdg"
    user = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return [Path(folder) / HIDDEN for folder in (system, user, Path.home())]


class _Settings(configparser.ConfigParser):
    """Names of options are as sPyNNaker takes them: in upper or lower case, with underscores or without."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr.lower().replace("_", "")

    def machine(self, option: str) -> str:
        """An option of the machine; empty where it is none."""
        value = self.get("Machine", option, fallback="").strip()
        return "" if value.lower() == "none" else value
