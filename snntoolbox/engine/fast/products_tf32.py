"""Products that a GPU's tensor cores compute exactly although they shorten their factors to 11 bits (TF32)."""

from __future__ import annotations

import logging
from functools import cache

import numpy as np
import torch

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast.bytes_maps import Form, moved
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Conv, Dense, Input

log = logging.getLogger(__name__)

DEVICES = frozenset({"cuda"})
"""Kinds of devices that have such products."""

_EXACT = 2**24
_BITS = 11


def chosen(network: SpikingNetwork, target: Target) -> frozenset[str]:
    """The convolutions and dense layers of spikes that lose nothing in TF32; none where the device was not exact."""
    if target.device.type not in DEVICES or target.dtype != torch.float32:
        return frozenset()
    found = _exact_products(network)
    return found if found and works(torch.empty(0, device=target.device).device) else frozenset()


def exact(weight: Array, form: Form) -> bool:
    """Whether products with whole numbers up to `form.peak` are exact in TF32, in whatever order they are added.

    Factors need 11 significant bits, and tensor cores multiply and add "with at least single precision" (PTX ISA,
    mma): so each weight must keep its value in 11 bits, and with q the largest power of two that divides all weights,
    sum |w| * peak must be below 2^24 q. Then every partial sum is a multiple of q that 24 bits hold. Numbers of an
    extreme size, which could leave the range of float32, are not taken.
    """
    magnitudes = np.abs(weight[weight != 0])
    if form.peak >= 2**_BITS or not magnitudes.size:
        return False
    mantissas, exponents = np.frexp(magnitudes)
    whole = mantissas * 2.0**_BITS
    if np.any(whole != np.rint(whole)) or exponents.max() > 64 or exponents.min() < -32:
        return False
    bits = whole.astype(np.int64)
    lowest = np.log2(bits & -bits).astype(np.int64) + exponents - _BITS
    sums = np.abs(weight).sum(axis=tuple(range(1, weight.ndim))).max()
    return bool(sums * form.peak < _EXACT * 2.0 ** int(lowest.min()))


def _exact_products(network: SpikingNetwork) -> frozenset[str]:
    """The same for any device: weights behind spikes, or behind sums of them that are small whole numbers."""
    forms: dict[str, Form] = {}
    found = set()
    for name in network.order:
        if population := network.populations.get(name):
            if not (isinstance(population.neuron, IF) and population.neuron.graded):
                forms[name] = Form(1)
        elif not isinstance(node := network.wiring.nodes[name], Input):
            given = tuple(forms[i] for i in node.inputs if i in forms)
            if len(given) < len(node.inputs):
                continue
            if isinstance(node, (Conv, Dense)):
                found |= {name} if _fits(node, given[0]) else set()
            elif form := moved(node, given, network.wiring.input_shapes(name), fused=False):
                forms[name] = form[0]
    return frozenset(found)


def _fits(node: Conv | Dense, form: Form) -> bool:
    return abs(np.log2(form.factor)) <= 32 and exact(np.asarray(node.weight, np.float64), form)


@cache
def works(device: torch.device) -> bool:
    """Whether this device computes such products exactly at the very limit; tried once."""
    try:
        wrong = [node.name for node in _probes() if not _agrees(node, device)]
    except Exception as error:  # of whatever kind: nothing that happens here may end a run
        wrong = [f"{type(error).__name__}: {error}"]
    if wrong:
        log.warning("products are not taken in TF32, which is not exact on this device: %s", ", ".join(wrong))
    return not wrong


def _probes() -> list[Node]:
    """Layers with few of the largest weights among many of the smallest, in another order in each row."""
    draw = np.random.default_rng(0)
    weight = draw.choice([-1.0, 1.0], (160, 2048))
    weight[:, :62] *= 2.0**_BITS - 1
    weight[:80] = np.abs(weight[:80])
    weight = draw.permuted(weight, axis=1)
    dense = Dense(name="dense", inputs=("row",), weight=weight)
    kernels, none = weight.reshape(160, 128, 4, 4), ((0, 0), (0, 0))
    conv = Conv(name="conv", inputs=("plane",), weight=kernels, stride=(1, 1), padding=none, dilation=(1, 1))
    return [dense, conv]


def _agrees(node: Node, device: torch.device) -> bool:
    """Whether sums up to almost 2^24 are right, for one sample and for many."""
    (source,) = node.inputs
    shape = {"row": (2048,), "plane": (128, 5, 6)}[source]
    graph = Graph([Input(name=source, shape=shape), node], [node.name])
    x = np.random.default_rng(1).integers(100, 128, (48, *shape)).astype(np.float64)
    x[0] = 127
    short = Executor(graph, device=device, exact=True, short=frozenset({node.name}))
    wanted = Executor.double(graph)
    return all(np.array_equal(short.run(x[:n]), wanted.run(x[:n])) for n in (1, 48))
