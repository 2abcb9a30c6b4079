"""Read digits row by row with a recurrent network of rectifiers, and convert it to spikes.

Trains `nn.RNN(nonlinearity="relu")` on scikit-learn's digits, eight rows of eight pixels, one row a step. Conversion
writes the network out over its steps; with `schedule="recurrent"` the same 64 neurons serve all of them. The table has
accuracy, neurons, time steps and spikes of a digit. Takes about 15 s.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # quickest for a network this small

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import snntoolbox as stb


class RowByRow(nn.Module):
    """64 rectifiers that see one row after the other, and a class behind the last."""

    input_shape = (8, 8)  # steps, features

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(8, 64, nonlinearity="relu", batch_first=True)
        self.classes = nn.Linear(64, 10)

    def forward(self, x):
        states, _ = self.rnn(x)
        return self.classes(states[:, -1])


def split():
    """Sequences in [0, 1], (samples, 8, 8), and classes: to train with, to test with."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32).reshape(-1, 8, 8)
    return train_test_split(x, y, test_size=360, random_state=0, stratify=y)


def trained(x, y, epochs=40):
    """The network, trained for some seconds."""
    torch.manual_seed(0)
    model, x, y = RowByRow(), torch.tensor(x), torch.tensor(y)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # recurrent gradients explode otherwise
            optimizer.step()
    return model.eval()


def accuracy(predictions, y):
    """The share of right classes in per cent."""
    return f"{100 * np.mean(np.asarray(predictions) == y):5.1f} %"


def main():
    """Train, convert, compare."""
    x_train, x_test, y_train, y_test = split()
    model = trained(x_train, y_train)
    with torch.no_grad():
        print("original network", accuracy(model(torch.tensor(x_test)).argmax(1), y_test), sep="\t")
    for schedule, duration in (("rate", 32), ("rate", 64), ("phased", 16), ("recurrent", 64)):
        snn = stb.convert(model, x_train, schedule=schedule, duration=duration)
        result = stb.simulate(snn, x_test)
        spikes = sum(counts.sum() for counts in result.counts.values()) / len(x_test)
        neurons = sum(p.size for p in snn.populations.values())
        shown = f"{neurons} neurons, {result.steps} steps, {spikes:,.0f} spikes"
        print(schedule, f"T = {duration}", accuracy(result.predictions, y_test), shown, sep="\t")


if __name__ == "__main__":
    main()
