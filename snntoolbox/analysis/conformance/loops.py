"""The small networks of the conformance suite that have delays and loops, by name."""

from __future__ import annotations

from collections.abc import Mapping

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import Drawing
from snntoolbox.analysis.conformance.windowed_networks import sequence
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Add, Concat


def chain(draft: Draft) -> None:
    """Spikes that come two steps later, and the same ones without a delay beside them."""
    first = draft.neurons(draft.dense(draft.input(6), 8))
    second = draft.neurons(draft.dense(draft.delay(first, 2), 8))
    both = draft.node(Add, draft.dense(second, 6), draft.dense(draft.delay(first, 5), 6), draft.dense(first, 6))
    draft.readout(draft.dense(draft.neurons(both), 3))


def short_way(draft: Draft) -> None:
    """A delay that is shorter than the difference of the depths that it joins, and one that is as long."""
    first = draft.neurons(draft.dense(draft.input(6), 6))
    last = first
    for _ in range(3):
        last = draft.neurons(draft.dense(last, 6))
    late = draft.node(Add, draft.dense(draft.delay(last, 1), 5), draft.dense(draft.delay(first, 4), 5))
    draft.readout(draft.dense(draft.neurons(late), 3))


def spiking_input(draft: Draft) -> None:
    """Poisson spikes, now and three steps ago."""
    spikes = draft.poisson(6)
    draft.readout(draft.neurons(draft.node(Add, draft.dense(spikes, 7), draft.dense(draft.delay(spikes, 3), 7))))


def delayed_readout(draft: Draft) -> None:
    """Read-outs by a delay, of the spikes of two layers: those of the last steps never come."""
    first = draft.neurons(draft.dense(draft.input(6), 8))
    second = draft.neurons(draft.dense(first, 8))
    draft.readout(draft.delay(draft.dense(second, 4), 3))
    draft.readout(draft.node(Concat, draft.delay(first, 2), second))


def pools(draft: Draft) -> None:
    """Delays before, between and behind convolutions and pools, in a residual link and a join."""
    first = draft.neurons(draft.conv(draft.input(2, 6, 6), 4))
    second = draft.neurons(draft.conv(draft.delay(first, 1), 4))
    short = draft.node(Add, draft.delay(draft.conv(second, 4), 2), first, coefficients=(1.0, -0.5))
    pooled = draft.average(draft.delay(draft.neurons(short), 3))
    joined = draft.node(Concat, pooled, draft.delay(pooled, 1))
    draft.readout(draft.dense(draft.flat(draft.neurons(draft.conv(joined, 3))), 3))


def itself(draft: Draft) -> None:
    """A population that reads its own spikes of two steps ago, and its own of three steps ago by another map."""
    own = draft.ahead(8)
    back = draft.node(Add, draft.dense(draft.delay(own, 2), 8), draft.dense(draft.delay(own, 3), 8))
    cells = draft.neurons(draft.node(Add, draft.dense(draft.input(6), 8), back), IF(initial=0.5), name=own)
    draft.readout(draft.dense(cells, 3))


def two_in_a_loop(draft: Draft) -> None:
    """Two populations that read each other, the second one the first within the step."""
    second = draft.ahead(7)
    back = draft.dense(draft.delay(second, 2), 8)
    first = draft.neurons(draft.node(Add, draft.dense(draft.input(6), 8), back), IF(initial=0.25))
    draft.neurons(draft.dense(first, 7), name=second)
    draft.readout(draft.dense(second, 3))
    draft.readout(draft.delay(first, 1))


def deep_loop(draft: Draft) -> None:
    """A loop over three layers that a deep layer outside of it feeds, and from which another one reads."""
    deep = draft.neurons(draft.dense(draft.neurons(draft.dense(draft.input(6), 6)), 6))
    last = draft.ahead(6)
    first = draft.neurons(draft.node(Add, draft.dense(draft.delay(last, 4), 6), draft.dense(deep, 6)))
    second = draft.neurons(draft.dense(first, 6))
    draft.neurons(draft.node(Add, draft.dense(second, 6), draft.dense(deep, 6)), name=last)
    draft.readout(draft.neurons(draft.node(Add, draft.dense(last, 5), draft.dense(draft.delay(deep, 1), 5))))


def quick(draft: Draft) -> None:
    """Two populations that read each other within two steps, one of delay: too quick where a spike takes a step."""
    second = draft.ahead(7)
    back = draft.dense(draft.delay(second, 1), 8)
    first = draft.neurons(draft.node(Add, draft.dense(draft.input(6), 8), back))
    draft.neurons(draft.dense(first, 7), name=second)
    draft.readout(draft.dense(second, 3))


LOOPS: Mapping[str, Drawing] = {
    "delays in a chain": chain,
    "delays over layers": short_way,
    "delayed input": spiking_input,
    "delayed read-out": delayed_readout,
    "delays between pools": pools,
    "self-connection": itself,
    "two in a loop": two_in_a_loop,
    "deep loop": deep_loop,
    "quick loop": quick,
    "sequence": sequence,
}
