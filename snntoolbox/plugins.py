"""Entry points of a group by name: what is installed, ours and others', imported on demand."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from snntoolbox.errors import SNNToolboxError


@cache
def entries(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name; two different objects under one name are an error."""
    points: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in points and points[point.name].value != point.value:
            values = f"{points[point.name].value} and {point.value}"
            raise SNNToolboxError(f"two plugins in {group} are named '{point.name}': {values}", hint="uninstall one")
        points[point.name] = point
    return dict(sorted(points.items()))


def names(group: str) -> list[str]:
    """The names in a group, sorted."""
    return list(entries(group))


def load(group: str, name: str, kind: str, error: type[SNNToolboxError]) -> Any:
    """The object of a name, made; `error` where there is none (it lists the known ones) or it cannot be loaded.

    `kind` is what such an object is called in messages.
    """
    points = entries(group)
    if name not in points:
        raise error(f"there is no {kind} named '{name}'", hint=f"known: {', '.join(points) or 'none'}")
    try:
        return points[name].load()()
    except (ImportError, AttributeError) as failure:
        where = f"{kind} '{name}' ({points[name].value})"
        raise error(f"the {where} cannot be loaded: {failure}", hint="reinstall or uninstall its package") from failure
