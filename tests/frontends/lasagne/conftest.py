"""The one comparison that every test of this frontend rests on."""

from __future__ import annotations

import numpy as np
import pytest
from lasagne_files import write

from snntoolbox.frontends.lasagne import LasagneFrontend


@pytest.fixture
def made(tmp_path):
    """Writes a model and opens it: the graph, and its outputs, which are the second reading's, for random samples."""

    def make(body, parameters=(), samples=3, **options):
        frontend = LasagneFrontend()
        model = frontend.open(write(tmp_path, body, parameters, **options))
        graph = frontend.parse(model)
        rng = np.random.default_rng(1)
        x = [np.float32(rng.normal(size=(samples, *shape))) for _, shape in model.inputs.values()]
        values, theirs = graph.values(*(a.astype(np.float64) for a in x)), frontend.predict(model, *x)
        ours = [values[name] for name in graph.outputs]
        assert len(ours) == len(theirs)
        for own, their in zip(ours, theirs, strict=True):
            assert own.shape == their.shape
            assert np.abs(own - their).max() <= 1e-5 * max(1.0, np.abs(their).max())
        return graph, x, ours

    return make
