"""Names, files and live objects to frontends."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from snntoolbox import plugins
from snntoolbox.errors import FrontendError
from snntoolbox.frontends.converted import ConvertedFrontend
from snntoolbox.frontends.other_formats import format_of_file, refusal_of
from snntoolbox.frontends.protocol import BeginsAtTensors, Frontend, KnowsItsFiles
from snntoolbox.ir.regular_files import check_regular

log = logging.getLogger(__name__)

FRONTENDS = "snntoolbox.frontends"
"""The group of entry points."""

BEGIN: Mapping[str, str] = {
    "keras": "make a model of what is behind the layer: keras.Model(model.get_layer('NAME').output, model.output)",
    "pytorch": "give a module whose forward() begins with that tensor and keeps constant inputs as buffers",
}
"""How a model of a framework begins in its middle."""

FOLDER_HINT = "name a model file in it"


def frontend_names() -> list[str]:
    """The names of all frontends, sorted."""
    return plugins.names(FRONTENDS)


def frontend_named(name: str) -> Frontend:
    """The frontend of this name; FrontendError lists the known ones."""
    return cast(Frontend, plugins.load(FRONTENDS, name, "frontend", FrontendError))


def loadable_frontends() -> list[Frontend]:
    """All frontends; one of others that cannot be loaded is left out with a warning, as it may not be needed."""
    frontends = []
    for name in frontend_names():
        try:
            frontends.append(frontend_named(name))
        except FrontendError as error:
            log.warning("%s", error.message)
    return frontends


def _object_hint(model: Any) -> str:
    """What to give in place of an object that is no model."""
    if isinstance(model, type):
        return f"give a trained model, not its class: {model.__name__}(...) with its weights loaded"
    if isinstance(model, Mapping):
        return "a state dict has weights alone: give the model, with model.load_state_dict(weights)"
    return f"frontends asked: {', '.join(frontend_names())}"


def readers_of(path: Path, candidates: Sequence[Frontend]) -> list[Frontend]:
    """The frontends that read a file, by its ending; of several that have it, those that find the file to be theirs.

    `KnowsItsFiles` is for that. Where none finds so, all of them are given.
    """
    fitting = [f for f in candidates if path.suffix.lower() in f.suffixes]
    if len(fitting) < 2 or not any(isinstance(f, KnowsItsFiles) for f in fitting):
        return fitting
    check_regular(path, FrontendError)
    try:
        return [f for f in fitting if not isinstance(f, KnowsItsFiles) or f.reads(path)] or fitting
    except OSError as error:
        raise FrontendError(f"cannot read '{path}': {error.strerror or error}") from error


def by_converter(path: Path, python: str) -> Frontend | None:
    """The frontend of a file in a format that none reads, by its converter in an interpreter; None for other files."""
    other = format_of_file(path)
    if not python or other is None or other.converter is None:
        return None
    return ConvertedFrontend(other.kind, other.converter, python, frontend_named("onnx"))


def beginning_at(reader: Frontend, input_tensor: str, constant_inputs: Mapping[str, Any]) -> Frontend:
    """The frontend that reads models from this tensor on, these inputs as constants; FrontendError where it cannot."""
    if not input_tensor and not constant_inputs:
        return reader
    if isinstance(reader, BeginsAtTensors):
        return reader.beginning_at(input_tensor, constant_inputs)
    raise FrontendError(
        f"input_tensor and constant_inputs are for ONNX files, and this is a model of {reader.name}",
        hint=BEGIN.get(reader.name, "make a model of what is behind the tensor"),
    )


def frontend_for(model: Any, converter: str = "") -> Frontend:
    """The frontend that reads this file (by its ending) or takes this live object.

    `converter` is an interpreter with what makes ONNX of files that no frontend reads.
    """
    if isinstance(model, (str, Path)) and (found := by_converter(Path(model), converter)):
        return found
    candidates = loadable_frontends()
    if isinstance(model, (str, Path)):
        if Path(model).is_dir():
            folder = FrontendError(f"'{model}' is a folder, not a model", hint=FOLDER_HINT)
            raise refusal_of(model, FrontendError) or folder
        fitting = readers_of(Path(model), candidates)
        what, endings = f"'{model}'", sorted({s for f in candidates for s in f.suffixes})
        hint = f"known endings: {', '.join(endings)}; or name the frontend (model_lib)"
    else:
        fitting = [f for f in candidates if f.accepts(model)]
        what = f"an object of type {type(model).__module__}.{type(model).__qualname__}"
        hint = _object_hint(model)
    if not fitting:
        raise refusal_of(model, FrontendError) or FrontendError(f"no frontend takes {what}", hint=hint)
    if len(fitting) > 1:
        both = f"{' and '.join(f.name for f in fitting)} both take {what}"
        raise refusal_of(model, FrontendError) or FrontendError(both, hint="name the frontend")
    return fitting[0]
