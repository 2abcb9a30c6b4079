"""Checks that arguments and fields are of the types that their annotations name."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from functools import cache, wraps
from inspect import Parameter, signature
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

import numpy as np

from snntoolbox.errors import ArgumentError

P = ParamSpec("P")
R = TypeVar("R")

_PLAIN: Mapping[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool, np.bool_), "True or False"),
    int: ((Integral,), "whole number"),
    float: ((Real,), "number"),
    str: ((str,), "text"),
    type(None): ((type(None),), "None"),
}
"""Annotation -> what may stand for it, and its name. True and False are no numbers."""


_MADE_BY = {
    "Graph": "snntoolbox.load(model)",
    "SpikingNetwork": "snntoolbox.convert(graph, calibration_data)",
    "Record": "snntoolbox.Record(spikes=True), for instance",
    "Recipe": "snntoolbox.Recipe(...)",
}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which first refuses arguments that are not what its annotations say, with an ArgumentError.

    All of them are named at once, with what to give instead. Data and what ``**options`` take are checked by whoever
    reads them.
    """
    parameters = signature(function).parameters
    variadic = {n for n, p in parameters.items() if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        hints = _hints(function)
        try:
            given = signature(function).bind(*args, **kwargs).arguments
        except TypeError as error:
            raise ArgumentError(f"{function.__name__}: {error}", hint=_how_to_call(function, kwargs)) from None
        known = {n: v for n, v in given.items() if n in hints and n not in variadic and not _data(hints[n])}
        wrong = {n: text for n, v in known.items() if (text := misfit(v, hints[n]))}
        if wrong:
            told = "; ".join(f"{name} = {_shown(known[name])} is no {text}" for name, text in wrong.items())
            hint = "; ".join(_instead(parameters[name], text) for name, text in wrong.items())
            raise ArgumentError(f"{function.__name__}: {told}", hint=hint)
        return function(*args, **kwargs)

    return call


STEPS = ("steps", "timesteps", "time_steps", "num_steps", "n_steps", "num_timesteps", "n_timesteps", "timestep")
"""What other packages call the number of steps, `T`."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The name that was meant by one that is not known."""
    known = list(known)
    if name.lower() in STEPS and "T" in known:
        return "T"
    return next(iter(get_close_matches(name, known, 1)), None)


def _how_to_call(function: Callable[..., Any], named: Mapping[str, Any]) -> str:
    """The nearest name of an argument that is not known, else all of them."""
    known = [n for n, p in signature(function).parameters.items() if p.kind is not p.VAR_KEYWORD]
    near = [f"did you mean {meant} instead of {n}?" for n in named if n not in known and (meant := nearest(n, known))]
    return near[0] if near else f"it takes {', '.join(known)}; by name all behind the first few"


def misfits(item: Any, names: Iterable[str] = ()) -> list[str]:
    """For each field of a dataclass (or those `names`) whose value is not what its annotation says: what is wrong."""
    return misfits_of(type(item), {name: getattr(item, name) for name in names or (f.name for f in fields(item))})


def misfits_of(kind: type, values: Mapping[str, Any]) -> list[str]:
    """The same for values that are to become fields of `kind`."""
    hints = _hints(kind)
    found = {name: misfit(value, hints[name]) for name, value in values.items()}
    return [f"{name} = {_shown(values[name])} is no {text}" for name, text in found.items() if text]


def misfit(value: Any, annotation: Any) -> str:
    """What the value is not, in words; empty where it is, or where the annotation says more than is looked at here."""
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    if any(_fits(value, option) for option in options):
        return ""
    names = [name for option in options if (name := _name(option)) != "None"]
    return " or ".join(dict.fromkeys(names))


def _fits(value: Any, annotation: Any) -> bool:
    if annotation in _PLAIN:
        kinds = _PLAIN[annotation][0]
        return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
    origin = typing.get_origin(annotation) or annotation
    if origin is np.ndarray:
        return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)
    if origin is Sequence or origin is tuple or origin is frozenset:
        return _all_fit(value, typing.get_args(annotation))
    if annotation is not Any and isinstance(origin, type) and not getattr(origin, "_is_protocol", False):
        return isinstance(value, origin)
    return True  # protocols, literals, variables of types: whoever uses the value knows


def _all_fit(value: Any, kinds: tuple[Any, ...]) -> bool:
    """Whether it is a row of values, each of the kind that is named."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return False
    kind = kinds[0] if kinds else Any
    if kind not in _PLAIN:
        return True
    return not isinstance(value, Sequence | np.ndarray) or all(_fits(v, kind) for v in value)


def _data(annotation: Any) -> bool:
    """Whether it is an array or may be one."""
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return any(typing.get_origin(option) is np.ndarray for option in options)


def _instead(parameter: Parameter, text: str) -> str:
    """What to give for a parameter that must be `text`."""
    name = parameter.name
    if made := _MADE_BY.get(text):
        return f"{name} = {made}"
    return f"{name}: a {text}" + ("" if parameter.default is parameter.empty else f", {parameter.default!r} by default")


def _name(annotation: Any) -> str:
    if isinstance(annotation, types.UnionType):
        return " or ".join(_name(option) for option in typing.get_args(annotation))
    if annotation in _PLAIN:
        return _PLAIN[annotation][1]
    origin = typing.get_origin(annotation) or annotation
    if origin is np.ndarray:
        return "array"
    if origin is Sequence or origin is tuple or origin is frozenset:
        kinds = [_name(kind) for kind in typing.get_args(annotation)[:1]]
        return " of ".join(["row", *(f"{kind}s" if kind != "text" else "texts" for kind in kinds)])
    return str(getattr(origin, "__name__", origin))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a value of type {type(value).__name__}"


@cache
def _hints(owner: Any) -> dict[str, Any]:
    return typing.get_type_hints(owner)
