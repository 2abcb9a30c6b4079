"""Delays stay where they are when maps are distributed over paths or composed, on the way to the integer grid."""

import numpy as np
import pytest

from snntoolbox.analysis.conformance.cases import OFF_GRID
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.loops import LOOPS
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.ir.nodes import Add, Concat


def distributed(draft):
    """Weights beside none: each path gets its own."""
    first = draft.neurons(draft.dense(draft.input(4), 5))
    both = draft.node(Add, draft.dense(draft.delay(first, 1), 5), draft.delay(first, 3), first)
    draft.readout(draft.dense(draft.neurons(both), 2))


def composed(draft):
    """Two weights in a row with a delay between them, and a join of what has none."""
    first = draft.neurons(draft.dense(draft.input(4), 5))
    row = draft.dense(draft.delay(draft.dense(draft.delay(first, 1), 6), 2), 5)
    draft.readout(draft.node(Concat, draft.neurons(draft.node(Add, row, draft.dense(first, 5))), draft.delay(first, 2)))


DRAWN = {"distributed": distributed, "composed": composed, **{n: d for n, d in LOOPS.items() if n not in OFF_GRID}}


@pytest.mark.parametrize("name", DRAWN)
def test_on_the_grid_spikes_come_as_late_as_before(name):
    draft = Draft()
    DRAWN[name](draft)
    network = draft.network()
    before, after = ({(p.source, p.target, p.lag): p for p in n.projections} for n in (network, Quantize(16)(network)))
    assert before.keys() == after.keys()
    for key, projection in after.items():
        weights, original = projection.synapses().toarray(), before[key].synapses().toarray()
        assert np.array_equal(weights, np.rint(weights)) or key[0] in network.encodings
        rows = np.abs(original).max(axis=1) > 0
        scale = np.abs(weights[rows]).max(axis=1) / np.abs(original[rows]).max(axis=1)
        np.testing.assert_allclose(weights[rows], original[rows] * scale[:, None], atol=1.0)
