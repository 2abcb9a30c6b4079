import numpy as np
import pytest
from node_catalogue import LINEAR, graph_of

from snntoolbox.ir.absolute import absolute


@pytest.mark.parametrize("name", LINEAR)
def test_it_sums_the_amounts_of_all_that_comes_together(name):
    """As the synapses have it, which know nothing of kinds of layers."""
    node, shapes, out = LINEAR[name]
    graph = graph_of(node, shapes)
    bounding = absolute(graph).nodes["n"]
    names = [graph.shapes[i] for i in graph.nodes["n"].inputs]
    amounts = [np.random.default_rng(i).random(shape) for i, shape in enumerate(names)]
    silent = [np.zeros((1, *shape)) for shape in names]
    for i, amount in enumerate(amounts):
        alone = [*silent[:i], amount[None], *silent[i + 1 :]]
        columns = []
        for j in range(amount.size):  # an impulse at a time
            impulse = np.zeros(amount.shape)
            impulse.flat[j] = 1
            columns.append(np.abs(graph.nodes["n"].linear(*silent[:i], impulse[None], *silent[i + 1 :])).ravel())
        expected = np.stack(columns, axis=1) @ amount.ravel()
        np.testing.assert_allclose(bounding.linear(*alone).ravel(), expected, atol=1e-12)
        assert expected.shape == (int(np.prod(out)),)
