"""Graphs whose nodes do not fit together are refused as damaged."""

import pytest

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.onnx import OnnxFrontend

FRONTEND = OnnxFrontend()


DAMAGED = {
    "reads nothing": ([("Relu", "nowhere", "y", {})], "nothing before it makes"),
    "cycle": ([("Add", "x b", "a", {}), ("Relu", "a", "b", {}), ("Relu", "b", "y", {})], "cycle"),
    "made twice": ([("Relu", "x", "y", {}), ("Neg", "x", "y", {})], "the output of two nodes"),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_damaged_graphs(how, build):
    nodes, reason = DAMAGED[how]
    with pytest.raises(FrontendError, match=reason):
        FRONTEND.parse(FRONTEND.open(build(nodes, x=(4,))))
