"""Tells where the package index's other snntoolbox, the SNN Toolbox of 2017, is installed over or beside this one."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_THEIRS = ("parsing", "simulation", "datasets")
"""Folders that the SNN Toolbox has in its package, and this one has not."""

_BOTH = "uninstall both (pip uninstall snntoolbox, as often as it finds one) and install the one that you want"


def tell_of_namesakes(package: Path, paths: Iterable[str] | None = None) -> None:
    """Warn where files of the other are in this `package`, or it is installed in another of the `paths` of imports."""
    mixed = [name for name in _THEIRS if (package / name).is_dir()]
    if mixed:
        there = f"the SNN Toolbox of 2017 is installed over this snntoolbox: {package} holds its {', '.join(mixed)}"
        warnings.warn(f"{there}; {_BOTH}", stacklevel=3)
        return
    folders = dict.fromkeys(sys.path if paths is None else paths)
    versions = sorted({name for folder in folders for name in _installed(folder)})
    if len(versions) > 1:
        there = f"there are several installations called snntoolbox: {', '.join(versions)}; this is {package}"
        warnings.warn(f"{there}; {_BOTH}", stacklevel=3)


def _installed(folder: str) -> list[str]:
    """The installations of that name in a folder, by name and version."""
    with suppress(OSError), os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.lower().startswith("snntoolbox-")]
        ends = (".dist-info", ".egg-info", ".egg")
        return [n.rsplit(".", 1)[0].split("-py")[0] for n in names if n.endswith(ends)]
    return []
