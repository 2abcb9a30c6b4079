"""The network that ships with the package: a small CNN for digits in three formats, its data, its configurations.

It reads the 8 x 8 images of scikit-learn's digits set (E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten
Digits, UCI Machine Learning Repository, CC BY 4.0). ``examples/train_demo.py`` trained it and wrote all files here.
"""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from snntoolbox.errors import ConfigError, DataError
from snntoolbox.workflow.config.template import default_config_text

MODELS = {"onnx": "digits_cnn.onnx", "pytorch": "digits_cnn.pt2", "keras": "digits_cnn.keras"}
"""The file of the same trained network for each frontend; onnx needs nothing but the core of the package."""

DATA = ("x_test.npz", "y_test.npz", "x_norm.npz")
"""500 test samples (500, 8, 8) in [0, 1], their classes, and 500 training samples that set the thresholds."""


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

    A configuration that is already there is kept, as it may have been changed. DataError where it cannot be written.
    """
    destination = Path(destination)
    target = destination / f"demo_{framework}.ini"
    text = config(framework)
    try:
        destination.mkdir(parents=True, exist_ok=True)
        for name in (MODELS[framework], *DATA):
            shutil.copyfile(folder() / name, destination / name)
        if not target.exists():
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"the demo cannot be written to '{destination}': {error.strerror or error}", hint="choose another folder"
        ) from error
    return target


def _model(framework: str) -> str:
    if framework not in MODELS:
        raise ConfigError(f"there is no demo for '{framework}'", hint=f"choose one of {', '.join(MODELS)}")
    return MODELS[framework]
