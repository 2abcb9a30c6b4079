"""What a run works on: the model, its graph or a saved network, and the data, checked against one another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from snntoolbox.conversion.compare_outputs import check_on_random_input
from snntoolbox.conversion.load import bounded, simplify, whereabouts
from snntoolbox.conversion.lowering.lower_logits import sigmoid_at
from snntoolbox.errors import ArgumentError, ConfigError, DataError, NoReferenceError
from snntoolbox.frontends.converted import ConvertedFrontend
from snntoolbox.frontends.keras.runtime import use_backend
from snntoolbox.frontends.protocol import Frontend, TakesCustomObjects, TakesWholeNumbers
from snntoolbox.frontends.registry import beginning_at
from snntoolbox.frontends.whole_numbers import check_whole
from snntoolbox.ir.data_range import difference, range_of
from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.io import load_graph, load_network
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array, Shape
from snntoolbox.workflow.config.schema import AUTO, TOOLBOX_BACKEND, Settings
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.data.events.event_sets import EventOptions
from snntoolbox.workflow.data.events.event_settings import event_options
from snntoolbox.workflow.data.load import check_fits, load_calibration, load_test, value_of_events
from snntoolbox.workflow.data.named import named_calibration, named_test
from snntoolbox.workflow.models import find_model
from snntoolbox.workflow.saved import needed_file, saved_file

UNCHECKED = "parsing was checked for shapes and weights only"
"""What is said where the original cannot be run."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """The model and the data that settings name; `warn` is told what the user should know.

    `graph` is the parsed model in its simplest form, `network` a spiking network saved by an earlier run; one of them
    is there. `model` is the framework's own, for `frontend` to predict with. `source` says where they come from, and
    `layers` which node of the graph has taken in each layer of the model, as the user knows it.
    """

    settings: Settings
    warn: Callable[[str], None]
    source: str
    frontend: Frontend | None = None
    model: Any = None
    graph: Graph | None = None
    network: SpikingNetwork | None = None
    layers: Mapping[str, str] = field(default_factory=dict)

    def with_settings(self, settings: Settings) -> Inputs:
        """The same with settings that say otherwise how long it runs; data that were read are not read again."""
        other = replace(self, settings=settings)
        vars(other).update({name: vars(self)[name] for name in ("test", "calibration_set") if name in vars(self)})
        return other

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

    @cached_property
    def scored(self) -> int:
        """The position of the output that is held against labels; the first unless the settings name another."""
        names = self.output_names
        name = self.settings.input.scored_output
        if name and name not in names:
            known = f"outputs: {_list(names)}"
            raise ConfigError(f"[input] scored_output = {name}: there is no such output", hint=known)
        return names.index(name) if name else 0

    @property
    def output_names(self) -> list[str]:
        """The outputs, in order."""
        if self.graph is not None:
            return list(self.graph.outputs)
        assert self.network is not None
        return [readout.name for readout in self.network.readouts]

    @property
    def output_shape(self) -> Shape:
        """The shape of the output that is scored."""
        if self.graph is not None:
            return self.graph.shapes[self.graph.outputs[self.scored]]
        assert self.network is not None
        return self.network.readouts[self.scored].shape

    @property
    def head(self) -> Head:
        """What the output that is scored means."""
        if self.graph is not None:
            return self.graph.heads[self.scored]
        assert self.network is not None
        return self.network.readouts[self.scored].head

    @cached_property
    def leading(self) -> Graph | None:
        """The graph with the output that is scored in front, as everything behind reads the first."""
        if self.graph is None or not self.scored:
            return self.graph
        order = [self.scored, *(i for i in range(len(self.graph.outputs)) if i != self.scored)]
        outputs, heads = ([of[i] for i in order] for of in (self.graph.outputs, self.graph.heads))
        return self.graph.edited(outputs=outputs, heads=heads)  # type: ignore[arg-type]

    @property
    def binary(self) -> bool:
        """Whether the output that is scored is a single logit, which is converted to two classes."""
        kept = "sigmoid" in self.settings.conversion.approximate and self.head.threshold
        return self.graph is not None and self.head.kind == "logits" and math.prod(self.output_shape) == 1 and not kept

    @property
    def readout_size(self) -> int:
        """How many values the converted output has."""
        return 2 if self.binary else math.prod(self.output_shape)

    @property
    def output_values(self) -> int:
        """How many values all outputs have together."""
        if self.graph is not None:
            return sum(math.prod(self.graph.shapes[name]) for name in self.graph.outputs)
        assert self.network is not None
        return sum(math.prod(readout.shape) for readout in self.network.readouts)

    @property
    def classifies(self) -> bool:
        """Whether the output that is scored says classes."""
        return self.head.decides

    @cached_property
    def test(self) -> Dataset:
        """The test set, checked against the model."""
        dataset, shape = self._read_test(), self.output_shape
        labels = dataset.y is not None and not dataset.regression
        if dataset.y is not None and len(self.output_names) > 1 and not self.settings.input.scored_output:
            first, *others = self.output_names
            told = f"the model has {len(others) + 1} outputs: y_test is held against the first, '{first}'"
            self.warn(f"{told}; [input] scored_output names another ({_list(others)})")
        if labels and not self.classifies and math.prod(shape) == 1:  # class folders
            dataset = replace(dataset, y=np.asarray(dataset.y, np.float32), regression=True)
        elif labels and (not self.classifies or _shape_of(dataset) != self.head.places(shape)):
            raise DataError(
                f"the model's output has shape {shape}, which is not one value per class",
                hint="give targets of that shape as y_test, or leave y_test out; [input] class_axis names the axis of "
                "classes",
            )
        if dataset.regression:
            self._check_targets()
        check_fits(dataset, self.input_shape, self.head.classes(shape), outputs=math.prod(shape))
        self._check_whole(dataset, "x_test")
        return dataset

    def _read_test(self) -> Dataset:
        paths, data, simulation = self.settings.paths, self.settings.input, self.settings.simulation
        if data.keras_dataset:
            limits = simulation.num_to_test, simulation.sample_idxs_to_test
            return named_test(data.keras_dataset, data.datagen_kwargs, self.input_shape, *limits)
        return load_test(
            paths.dataset_path,
            dataset_format=data.dataset_format,
            limit=simulation.num_to_test,
            indices=simulation.sample_idxs_to_test,
            datagen_kwargs=data.datagen_kwargs,
            dataflow_kwargs=data.dataflow_kwargs,
            class_idx_path=paths.class_idx_path,
            image_size=_image_size(self.input_shape),
            head=self.head,
            output_shape=self.output_shape,
            sample_shape=self.input_shape,
            events=self.events,
        )

    @cached_property
    def events(self) -> EventOptions | None:
        """How recordings become samples; None where the data are none."""
        if self.settings.input.dataset_format != "events":
            return None
        options = event_options(self.settings)
        coding = None if self.network is None else next(iter(self.network.encodings.values()))
        if isinstance(coding, SpikeTimes) and options.value is None:  # as the network was converted for
            return replace(options, value=coding.amplitude / self.settings.simulation.steps)
        return value_of_events(self.settings.paths.dataset_path, options, self.input_shape)

    @property
    def event_value(self) -> float:
        """What an event adds to a frame."""
        return 1.0 if self.events is None else self.events.value or 1.0

    def _check_targets(self) -> None:
        """What cannot be, or may not be meant, where the test set has targets of a regression."""
        kept = "sigmoid" in self.settings.conversion.approximate
        if self.head.decides and not (kept and self.head.threshold):
            neither = "y_test holds neither class indices nor one-hot rows"
            self.warn(f"{neither}: it is taken as targets of a regression, and no accuracy is measured")
        elif not self.head.decides and math.prod(self.output_shape) == 1:
            told = "the model has one output: y_test is taken as targets, and no accuracy is measured"
            self.warn(f"{told}; [input] head = logits reads its sign as the class")
        dropped = self.graph is not None and sigmoid_at(self.graph, self.graph.outputs[self.scored]) is not None
        if dropped and not kept:
            raise DataError(
                "y_test holds targets, but the sigmoid at the output is dropped: the network gives logits",
                hint="[conversion] approximate = sigmoid keeps its values; or give class indices as y_test",
            )

    @property
    def calibration(self) -> Array | None:
        """The samples that thresholds are chosen on; None where there are none or `normalize` is off."""
        return None if self.calibration_set is None else self.calibration_set.x

    @cached_property
    def calibration_set(self) -> Dataset | None:
        """These samples with what is presented of them."""
        if not self.settings.tools.normalize:
            return None
        if name := self.settings.input.keras_dataset:
            options, count = self.settings.input.datagen_kwargs, self.settings.normalization.num_samples
            return named_calibration(name, options, self.input_shape, count)
        dataset = load_calibration(
            self.settings.paths.dataset_path,
            dataset_format=self.settings.input.dataset_format,
            limit=self.settings.normalization.num_samples,
            datagen_kwargs=self.settings.input.datagen_kwargs,
            dataflow_kwargs=self.settings.input.dataflow_kwargs,
            image_size=_image_size(self.input_shape),
            sample_shape=self.input_shape,
            events=self.events,
        )
        if dataset is None:
            self.warn("no x_norm: thresholds follow from the weights alone, which takes many more steps")
            return None
        check_fits(dataset, self.input_shape, source="x_norm")
        self._check_whole(dataset, "x_norm")
        return dataset

    def _check_whole(self, dataset: Dataset, source: str) -> None:
        """FrontendError where the model takes whole numbers and the first samples are others."""
        if isinstance(self.frontend, TakesWholeNumbers) and self.model is not None and len(dataset):
            for limits in self.frontend.limits(self.model):
                check_whole(dataset.take(slice(0, 100)).x, limits, source)

    def largest_input(self) -> float:
        """The largest |x| of the test and the calibration set."""
        sets = [self.test.x] if self.calibration is None else [self.test.x, self.calibration]
        return max(span.reach for x in sets if (span := range_of(x)) is not None)

    def input_range(self) -> tuple[float, float]:
        """The least and the largest value of the test set, zero included."""
        span = range_of(self.test.x)
        return (0.0, 1.0) if span is None else (min(span.low, 0.0), max(span.high, 0.0) or 1.0)

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
    frontend, model, source = _opened(settings, warn) if tools.parse or tools.evaluate_ann else (None, None, "")
    graph, network = None, None
    layers: dict[str, str] = {}
    if tools.parse:
        assert frontend is not None
        graph, layers = _parsed(frontend, model, warn, check=not tools.evaluate_ann)
    elif tools.convert or saved_file(settings, paths.filename_parsed_model) is not None:
        graph = load_graph(needed_file(settings, paths.filename_parsed_model))
    graph = None if graph is None else _with_head(graph, settings)
    if not tools.convert and (tools.simulate or saved_file(settings, paths.filename_snn) is not None):
        network = load_network(needed_file(settings, paths.filename_snn))
    names = [loaded.name for loaded in (graph, network) if loaded is not None]
    if not names:
        raise ConfigError("there is nothing to do", hint="set parse, convert or simulate in [tools] to True")
    source = next(filter(None, (source, *names)), "")
    opened: dict[str, Any] = {"frontend": frontend, "model": model, "graph": graph, "network": network}
    return Inputs(settings=settings, warn=warn, source=source, layers=layers, **opened)


def _with_head(graph: Graph, settings: Settings) -> Graph:
    """The graph whose scored output means what the settings say."""
    head, axis, name = settings.input.head, settings.input.class_axis, settings.input.scored_output
    place = settings.input.class_place
    if axis is not None and head not in ("auto", "classes"):
        raise ConfigError(f"[input] class_axis goes with head = classes, not {head}")
    if place is not None and axis is None:
        raise ConfigError("[input] class_place is one of the places beside class_axis, which is not set")
    if (head == "auto" and axis is None) or (name and name not in graph.outputs):  # an unknown name is refused later
        return graph
    meant = head if axis is None else Head(kind="classes", axis=axis, place=place)
    try:
        return graph.with_heads({name or graph.outputs[0]: meant})
    except ArgumentError as error:
        raise ConfigError(f"[input] head, class_axis, class_place: {error.message}", hint=error.hint) from None


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def _opened(settings: Settings, warn: Callable[[str], None]) -> tuple[Frontend, Any, str]:
    """The frontend, the model as its framework has it, and the file."""
    chosen = settings.input
    named = (settings.paths.path_wd, settings.paths.filename_ann, chosen.model_lib)
    frontend, file = find_model(*named, chosen.converter_python)
    if chosen.converter_python and not isinstance(frontend, ConvertedFrontend):
        warn(f"input.converter_python has no effect: {file.name} is read as it is")
    _choose_backend(settings, frontend, warn)
    objects = settings.paths.filepath_custom_objects
    if objects is not None:
        if not isinstance(frontend, TakesCustomObjects):
            told = f"[paths] filepath_custom_objects is for models of Keras, and {file.name} is one of {frontend.name}"
            raise ConfigError(told, hint="leave it out")
        frontend = frontend.with_custom_objects(objects)
    frontend = beginning_at(frontend, settings.input.input_tensor, settings.input.constant_inputs)
    with bounded():
        return frontend, frontend.open(file, input_shape=settings.input.input_shape or None), str(file)


def _choose_backend(settings: Settings, frontend: Frontend, warn: Callable[[str], None]) -> None:
    """What Keras computes the original's outputs with; `warn` is told where it will not be that."""
    name = settings.simulation.keras_backend
    if name == AUTO or (frontend.name != "keras" and name == TOOLBOX_BACKEND):
        return
    told = use_backend(name) if frontend.name == "keras" else f"it is for models of Keras, not of {frontend.name}"
    if told:
        warn(f"simulation.keras_backend = {name} has no effect: {told}")


def _parsed(
    frontend: Frontend, model: Any, warn: Callable[[str], None], *, check: bool
) -> tuple[Graph, dict[str, str]]:
    """The graph in its simplest form, and where each layer is in it; with `check` compared on random input."""
    with bounded():
        whole = frontend.parse(model)
        graph = simplify(whole)
        if check:
            try:
                check_on_random_input(graph, frontend, model)
            except NoReferenceError as error:
                warn(f"{error.message}: {UNCHECKED}")
    return graph, whereabouts(whole, graph)


def _shape_of(dataset: Dataset) -> Shape:
    return () if dataset.y is None else tuple(dataset.y.shape[1:])


def _image_size(shape: Shape) -> tuple[int, int] | None:
    """Height and width that images need for samples of this shape, channels first or last."""
    if len(shape) != 3:
        return None
    return (shape[1], shape[2]) if shape[0] in (1, 3) and shape[2] not in (1, 3) else (shape[0], shape[1])
