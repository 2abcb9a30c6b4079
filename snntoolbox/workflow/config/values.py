"""Text of a configuration value to a Python value of the wanted type, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from snntoolbox.ir.float32 import held
from snntoolbox.workflow.config.arithmetic import worked_out

CHARACTERS = {"newline": "\n", "return": "\r"}
"""What no line of a file can hold: the names by which values refer to it, as ``%(newline)s``."""
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_NAMES = re.compile(r"[A-Za-z_]\w*(\s*,\s*[A-Za-z_]\w*)*")


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("True or False") from None


def _integer(text: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    value = _worked_out(text, "an integer")
    if type(value) is not int or abs(value) >= 10**18:
        raise ValueError("an integer")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = _worked_out(text, "a number")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a number")
    return _in_range(value)


def _in_range(value: float) -> float:
    try:
        value = float(value)
    except OverflowError:  # of an integer
        value = math.inf
    if not math.isfinite(value):
        raise ValueError("a number")
    if not held(value):
        raise ValueError("a number that float32, in which simulators compute, can hold (1e-45 to 3e38)")
    return value


def _worked_out(text: str, expected: str) -> Any:
    try:
        return worked_out(text)
    except ValueError:
        raise ValueError(expected) from None


def _names(text: str) -> frozenset[str]:
    """A set, list or tuple of strings, or bare names separated by commas; ``{}`` and empty text are the empty set."""
    if _NAMES.fullmatch(text):
        return frozenset(name.strip() for name in text.split(","))
    expected = "a set of names such as {'all'}"
    value = _worked_out(text, expected) if text else ()
    items = (value,) if isinstance(value, str) else value
    if items != {} and not isinstance(items, (set, list, tuple)):
        raise ValueError(expected)
    if not all(isinstance(item, str) for item in items):
        raise ValueError(expected)
    return frozenset(items)


def _name_list(text: str) -> tuple[str, ...]:
    """A list of names in order, or bare ones separated by commas."""
    expected = "a name or a list of names such as ['normalization.percentile', 'simulation.duration']"
    bare = [part.strip() for part in text.split(",")]
    items = bare if all(re.fullmatch(r"[\w.]+", part) for part in bare) else _worked_out(text, expected)
    items = [items] if isinstance(items, str) else items
    if not isinstance(items, (list, tuple)) or not items or not all(isinstance(item, str) and item for item in items):
        raise ValueError(expected)
    return tuple(items)


def _indices(text: str) -> tuple[int, ...]:
    expected = "a list of integers, none below 0, such as [0, 4, 7]"
    value = _worked_out(text, expected)
    if not isinstance(value, (list, tuple)) or not all(type(item) is int and item >= 0 for item in value):
        raise ValueError(expected)
    return tuple(value)


def _pair(text: str) -> tuple[int, int] | None:
    expected = "a pair of whole numbers above 0 such as (240, 180)"
    value = _worked_out(text, expected) if text not in ("", "None") else None
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(type(n) is int and n > 0 for n in value):
        raise ValueError(expected)
    return value[0], value[1]


def _shape(text: str) -> tuple[int, ...] | None:
    expected = "whole numbers above 0 such as (3, 224, 224)"
    value = _worked_out(text, expected) if text not in ("", "None", "()") else None
    if value is None:
        return None
    sizes = value if isinstance(value, (list, tuple)) else (value,)
    if not sizes or not all(type(n) is int and n > 0 for n in sizes):
        raise ValueError(expected)
    return tuple(sizes)


def _numbers(text: str) -> tuple[float, ...]:
    expected = "a list of different numbers above 0, such as [1, 0.5]"
    value = _worked_out(text, expected)
    items = value if isinstance(value, (list, tuple)) else (value,)
    if not items or not all(type(item) in (int, float) and 0 < item < math.inf for item in items):
        raise ValueError(expected)
    if len({*items}) < len(items):
        raise ValueError(expected)
    return tuple(_in_range(item) for item in items)


def _range(text: str) -> tuple[float, float] | None:
    if not text or text == "[]":
        return None
    expected = "a list of a lower and a higher number, such as [-1, 2]; empty is none"
    value = _worked_out(text, expected)
    if not isinstance(value, (list, tuple)) or not all(type(item) in (int, float) for item in value):
        raise ValueError(expected)
    if len(value) != 2 or not -math.inf < value[0] < value[1] < math.inf:
        raise ValueError(expected)
    return _in_range(value[0]), _in_range(value[1])


def _values(text: str) -> tuple[object, ...]:
    expected = "a list of values such as [16, 32, 64]"
    value = _worked_out(text, expected)
    if not isinstance(value, (list, tuple)):
        raise ValueError(expected)
    return tuple(value)


def _mapping(text: str) -> dict[str, object]:
    expected = "a dictionary with string keys, written as {'name': 1}"
    value = _worked_out(text, expected)
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ValueError(expected)
    return value


def unquoted(text: str) -> str:
    """Return the text without quotes around the whole of it: both ways of writing strings are in use."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


_PARSERS: dict[Any, Callable[[str], object]] = {
    bool: _boolean,
    int: _integer,
    int | None: lambda text: _integer(text) if text else None,
    float: _number,
    str: unquoted,
    Path: lambda text: Path(unquoted(text)),
    Path | None: lambda text: Path(unquoted(text)) if text else None,
    frozenset[str]: _names,
    tuple[str, ...]: _name_list,
    tuple[int, ...]: _indices,
    tuple[int, int] | None: _pair,
    tuple[int, ...] | None: _shape,
    tuple[float, ...]: _numbers,
    tuple[float, float] | None: _range,
    tuple[object, ...]: _values,
    Mapping[str, object]: _mapping,
}


def parse(text: str, kind: Any) -> Any:
    """Return `text` as a value of the annotation `kind`; the message of a ValueError is what was expected."""
    return _PARSERS[kind](text)


def is_default(text: str, default: Any) -> bool:
    """Return whether `text` spells `default` or is empty, whatever the way of writing it."""
    if text in ("", str(default)):
        return True
    try:
        if isinstance(default, bool):
            return _boolean(text) == default
        value = worked_out(text)
    except ValueError:
        return False
    return bool(value == default and not isinstance(value, bool))


def show(value: object) -> str:
    """Return the text that `parse` reads back as `value`; sets are sorted."""
    if value is None:
        return ""
    if isinstance(value, frozenset):
        return "{" + ", ".join(repr(item) for item in sorted(value)) + "}"
    if isinstance(value, tuple):
        return repr(list(value))
    text = str(value)
    # Spaces at the ends would be cut off, and quotes around the whole of it too.
    return f"'{text}'" if isinstance(value, str | Path) and (text != text.strip() or text != unquoted(text)) else text


def spelled(value: object) -> str:
    """Return what stands for `value` in a file or an override: `show`, with what has a meaning there spelled out."""
    return escaped(show(value))


def escaped(text: str) -> str:
    """Return a text with spelled out what has a meaning in a file."""
    text = text.replace("%", "%%")
    for name, character in CHARACTERS.items():
        text = text.replace(character, f"%({name})s")
    return text
