"""A small net in PyTorch, the check that what is opened computes what it does, and an object that runs code."""

import numpy as np
import torch
from torch import nn

from snntoolbox.frontends.pytorch import TorchFrontend

FRONTEND = TorchFrontend()


def net(hidden=5):
    torch.manual_seed(hidden)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.last = nn.Linear(4, hidden), nn.BatchNorm1d(hidden), nn.Linear(hidden, 3)

        def forward(self, x):
            return self.last(torch.relu(self.norm(self.first(x))))

    model = Model().eval()
    model.norm.running_mean.normal_()
    return model


def agrees(path, model, shape=None):
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    opened = FRONTEND.open(path, input_shape=shape)
    with torch.no_grad():
        wanted = model(torch.from_numpy(x)).numpy()
    assert np.abs(FRONTEND.parse(opened).run(x) - wanted).max() < 1e-5
    assert np.abs(FRONTEND.predict(opened, x)[0] - wanted).max() < 1e-6


class Bomb:
    """What a hostile pickle does when it is loaded."""

    def __init__(self, flag):
        self.flag = str(flag)

    def __reduce__(self):
        return (open, (self.flag, "w"))
