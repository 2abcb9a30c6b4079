"""Gives the weights of each channel of a layer one size, so that only their signs are left of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Conv, Dense


@dataclass(frozen=True)
class BinarizeWeights:
    """Weights of dense layers and convolutions become ``sign(w) mean |w|``, the mean over an output channel.

    Of all numbers times signs that is the nearest to the weights (XNOR-Net, arXiv 1603.05279, eq. 6). The number goes
    into the threshold of the channel, as any scale does. A weight of 0 is no connection and stays none, and biases stay
    as they are. Not exact: it is another network.
    """

    def __call__(self, graph: Graph) -> Graph:
        """The graph with those weights."""
        layers = [node for node in graph.nodes.values() if isinstance(node, (Dense, Conv))]
        if not layers:
            return graph
        editing = Editing(graph)
        editing.edit([replace(node, weight=binarized(node.weight)) for node in layers])
        return editing.graph()


def binarized(weight: Array) -> Array:
    """Weights (channels, ...) of one size in each channel."""
    rows = np.abs(weight).reshape(len(weight), -1)
    means = rows.sum(axis=1) / np.maximum((rows > 0).sum(axis=1), 1)
    return np.asarray(np.sign(weight) * means.reshape(-1, *[1] * (weight.ndim - 1)), weight.dtype)
