"""Ways to say what a live module takes, through the public function."""

import numpy as np
import pytest
import torch

from snntoolbox.conversion.load import load
from snntoolbox.errors import FrontendError


class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.dense = torch.nn.Conv2d(1, 2, 3), torch.nn.Linear(7, 72)

    def forward(self, x, y):
        return torch.relu(self.conv(x).flatten(1) + self.dense(y))


ONE = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())


@pytest.mark.parametrize(
    "given",
    [
        ((1, 8, 8), (7,)),
        [[1, 8, 8], [7]],
        (torch.zeros(1, 1, 8, 8), torch.zeros(1, 7)),
        (np.ones((3, 1, 8, 8)), np.ones((3, 7))),
    ],
    ids=["shapes", "lists", "tensors", "float64 arrays"],
)
def test_several_inputs(given):
    graph = load(Two(), input_shape=given)
    assert [graph.shapes[i] for i in graph.inputs] == [(1, 8, 8), (7,)]


@pytest.mark.parametrize(
    "given",
    [(1, 8, 8), torch.Size((1, 8, 8)), np.zeros((1, 1, 8, 8)), (torch.zeros(1, 1, 8, 8),), torch.zeros(2, 1, 8, 8)],
)
def test_one_input(given):
    graph = load(ONE, input_shape=given)
    assert graph.shapes[graph.inputs[0]] == (1, 8, 8)


@pytest.mark.parametrize("given", ["abc", 5, 2.5, (1.5, 8, 8), ((1, 8), "x"), (0, 8, 8)])
def test_what_is_no_shape(given):
    with pytest.raises(FrontendError, match="is no sample shape"):
        load(ONE, input_shape=given)
