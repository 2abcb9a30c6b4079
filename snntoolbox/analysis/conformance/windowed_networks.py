"""Networks of the conformance suite whose layers fire in windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, StepByStep
from snntoolbox.ir.network import Schedule
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Add, Concat, Dense, Mean, Permute, Reshape, Scale, Take
from snntoolbox.ir.parts import RecurringWindow
from snntoolbox.ir.tabulating import Table


def phases(draft: Draft) -> None:
    """Layers that fire one after the other, in windows; read-outs divide by a window's steps."""
    draft.schedule = Schedule("phased", window=2, steps=8)
    image = draft.input(2, 4, 4, coding=ConstantCurrent(steps=2))
    first = draft.neurons(draft.conv(image, 3), IF(initial=0.5, window=(2, 4)))
    second = draft.neurons(draft.conv(first, 3), IF(initial=0.5, window=(4, 6)))
    third = draft.neurons(draft.node(Add, draft.conv(second, 3), first), IF(initial=0.5, window=(6, 8)))
    draft.readout(draft.flat(third))


def sums(draft: Draft) -> None:
    """Layers whose counts follow from sums alone: depthwise, pooled, joined with signs, read early and late."""
    draft.schedule = Schedule("phased", window=3, steps=12)
    image = draft.input(4, 4, 4, coding=ConstantCurrent(steps=3))
    first = draft.neurons(draft.conv(image, 4), IF(initial=0.5, window=(3, 6)), bias=0.0)
    deep = draft.neurons(draft.conv(first, 4, groups=4), IF(initial=draft.numbers(4, 1, 1), window=(6, 9)), bias=0.0)
    joined = draft.node(Add, deep, draft.conv(image, 4), coefficients=(-0.5, 1.0))
    third = draft.neurons(draft.average(joined), IF(initial=0.5, window=(9, 12)), bias=0.0)
    draft.readout(draft.dense(draft.flat(third), 3))
    draft.readout(draft.flat(first))


def products(draft: Draft) -> None:
    """Counts times counts that came before: a gate for each channel, and values of both signs."""
    draft.schedule = Schedule("phased", window=3, steps=18)
    _gated(draft, Counting.ONE)


def products_of_digits(draft: Draft) -> None:
    """The same by binary digits."""
    draft.schedule = Schedule("radix", window=3, steps=18, counting=Counting.DIGIT)
    _gated(draft, Counting.DIGIT)


def _gated(draft: Draft, counting: Counting) -> None:
    def neuron(turn: int, **fields: Any) -> IF:
        return IF(window=(3 * turn, 3 * turn + 3), counting=counting, **fields)

    image = draft.input(2, 4, 4, coding=ConstantCurrent(steps=3))
    values = draft.neurons(draft.conv(image, 3), neuron(1, initial=0.5), bias=0.0)
    summed = draft.node(Mean, values, axes=(1, 2), summed=True, keepdims=False)
    pooled = draft.node(Scale, summed, gain=np.full(3, 1 / 4))
    weighed = draft.node(Dense, pooled, weight=np.abs(draft.numbers(3, 3)))
    gate = draft.neurons(weighed, neuron(2, initial=0.5), bias=0.0)
    wide = draft.node(Reshape, gate, shape=(3, 1, 1))
    for axis in (1, 2):
        wide = draft.node(Take, wide, axis=axis, indices=(0,) * 4)
    product = neuron(3, initial=1.0, threshold=2.0, latched=True)
    gated = draft.neurons(wide, product, latched=values)
    signed = draft.conv(gated, 3)
    both = neuron(4, initial=draft.numbers(3, 1, 1), threshold=2.0, latched=True)
    last = draft.neurons(signed, both, latched=draft.node(Add, wide, values, coefficients=(-0.5, 1.0)))
    draft.readout(draft.flat(draft.node(Add, last, gated)))


def sums_of_products(draft: Draft) -> None:
    """Counts times counts that came before, summed over rows: attention without a softmax, with signs and a table."""
    draft.schedule = Schedule("phased", window=3, steps=18)
    _attending(draft, Counting.ONE)


def sums_of_products_of_digits(draft: Draft) -> None:
    """The same by binary digits."""
    draft.schedule = Schedule("radix", window=3, steps=18, counting=Counting.DIGIT)
    _attending(draft, Counting.DIGIT)


def _attending(draft: Draft, counting: Counting) -> None:
    def neuron(turn: int, **fields: Any) -> IF:
        return IF(window=(3 * turn, 3 * turn + 3), counting=counting, **fields)

    tokens = draft.input(3, 4, coding=ConstantCurrent(steps=3))
    keys, values = (draft.neurons(draft.dense(tokens, 4), neuron(1, initial=0.5), bias=0.0) for _ in range(2))
    queries = draft.neurons(draft.dense(keys, 4), neuron(2, initial=0.5), bias=0.0)
    ways = [draft.node(Permute, draft.node(Reshape, n, shape=(3, 2, 2)), axes=(1, 0, 2)) for n in (queries, keys)]
    rows, known = (draft.node(Reshape, way, shape=(6, 2)) for way in ways)
    levels = 7 if counting is Counting.DIGIT else 3
    looks = Table(np.minimum([[0, 1, 2, 3, 5, 7]], levels), -1, levels, np.ones(1))
    scores = neuron(3, initial=0.25, latched=True, contraction=Contraction(2, 3, 3, 2), table=looks)
    shares = draft.neurons(rows, scores, latched=known)
    turned = [draft.node(Permute, n, axes=(1, 0)) for n in (values, keys)]
    signed = draft.node(Add, *turned, coefficients=(1.0, -0.5))
    heights = np.array([2.0, 1.0, 3.0, 1.5]).reshape(4, 1)
    summed = neuron(4, initial=draft.numbers(4, 3), threshold=heights, latched=True)
    found = draft.neurons(shares, replace(summed, contraction=Contraction(2, 2, 3, 3)), latched=signed)
    first = Contraction(1, 4, 3, 3, first=True)
    square = draft.node(Take, draft.node(Reshape, queries, shape=(4, 3)), axis=0, indices=(0, 1, 2))
    last = draft.neurons(found, neuron(5, initial=0.5, latched=True, contraction=first), latched=square)
    draft.readout(draft.flat(draft.node(Add, last, turned[0])))


def tables(draft: Draft) -> None:
    """Counts that a table has at sums of both signs: of a constant input, of counts, for all and for each channel."""
    draft.schedule = Schedule("phased", window=3, steps=12)
    _looked_up(draft, Counting.ONE, 3)


def tables_of_digits(draft: Draft) -> None:
    """The same by binary digits."""
    draft.schedule = Schedule("radix", window=3, steps=12, counting=Counting.DIGIT)
    _looked_up(draft, Counting.DIGIT, 7)


def _looked_up(draft: Draft, counting: Counting, levels: int) -> None:
    def neuron(turn: int, counts: list[list[int]], first: int, **fields: Any) -> IF:
        table = Table(np.minimum(counts, levels), first, levels, np.ones(len(counts)))
        return IF(window=(3 * turn, 3 * turn + 3), counting=counting, table=table, **fields)

    image = draft.input(2, 4, 4, coding=ConstantCurrent(steps=3))
    turning = neuron(1, [[1, 0, 3, 2, 6, 7, 3, 0]], -4, initial=0.25, threshold=0.5)
    first = draft.neurons(draft.conv(image, 3), turning, bias=0.0)
    heights = np.array([0.5, 1.0, 0.75]).reshape(3, 1, 1)
    rows = neuron(2, [[5, 2, 0, 0, 1], [0, 1, 2, 3, 4], [0, 0, 7, 0, 0]], -2, threshold=heights)
    second = draft.neurons(draft.conv(first, 3), rows, bias=0.0)
    plain = IF(initial=0.5, window=(9, 12), counting=counting)
    third = draft.neurons(draft.node(Add, draft.conv(second, 3), first), plain, bias=0.0)
    draft.readout(draft.flat(third))
    draft.readout(draft.flat(draft.node(Concat, first, second)))


def digits(draft: Draft) -> None:
    """Layers that send binary digits in turn, with branches of different length and a signed input."""
    draft.schedule = Schedule("radix", window=3, steps=12, counting=Counting.DIGIT)
    image = draft.input(2, 4, 4, coding=ConstantCurrent(steps=3))
    first = draft.neurons(draft.conv(image, 3), IF(initial=0.5, window=(3, 6), counting=Counting.DIGIT), bias=0.0)
    second = draft.neurons(draft.conv(first, 3), IF(initial=0.5, window=(6, 9), counting=Counting.DIGIT), bias=0.0)
    joined = draft.node(Add, draft.conv(second, 3), first)
    third = draft.neurons(joined, IF(initial=0.5, window=(9, 12), counting=Counting.DIGIT), bias=0.0)
    draft.readout(draft.flat(third))
    draft.readout(draft.flat(draft.node(Concat, first, second)))


def shared_values(draft: Draft) -> None:
    """Two populations of one current, whose sum is read: where they start is half a threshold apart."""
    draft.schedule = Schedule("radix", window=3, steps=12, counting=Counting.DIGIT)

    def pair(current: str, turn: int) -> str:
        neuron = IF(initial=0.25, window=(3 * turn, 3 * turn + 3), counting=Counting.DIGIT)
        both = [draft.neurons(current, replace(neuron, initial=start), bias=0.0) for start in (0.25, 0.75)]
        return draft.node(Add, *both)

    image = draft.input(2, 4, 4, coding=ConstantCurrent(steps=3))
    first = pair(draft.conv(image, 3), 1)
    second = pair(draft.conv(first, 3), 2)
    third = pair(draft.node(Add, draft.conv(second, 3), first, coefficients=(1.0, -0.5)), 3)
    draft.readout(draft.flat(third))
    draft.readout(draft.flat(draft.node(Concat, first, second)))


def uneven_digits(draft: Draft) -> None:
    """Layers of other numbers of digits, one depth with two of them: skipped over, joined and read."""
    ends = (3, 8, 10, 14)
    draft.schedule = Schedule("radix", window=3, steps=14, counting=Counting.DIGIT, ends=ends)

    def neuron(last: int, bits: int, initial: Any = 0.5) -> IF:
        return IF(initial=initial, window=(last - bits, last), counting=Counting.DIGIT, ends=ends)

    image = draft.input(2, 4, 4, coding=ConstantCurrent(steps=3))
    first = draft.neurons(draft.conv(image, 3), neuron(8, 5), bias=0.0)
    short = draft.neurons(draft.conv(image, 3), neuron(8, 2), bias=0.0)
    second = draft.neurons(draft.conv(draft.node(Add, first, short), 3), neuron(10, 2), bias=0.0)
    joined = draft.node(Add, draft.conv(second, 3), first, coefficients=(1.0, -0.5))
    third = draft.neurons(joined, neuron(14, 4, draft.numbers(3, 1, 1)), bias=0.0)
    draft.readout(draft.flat(third))
    draft.readout(draft.flat(draft.node(Concat, first, second)))


def digits_of_values(draft: Draft) -> None:
    """Inputs of both signs by their binary digits; one goes deep too."""
    draft.schedule = Schedule("radix", window=3, steps=9, counting=Counting.DIGIT)
    image = draft.input(2, 3, 3, coding=BinaryDigits(amplitude=2.0, window=3))
    other = draft.input(5, coding=BinaryDigits(window=3))
    first = draft.neurons(draft.conv(image, 3), IF(initial=0.5, window=(3, 6), counting=Counting.DIGIT), bias=0.0)
    both = draft.node(Add, draft.dense(draft.flat(first), 6), draft.dense(other, 6))
    second = draft.neurons(both, IF(initial=0.5, window=(6, 9), counting=Counting.DIGIT), bias=0.0)
    draft.readout(draft.node(Concat, second, other))


def digits_and_current(draft: Draft) -> None:
    """An input by its binary digits beside a constant current."""
    draft.schedule = Schedule("radix", window=3, steps=6, counting=Counting.DIGIT)
    digits, steady = draft.input(5, coding=BinaryDigits(window=3)), draft.input(5, coding=ConstantCurrent(steps=3))
    both = draft.node(Add, draft.dense(digits, 6), draft.dense(steady, 6))
    cells = draft.neurons(both, IF(initial=0.5, window=(3, 6), counting=Counting.DIGIT), bias=0.0)
    draft.readout(draft.dense(cells, 4))


def sequence(draft: Draft) -> None:
    """A sequence of three steps, each for two of four steps, through a recurrent layer and one behind it."""
    draft.schedule = Schedule("recurrent", window=2, steps=14)
    steps = draft.input(3, 4, coding=StepByStep(2, 4))
    now = draft.node(Reshape, draft.node(Dense, steps, weight=np.ones((1, 3)), axis=0), shape=(4,))
    own = draft.ahead(6)
    current = draft.node(Add, draft.dense(now, 6), draft.dense(draft.delay(own, 2), 6))
    anew = draft.numbers(6, scale=0.25)
    first = draft.neurons(current, IF(initial=0.5, special=(RecurringWindow(2, 2, 4, anew),)), bias=0.0, name=own)
    second = IF(initial=0.25, special=(RecurringWindow(4, 2, 4, 0.5),))
    draft.readout(draft.dense(draft.neurons(draft.dense(first, 6), second, bias=0.0), 3))
    draft.readouts[-1] = replace(draft.readouts[-1], start=12)


def first_spikes(draft: Draft) -> None:
    """Neurons that fire once in their window, with branches of different length and a signed input."""
    draft.schedule = Schedule("first-spike", window=4, steps=16, counting=Counting.LEAD)
    image = draft.input(2, 4, 4, coding=ConstantCurrent(steps=1))

    def neuron(first: int) -> IF:
        return IF(initial=1.5, reset=Reset.ZERO, window=(first, first + 4), counting=Counting.LEAD)

    first = draft.neurons(draft.conv(image, 3), neuron(4), bias=0.0)
    second = draft.neurons(draft.conv(first, 3), neuron(8), bias=0.0)
    third = draft.neurons(draft.node(Add, draft.conv(second, 3), first), neuron(12), bias=0.0)
    draft.readout(draft.flat(third))
    draft.readout(draft.flat(draft.node(Concat, first, second)))


PRODUCTS: Mapping[str, Callable[[Draft], None]] = {
    "products of counts": products,
    "products of digits": products_of_digits,
    "sums of products": sums_of_products,
    "sums of products of digits": sums_of_products_of_digits,
}
"""Networks of counts that are multiplied."""
