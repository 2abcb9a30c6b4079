"""Models that join the batch with windows are read for one sample; those that mix samples are not."""

import numpy as np
import pytest
import torch
from torch import nn
from window_nets import Swin, image, made, windows

from snntoolbox.errors import UnsupportedError
from snntoolbox.frontends.pytorch import TorchFrontend

FRONTEND = TorchFrontend()


class Of(nn.Module):
    """A function of a batch, and modules for it."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, value in modules.items():
            setattr(self, name, value)

    def forward(self, x):
        return self.function(self, x)


def joined(x):
    """(batch, windows, steps, channels) with batch and windows in one axis."""
    return x.reshape(-1, *x.shape[2:])


WIDE = (3, 4, 6)
CASES = {
    "arithmetic": (lambda s, x: (2 * joined(x) + torch.ones(4, 6)).view(-1, *WIDE) + torch.ones(3, 1, 1), WIDE),
    "wider": (lambda s, x: (joined(x) + torch.ones(1, 1, 4, 6))[0].view_as(x), WIDE),
    "axes": (lambda s, x: joined(x).transpose(1, 2).flip(2).softmax(1)[:, 1:4].amax(-1).view(len(x), -1), WIDE),
    "pieces": (lambda s, x: torch.cat(joined(x).chunk(2, -1)[::-1], 2).reshape(len(x), -1), WIDE),
    "stacked": (lambda s, x: torch.stack(joined(x).unbind(2), 1).squeeze(0).view(x.shape[0], -1), WIDE),
    "products": (lambda s, x: (joined(x) @ joined(x).mT @ joined(x)).view_as(x), WIDE),
    "rolled": (lambda s, x: image(windows(x.roll((1, -1), (1, 2)), 2), 2, 4, 4).roll(1, 2), (4, 4, 2)),
    "with space": (lambda s, x: s.last(joined(s.pool(s.conv(x))[:, :, None])).reshape(len(x), -1), (2, 6, 6)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_windows_are_axes_of_the_sample(case):
    function, shape = CASES[case]
    torch.manual_seed(0)
    parts = {"conv": nn.Conv2d(2, 3, 3), "pool": nn.MaxPool2d(2), "last": nn.Linear(2, 4)}
    check(Of(function, **(parts if case == "with space" else {})).eval(), shape)


def check(module, shape):
    opened = FRONTEND.open(module, input_shape=shape)
    graph = FRONTEND.parse(opened)
    x = np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)
    with torch.no_grad():
        wanted = module(torch.from_numpy(x)).numpy()
    found = graph.run(x)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-5 * max(np.abs(wanted).max(), 1))
    return graph


def test_a_transformer_of_shifted_windows():
    graph = check(made(Swin), (1, 8, 8))
    assert [n.kind for n in graph.nodes.values()].count("Softmax") == 2


MIXING = {
    "mean of the batch": lambda s, x: joined(x).view_as(x) - x.mean(0, keepdim=True),
    "mean of all windows": lambda s, x: joined(x).view_as(x) - joined(x).mean(0),
    "rolled over samples": lambda s, x: joined(x).roll(1, 0).view_as(x),
    "size of the batch": lambda s, x: joined(x).view_as(x) / len(x),
}  # fmt: skip


@pytest.mark.parametrize("case", MIXING)
def test_what_mixes_samples_is_refused(case):
    with pytest.raises(UnsupportedError, match="batch"):
        FRONTEND.parse(FRONTEND.open(Of(MIXING[case]).eval(), input_shape=WIDE))


def test_convolutions_over_windows_are_refused_by_name():
    module = Of(lambda s, x: s.conv(joined(x)).reshape(len(x), -1), conv=nn.Conv1d(4, 2, 3)).eval()
    with pytest.raises(UnsupportedError, match=r"conv \(pytorch Conv1d\): .*windows joined with the batch"):
        FRONTEND.parse(FRONTEND.open(module, input_shape=WIDE))
