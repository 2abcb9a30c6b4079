"""Attack a trained network by its gradients, and see how much of the attack reaches the spiking one at few steps.

Trains a small CNN on scikit-learn's digits and changes each test image within a cube of half-width epsilon so that the
network errs: by one step along the sign of the gradient (FGSM, Goodfellow et al., arXiv 1412.6572), and by twenty small
ones with a projection back into the cube (PGD, Madry et al., arXiv 1706.06083). The spiking networks for T = 4 ... 64
steps are given the same images. Takes about a minute on one core; writes robustness.png where it is started.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # quickest for a network this small

import matplotlib
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import snntoolbox as stb

matplotlib.use("Agg")
from matplotlib import pyplot

EPSILONS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
STEPS = (4, 8, 16, 32, 64)
PGD_STEPS = 20


def split():
    """Images in [0, 1], (samples, 1, 8, 8), and classes: to train with, to test with."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=360, random_state=0, stratify=y)
    return torch.tensor(x_train), torch.tensor(y_train), torch.tensor(x_test), torch.tensor(y_test)


def trained(x, y, epochs=15):
    """A CNN of two convolutions, trained for some seconds."""
    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, padding=1), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model.eval()


def slope(model, x, y):
    """The sign of the gradient of the loss with respect to each pixel."""
    x = x.clone().requires_grad_()
    nn.functional.cross_entropy(model(x), y).backward()
    return x.grad.sign()


def fgsm(model, x, y, epsilon):
    """One step of epsilon along the gradient's sign, inside [0, 1]."""
    return (x + epsilon * slope(model, x, y)).clamp(0, 1)


def pgd(model, x, y, epsilon):
    """Steps of epsilon / 8, each put back into the cube around the image and into [0, 1]."""
    changed = x.clone()
    for _ in range(PGD_STEPS):
        changed = changed + epsilon / 8 * slope(model, changed, y)
        changed = (x + (changed - x).clamp(-epsilon, epsilon)).clamp(0, 1)
    return changed


def accuracies(model, networks, x, y):
    """The share of right classes of the original and of each spiking network."""
    with torch.no_grad():
        original = float((model(x).argmax(dim=1) == y).float().mean())
    return [original, *(snn.run(x).accuracy(y) for snn in networks)]


def main():
    torch.manual_seed(0)
    x_train, y_train, x_test, y_test = split()
    model = trained(x_train, y_train)
    networks = [stb.convert(model, x_train[:400], T=steps) for steps in STEPS]
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True)
    print(f"{'attack':7} epsilon network " + " ".join(f"T = {t:2}" for t in STEPS))
    for axis, attack in zip(axes, (fgsm, pgd), strict=True):
        rows = [accuracies(model, networks, attack(model, x_test, y_test, e), y_test) for e in EPSILONS]
        for epsilon, row in zip(EPSILONS, rows, strict=True):
            print(f"{attack.__name__.upper():7} {epsilon:7.2f} {row[0]:7.3f} " + " ".join(f"{a:6.3f}" for a in row[1:]))
        for i, label in enumerate(["network", *(f"T = {t}" for t in STEPS)]):
            axis.plot(EPSILONS, [100 * row[i] for row in rows], "ko-" if not i else ".-", label=label)
        axis.set(title=attack.__name__.upper(), xlabel="largest change of a pixel", ylim=(0, 102))
    axes[0].set_ylabel("accuracy (%)")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig("robustness.png", dpi=120)


if __name__ == "__main__":
    main()
