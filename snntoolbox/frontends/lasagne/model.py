"""An opened Lasagne model: what the network gives as expressions of its input, with its parameters set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.lasagne.expressions import Expression
from snntoolbox.frontends.lasagne.files import located, read_parameters
from snntoolbox.frontends.lasagne.layers import InputLayer, Layer
from snntoolbox.frontends.lasagne.moving_layers import UnknownLayer
from snntoolbox.frontends.lasagne.networks import get_all_layers, get_output, set_all_param_values
from snntoolbox.frontends.lasagne.standins import standing_in
from snntoolbox.frontends.user_code import failing, run_code
from snntoolbox.ir.node import Shape

BUILD = "build_network"


@dataclass(frozen=True, eq=False)
class LasagneModel:
    """`inputs` are the expressions of the data, by name with the shape of a sample; `outputs` what is made of them."""

    name: str
    inputs: Mapping[str, tuple[Expression, Shape]]
    outputs: tuple[Expression, ...]


def open_model(path: Path, input_shape: Shape | None) -> LasagneModel:
    """The network of the user's file with its parameters; FrontendError where it cannot be built."""
    code, file = located(path)
    arrays = read_parameters(file)
    with standing_in(code.parent):
        ends = _built(code)
        layers = get_all_layers(ends)
        inputs = _inputs(layers, input_shape)
        if not any(isinstance(layer, UnknownLayer) for layer in layers):  # it may have parameters; it will be refused
            try:
                set_all_param_values(ends, arrays)
            except ValueError as error:
                raise FrontendError(f"'{file}' does not fit the network of '{code}': {error}") from error
        given = {layer: expression for layer, (expression, _) in inputs.items()}
        with failing(f"the network of '{code}'", BUILD):
            outputs = get_output(ends, given, deterministic=True)
    named: dict[str, tuple[Expression, Shape]] = {}
    for i, (layer, pair) in enumerate(inputs.items()):
        named[layer.name or ("input" if len(inputs) == 1 else f"input{i + 1}")] = pair
    return LasagneModel(code.stem, named, tuple(outputs))


def _built(code: Path) -> list[Layer]:
    """The last layers of the network that the user's file builds."""
    module = run_code(code, BUILD)
    build = getattr(module, BUILD, None)
    if not callable(build):
        raise FrontendError(f"'{code}' defines no function {BUILD}()")
    with failing(f"{BUILD}() in '{code}'", BUILD):
        made = build()
    if isinstance(made, Mapping):
        made = made.get("model", [*made.values()])
    ends = [m for m in (made if isinstance(made, list | tuple) else [made]) if isinstance(m, Layer)]
    if not ends:
        raise FrontendError(
            f"{BUILD}() in '{code}' returns no layer of Lasagne", hint="return {'model': the last layer}"
        )
    return ends


def _inputs(layers: list[Any], input_shape: Shape | None) -> dict[Any, tuple[Expression, Shape]]:
    """The input layers with their expressions and the shapes of a sample."""
    free = [layer for layer in layers if isinstance(layer, InputLayer)]
    if input_shape is not None and len(free) > 1:
        raise FrontendError(f"the network has {len(free)} inputs, and input_shape is for one")
    inputs = {}
    for layer in free:
        known = layer.shape[1:]
        shape = known if input_shape is None else tuple(input_shape)
        if None in shape or not shape:
            raise FrontendError(f"an InputLayer leaves its sizes open: {layer.shape}", hint="give input_shape")
        fits = len(shape) == len(known) and all(k in (None, n) for k, n in zip(known, shape, strict=True))
        if not fits:
            raise FrontendError(f"input_shape {shape} does not fit the network's {known}")
        inputs[layer] = (Expression("input", shape=(None, *shape)), tuple(int(n or 0) for n in shape))
    return inputs
