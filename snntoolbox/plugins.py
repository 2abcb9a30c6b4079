"""Names to frontends and backends: ours and installed ones, found by entry points and imported on demand."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from snntoolbox.backends.protocol import Backend
from snntoolbox.errors import BackendError, FrontendError, SNNToolboxError
from snntoolbox.frontends.protocol import Frontend

FOLDER_HINT = (
    "name a model file in it; a TensorFlow SavedModel is turned into one with "
    "`python -m tf2onnx.convert --saved-model FOLDER --output model.onnx`"
)
FRONTENDS = "snntoolbox.frontends"
BACKENDS = "snntoolbox.backends"


@cache
def _found(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name; two different objects under one name are an error."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in found and found[point.name].value != point.value:
            values = f"{found[point.name].value} and {point.value}"
            raise SNNToolboxError(f"two plugins in {group} are named '{point.name}': {values}", hint="uninstall one")
        found[point.name] = point
    return dict(sorted(found.items()))


def names(group: str) -> list[str]:
    """The names in a group, sorted."""
    return list(_found(group))


def _load(group: str, name: str, kind: str, error: type[SNNToolboxError]) -> Any:
    found = _found(group)
    if name not in found:
        raise error(f"there is no {kind} named '{name}'", hint=f"known: {', '.join(found) or 'none'}")
    try:
        return found[name].load()()
    except (ImportError, AttributeError) as failure:
        where = f"{kind} '{name}' ({found[name].value})"
        raise error(f"the {where} cannot be loaded: {failure}", hint="reinstall or uninstall its package") from failure


def frontend(name: str) -> Frontend:
    """The frontend of this name; FrontendError lists the known ones."""
    return cast(Frontend, _load(FRONTENDS, name, "frontend", FrontendError))


def backend(name: str) -> Backend:
    """The backend of this name; BackendError lists the known ones."""
    return cast(Backend, _load(BACKENDS, name, "backend", BackendError))


def frontend_for(model: Any) -> Frontend:
    """The frontend that reads this file (by its ending) or takes this live object."""
    candidates = [frontend(name) for name in names(FRONTENDS)]
    if isinstance(model, (str, Path)):
        if Path(model).is_dir():
            raise FrontendError(f"'{model}' is a folder, not a model", hint=FOLDER_HINT)
        suffix = Path(model).suffix.lower()
        fitting = [f for f in candidates if suffix in f.suffixes]
        what, wanted = f"'{model}'", sorted({s for f in candidates for s in f.suffixes})
        hint = f"known endings: {', '.join(wanted)}; or name the frontend (model_lib)"
    else:
        fitting = [f for f in candidates if f.accepts(model)]
        what = f"an object of type {type(model).__module__}.{type(model).__qualname__}"
        hint = f"frontends asked: {', '.join(names(FRONTENDS))}"
    if not fitting:
        raise FrontendError(f"no frontend takes {what}", hint=hint)
    if len(fitting) > 1:
        raise FrontendError(f"{' and '.join(f.name for f in fitting)} both take {what}", hint="name the frontend")
    return fitting[0]
