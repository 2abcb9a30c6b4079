"""Reads a table that says which layer or activation of Keras each custom object is, and puts these in their places.

A table is data. Code of custom objects is not run, neither from the model's file nor from one of Python: what a layer
computes could not be told from it. So a table may only name what is known here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.keras.activations import BY_NAME
from snntoolbox.frontends.keras.files import Saved
from snntoolbox.frontends.keras.handlers import HANDLERS
from snntoolbox.frontends.keras.weights import SAVED_AS
from snntoolbox.ir.regular_files import check_regular

log = logging.getLogger(__name__)

_FORM = '{"MyReLU": {"class_name": "ReLU", "config": {"max_value": 6}}, "my_swish": "silu"}'


@dataclass(frozen=True)
class Known:
    """A layer of Keras by its class name, with what its config has beside that of the custom one; or an activation."""

    kind: str
    config: Mapping[str, Any]

    @property
    def as_activation(self) -> Any:
        """What the config of another layer has as its activation."""
        if self.kind in BY_NAME:
            return self.kind
        config = {"name": self.kind.lower(), **self.config}
        return {"module": "keras.layers", "class_name": self.kind, "config": config, "registered_name": None}

    def as_layer(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The saved custom layer `entry` as this one."""
        own = {} if not isinstance(entry.get("config"), Mapping) else entry["config"]
        kind, config = self.kind, {**own, **self.config}
        if kind in BY_NAME and kind not in HANDLERS:
            kind, config = "Activation", {**({"name": own["name"]} if "name" in own else {}), "activation": kind}
        about = {"module": "keras.layers", "registered_name": None, SAVED_AS: entry["class_name"]}
        return {**entry, **about, "class_name": kind, "config": config}


Table = Mapping[str, Known]
"""The name of a custom object -> what it is."""


def read_table(path: Path) -> Table:
    """The table in a JSON file; FrontendError with all that is wrong in it.

    Each name has the class name of a layer or the name of an activation, as a text or with the layer's config. What has
    neither, as in files of the SNN Toolbox, is the config of a ReLU.
    """
    check_regular(path, FrontendError)
    if path.suffix == ".py":
        told = f"{path.name} is code, which is not run: what layers compute could not be told from it"
        raise FrontendError(told, hint=f"say in a JSON file what they are: {_FORM}")
    try:
        rows = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FrontendError(f"{path} does not exist", hint="correct paths.filepath_custom_objects") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FrontendError(f"{path} cannot be read as a table of custom objects: {error}", hint=_FORM) from error
    if not isinstance(rows, dict):
        raise FrontendError(f"{path} holds no table of custom objects", hint=_FORM)
    table = {name: _known(row) for name, row in rows.items()}
    wrong = [f"{name}: {_unknown(known)}" for name, known in table.items() if known is None or _unknown(known)]
    if wrong:
        raise FrontendError(f"{path} names what is not supported: {'; '.join(wrong)}", hint=_FORM)
    return {name: known for name, known in table.items() if known is not None}


def _known(row: Any) -> Known | None:
    if isinstance(row, str):
        return Known(row, {})
    if not isinstance(row, dict):
        return None
    if "class_name" not in row:
        return Known("ReLU", row)
    config = row.get("config", {})
    return Known(str(row["class_name"]), config) if isinstance(config, dict) else None


def _unknown(known: Known | None) -> str:
    """What is wrong with a row; empty where nothing is."""
    if known is None:
        return "it is neither a name nor a layer with its config"
    if known.kind in HANDLERS or known.kind in BY_NAME:
        return ""
    near = get_close_matches(known.kind, [*HANDLERS, *BY_NAME], 1)
    told = f"'{known.kind}' is no layer or activation that is supported"
    return f"{told}; did you mean {near[0]}?" if near else told


def with_known(saved: Saved, table: Table) -> Saved:
    """What a file holds, with what is known in the place of custom objects; Keras itself does not load that file then.

    A name of the table that is nowhere in the file is told.
    """
    if not table:
        return saved
    found: set[str] = set()
    config = _replaced(saved.config, "", table, found)
    if unused := [name for name in table if name not in found]:
        log.warning("%s has no %s: nothing is put in the place of it", saved.path.name, ", ".join(unused))
    return replace(saved, config=config, whole=False) if found else saved


def _replaced(value: Any, key: str, table: Table, found: set[str]) -> Any:
    """A part of an architecture that stands at `key`; names are noted in `found`."""
    if isinstance(value, list):
        return [_replaced(item, key, table, found) for item in value]
    activation = key.endswith("activation")
    name = _name(value, activation=activation)
    if name in table:
        found.add(name)
        if activation:
            return table[name].as_activation
        value = table[name].as_layer(value)
    if isinstance(value, Mapping):
        return {k: _replaced(v, k, table, found) for k, v in value.items()}
    return value


def _name(value: Any, *, activation: bool) -> str:
    """The name of a saved object without the package that it is registered in; empty where it is none."""
    if isinstance(value, Mapping) and "class_name" in value:
        named = value.get("config") if value["class_name"] == "function" else value["class_name"]
        return str(named).rpartition(">")[2]
    return value.rpartition(">")[2] if activation and isinstance(value, str) else ""
