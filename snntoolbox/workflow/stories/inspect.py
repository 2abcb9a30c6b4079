"""Tells what a model becomes without any data: its layers, what folds, what spikes, and what would be refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from snntoolbox.backends.checking import check_simulator, simulators_for
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.protocol import Backend
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.compare_outputs import check_on_random_input
from snntoolbox.conversion.load import bounded, simplify
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.stages import convert
from snntoolbox.errors import NoReferenceError
from snntoolbox.frontends.protocol import Frontend
from snntoolbox.ir.drawing.network_picture import boxes_of
from snntoolbox.ir.foreign import shown
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.summary import describe, graph_summary, network_summary
from snntoolbox.workflow.choices import recipe_of
from snntoolbox.workflow.config.load import model_settings
from snntoolbox.workflow.config.schema import SIMULATOR_ALIASES
from snntoolbox.workflow.models import find_model


@dataclass(frozen=True)
class Paragraph:
    """What is told of a model, and the same as data: a part of the report."""

    text: str
    data: Mapping[str, Any]


_COUNTED = (
    "Parameters are counted as they are after folding, which is not as the framework counts them: a folded "
    "normalisation leaves a bias, and a layer that is used twice counts twice."
)


def inspect(
    model: Path, overrides: Iterable[str] = (), *, simulator: str = "", force: bool = False, width: int = 80
) -> Iterator[Paragraph]:
    """Paragraphs about a model, each as soon as it is known; what is refused ends them as an error.

    `overrides` are ``section.key=value`` of a configuration; what says how to convert counts. ConfigError for wrong
    ones; UnsupportedError names every layer that cannot be converted, or every part that `simulator` cannot run with
    the simulators that can; TooLargeError says that the network is estimated to be too large for it, unless `force`.
    """
    overrides = list(overrides)
    settings = model_settings(model, overrides)
    recipe = recipe_of(settings, 1.0, (0.0, 1.0))
    if not simulator and any(o.split("=")[0].strip() == "simulation.simulator" for o in overrides):
        simulator = settings.simulation.simulator
    backend = backend_named(SIMULATOR_ALIASES.get(simulator, simulator)) if simulator else None
    frontend, path = find_model(model.parent, model.name, "auto", settings.input.converter_python)
    with bounded():
        opened = frontend.open(path)
        parsed = frontend.parse(opened)
        graph = simplify(parsed)
    yield Paragraph(f"{shown(path)} ({frontend.name})\n", {"model": path, "model_lib": frontend.name})
    yield Paragraph(graph_summary(graph, width), {"layers": [_layer(graph, name) for name in graph.nodes]})
    compared = _compared(graph, frontend, opened)
    yield Paragraph(f"\n{fill(compared, width)}", {"compared": compared})
    yield from _folded(parsed, graph, width)
    lower(graph, recipe)
    yield Paragraph("\nAs a spiking network (thresholds from the weights alone, for want of data):\n", {})
    network = convert(graph, recipe=recipe, duration=settings.simulation.duration)
    yield Paragraph(network_summary(network, width), {"populations": _populations(network)})
    if backend is None:
        yield _all_simulators(network, force, width)
    else:
        yield Paragraph(f"\n{fill(_one_simulator(network, backend, force), width)}", {"simulators": [backend.name]})


def _populations(network: SpikingNetwork) -> list[dict[str, Any]]:
    """Inputs, populations and read-outs as data."""
    boxes = (asdict(box) for box in boxes_of(network))
    return [{key: value for key, value in box.items() if key not in ("x", "y")} for box in boxes]


def _layer(graph: Graph, name: str) -> dict[str, Any]:
    """A node as data."""
    node = graph.nodes[name]
    origin = None if node.origin is None else str(node.origin)
    reads = {"inputs": list(node.inputs), "shape": graph.shapes[name], "layer": origin}
    return {"name": name, "operation": describe(node), **reads}


def _compared(graph: Graph, frontend: Frontend, model: Any) -> str:
    """Whether the graph gives what the framework gives."""
    try:
        difference = check_on_random_input(graph, frontend, model)
    except NoReferenceError as error:
        return f"Not compared with the original: {error.message}."
    return f"Equal to the original on random input: largest difference {difference:.1g} of the output's scale."


def _folded(parsed: Graph, graph: Graph, width: int) -> Iterator[Paragraph]:
    """What is in the weights of others, and how parameters are counted."""
    folded = [n.label for name, n in parsed.nodes.items() if name not in graph.nodes and n.kind == "Scale"]
    if folded:
        yield Paragraph(fill(f"Folded into weights: {', '.join(folded)}.", width), {"folded": folded})
    yield Paragraph(fill(_COUNTED, width), {})


def _all_simulators(network: SpikingNetwork, force: bool, width: int) -> Paragraph:
    """Which can run it."""
    fitting, too_large = simulators_for(network, force=force, legal=lambda n, b: legalized(n, b, ()))
    sentences = [f"Simulators that can run it: {', '.join(fitting)}."]
    if too_large:
        sentences.append(f"Too large, without --force, for: {', '.join(too_large)}.")
    text = "\n".join(fill(sentence, width) for sentence in sentences)
    return Paragraph(f"\n{text}", {"simulators": fitting, "too_large_for": too_large})


def _one_simulator(network: SpikingNetwork, backend: Backend, force: bool) -> str:
    """That this one can; else its error."""
    check_simulator(backend, legalized(network, backend, ()), force=force)
    here = "" if backend.capabilities.installed() else " (it is not installed here)"
    return f"Simulator '{backend.name}' can run it{here}."
