"""What a run works on: the model, its graph or a saved network, and the data, checked against one another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from snntoolbox.conversion.load import check_on_random_input, simplify
from snntoolbox.conversion.lowering.lower_sigmoid import is_binary, sigmoid_at
from snntoolbox.errors import ConfigError, DataError, NoReferenceError
from snntoolbox.frontends.protocol import Frontend
from snntoolbox.ir.data_range import difference, range_of
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.io import load_graph, load_network
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array, Shape
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.data.load import check_fits, load_calibration, load_test
from snntoolbox.workflow.models import find_model
from snntoolbox.workflow.saved import needed_file, saved_file

UNCHECKED = "parsing was checked for shapes and weights only"
"""What is said where the original cannot be run."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """The model and the data that settings name; `warn` is told what the user should know.

    `graph` is the parsed model in its simplest form, `network` a spiking network saved by an earlier run; one of them
    is there. `model` is the framework's own, for `frontend` to predict with. `source` says where they come from.
    """

    settings: Settings
    warn: Callable[[str], None]
    source: str
    frontend: Frontend | None = None
    model: Any = None
    graph: Graph | None = None
    network: SpikingNetwork | None = None

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
        dataset = self._read_test()
        labels = dataset.y is not None and not dataset.regression
        if labels and self.classes == 1:
            self.warn("the model has one output: y_test is taken as targets, and no accuracy is measured")
            dataset = replace(dataset, y=np.asarray(dataset.y, np.float32), regression=True)
        elif labels and not self.classifies:
            raise DataError(
                f"the model's output has shape {self.output_shape}, which is not one value per class",
                hint="give targets of that shape as y_test, or leave y_test out",
            )
        if dataset.regression:
            self._check_targets()
        check_fits(dataset, self.input_shape, self.classes)
        return dataset

    def _read_test(self) -> Dataset:
        paths, data, simulation = self.settings.paths, self.settings.input, self.settings.simulation
        return load_test(
            paths.dataset_path,
            dataset_format=data.dataset_format,
            limit=simulation.num_to_test,
            indices=simulation.sample_idxs_to_test,
            datagen_kwargs=data.datagen_kwargs,
            dataflow_kwargs=data.dataflow_kwargs,
            class_idx_path=paths.class_idx_path,
            image_size=_image_size(self.input_shape),
        )

    def _check_targets(self) -> None:
        """What cannot be, or may not be meant, where the test set has targets of a regression."""
        if self.classifies:
            neither = "y_test holds neither class indices nor one-hot rows"
            self.warn(f"{neither}: it is taken as targets of a regression, and no accuracy is measured")
        dropped = self.graph is not None and sigmoid_at(self.graph, self.graph.outputs[0]) is not None
        if dropped and "sigmoid" not in self.settings.conversion.approximate:
            raise DataError(
                "y_test holds targets, but the sigmoid at the output is dropped: the network gives logits",
                hint="[conversion] approximate = sigmoid keeps its values; or give class indices as y_test",
            )

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

    def largest_input(self) -> float:
        """The largest |x| of the test and the calibration set."""
        sets = [self.test.x] if self.calibration is None else [self.test.x, self.calibration]
        return max(_largest(x) for x in sets)

    def input_range(self) -> tuple[float, float]:
        """The least and the largest value of the test set, zero included."""
        return min(float(self.test.x.min()), 0.0), max(float(self.test.x.max()), 0.0) or 1.0

    def check_scales(self) -> None:
        """Warn where test and calibration set are scaled differently, as no choice of steps mends that."""
        if self.network is not None:  # converted by an earlier run: on what it was calibrated, it says itself
            calibration = next(iter(self.network.calibrated.values()), None)
        else:
            calibration = None if self.calibration is None else range_of(self.calibration)
        if told := difference(range_of(self.test.x), calibration, ("x_test", "x_norm")):
            self.warn(told)


def open_inputs(settings: Settings, warn: Callable[[str], None]) -> Inputs:
    """Open, parse and load what the stages that are on need; the data are read when they are asked for.

    Errors: ConfigError for what is missing, those of the frontend, GraphError where graph and original differ.
    """
    tools, paths = settings.tools, settings.paths
    frontend, model, source = _opened(settings) if tools.parse or tools.evaluate_ann else (None, None, "")
    graph, network = None, None
    if tools.parse:
        assert frontend is not None
        graph = _parsed(frontend, model, warn, check=not tools.evaluate_ann)
    elif tools.convert or saved_file(settings, paths.filename_parsed_model) is not None:
        graph = load_graph(needed_file(settings, paths.filename_parsed_model))
    if not tools.convert and (tools.simulate or saved_file(settings, paths.filename_snn) is not None):
        network = load_network(needed_file(settings, paths.filename_snn))
    names = [loaded.name for loaded in (graph, network) if loaded is not None]
    if not names:
        raise ConfigError("there is nothing to do", hint="set parse, convert or simulate in [tools] to True")
    source = next(filter(None, (source, *names)), "")
    opened: dict[str, Any] = {"frontend": frontend, "model": model, "graph": graph, "network": network}
    return Inputs(settings=settings, warn=warn, source=source, **opened)


def _opened(settings: Settings) -> tuple[Frontend, Any, str]:
    """The frontend, the model as its framework has it, and the file."""
    frontend, file = find_model(settings.paths.path_wd, settings.paths.filename_ann, settings.input.model_lib)
    return frontend, frontend.open(file), str(file)


def _parsed(frontend: Frontend, model: Any, warn: Callable[[str], None], *, check: bool) -> Graph:
    """The graph in its simplest form; with `check` compared with the framework on random input."""
    graph = simplify(frontend.parse(model))
    if check:
        try:
            check_on_random_input(graph, frontend, model)
        except NoReferenceError as error:
            warn(f"{error.message}: {UNCHECKED}")
    return graph


def _largest(x: Array) -> float:
    """The largest absolute value, without a copy: the samples may lie in a file that is larger than the memory."""
    return max(abs(float(x.min())), abs(float(x.max())))


def _image_size(shape: Shape) -> tuple[int, int] | None:
    """Height and width that images need for samples of this shape, channels first or last."""
    if len(shape) != 3:
        return None
    return (shape[1], shape[2]) if shape[0] in (1, 3) and shape[2] not in (1, 3) else (shape[0], shape[1])
