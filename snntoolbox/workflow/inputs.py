"""What a run works on: the model, its graph or a saved network, and the data, checked against one another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.conversion.load import check_on_probe, simplify
from snntoolbox.conversion.lowering.lower_sigmoid import is_binary, sigmoid_at
from snntoolbox.errors import ConfigError, DataError, NoReferenceError
from snntoolbox.frontends.protocol import Frontend
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.io import load_graph, load_network
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array, Shape
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import Cell, Conversion, Settings
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.data.load import check_fits, load_calibration, load_test
from snntoolbox.workflow.models import find_model

_FIXED = {
    "conversion": frozenset(f.name for f in fields(Conversion)) - {"recipe", "spike_code"},
    "cell": frozenset(f.name for f in fields(Cell)) - {"v_thresh"},
    "input": frozenset({"poisson_input", "input_rate"}),
}
"""What a converted network cannot change any more, by section."""


class Inputs:
    """The model and the data that settings name; `warn` is told what the user should know.

    `graph` is the parsed model in its simplest form, `network` a spiking network saved by an earlier run; one of them
    is there. `model` is the framework's own, for `frontend` to predict with. `source` says where they come from.
    """

    def __init__(self, settings: Settings, warn: Callable[[str], None]) -> None:
        self.settings = settings
        self.warn = warn
        self.source = ""
        self.frontend: Frontend | None = None
        self.model: Any = None
        self.graph: Graph | None = None
        self.network: SpikingNetwork | None = None
        self._open()

    def _open(self) -> None:
        paths, tools = self.settings.paths, self.settings.tools
        if tools.parse or tools.evaluate_ann:
            self.frontend, file = find_model(paths.path_wd, paths.filename_ann, self.settings.input.model_lib)
            self.model = self.frontend.open(file)
            self.source = str(file)
        if tools.parse:
            assert self.frontend is not None
            self.graph = simplify(self.frontend.parse(self.model))
            if not tools.evaluate_ann:
                self._check_parsed(self.graph, self.frontend)
        elif tools.convert or self._saved(paths.filename_parsed_model) is not None:
            self.graph = load_graph(self._needed(paths.filename_parsed_model))
            self.source = self.source or self.graph.name
        if not tools.convert and (tools.simulate or self._saved(paths.filename_snn) is not None):
            self.network = load_network(self._needed(paths.filename_snn))
            self.source = self.source or self.network.name
        if self.graph is None and self.network is None:
            raise ConfigError("there is nothing to do", hint="set parse, convert or simulate in [tools] to True")

    def _check_parsed(self, graph: Graph, frontend: Frontend) -> None:
        """Compare with the framework on random input, where the test set is not used for it."""
        try:
            check_on_probe(graph, frontend, self.model)
        except NoReferenceError as error:
            self.warn(f"{error.message}: parsing was checked for shapes and weights only")

    def _saved(self, name: str) -> Path | None:
        """Where an earlier run saved a network: its run folder, or the working folder."""
        paths = self.settings.paths
        places = [folder / f"{name}.npz" for folder in (paths.log_dir_of_current_run, paths.path_wd)]
        return next((place for place in places if place.is_file()), None)

    def _needed(self, name: str) -> Path:
        if (found := self._saved(name)) is None:
            raise ConfigError(
                f"there is no saved network '{name}.npz' in '{self.settings.paths.log_dir_of_current_run}'",
                hint="run once with parse = True and convert = True",
            )
        return found

    @property
    def input_shape(self) -> Shape:
        """The shape of one sample."""
        shapes = self.input_shapes
        if len(shapes) != 1:
            raise ConfigError(f"the model has {len(shapes)} inputs", hint="use convert and simulate in Python")
        return shapes[0]

    @property
    def input_shapes(self) -> list[Shape]:
        """The shape of a sample of each input."""
        if self.graph is not None:
            return [self.graph.shapes[i] for i in self.graph.inputs]
        assert self.network is not None
        return [self.network.wiring.shapes[i] for i in self.network.encodings]

    @property
    def output_shape(self) -> Shape:
        """The shape of the first output."""
        if self.graph is not None:
            return self.graph.shapes[self.graph.outputs[0]]
        assert self.network is not None
        return self.network.readouts[0].shape

    @property
    def classes(self) -> int:
        """The number of values of the first output; 2 where it is a single sigmoid, see `LowerSigmoid`."""
        return 2 if self.binary else math.prod(self.output_shape)

    @property
    def binary(self) -> bool:
        """Whether the first output is the probability of class 1."""
        kept = "sigmoid" in self.settings.conversion.approximate
        return self.graph is not None and not kept and is_binary(self.graph)

    @property
    def classifies(self) -> bool:
        """Whether the first output is one value per class: a vector of two or more."""
        return self.binary or (self.classes > 1 and max(self.output_shape) == self.classes)

    @cached_property
    def test(self) -> Dataset:
        """The test set, checked against the model."""
        paths, data, simulation = self.settings.paths, self.settings.input, self.settings.simulation
        dataset = load_test(
            paths.dataset_path,
            dataset_format=data.dataset_format,
            limit=simulation.num_to_test,
            indices=simulation.sample_idxs_to_test,
            datagen_kwargs=data.datagen_kwargs,
            dataflow_kwargs=data.dataflow_kwargs,
            class_idx_path=paths.class_idx_path,
            image_size=_image_size(self.input_shape),
        )
        if dataset.y is not None and not dataset.regression and self.classes == 1:
            self.warn("the model has one output: y_test is taken as targets, and no accuracy is measured")
            dataset = replace(dataset, y=dataset.y.astype(np.float32), regression=True)
        if dataset.y is not None and not dataset.regression and not self.classifies:
            raise DataError(
                f"the model's output has shape {self.output_shape}, which is no class per sample",
                hint="give targets of that shape as y_test, or leave y_test out",
            )
        if dataset.regression and self.classifies:
            told = "y_test holds neither class indices nor one-hot rows"
            self.warn(f"{told}: it is taken as targets of a regression, and no accuracy is measured")
        dropped = self.graph is not None and sigmoid_at(self.graph, self.graph.outputs[0]) is not None
        if dataset.regression and dropped and "sigmoid" not in self.settings.conversion.approximate:
            hint = "[conversion] approximate = sigmoid keeps its values; or give class indices as y_test"
            raise DataError("y_test are targets, but of the sigmoid at the output the logits alone are left", hint=hint)
        check_fits(dataset, self.input_shape, self.classes)
        return dataset

    @cached_property
    def calibration(self) -> Array | None:
        """The samples that thresholds are chosen on; None where there are none or `normalize` is off."""
        if not self.settings.tools.normalize:
            return None
        dataset = load_calibration(
            self.settings.paths.dataset_path,
            dataset_format=self.settings.input.dataset_format,
            limit=self.settings.normalization.num_samples,
            datagen_kwargs=self.settings.input.datagen_kwargs,
            dataflow_kwargs=self.settings.input.dataflow_kwargs,
            image_size=_image_size(self.input_shape),
        )
        if dataset is None:
            self.warn("no x_norm: thresholds follow from the weights alone, which takes many more steps")
            return None
        check_fits(dataset, self.input_shape, source="x_norm")
        return dataset.x

    def check_saved(self, network: SpikingNetwork) -> None:
        """That a network of an earlier run belongs to this one."""
        if network.dt != self.settings.simulation.dt:
            raise ConfigError(
                f"[simulation] dt = {self.settings.simulation.dt}, the saved network has steps of {network.dt} ms",
                hint="set convert = True to convert again",
            )
        self._check_choices()
        shapes = [network.wiring.shapes[i] for i in network.encodings]
        if shapes != self.input_shapes or math.prod(network.readouts[0].shape) != self.classes:
            raise ConfigError(
                f"the saved network '{self.settings.paths.filename_snn}' is of another model",
                hint="set convert = True to convert again",
            )

    def _check_choices(self) -> None:
        """That the saved network was made with the choices that the settings name."""
        file = self._needed(self.settings.paths.filename_snn).with_name("config.ini")
        if not file.is_file():
            return
        saved, now = load_config(file), self.settings
        differing = [
            f"{section}.{f.name} = {getattr(getattr(now, section), f.name)} (saved with {getattr(part, f.name)})"
            for section, part in (("conversion", saved.conversion), ("cell", saved.cell), ("input", saved.input))
            for f in fields(part)
            if f.name in _FIXED[section] and getattr(getattr(now, section), f.name) != getattr(part, f.name)
        ]
        if differing:
            raise ConfigError(
                f"the saved network '{now.paths.filename_snn}' was converted otherwise: {'; '.join(differing)}",
                hint="set convert = True to convert again",
            )
        chosen = saved.conversion
        fitted = chosen.readout_correction or chosen.layer_correction != "none" or chosen.threshold_rule != "percentile"
        if fitted and saved.simulation.duration != now.simulation.duration:
            self.warn(
                f"the saved network was fitted to a run of {saved.simulation.duration} ms, "
                f"not {now.simulation.duration} ms; convert = True fits it anew"
            )

    def largest_input(self) -> float:
        """The largest |x| of the test and the calibration set."""
        sets = [self.test.x] if self.calibration is None else [self.test.x, self.calibration]
        return max(_largest(x) for x in sets)

    def input_range(self) -> tuple[float, float]:
        """The least and the largest value of the test set, zero included."""
        return min(float(self.test.x.min()), 0.0), max(float(self.test.x.max()), 0.0) or 1.0

    def check_scales(self) -> None:
        """Warn where test and calibration set are scaled differently, as no choice of steps mends that."""
        if self.calibration is None:
            return
        test, calibration = _largest(self.test.x), _largest(self.calibration)
        if not 0.5 <= (test or 1.0) / (calibration or 1e-30) <= 2:
            self.warn(f"x_test reaches {test:.3g}, x_norm {calibration:.3g}: are both scaled in the same way?")


def _largest(x: Array) -> float:
    """The largest absolute value, without a copy: the samples may lie in a file that is larger than the memory."""
    return max(abs(float(x.min())), abs(float(x.max())))


def _image_size(shape: Shape) -> tuple[int, int] | None:
    """Height and width that images need for samples of this shape, channels first or last."""
    if len(shape) != 3:
        return None
    return (shape[1], shape[2]) if shape[0] in (1, 3) and shape[2] not in (1, 3) else (shape[0], shape[1])
