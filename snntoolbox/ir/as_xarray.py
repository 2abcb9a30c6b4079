"""A result as a dataset of xarray: named axes, times in ms, every layer's counts and recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.finished import Finished
from snntoolbox.ir.node import Array

if TYPE_CHECKING:
    from xarray import Dataset

_AXES = ("channel", "row", "column")


def dataset_of(result: Finished) -> Dataset:
    """Variables ``LAYER.counts``, ``LAYER.spikes``, ``LAYER.potentials``, ``READ-OUT.output`` and the like.

    Axes are ``time`` (ms), ``sample``, and for each layer its own: ``LAYER.neuron``, or channel, row and column.
    """
    try:
        from xarray import Dataset
    except ImportError as error:
        hint = "pip install 'snntoolbox[xarray]'"
        raise SNNToolboxError("a dataset needs xarray, which is not installed", hint=hint) from error
    variables: dict[str, tuple[tuple[str, ...], Array]] = {}
    first, both = ("sample",), ("time", "sample")
    groups: tuple[tuple[str, tuple[str, ...], Mapping[str, Array]], ...] = (
        ("counts", first, result.counts), ("spikes", both, result.spikes), ("potentials", both, result.potentials),
        ("output", first, result.outputs), ("output_per_step", both, result.outputs_per_step),
    )  # fmt: skip
    for what, axes, values in groups:
        for name, array in values.items():
            variables[f"{name}.{what}"] = ((*axes, *_axes(name, array.ndim - len(axes))), array)
    for figure, array in result.hardware.items():
        variables[f"hardware.{figure}"] = (first, array)
    if result.head.decides:
        places = result.predictions.ndim - 1
        variables["prediction"] = ((*first, *(f"place{i}" for i in range(places))), result.predictions)
    coordinates: dict[str, Any] = {"sample": np.arange(result.samples)}
    coordinates["time"] = ("time", np.arange(1, result.steps + 1) * result.dt, {"units": "ms"})
    return Dataset(variables, coordinates, {"steps": result.steps, "dt_ms": result.dt})


def _axes(name: str, count: int) -> tuple[str, ...]:
    if count == 1:
        return (f"{name}.neuron",)
    words = _AXES if count == len(_AXES) else _AXES[1:] if count == 2 else [f"axis{i}" for i in range(count)]
    return tuple(f"{name}.{word}" for word in words)
