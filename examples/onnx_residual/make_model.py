"""Train a small residual network on scikit-learn's digits; writes digits_residual.onnx and the data set here."""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

FOLDER = Path(__file__).resolve().parent


class Block(nn.Module):
    """relu(x' + f(x)): two convolutions beside the identity, or a 1x1 convolution where the shape changes."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        same = channels_in == channels and stride == 1
        self.short = nn.Identity() if same else nn.Conv2d(channels_in, channels, 1, stride)

    def forward(self, x):
        y = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        return functional.relu(y + self.short(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2))
        self.dense = nn.Linear(32, 10)

    def forward(self, x):
        x = self.blocks(functional.relu(self.stem(x)))
        return self.dense(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def split():
    """Images in [0, 1], (samples, 1, 8, 8), and classes: to train with, to test with."""
    digits = load_digits()
    x = (digits.images[:, None] / 16).astype(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(
        x, digits.target, test_size=360, random_state=0, stratify=digits.target
    )
    return x_train, y_train, x_test, y_test


def train(model, x, y, epochs=12):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model.eval()


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # quickest for a network this small
    x_train, y_train, x_test, y_test = split()
    model = train(Net(), x_train, y_train)
    with torch.no_grad():
        print(f"accuracy {np.mean(model(torch.from_numpy(x_test)).argmax(1).numpy() == y_test):.3f}")
    torch.onnx.export(
        model,
        (torch.zeros(2, 1, 8, 8),),
        FOLDER / "digits_residual.onnx",
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )
    np.savez_compressed(FOLDER / "x_test.npz", x_test)
    np.savez_compressed(FOLDER / "y_test.npz", y_test)
    np.savez_compressed(FOLDER / "x_norm.npz", x_train)  # thresholds are set by the training data, never the test data


if __name__ == "__main__":
    main()
