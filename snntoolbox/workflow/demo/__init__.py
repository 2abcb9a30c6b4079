"""The network that ships with the package: a small CNN for digits in three formats, its data, its configurations.

It reads the 8 x 8 images of scikit-learn's digits set (E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten
Digits, UCI Machine Learning Repository, CC BY 4.0). ``examples/train_demo.py`` trained it and wrote all files here.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from snntoolbox.errors import ConfigError, DataError
from snntoolbox.ir.writing import write_bytes, write_text
from snntoolbox.workflow.config.template import default_config_text

MODELS = {"onnx": "digits_cnn.onnx", "pytorch": "digits_cnn.pt2", "keras": "digits_cnn.keras"}
"""The file of the same trained network for each frontend; onnx needs nothing but the core of the package."""

DATA = ("x_test.npz", "y_test.npz", "x_norm.npz")
"""500 test samples (500, 8, 8) in [0, 1], their classes, and 500 training samples that set the thresholds."""


_ELSEWHERE = "choose another folder"


def folder() -> Path:
    """The folder of all these files."""
    return Path(str(resources.files(__name__)))


def config(framework: str = "onnx") -> str:
    """A commented configuration that converts the network, for the folder to which its files are copied."""
    return default_config_text(
        {
            "paths.filename_ann": _model(framework),
            "paths.runlabel": f"demo_{framework}",
            "simulation.duration": 64,
            "simulation.batch_size": 100,
            "simulation.num_to_test": -1,
        }
    )


def copy_to(destination: str | Path, framework: str = "onnx") -> Path:
    """Copy the network and its data, write its configuration; returns the path of that file.

    A configuration that is already there is kept, as it may have been changed. DataError where it cannot be written,
    or where a file of the user's has a name that one of these has.
    """
    destination = Path(destination)
    target = destination / f"demo_{framework}.ini"
    text = config(framework)
    if destination.resolve() == folder().resolve():
        raise DataError(f"the demo cannot be written to '{destination}', where it comes from", hint=_ELSEWHERE)
    try:
        destination.mkdir(parents=True, exist_ok=True)
        files = {name: (folder() / name).read_bytes() for name in (MODELS[framework], *DATA)}
        there = {name for name in files if os.path.lexists(destination / name)}
        if others := sorted(name for name in there if (destination / name).read_bytes() != files[name]):
            raise DataError(f"'{destination}' has other files of the names {', '.join(others)}", hint=_ELSEWHERE)
        for name in files.keys() - there:
            write_bytes(destination / name, files[name])
        if not target.exists():
            write_text(target, text)
    except OSError as error:
        raise DataError(
            f"the demo cannot be written to '{destination}': {error.strerror or error}", hint=_ELSEWHERE
        ) from error
    return target


def _model(framework: str) -> str:
    if framework not in MODELS:
        raise ConfigError(f"there is no demo for '{framework}'", hint=f"choose one of {', '.join(MODELS)}")
    return MODELS[framework]
