"""Makes NIR nodes and edges of a spiking network: layer by layer, or every projection a matrix."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snntoolbox.backends.nir.maps import Map, dense_matrix, identity, said
from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode, Shape
from snntoolbox.ir.nodes import Add, Reshape

log = logging.getLogger(__name__)

BIAS = "a bias that differs within a channel"
NEVER = 2.0**60
"""A time constant that no floating-point number tells from none: V - V / NEVER is V, and NEVER x / NEVER is x."""
MATRICES = "--option form=matrices writes each projection as one matrix"


@dataclass(eq=False)
class Script:
    """A network on its way into NIR.

    nodes: what is written. sums: wiring node -> the nodes whose sum it is. names: (role, name) -> the name in the file.
    offenders: what NIR has no words for.
    """

    network: SpikingNetwork
    form: str
    nodes: dict[str, Map] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    sums: dict[str, list[str]] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    offenders: list[Unsupported] = field(default_factory=list)

    def add(self, wanted: str, made: Map, sources: list[str]) -> str:
        """A node that reads the sum of others; no edge may be there twice, so one that comes again is copied."""
        stem = re.sub(r"[^\w-]+", "_", wanted, flags=re.ASCII).strip("_") or "node"
        name, number = stem, 2
        while name in self.nodes:
            name, number = f"{stem}_{number}", number + 1
        self.nodes[name] = made
        for source in sources:
            if (source, name) in self.edges:
                source = self.add(f"{source}_again", identity(self.shapes[source]), [source])
            self.edges.append((source, name))
        return name

    def chain(self, wanted: str, maps: list[Map], sources: list[str]) -> list[str]:
        """Nodes one behind the other; the last one, or what is read where there are none."""
        for made in maps:
            sources = [self.add(wanted, made, sources)]
        return sources


def said_in(network: SpikingNetwork, form: str) -> tuple[Script, list[str]]:
    """The nodes and edges in a form, and why not in layers; auto takes layers where NIR has words for all of them."""
    if form != "auto":
        return script_of(network, form), []
    try:
        return script_of(network, "layers"), []
    except UnsupportedError as error:
        why = [f"{offender.layer}: {offender.reason}" for offender in error.offenders]
        log.info("one matrix for each projection, as NIR cannot say %s", "; ".join(why))
        return script_of(network, "matrices"), why


def script_of(network: SpikingNetwork, form: str) -> Script:
    """The nodes and edges; UnsupportedError names every layer that NIR has no words for."""
    script = Script(network, form)
    for name in network.encodings:
        _add_source(script, name, "input", None)
    for population in network.populations.values():
        _add_source(script, population.name, "neuron", population)
    if form == "layers":
        for name, node in network.wiring.nodes.items():
            if name not in script.sums and isinstance(node, LinearNode):
                _add_map(script, name, node)
    targets: list[Population | Readout] = [*network.populations.values(), *network.readouts]
    for target in targets:
        _add_target(script, target)
    if script.offenders:
        raise UnsupportedError("NIR", script.offenders, hint=MATRICES if form == "layers" else "smaller layers")
    return script


# -- what gives values ----------------------------------------------------------------------------------------------


def _add_source(script: Script, name: str, role: str, population: Population | None) -> None:
    """An input, or neurons; an input that is only ever reshaped has the shape in which it is read."""
    network = script.network
    shape = population.shape if population else network.wiring.shapes[name]
    readers = [n for n in network.wiring.nodes.values() if name in n.inputs]
    if script.form == "matrices":
        shape = (math.prod(shape),)
    elif role == "input" and len(readers) == 1 and isinstance(readers[0], Reshape):
        shape = readers[0].shape
    if population:
        made = _neurons(population, shape, slow=_slow(network, population))
    else:
        made = Map("Input", {"input_type": np.asarray(shape)})
    called = script.add(name, made, [])
    script.names[role, name] = called
    script.shapes[called] = shape
    script.sums[name] = [called]
    if script.form == "layers" and shape != network.wiring.shapes.get(name, shape):
        script.sums[readers[0].name] = [called]


def _slow(network: SpikingNetwork, population: Population) -> bool:
    """Whether spikes come to neurons through synapses whose currents last."""
    assert isinstance(population.neuron, IF)
    return any(population.neuron.synaptic) and not network.sources[population.current].isdisjoint(_spiking(network))


def _spiking(network: SpikingNetwork) -> set[str]:
    """What sends spikes: neurons, and inputs that are coded so."""
    coded = {n for n, e in network.encodings.items() if isinstance(e, Spiking) and not e.valued}
    return coded | set(network.populations)


def through_synapses(network: SpikingNetwork) -> bool:
    """Whether constant currents go to neurons beside spikes whose currents last: in NIR they would last too."""
    constant = set(network.encodings) - _spiking(network)
    slow = [p for p in network.populations.values() if isinstance(p.neuron, IF) and _slow(network, p)]
    return any(network.sources[p.current] & constant for p in slow)


def _neurons(population: Population, shape: Shape, *, slow: bool = False) -> Map:
    """IF, or LIF whose leak in a step of 1 is ours; what NIR cannot say stands in the metadata.

    `slow`: CubaLIF, where a bias is what the membrane leaks to, so that it does not come through synapses.
    """
    neuron = population.neuron
    assert isinstance(neuron, IF)

    def full(value: Any) -> Array:
        return np.broadcast_to(np.asarray(value, np.float64), population.shape).reshape(shape).copy()

    values = {"v_threshold": full(neuron.threshold), "v_reset": full(neuron.reset_potential)}
    notes = {"scale": np.asarray(population.scale, np.float64), "initial": full(neuron.initial)}
    tau = NEVER if neuron.leak == 1 else 1 / (1 - neuron.leak)
    if slow:
        bias = full(0.0 if population.bias is None else population.bias)
        membrane = {"tau_mem": full(tau), "r": full(tau), "v_leak": tau * bias}
        synapses = {"tau_syn": full(1 / (1 - neuron.synaptic[0])), "w_in": full(1.0)}
        return Map("CubaLIF", {**membrane, **synapses, **values, "metadata": {**notes, "bias": bias}})
    if neuron.leak == 1:
        return Map("IF", {"r": full(1.0), **values, "metadata": notes})
    return Map("LIF", {"tau": full(tau), "r": full(tau), "v_leak": full(0.0), **values, "metadata": notes})


def note_thresholds(script: Script, network: SpikingNetwork) -> None:
    """Note our own thresholds beside those that were written for an importer."""
    for population in network.populations.values():
        values = script.nodes[script.names["neuron", population.name]].values
        own = _neurons(population, values["v_threshold"].shape).values["v_threshold"]
        values["metadata"]["threshold"] = own


# -- what is between ------------------------------------------------------------------------------------------------


def _add_map(script: Script, name: str, node: LinearNode) -> None:
    """A wiring node as nodes of NIR; what reads it reads the sum of what it is made of."""
    shapes = script.network.wiring.input_shapes(name)
    script.sums[name] = []
    for part, source in enumerate(node.inputs):
        sources = script.sums[source]
        maps = _scaled(node.factors[part], shapes[part]) if isinstance(node, Add) else said(node, part, shapes)
        if maps is None:
            script.offenders.append(
                Unsupported(node.label, f"no words for {type(node).__name__} of shape {shapes[part]}")
            )
            maps = []
        elif not maps and len(sources) > 1 and not isinstance(node, Add):
            maps = [identity(shapes[part])]
        ends = script.chain(name, maps, sources)
        script.sums[name] += ends
        for end in ends:
            script.shapes.setdefault(end, script.network.wiring.shapes[name])


def _scaled(factor: float, shape: Shape) -> list[Map]:
    return [] if factor == 1 else [Map("Scale", {"scale": np.full(shape, float(factor))})]


# -- what takes values ----------------------------------------------------------------------------------------------


def _add_target(script: Script, target: Population | Readout) -> None:
    """The edges into neurons or an output, with the bias on the way."""
    if script.form == "layers":
        sources, shape = script.sums[target.current], target.shape
    else:
        sources, shape = _matrices(script, target), (math.prod(target.shape),)
    within = isinstance(target, Population) and _slow(script.network, target)
    if target.bias is not None and np.any(target.bias) and not within:
        sources = _biased(script, target, sources, shape)
    if isinstance(target, Readout):
        output = script.add(target.name, Map("Output", {"output_type": np.asarray(shape)}), sources)
        script.names["output", target.name] = output
        return
    neurons = script.names["neuron", target.name]
    for source in sources:
        if (source, neurons) in script.edges:
            source = script.add(f"{source}_again", identity(shape), [source])
        script.edges.append((source, neurons))


def _biased(script: Script, target: Population | Readout, sources: list[str], shape: Shape) -> list[str]:
    """A node with the bias, behind all that leads to the target: NIR has a bias on matrices and convolutions alone."""
    bias = np.broadcast_to(np.asarray(target.bias, np.float64), target.shape).reshape(shape)
    one = bias.reshape(len(bias), -1)
    label = target.label if isinstance(target, Population) else target.name
    if np.any(one != one[:, :1]) or len(shape) > 3:
        script.offenders.append(Unsupported(label, BIAS))
        return sources
    alone = sources[0] if len(sources) == 1 else ""
    made = script.nodes.get(alone)
    free = made is not None and made.kind in ("Linear", "Conv1d", "Conv2d") and "bias" not in made.values
    readers = [n for n in script.network.wiring.nodes.values() if target.current in n.inputs]
    shared = [t for t in script.network.targets.values() if t == target.current]
    if made is None or not free or readers or len(shared) > 1:
        made = identity(shape)
        alone = script.add(f"{target.name}_bias", made, sources)
    script.nodes[alone] = _with_bias(made, one[:, 0])
    return [alone]


def _with_bias(made: Map, bias: Array) -> Map:
    return Map("Affine" if made.kind == "Linear" else made.kind, {**made.values, "bias": bias})


def _matrices(script: Script, target: Population | Readout) -> list[str]:
    """One matrix for each projection to the target, behind a delay where it has one."""
    ends = []
    for projection in (p for p in script.network.projections if p.target == target.name):
        made = dense_matrix(projection.synapses())
        if made is None:
            told = f"a matrix of {math.prod(target.shape):,} x {projection.map.size(projection.source):,}, too large"
            script.offenders.append(Unsupported(f"{projection.source} to {target.name}", told))
            continue
        sources = script.sums[projection.source]
        if projection.lag:
            delay = Map("Delay", {"delay": np.full(made.values["weight"].shape[1:], float(projection.lag))})
            sources = [script.add(f"{projection.source}_delayed", delay, sources)]
        ends.append(script.add(f"{projection.source}_to_{target.name}", made, sources))
    return ends


def graph_of(nir: Any, script: Script, notes: Mapping[str, Any]) -> Any:
    """The graph in classes of the package nir."""
    nodes = {}
    for name, made in script.nodes.items():
        values = dict(made.values)
        if made.kind.startswith("Conv"):
            values.setdefault("bias", np.zeros(len(values["weight"])))
        nodes[name] = getattr(nir, made.kind)(**values)
    # Its check of types takes kernels for square; what is written is checked by reading it.
    return nir.NIRGraph(nodes=nodes, edges=script.edges, metadata=dict(notes), type_check=False)
