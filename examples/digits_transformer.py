"""Train a small vision transformer on scikit-learn's digits, save it, and convert it to spikes that are binary digits.

    python examples/digits_transformer.py [FOLDER]

Sixteen patches of 2 x 2 pixels and a class token, two blocks of layer normalisation, attention of four heads and GELU:
26,538 parameters. With `schedule="radix"` its softmax, normalisations and smooth functions become tables of counts, and
their products additions of counts: no floating number is left. The table has accuracy, how often the classes are those
of the original, neurons, time steps, and what an image costs beside the original's operations. Takes two minutes.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # quickest for a network this small

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

import snntoolbox as stb
from snntoolbox.ir.operations import ann_operations, synaptic_operations

TOKENS, WIDTH, HEADS, BLOCKS = 16, 32, 4, 2
CALIBRATION = 256  # samples that thresholds are chosen on
HEADINGS = ("", "right", "as the original", "neurons", "steps", "spikes", "million operations")


class Block(nn.Module):
    """Attention and two dense layers, each behind a normalisation and with a residual."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.queries, self.keys, self.values = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.joined = nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.dropped = nn.Dropout(0.1)

    def forward(self, x):
        y = self.dropped(self.norm1(x))
        heads = (m(y).unflatten(-1, (HEADS, -1)).transpose(1, 2) for m in (self.queries, self.keys, self.values))
        x = x + self.joined(functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
        return x + self.narrow(functional.gelu(self.wide(self.dropped(self.norm2(x)))))


class Transformer(nn.Module):
    """Patches with positions and a class token in front, which says the class behind the blocks."""

    input_shape = (8, 8)

    def __init__(self):
        super().__init__()
        self.embedding = nn.Linear(4, WIDTH)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH) / 10)
        self.positions = nn.Parameter(torch.randn(1, TOKENS + 1, WIDTH) / 10)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.norm, self.classes = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, x):
        patches = x.unflatten(1, (4, 2)).unflatten(3, (4, 2)).transpose(2, 3).flatten(3).flatten(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), self.embedding(patches)], 1) + self.positions
        return self.classes(self.norm(self.blocks(tokens))[:, 0])


def split():
    """Images in [0, 1], (samples, 8, 8), and classes: to train with, to test with."""
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)
    return train_test_split(x, digits.target, test_size=500, random_state=0, stratify=digits.target)


def trained(make, x, y, epochs, rate=3e-3):
    """The network that `make` makes, trained with images moved by up to one pixel."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    model, x, y = make(), torch.tensor(x), torch.tensor(y)
    padded, steps = functional.pad(x, (1, 1, 1, 1)), torch.arange(8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * -(-len(x) // 64))
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            row, column = torch.randint(3, (2, len(batch), 1))
            moved = padded[batch[:, None, None], (row + steps)[:, :, None], (column + steps)[:, None]]
            optimizer.zero_grad()
            functional.cross_entropy(model(moved), y[batch], label_smoothing=0.05).backward()
            optimizer.step()
            rates.step()
    return model.eval()


def saved(model, path):
    """The path of the exported model, of batches of any size."""
    example = (torch.zeros(2, *model.input_shape),)
    torch.export.save(torch.export.export(model, example, dynamic_shapes=({0: torch.export.Dim.AUTO},)), path)
    return path


def converted(graph, x_train, x_test, y_test, digits):
    """A row of the table: the network of so many binary digits in windows, and its run on the test images."""
    snn = stb.convert(graph, x_train, schedule="radix", duration=digits)
    result = stb.simulate(snn, x_test)
    same = np.mean(result.predictions == graph.run(x_test).argmax(1))
    spikes = sum(float(events.mean(axis=0).sum()) for events in result.events.values())
    operations = synaptic_operations(snn, result.events)
    right = np.mean(result.predictions == y_test)
    shown = f"{100 * right:5.1f} %\t{100 * same:5.1f} %\t{snn.neurons:,}\t{result.steps}"
    return f"{digits} digits\t{shown}\t{spikes:,.0f}\t{operations / 1e6:.{1 if operations > 1e6 else 2}f}"


def main(folder, epochs=120, samples=500, digits=(4, 5, 6)):
    """Train, save, convert, compare."""
    x_train, x_test, y_train, y_test = split()
    model = trained(Transformer, x_train, y_train, epochs)  # with dropout, which makes it bear errors of rounding too
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    graph = stb.load(saved(model, Path(folder) / "digits_transformer.pt2"))
    x_test, y_test = x_test[:samples], y_test[:samples]
    right = 100 * np.mean(graph.run(x_test).argmax(1) == y_test)
    print(*HEADINGS, sep="\t")
    print("original", f"{right:5.1f} %", "", "", "", "", f"{ann_operations(graph) / 1e6:.1f}", sep="\t")
    for each in digits:
        print(converted(graph, x_train[:CALIBRATION], x_test, y_test, each), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as place:
            main(place)
