"""Train the network of digits_cnn.py on scikit-learn's digits; writes digits_cnn.pth and the data set here."""

from pathlib import Path

import numpy as np
import torch
from digits_cnn import Model  # the file beside this one
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional

FOLDER = Path(__file__).resolve().parent


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
    model = train(Model(), x_train, y_train)
    with torch.no_grad():
        print(f"accuracy {np.mean(model(torch.from_numpy(x_test)).argmax(1).numpy() == y_test):.3f}")
    torch.save(model.state_dict(), FOLDER / "digits_cnn.pth")
    np.savez_compressed(FOLDER / "x_test.npz", x_test)
    np.savez_compressed(FOLDER / "y_test.npz", y_test)
    np.savez_compressed(FOLDER / "x_norm.npz", x_train)  # thresholds are set by the training data, never the test data


if __name__ == "__main__":
    main()
