"""The one comparison that every test of this frontend rests on."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_files import write

from snntoolbox.frontends.caffe import CaffeFrontend


@pytest.fixture
def made(tmp_path):
    """Writes a model and opens it: the graph, and its outputs and those of the net itself for some random samples."""

    def make(text, weights=None, samples=3, **options):
        frontend = CaffeFrontend()
        net = frontend.open(write(tmp_path, text, weights, **options))
        graph = frontend.parse(net)
        rng = np.random.default_rng(1)
        x = [np.float32(rng.normal(size=(samples, *shape))) for shape in net.inputs.values()]
        values, theirs = graph.values(*(a.astype(np.float64) for a in x)), frontend.predict(net, *x)
        ours = [values[name] for name in graph.outputs]
        assert len(ours) == len(theirs)
        for own, their in zip(ours, theirs, strict=True):
            assert own.shape == their.shape
            assert np.abs(own - their).max() <= 1e-5 * max(1.0, np.abs(their).max())
        return graph, x, ours

    return make
