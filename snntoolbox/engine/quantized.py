"""Runs a network with windows without time: each layer's counts in one pass, as its quantised analogue has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tables import Entries
from snntoolbox.engine.tensors import plain_arithmetic
from snntoolbox.errors import ConversionError
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.turns import stepwise
from snntoolbox.ir.ways_out import WINDOWS


class QuantizedRun:
    """The spike counts and outputs that a network comes to whose layers fire in turn: phased, radix or first-spike.

    T is what all steps of a window count: their number, or 2^B - 1 where B steps are binary digits. Where layers have
    windows of several lengths each is cut off at what its own count.

    With S the sum of all that reaches a neuron, and V0 its start potential (T times its bias lies in there),

        n = clip(floor((S + V0) / theta), 0, T),    y = scale * (W(n) / T + bias)

    for populations and read-outs. Where counts are multiplied S is the product of both sums; where they are a table's
    it is read at that floor, in place of the clip. It takes one pass over the network whatever T. The spiking
    simulation gives the same counts, but where S ties with a level up to
    rounding. Inputs are constant currents.

    `adjust` is told each population and its (S + V0) / theta, (samples, *shape), in order, and answers what is added to
    that before it fires: so start potentials are tried out on what the layers before really send.

    It computes in float64, in which the counts are those of the simulation. With `single`, for trials, which need no
    single count to be right, in float32: convolutions take a quarter of the time.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        adjust: Callable[[Population, Array], Array] | None = None,
        *,
        single: bool = False,
    ) -> None:
        if network.window is None or stepwise(network):
            raise ConversionError("only a network with windows equals its quantised one", hint=WINDOWS)
        if not all(isinstance(e, ConstantCurrent) for e in network.encodings.values()):
            raise ConversionError("only networks with constant currents as inputs can be run as their quantised ones")
        if network.grid:  # its currents are rounded before they are summed, which the interpreter does
            raise ConversionError("a network on an integer grid is run by its simulator", hint="weight_bits = 0")
        self.network, self.window, self.adjust = network, network.window, adjust
        self.wiring = Executor(network.wiring, dtype=torch.float32 if single else torch.float64, exact=True)

    def outputs(self, x: Sequence[Array]) -> list[Array]:
        """The values of the read-outs for a batch of each input, (samples, *shape), in the user's units."""
        values = self._values(x)
        outputs = []
        for readout in self.network.readouts:
            bias = 0.0 if readout.bias is None else readout.bias
            outputs.append(readout.scale * (values[readout.current].numpy() / self.window + bias))
        return outputs

    def counts(self, x: Sequence[Array]) -> dict[str, Array]:
        """The number of spikes of every neuron for a batch of each input, (samples, *shape)."""
        values = self._values(x)
        return {name: values[name].numpy() for name in self.network.populations}

    def _values(self, x: Sequence[Array]) -> dict[str, Tensor]:
        inputs = dict(zip(self.network.encodings, x, strict=True))
        values: dict[str, Tensor] = {}
        with plain_arithmetic():
            for name in self.network.order:
                population = self.network.populations.get(name)
                if population is not None:
                    total = values[population.current]
                    if population.latched is not None:
                        total = population.product(total, values[population.latched])
                    values[name] = self._fired(population, total)
                elif name in inputs:
                    values[name] = self.window * self.wiring.target.tensor(inputs[name])
                else:
                    node = self.network.wiring.nodes[name]
                    values[name] = self.wiring.kernel(name)(*(values[i] for i in node.inputs))
        return values

    def _fired(self, population: Population, total: Tensor) -> Tensor:
        neuron, tensor = population.neuron, self.wiring.target.tensor
        assert isinstance(neuron, IF)
        ready = (total + tensor(neuron.initial)) / tensor(neuron.threshold)
        if self.adjust is not None:
            ready = ready + tensor(self.adjust(population, ready.numpy()))
        whole = torch.floor(ready)
        if neuron.table is not None:
            whole = Entries(neuron.table, population.shape, self.wiring.target)(whole)
        return whole.clamp(0, neuron.most)
