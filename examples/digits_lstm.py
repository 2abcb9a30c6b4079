"""Train an LSTM and a GRU that read scikit-learn's digits row by row, save them, and convert them to spikes.

    python examples/digits_lstm.py [FOLDER]

32 units that read eight rows of eight pixels: 5,706 parameters of the LSTM, 4,362 of the GRU. With `schedule="radix"`
their gates become tables of counts, and what gates let through products of counts; the eight steps are written out, one
behind the other. The table is that of `digits_transformer.py`. Takes some two minutes.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from digits_transformer import CALIBRATION, HEADINGS, converted, saved, split, trained
from torch import nn

import snntoolbox as stb
from snntoolbox.ir.operations import ann_operations

ROWS, UNITS = 8, 32
KINDS = {"LSTM": nn.LSTM, "GRU": nn.GRU}


class Reader(nn.Module):
    """A recurrent layer over the rows of an image, and a class from what it says behind the last."""

    input_shape = (ROWS, 8)

    def __init__(self, kind):
        super().__init__()
        self.rnn, self.classes = kind(8, UNITS, batch_first=True), nn.Linear(UNITS, 10)

    def forward(self, x):
        return self.classes(self.rnn(x)[0][:, -1])


def main(folder, epochs=60, samples=500, digits=(4, 5, 6), kinds=tuple(KINDS)):
    """Train, save, convert, compare."""
    x_train, x_test, y_train, y_test = split()
    x_test, y_test = x_test[:samples], y_test[:samples]
    print(*HEADINGS, sep="\t")
    for kind in kinds:
        model = trained(lambda kind=kind: Reader(KINDS[kind]), x_train, y_train, epochs, rate=1e-2)
        graph = stb.load(saved(model, Path(folder) / f"digits_{kind.lower()}.pt2"))
        right = 100 * np.mean(graph.run(x_test).argmax(1) == y_test)
        print(kind, f"{right:5.1f} %", "", "", "", "", f"{ann_operations(graph) / 1e6:.2f}", sep="\t")
        for each in digits:
            print(converted(graph, x_train[:CALIBRATION], x_test, y_test, each), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as place:
            main(place)
