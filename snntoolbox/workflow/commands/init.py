"""``snntoolbox init``: a commented configuration for a model."""

from __future__ import annotations

import argparse
from pathlib import Path

from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.commands.shared_options import add_force, add_set


def add_options(parser: argparse.ArgumentParser) -> None:
    """The model, and where to write."""
    parser.add_argument("model", type=Path, help="the model file")
    parser.add_argument("-o", "--output", type=Path, help="where to write (default: config.ini beside the model)")
    add_force(parser, "replace an existing file")
    add_set(parser, "write one key as it is here")


def execute(options: argparse.Namespace) -> Outcome:
    """Write the file, with what shape its samples must have."""
    from snntoolbox.conversion.load import bounded
    from snntoolbox.errors import ConfigError
    from snntoolbox.frontends.registry import frontend_names
    from snntoolbox.ir.foreign import shown
    from snntoolbox.ir.writing import write_text
    from snntoolbox.workflow.config.load import model_settings
    from snntoolbox.workflow.config.naming import canonical
    from snntoolbox.workflow.config.raw_config import read_overrides
    from snntoolbox.workflow.config.template import default_config_text
    from snntoolbox.workflow.models import find_model

    model: Path = options.model
    converter = model_settings(model, options.set).input.converter_python
    frontend, path = find_model(model.parent, model.name, "auto", converter)
    target: Path = options.output or path.with_name("config.ini")
    if target.exists() and not options.force:
        raise ConfigError(f"'{target}' exists", hint="--force replaces it, -o names another file")
    with bounded():
        graph = frontend.parse(frontend.open(path))
    values = {"paths.filename_ann": path.name, "input.model_lib": frontend.name}
    if frontend.name not in frontend_names():
        del values["input.model_lib"]
    values |= {".".join(key): text for key, text in canonical(read_overrides(options.set), last=True).texts.items()}
    if target.parent.resolve() != path.parent.resolve():
        values["paths.path_wd"] = str(path.parent.resolve())
    shape = ", ".join(str(n) for n in graph.shapes[graph.inputs[0]])
    arrays = f"x_test.npz and x_norm.npz hold arrays (samples, {shape})"
    head = f"# {shown(path.name)} takes samples of shape ({shape}): {arrays}.\n"
    write_text(target, head + default_config_text(values))
    name = shown(target)
    print(f"Wrote {name}. Put x_test.npz, y_test.npz and x_norm.npz beside the model, then: snntoolbox {name}")
    return Outcome({"config": target, "model": path, "shape": graph.shapes[graph.inputs[0]]})
