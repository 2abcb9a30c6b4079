"""Train a small network on handwritten digits and put it on an FPGA: what it takes, how long, how often it is right.

    python examples/mnist_fpga.py --digits mnist.npz --network mlp --lanes 1,2,4,8

`mnist.npz` is the file of Keras (x_train, y_train, x_test, y_test; images of 8 bits); without it keras.datasets
fetches that file, and `--digits sklearn` takes the small digits of scikit-learn. No test digit is trained with. Prints
a table with a row for each number of lanes; the projects are written into folders under --output. It takes minutes.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # quickest for networks this small

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import snntoolbox as stb

COLUMNS = (
    *("lanes", "right", "LUTs", "block RAMs", "DSPs", "clocks", "latency", "a second"),
    *("energy (estimate)", "checks"),
)


def digits(source):
    """Images in [0, 1], (samples, 1, rows, columns), and classes: to train with, to test with."""
    if source == "sklearn":
        from sklearn.datasets import load_digits

        found = load_digits()
        images, classes = found.images / 16, found.target
        parts = (images[500:], classes[500:]), (images[:500], classes[:500])
    elif source == "keras":
        os.environ.setdefault("KERAS_BACKEND", "torch")
        from keras.datasets import mnist

        parts = tuple((x / 255, y) for x, y in mnist.load_data())
    else:
        held = np.load(source)
        parts = tuple((held[f"x_{part}"] / 255, held[f"y_{part}"]) for part in ("train", "test"))
    return tuple((x[:, None].astype(np.float32), y.astype(np.int64)) for x, y in parts)


def build(name, size):
    """784-128-10, or two convolutions with strides and one dense layer."""
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(size * size, 128), nn.ReLU(), nn.Linear(128, 10))
    layers = [nn.Conv2d(1, 12, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(10))


def distorted(x):
    """Each image turned, scaled, sheared, moved and bent a little."""
    n = len(x)
    turn, scale, shear = 0.5 * (torch.rand(n) - 0.5), 1 + 0.3 * (torch.rand(n, 2) - 0.5), 0.4 * (torch.rand(n) - 0.5)
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0], affine[:, 0, 1] = turn.cos() * scale[:, 0], -turn.sin() + shear
    affine[:, 1, 0], affine[:, 1, 1] = turn.sin(), turn.cos() * scale[:, 1]
    affine[:, :, 2] = 0.28 * (torch.rand(n, 2) - 0.5)
    bend = functional.interpolate(0.07 * torch.randn(n, 2, 7, 7), x.shape[2:], mode="bicubic", align_corners=True)
    grid = functional.affine_grid(affine, x.shape, align_corners=False) + bend.permute(0, 2, 3, 1)
    return functional.grid_sample(x, grid, align_corners=False)


def train(net, x, y, epochs):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(100):
            optimizer.zero_grad()
            functional.cross_entropy(net(distorted(x[batch])), y[batch], label_smoothing=0.02).backward()
            optimizer.step()
        schedule.step()
    return net.eval()


def row(lanes, right, report):
    """The figures of a deployment, in the order of `COLUMNS`; clocks and times are means of the test bench."""
    taken, joules = report["resources"] or {}, report["energy_estimated"]
    cells = [str(taken.get(name, "-")) for name in ("luts", "blocks", "dsps")]
    time = ["-"] * 3
    if report["clocks"]:
        time = [f"{np.mean(report['clocks']):,.0f}", f"{report['microseconds'] / 1000:.3f} ms"]
        time.append(f"{report['samples_per_second']:,.0f}")
    energy = f"{1e6 * joules['joules']:.0f} µJ" if joules else "-"
    passed = sum(check["outcome"] == "passed" for check in report["checks"])
    return str(lanes), f"{right:.2%}", *cells, *time, energy, f"{passed} of {len(report['checks'])} passed"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", default="keras", metavar="FILE", help="an .npz file, keras or sklearn")
    parser.add_argument("--network", default="mlp", choices=("mlp", "cnn"))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--weights", type=Path, help="a state dict: read if it is there, else written after training")
    parser.add_argument("--bits", type=int, default=4, help="binary digits of a value, steps of a window")
    parser.add_argument("--weight-bits", type=int, default=6)
    parser.add_argument("--lanes", default="1,2,4,8", help="weights added in a clock, one row for each")
    parser.add_argument("--target", default="artix7")
    parser.add_argument("--device", default="")
    parser.add_argument("--samples", type=int, default=10, help="test digits of the test bench")
    parser.add_argument("--synth-seconds", type=float, default=600)
    parser.add_argument("--output", type=Path, default=Path("mnist_fpga"))
    chosen = parser.parse_args()

    (x_train, y_train), (x_test, y_test) = digits(chosen.digits)
    torch.manual_seed(0)
    net = build(chosen.network, x_train.shape[-1])
    net(torch.from_numpy(x_train[:1]))
    if chosen.weights and chosen.weights.exists():
        net.load_state_dict(torch.load(chosen.weights))
    else:
        train(net, x_train, y_train, chosen.epochs)
        if chosen.weights:
            torch.save(net.state_dict(), chosen.weights)
    graph = stb.load(net.eval(), input_shape=x_train.shape[1:])
    # The input enters as the binary digits that layers send each other: the first layer needs no multiplier either.
    snn = stb.convert(
        graph, x_train[:1000], schedule="radix", duration=chosen.bits, weight_bits=chosen.weight_bits,
        encoding=stb.BinaryDigits(signed=False),
    )  # fmt: skip
    right = stb.simulate(snn, x_test).accuracy(y_test)
    original = np.mean(graph.run(x_test).argmax(axis=1) == y_test)
    print(f"{len(x_test)} digits held back: {original:.2%} right by the original, {right:.2%} by its spikes")
    print(f"| {' | '.join(COLUMNS)} |\n|{'|'.join(['--:'] * len(COLUMNS))}|", flush=True)
    for lanes in map(int, chosen.lanes.split(",")):
        made = stb.deploy(
            snn, x_test[: chosen.samples], chosen.output / f"{chosen.network}_{chosen.target}_{lanes}",
            target=chosen.target, device=chosen.device, lanes=lanes, samples=chosen.samples,
            synth_seconds=chosen.synth_seconds,
        )  # fmt: skip
        print(f"| {' | '.join(row(lanes, right, made.report))} |", flush=True)


if __name__ == "__main__":
    main()
