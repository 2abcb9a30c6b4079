"""Cells of recurrent layers: what one step of a sequence makes of the states before it, without gates and with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snntoolbox.frontends.functions import FUNCTIONS, Function
from snntoolbox.frontends.layer_call import Activation, LayerCall, Operand, Refusal
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Add, Multiply

State = Operand | None
"""What a cell remembers: a node or a constant (units,), None where it is zero."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Cell(ABC):
    """W (gates * units, features), U (gates * units, outputs) and b (gates * units,), the gates behind one another.

    A cell that runs `backwards` begins with the last step. The first of its states is its output, whose node is called
    as the call is.
    """

    weight: Array
    recurrent: Array
    bias: Array | None = None
    backwards: bool = False

    gates: ClassVar[int] = 1

    @property
    def units(self) -> int:
        """The number of values of a gate."""
        return len(self.weight) // self.gates

    @property
    def states(self) -> tuple[int, ...]:
        """The size of each state."""
        return (self.units,)

    @abstractmethod
    def step(self, call: LayerCall, source: str, states: Sequence[State]) -> tuple[str, ...]:
        """The states behind a step that reads `source` and the states before."""

    def checked(self, call: LayerCall, source: str, states: Sequence[State]) -> list[State]:
        """The states as `step` takes them; Refusal where weights or states are not those of a cell for the features."""
        features, rows = call.shape(source), self.gates * self.units
        fits = self.weight.shape == (rows, *features) and self.recurrent.shape == (rows, self.states[0])
        if len(features) != 1 or not fits or (self.bias is not None and self.bias.shape != (rows,)):
            shapes = [a.shape for a in (self.weight, self.recurrent, self.bias) if a is not None]
            raise Refusal(f"its weights of shapes {shapes} do not fit steps of shape {features}")
        if len(states) != len(self.states):
            raise Refusal(f"{len(states)} initial states are given for {len(self.states)}")
        return [_state(call, state, size) for state, size in zip(states, self.states, strict=True)]

    def current(self, call: LayerCall, source: str, state: State, gate: int = 0) -> str:
        """``W x + U h + b`` of a gate by its number."""
        own = self.rows(gate)
        bias = None if self.bias is None else self.bias[own]
        if state is not None and not isinstance(state, Activation):
            bias = _shifted(bias, self.recurrent[own] @ state)
        read = call.builder.dense(f"{call.name}_input", source, self.weight[own], bias, origin=call.origin)
        if not isinstance(state, Activation):
            return read
        back = call.builder.dense(f"{call.name}_recurrent", state.name, self.recurrent[own], None, origin=call.origin)
        return _sum(call.named(f"{call.name}_current"), (read, back))

    def rows(self, gate: int) -> slice:
        """Where the weights of a gate stand."""
        return slice(gate * self.units, (gate + 1) * self.units)


@dataclass(frozen=True, eq=False, kw_only=True)
class SimpleCell(Cell):
    """``h[t] = f(W x[t] + U h[t - 1] + b)``, f the activation."""

    activation: Function = FUNCTIONS["tanh"]

    def step(self, call: LayerCall, source: str, states: Sequence[State]) -> tuple[str, ...]:
        """h behind a step."""
        (h,) = states
        return (self.activation(call, self.current(call, source, h)),)


@dataclass(frozen=True, eq=False, kw_only=True)
class LSTMCell(Cell):
    """``c[t] = f * c[t - 1] + i * g``, ``h[t] = P (o * tanh(c[t]))`` (Hochreiter & Schmidhuber 1997, Gers et al. 2000).

    Gates stand in the order i, f, g, o: i, f and o are sigmoids of ``W x[t] + U h[t - 1] + b``, g is its tanh. P is
    the `projection` (outputs, units), if there is one.
    """

    gate: Function = FUNCTIONS["sigmoid"]
    activation: Function = FUNCTIONS["tanh"]
    output: Function = FUNCTIONS["tanh"]
    projection: Array | None = None

    gates: ClassVar[int] = 4

    @property
    def states(self) -> tuple[int, ...]:
        """The sizes of h and c."""
        return (self.units if self.projection is None else len(self.projection), self.units)

    def step(self, call: LayerCall, source: str, states: Sequence[State]) -> tuple[str, ...]:
        """h and c behind a step."""
        h, c = states

        def gate(number: int, name: str, function: Function) -> str:
            at = call.named(f"{call.name}_{name}")
            return function(at, self.current(at, source, h, number))

        new = gate(2, "candidate", self.activation)
        terms = [_product(call, "_written", gate(0, "input_gate", self.gate), Activation(new))]
        if c is not None:
            terms.append(_product(call, "_kept", gate(1, "forget_gate", self.gate), c))
        memory = _sum(call.named(f"{call.name}_memory"), terms)
        told = self.output(call.named(f"{call.name}_told"), memory)
        at = call if self.projection is None else call.named(f"{call.name}_whole")
        output = _product(at, "", gate(3, "output_gate", self.gate), Activation(told))
        if self.projection is not None:
            output = call.builder.dense(call.name, output, self.projection, None, origin=call.origin)
        return output, memory


@dataclass(frozen=True, eq=False, kw_only=True)
class GRUCell(Cell):
    """``h[t] = (1 - z) * n + z * h[t - 1]`` (Cho et al. 2014).

    Gates stand in the order z, r, n: z and r are sigmoids of ``W x[t] + U h[t - 1] + b``. n is the tanh of
    ``W x[t] + b + r * (U h[t - 1] + d)``, with d the `reset_bias` (units,), or where `reset_first` that of
    ``W x[t] + b + U (r * h[t - 1])``.
    """

    gate: Function = FUNCTIONS["sigmoid"]
    activation: Function = FUNCTIONS["tanh"]
    reset_bias: Array | None = None
    reset_first: bool = False

    gates: ClassVar[int] = 3

    def step(self, call: LayerCall, source: str, states: Sequence[State]) -> tuple[str, ...]:
        """h behind a step."""
        (h,), at = states, call.named(f"{call.name}_update_gate")
        z = self.gate(at, self.current(at, source, h, 0))
        n = self._candidate(call.named(f"{call.name}_candidate"), source, self._read(call, source, h))
        terms = [n, _product(call, "_left", z, Activation(n))]
        if h is not None:
            terms.append(_product(call, "_kept", z, h))
        return (_sum(call, terms, (1.0, -1.0, 1.0)),)

    def _candidate(self, call: LayerCall, source: str, read: str | None) -> str:
        own = self.current(call, source, None, 2)
        return self.activation(call, own if read is None else _sum(call.named(f"{call.name}_current"), (own, read)))

    def _read(self, call: LayerCall, source: str, h: State) -> str | None:
        """What n reads of the state before, which r lets through; None where that is zero."""
        back, read = self.recurrent[self.rows(2)], h
        if not self.reset_first and isinstance(h, Activation):
            name = f"{call.name}_candidate_recurrent"
            read = Activation(call.builder.dense(name, h.name, back, self.reset_bias, origin=call.origin))
        elif not self.reset_first:
            read = self.reset_bias if h is None else _shifted(self.reset_bias, back @ h)
        if read is None:
            return None
        at = call.named(f"{call.name}_reset_gate")
        passed = _product(call, "_reset", self.gate(at, self.current(at, source, h, 1)), read)
        if not self.reset_first:
            return passed
        return call.builder.dense(f"{call.name}_candidate_recurrent", passed, back, None, origin=call.origin)


def _state(call: LayerCall, state: State, size: int) -> State:
    if state is None:
        return None
    shape = call.shape(state.name) if isinstance(state, Activation) else state.shape
    if isinstance(state, Activation) and shape == (size,):
        return state
    if isinstance(state, Activation) or state.size != size:
        raise Refusal(f"its initial state of shape {shape} does not fit {size} units")
    constant = np.asarray(state, np.float64).reshape(size)
    return constant if constant.any() else None


def _shifted(bias: Array | None, shift: Array) -> Array:
    return shift if bias is None else bias + shift


def _sum(call: LayerCall, terms: Sequence[str], factors: Sequence[float] = ()) -> str:
    if len(terms) == 1:
        return terms[0]
    coefficients = tuple(factors[: len(terms)]) or None
    return call.builder.add(Add(name=call.name, inputs=tuple(terms), coefficients=coefficients, origin=call.origin))


def _product(call: LayerCall, what: str, gate: str, value: Operand) -> str:
    """A value as far as a gate lets it through; what a sum of spikes carries is not rounded before."""
    name = f"{call.name}{what}"
    if not isinstance(value, Activation):
        return call.builder.affine(name, gate, value, None, call.origin)
    return call.builder.add(Multiply(name=name, inputs=(gate, value.name), whole=True, origin=call.origin))
