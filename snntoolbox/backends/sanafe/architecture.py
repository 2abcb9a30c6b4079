"""Reads an architecture file of SANA-FE: which cores a chip has, what they hold, and what their units are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from snntoolbox.backends.sanafe.chips import BUNDLED
from snntoolbox.errors import BackendError
from snntoolbox.ir.regular_files import check_regular

SOMAS = ("leaky_integrate_fire", "truenorth")
"""Models of neurons that have a reset by subtraction."""

MOST_BYTES = 2**24
MOST_CORES = 2**20


@dataclass(frozen=True, kw_only=True)
class Core:
    """A core: how many neurons it takes, the model of its neurons, and the names of its units.

    `inputs` are units that play spikes, one for each source.
    """

    neurons: int
    model: str
    soma: str
    synapse: str
    dendrite: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Architecture:
    """A chip: its name, its file, and its cores in SANA-FE's order."""

    name: str
    path: Path
    cores: tuple[Core, ...]


def read_architecture(name: str) -> Architecture:
    """The architecture of a name or in a file; BackendError says what is wrong with it."""
    path = _bundled(name) if name in BUNDLED else Path(name)
    try:
        check_regular(path, BackendError)
        if path.stat().st_size > MOST_BYTES:
            raise BackendError(f"the architecture file '{path}' is too large to be one")
        data = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        hint = f"{' or '.join(BUNDLED)}, or an architecture file of SANA-FE (.yaml)"
        raise BackendError(f"there is no architecture '{name}'", hint=hint) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise BackendError(f"the architecture file '{path}' cannot be read: {error}") from error
    try:
        whole = data["architecture"]
        cores = tuple(_cores(whole["tile"], str(path)))
        return Architecture(name=str(whole["name"]), path=path, cores=cores)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"the architecture file '{path}' lacks something or has it in another form: {error!r}"
        raise BackendError(told, hint="sanafe's own loihi.yaml is an example") from error


def _bundled(name: str) -> Path:
    """The file of the package, which is not imported for it."""
    spec = find_spec("sanafe")
    if spec is None or spec.origin is None:
        raise BackendError("SANA-FE is not installed", hint="pip install 'snntoolbox[sanafe]'")
    return Path(spec.origin).parent / "examples" / f"{name}.yaml"


def _cores(tiles: Any, path: str) -> Iterator[Core]:
    """One for each core of each tile; names in brackets stand for several."""
    count = 0
    for tile in tiles:
        cores = [(len(_names(core["name"])), _core(core, path)) for core in tile["core"]]
        for _ in _names(tile["name"]):
            for copies, core in cores:
                count += copies
                if count > MOST_CORES:
                    raise BackendError(f"the architecture file '{path}' has more than {MOST_CORES:,} cores")
                yield from [core] * copies


def _core(data: Mapping[str, Any], path: str) -> Core:
    somas = _units(data["soma"])
    models = {name: model for name, model in somas if model in SOMAS}
    if not models:
        raise BackendError(
            f"the cores '{data['name']}' of '{path}' have no neurons that are known here",
            hint=f"a soma of the model {' or '.join(SOMAS)}",
        )
    dendrites = _units(data["dendrite"])
    soma, model = next(iter(models.items()))
    if (neurons := int(data["attributes"]["max_neurons_supported"])) < 1:
        raise ValueError(f"max_neurons_supported: {neurons}")
    return Core(
        neurons=neurons,
        model=model,
        soma=soma,
        synapse=_units(data["synapse"])[0][0],
        dendrite=next(name for name, kind in [*_of(dendrites, "accumulator"), *dendrites]),
        inputs=tuple(name for name, kind in somas if kind == "input"),
    )


def with_fewer_inputs(architecture: Architecture, count: int) -> str:
    """The text of the file with so many units for input spikes on each core: SANA-FE builds all of them each time."""
    data = yaml.safe_load(architecture.path.read_text("utf-8"))
    for tile in data["architecture"]["tile"]:
        for core in tile["core"]:
            for unit in core["soma"]:
                match = _RANGE.match(unit["name"])
                if match and unit["attributes"]["model"] == "input":
                    last = min(int(match[3]), int(match[2]) + max(count, 1) - 1)
                    unit["name"] = f"{match[1]}[{match[2]}..{last}]"
    return str(yaml.safe_dump(data))


def _of(units: list[tuple[str, str]], model: str) -> list[tuple[str, str]]:
    return [unit for unit in units if unit[1] == model]


def _units(data: Any) -> list[tuple[str, str]]:
    """Names and models, one by one."""
    return [(name, str(unit["attributes"]["model"])) for unit in data for name in _names(unit["name"])]


_RANGE = re.compile(r"^(.*)\[(\d+)\.\.(\d+)\]$")


def _names(text: str) -> list[str]:
    """All that a name stands for: core[0..3] are four."""
    match = _RANGE.match(text)
    if not match:
        return [text]
    first, last = int(match[2]), int(match[3])
    if last - first >= MOST_CORES:
        raise ValueError(f"'{text}' stands for more than {MOST_CORES:,}")
    return [f"{match[1]}[{number}]" for number in range(first, last + 1)]
