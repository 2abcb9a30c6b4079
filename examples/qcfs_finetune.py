"""Fine-tune a trained network with quantised rectifiers (QCFS), and compare its spikes at few steps with the plain way.

Trains a small CNN on scikit-learn's digits, replaces its rectifiers by `QCFS(levels=4)`, trains on for a few epochs,
and converts both networks. Takes about 20 seconds on one core; writes nothing.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # quickest for a network this small

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import snntoolbox as stb
from snntoolbox.training.pytorch import replace_relu

LEVELS = 4
STEPS = (2, 4, 8)


def split():
    """Noisy images in [0, 1], (samples, 1, 8, 8), and classes: to train with, to test with."""
    x, y = load_digits(return_X_y=True)
    x = x / 16 + np.random.default_rng(0).normal(scale=0.2, size=x.shape)
    x = x.clip(0, 1).astype(np.float32).reshape(-1, 1, 8, 8)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=360, random_state=0, stratify=y)
    return torch.tensor(x_train), torch.tensor(y_train), x_test, y_test


def build():
    """Rectifiers as modules, each with its own place: only those can be replaced."""
    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    for stride in (2, 1, 2):
        layers += [nn.Conv2d(16, 16, 3, stride, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def train(model, x, y, epochs, rate):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def accuracies(model, x_train, x_test, y_test):
    """The network's own accuracy and, for each number of steps, that of its spikes."""
    graph = stb.load(model, input_shape=x_test.shape[1:])
    found = [np.mean(graph.run(x_test).argmax(axis=1) == y_test)]
    for steps in STEPS:
        snn = stb.convert(graph, calibration_data=x_train.numpy()[:300], duration=steps)
        found.append(stb.simulate(snn, x_test, duration=steps).accuracy(y_test))
    return found


def main():
    torch.manual_seed(0)
    x_train, y_train, x_test, y_test = split()
    model = train(build(), x_train, y_train, epochs=15, rate=3e-3)
    tuned = train(replace_relu(model, LEVELS, x_train[:300]), x_train, y_train, epochs=10, rate=3e-3)
    print(f"{'':20} network " + " ".join(f"  T = {t}" for t in STEPS))
    for name, net in (("plain conversion", model), (f"QCFS, {LEVELS} levels", tuned)):
        print(f"{name:20} {' '.join(f'{a:7.3f}' for a in accuracies(net, x_train, x_test, y_test))}")


if __name__ == "__main__":
    main()
