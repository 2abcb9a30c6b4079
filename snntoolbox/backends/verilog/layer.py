"""A layer of the hardware in numbers: its neurons, their memories, and when they are updated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from snntoolbox.backends.verilog.opening import Product, SummedProducts, TableMemory
from snntoolbox.backends.verilog.parts import PARTS, Parameters, limits
from snntoolbox.backends.verilog.ports import Layout, Port, Store
from snntoolbox.backends.verilog.widths import unsigned_bits
from snntoolbox.backends.verilog.writing import constant
from snntoolbox.ir.network import Population, Readout
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.parts import Saturation


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """A population or read-out: neurons in the order of `layout`, `lanes` to a word, potentials of `bits` bits.

    threshold, start, bias: one whole number per neuron in that order. current_bits: width of its input current, 0
    without one. module: its name in Verilog. presented: the first steps in which alone its current is there, 0 for
    all; `rest` is what it gets from then on. digits: steps are binary digits of numbers of so many, in each window
    where these differ; none where all count once. total: what the sum of a read-out is divided by, 0 for the steps.
    table: what is read as the window opens;
    None where nothing is, or where it opens with the first step: `start` says it then. product: how what has been
    summed becomes a potential then, of a layer with latched ports; `store` is what a port adds to.
    """

    target: Population | Readout
    module: str
    layout: Layout
    lanes: int
    bits: int
    ports: tuple[Port, ...]
    threshold: Array
    start: Array
    bias: Array
    current_bits: int
    presented: int
    rest: Array
    digits: tuple[int, ...] = ()
    total: int = 0
    table: TableMemory | None = None
    product: Product | SummedProducts | None = None

    @property
    def name(self) -> str:
        """The population's or read-out's name."""
        return self.target.name

    @property
    def shape(self) -> Shape:
        """The shape of its neurons."""
        return self.target.shape

    @property
    def neurons(self) -> int:
        """The number of neurons."""
        return len(self.bias)

    @property
    def words(self) -> int:
        """Words of potentials."""
        return self.neurons // self.lanes

    def store(self, port: Port) -> Store:
        """The sums that a port adds to: the potentials, counts beside them, or a factor of what is summed."""
        if isinstance(self.product, SummedProducts):
            return self.product.store(self.product.of_own(port.latched))
        if port.latched and self.product is not None:
            return replace(self.potentials, bits=self.product.bits)
        return self.potentials

    @property
    def potentials(self) -> Store:
        """Those of its neurons."""
        return Store(sums=self.neurons, lanes=self.lanes, bits=self.bits)

    @property
    def counts(self) -> Mapping[str, Store]:
        """The memories of counts that it has beside its potentials, by what they are."""
        if isinstance(self.product, SummedProducts):
            factors = {"rows of a sum of products": True, "columns of a sum of products": False}
            return {name: self.product.store(own) for name, own in factors.items()}
        return {} if self.product is None else {"counts": replace(self.potentials, bits=self.product.bits)}

    @property
    def silent(self) -> bool:
        """Whether a step outside its window brings it spikes alone: no current, no bias, no clipping at its end."""
        windowed = self._neuron is not None and self._neuron.window is not None and self.limits is None
        return windowed and not (self.current_bits or self.bias.any() or (self.presented and self.rest.any()))

    @property
    def window(self) -> tuple[int, int]:
        """The first step in which it may fire and the one behind the last; of a neuron without a window none."""
        return (self._neuron and self._neuron.window) or (0, 0)

    @property
    def opening_clocks(self) -> int:
        """The clocks more in which a potential becomes another as the window opens; 0 where it stays."""
        own = [part.clocks for part in (self.product, self.table) if part is not None]
        return sum(own) - max(len(own) - 1, 0)  # a table begins in the clock in which the product is there

    @property
    def scanned(self) -> int:
        """Neurons updated at once at the end of a step.

        One where that happens in few steps, or where one after the other is looked up; else all lanes.
        """
        return 1 if self.silent or self.opening_clocks else self.lanes

    @property
    def places(self) -> int:
        """How many such groups of neurons there are."""
        return self.neurons // self.scanned

    @property
    def spikes(self) -> bool:
        """Whether it is a population, not a read-out."""
        return isinstance(self.target, Population)

    @property
    def limits(self) -> tuple[int, int] | None:
        """The least and largest potential at the end of a step where it saturates, as far as `bits` bits hold them."""
        part = self._neuron.parts.limits if self._neuron else None
        return limits(part, self.bits) if isinstance(part, Saturation) else None

    @property
    def parameters(self) -> Parameters:
        """What the parts of its neurons and the network's windows are of the library's module."""
        parts = self._neuron.parts if self._neuron else ()
        own = {name: value for part in parts for name, value in PARTS[type(part)](part, self.bits).items()}
        return {**own, **({"PRESENTED": str(self.presented)} if self.presented else {}), **self._digits()}

    def _digits(self) -> Parameters:
        """The numbers of the first digits of the windows, the last digits being 0, and their width."""
        if not self.digits:
            return {}
        bits = unsigned_bits(max(self.digits) - 1)
        tops = ", ".join(constant(digits - 1, bits) for digits in reversed(self.digits))
        turns = {"TURNS": str(len(self.digits))} if len(self.digits) > 1 else {}
        return {"DIGITS": "1", "PLACE": str(bits), **turns, "TOPS": f"{{{tops}}}" if turns else tops}

    @property
    def _neuron(self) -> IF | None:
        neuron = getattr(self.target, "neuron", None)
        return neuron if isinstance(neuron, IF) else None

    @property
    def forget(self) -> int:
        """The first steps that a read-out forgets."""
        return self.target.start if isinstance(self.target, Readout) else 0

    @property
    def label(self) -> str:
        """The layer as the user knows it."""
        return self.target.label if isinstance(self.target, Population) else self.target.name
