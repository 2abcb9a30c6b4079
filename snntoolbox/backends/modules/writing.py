"""The text of the Python file that computes a network step by step, and the arrays of its state dict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from snntoolbox.backends.modules.expressions import buffer, piece
from snntoolbox.backends.modules.libraries import Library
from snntoolbox.backends.modules.names import attribute_names
from snntoolbox.backends.templates import filled
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.foreign import comment
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes import Delay

PACKAGE = "snntoolbox.backends.modules"


@dataclass(frozen=True, eq=False, kw_only=True)
class Written:
    """text: the Python file. state: its state dict. neurons: population -> the attribute with its neurons."""

    text: str
    state: Mapping[str, Array]
    neurons: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class _Script:
    """A network, the names of its layers, and the lines of the parts of the file, filled as its layers are visited."""

    network: SpikingNetwork
    library: Library
    names: Mapping[str, str]
    make: list[str] = field(default_factory=list)
    begin: list[str] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    step: list[str] = field(default_factory=list)
    state: dict[str, Array] = field(default_factory=dict)

    def keep(self, name: str, value: Array) -> None:
        """A buffer with a value."""
        self.make.append(buffer(name, value))
        self.state[name] = value


def written(network: SpikingNetwork, library: Library, taken: Iterable[str], file: str) -> Written:
    """A network for a library; `taken` are the attributes that every module has, `file` is where its state lies."""
    parts = [*network.order, *network.encodings, *(r.name for r in network.readouts)]
    script = _Script(network, library, attribute_names(parts, taken))
    script.state["unit"] = np.ones(())
    constant = {n for n, e in network.encodings.items() if isinstance(e, ConstantCurrent)}
    for name in network.order:
        if name in network.populations:
            _add_population(script, network.populations[name], constant)
        elif name in network.circuit.delays:
            _add_delay(script, name)
        elif name not in network.encodings:
            _add_map(script, name, constant)
    for delay in network.circuit.delays:
        source = script.names[network.wiring.nodes[delay].inputs[0]]
        script.step.append(f'self.held["{script.names[delay]}"].append({source})')
    text = filled(PACKAGE, "network.py", **_values(script, constant, file))
    return Written(text=text, state=script.state, neurons={n: script.names[n] for n in network.populations})


# -- layers ---------------------------------------------------------------------------------------------------------


def _add_map(script: _Script, name: str, constant: set[str]) -> None:
    """A linear node: what it makes of spikes in each step, and of constant inputs once."""
    network, called = script.network, script.names[name]
    node = network.wiring.nodes[name]
    assert isinstance(node, LinearNode)
    shapes = network.wiring.input_shapes(name)

    def inputs(by_constant: bool) -> list[str]:
        """What it reads, zero where no constant input, or nothing else, reaches that."""
        return [
            script.names[i] if _reached(network.sources[i], constant, by_constant) else f"self.zeros(samples, {shape})"
            for i, shape in zip(node.inputs, shapes, strict=True)
        ]

    sources = network.sources[name]
    made = piece(node, called, inputs(False), shapes)
    script.make.extend(made.make)
    script.state.update(made.state)
    if _reached(sources, constant, False):
        script.step.append(f"{called} = {made.value}")
    if _reached(sources, constant, True):
        script.constant.append(f"{called} = {piece(node, called, inputs(True), shapes).value}")


def _reached(sources: frozenset[str], constant: set[str], by_constant: bool) -> bool:
    """Whether constant inputs, or others, are among the sources."""
    return bool(sources & constant if by_constant else sources - constant)


def _add_delay(script: _Script, name: str) -> None:
    node, called = script.network.wiring.nodes[name], script.names[name]
    assert isinstance(node, Delay)
    shape = script.network.wiring.shapes[name]
    script.begin.append(f'self.held["{called}"] = [self.zeros(samples, {shape})] * {node.steps}')
    script.step.append(f'{called} = self.held["{called}"].pop(0)')


def _add_population(script: _Script, population: Population, constant: set[str]) -> None:
    """Neurons: their modules, where their potentials begin, and what they get in each step."""
    neuron, called, library = population.neuron, script.names[population.name], script.library
    assert isinstance(neuron, IF)
    threshold = np.asarray(neuron.threshold, np.float64)
    script.make.append(f"# {comment(population.label)}")
    script.make.extend(library.make(called, neuron, threshold))
    script.state.update({f"{called}.{key}": value for key, value in library.state(neuron, threshold).items()})
    initial = f"self.zeros(samples, {population.shape})"
    if np.any(neuron.initial):
        script.keep(f"{called}_initial", np.asarray(neuron.initial, np.float64))
        initial += f" + self.{called}_initial"
    script.begin.append(f"initial = {initial}")
    script.begin.append(f"self.{called}.{library.potential} = {library.begin.format(initial='initial', name=called)}")
    script.step.extend(_current(script, population, constant))
    script.step.append(f"{called} = {library.call.format(name=called)}")


def _current(script: _Script, population: Population, constant: set[str]) -> Iterator[str]:
    """The lines that sum what a population gets."""
    called, sources = script.names[population.name], script.network.sources[population.current]
    terms = [script.names[population.current]] if _reached(sources, constant, False) else []
    if population.bias is not None and np.any(population.bias):
        script.keep(f"{called}_bias", np.asarray(population.bias, np.float64))
        terms.append(f"self.{called}_bias")
    whole = f"self.zeros(samples, {population.shape})"
    given = _reached(sources, constant, True)
    yield f"current = {' + '.join(terms if _reached(sources, constant, False) else [whole, *terms])}"
    if given:
        yield from _presented(script, f'current = current + given["{called}"]')
    if population.pulses:
        script.keep(f"{called}_pulse", np.stack(np.broadcast_arrays(*population.pulses.values())).astype(np.float64))
    for number, step in enumerate(population.pulses):
        yield f"if t == {step}:"
        yield f"    current = current + self.{called}_pulse[{number}]"


def _presented(script: _Script, line: str) -> Iterator[str]:
    """A line for the steps in which constant inputs are there."""
    limits = {e.steps for e in script.network.encodings.values() if isinstance(e, ConstantCurrent)} - {None}
    if limits:
        yield f"if t < {limits.pop()}:"
        yield f"    {line}"
    else:
        yield line


# -- read-outs and the file -----------------------------------------------------------------------------------------


def _values(script: _Script, constant: set[str], file: str) -> dict[str, object]:
    """What the template is filled with."""
    network, names = script.network, script.names
    rounded = "torch.round({})" if network.grid else "{}"
    reached = {
        names[target]: rounded.format(names[current])
        for target, current in network.targets.items()
        if _reached(network.sources[current], constant, True)
    }
    readouts = [_readout(script, readout, constant) for readout in network.readouts]
    return {
        "library": script.library,
        "about": comment(f"{network.name}: {len(network.populations)} layers of neurons, {network.neurons} neurons"),
        "file": file,
        "make": script.make,
        "begin": script.begin,
        "constant": script.constant,
        "currents": reached,
        "step": script.step,
        "inputs": [names[n] for n in network.encodings],
        "spiking": [names[n] for n in network.encodings if n not in constant],
        "about_inputs": [_input_words(network, n, names[n]) for n in network.encodings],
        "readouts": readouts,
        "outputs": ", ".join(r["value"] for r in readouts),
    }


def _input_words(network: SpikingNetwork, name: str, called: str) -> str:
    """What an input of the module is."""
    shape, encoding = network.wiring.shapes[name], network.encodings[name]
    if isinstance(encoding, ConstantCurrent):
        return f"{called}: values (samples, {', '.join(map(str, shape))}), the same in every step"
    told = f"{called}: spikes (steps, samples, {', '.join(map(str, shape))}) of -1, 0 and 1"
    if isinstance(encoding, Poisson):
        told += f"; of values x each with the sign of x and probability |x| / {encoding.amplitude!r}"
    return told


def _readout(script: _Script, readout: Readout, constant: set[str]) -> dict[str, str]:
    """The lines of a read-out: what it adds in a step, and its value in the end."""
    network, called = script.network, script.names[readout.name]
    sources = network.sources[readout.current]
    spikes = script.names[readout.current] if _reached(sources, constant, False) else "0.0"
    add = [f'self.sums["{called}"] = self.sums["{called}"] + {spikes}']
    if _reached(sources, constant, True):
        add += _presented(script, f'self.sums["{called}"] = self.sums["{called}"] + given["{called}"]')
    total, elapsed = f'self.sums["{called}"]', f"{network.window}" if network.window is not None else "steps"
    if readout.start:
        # Its first steps are forgotten as soon as as many more have passed.
        add += [f"if t == {readout.start - 1}:", f'    self.forgotten["{called}"] = self.sums["{called}"]']
        late = f"steps >= {2 * readout.start}"
        total = f'({total} - self.forgotten["{called}"] if {late} else {total})'
        elapsed = f"(steps - {readout.start} if {late} else steps)"
    value = f"{total} / {elapsed}"
    if readout.bias is not None:
        script.keep(f"{called}_bias", np.asarray(readout.bias, np.float64))
        value = f"({value} + self.{called}_bias)"
    script.step.extend(add)
    script.begin.append(f'self.sums["{called}"] = self.zeros(samples, {readout.shape})')
    return {"name": called, "value": value if readout.scale == 1 else f"{float(readout.scale)!r} * ({value})"}
