"""The network whose trained weights lie beside this file in digits_cnn.pth.

The toolbox takes from here `class Model` and its `input_shape`, the shape of one sample.
"""

from torch import nn
from torch.nn import functional


class Model(nn.Module):
    input_shape = (1, 8, 8)

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.dense = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.norm1(self.conv1(x))), 2)
        x = functional.relu(self.conv2(x))
        return self.dense(x.flatten(1))
