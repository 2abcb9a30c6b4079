"""Stand-ins for what Lasagne does with networks of layers: their order, outputs and parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from snntoolbox.frontends.lasagne.expressions import Expression, Shared
from snntoolbox.frontends.lasagne.layers import InputLayer


def get_all_layers(layer: Any, treat_as_input: Iterable[Any] | None = None) -> list[Any]:
    """All layers that one or several depend on, each behind what it reads, in Lasagne's order."""
    queue = list(layer) if isinstance(layer, list | tuple) else [layer]
    seen, done, result = set(treat_as_input or ()), set(), []
    while queue:
        first = queue[0]
        if first is None:
            queue.pop(0)
        elif first not in seen:
            seen.add(first)
            before = getattr(first, "input_layers", None) or [getattr(first, "input_layer", None)]
            queue[:0] = before
        else:
            queue.pop(0)
            if first not in done:
                done.add(first)
                result.append(first)
    return result


def get_output(layer_or_layers: Any, inputs: Any = None, **kwargs: Any) -> Any:
    """The outputs of layers as expressions; `inputs` replace the variables of the input layers."""
    several = isinstance(layer_or_layers, list | tuple)
    ends = list(layer_or_layers) if several else [layer_or_layers]
    given = inputs if isinstance(inputs, dict) else {}
    values: dict[Any, Any] = dict(given)
    for place, layer in enumerate(get_all_layers(ends, given)):
        if isinstance(layer, InputLayer):
            values.setdefault(layer, layer.input_var if inputs is None or given else inputs)
        elif layer not in values:
            values[layer] = output_of(layer, f"{type(layer).__name__}_{place}", values, **kwargs)
    return [values[end] for end in ends] if several else values[ends[0]]


def output_of(layer: Any, name: str, values: dict[Any, Any], **kwargs: Any) -> Any:
    """What one layer makes of the values of those before it, as an expression that knows its shape and its layer."""
    read = getattr(layer, "input_layers", None) or [layer.input_layer]
    if any(x not in values for x in read):
        raise ValueError(f"the layer '{layer.name or name}' has no input, or reads its own output")
    before = [values[x] for x in read]
    outside = Expression.where
    Expression.where = outside or (type(layer).__name__, layer.name or name)
    try:
        made = layer.get_output_for(before if hasattr(layer, "input_layers") else before[0], **kwargs)
        return Expression("layer", made, shape=layer.output_shape)
    finally:
        Expression.where = outside


def get_all_params(layer: Any, unwrap_shared: bool = True, **tags: Any) -> list[Any]:
    """The parameters of all layers, each once."""
    listed = (p for one in get_all_layers(layer) for p in one.get_params(unwrap_shared=unwrap_shared, **tags))
    return list(dict.fromkeys(listed))


def get_all_param_values(layer: Any, **tags: Any) -> list[Any]:
    """Their values."""
    return [p.get_value() for p in get_all_params(layer, **tags)]


def set_all_param_values(layer: Any, values: Sequence[Any], **tags: Any) -> None:
    """Set them; ValueError where they are not as many, or of another shape."""
    params = get_all_params(layer, **tags)
    if len(params) != len(values):
        raise ValueError(f"the network has {len(params)} parameters, and {len(values)} are given")
    for param, value in zip(params, values, strict=True):
        if isinstance(param, Shared) and param.sizes != value.shape:
            raise ValueError(f"the parameter {param.name} has the shape {param.sizes}, and {value.shape} is given")
        param.set_value(value)


def get_output_shape(layer_or_layers: Any, input_shapes: Any = None) -> Any:
    """The shapes of layers' outputs."""
    if isinstance(layer_or_layers, list | tuple):
        return [layer.output_shape for layer in layer_or_layers]
    return layer_or_layers.output_shape


def count_params(layer: Any, **tags: Any) -> int:
    """How many values the parameters have."""
    return sum(math.prod(p.sizes) for p in get_all_params(layer, **tags))
