"""Make recordings of moving shapes, as an event camera sees them, and train a CNN on their frames; writes both here."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
CLASSES = ("bar", "cross", "ring", "slash")
SIZE, EVENTS, NOISE = 16, 110, 0.45
WORTH = 0.125  # what an event adds to a frame; config.ini says the same


def contour(name):
    """Points (x, y) of a shape around 0."""
    line = np.linspace(-5, 5, 60)
    angle = np.linspace(0, 2 * np.pi, 60)
    upright, lying = np.stack([0 * line, line], 1), np.stack([line, 0 * line], 1)
    shapes = {
        "bar": upright,
        "cross": np.concatenate([upright, lying]),
        "ring": 4 * np.stack([np.cos(angle), np.sin(angle)], 1),
        "slash": np.stack([line, line], 1) * 0.8,
    }
    return shapes[name]


def record(name, rng):
    """Events t (us), x, y, on of a shape that shakes for 60 ms: its front sees more light, its back less."""
    t = np.sort(rng.integers(0, 60_000, EVENTS))
    phase = rng.uniform(0, 2 * np.pi) + 2 * np.pi * t / 30_000
    centre = 7.5 + rng.uniform(-1.5, 1.5, 2)
    on = rng.integers(0, 2, EVENTS)
    points = contour(name)[rng.integers(0, len(contour(name)), EVENTS)]
    shake = np.stack([np.cos(phase), np.sin(phase)], 1) * np.where(on, 1.0, -1.0)[:, None]
    xy = np.clip(np.round(centre + points + shake), 0, SIZE - 1).astype(int)
    stray = rng.random(EVENTS) < NOISE
    xy[stray] = rng.integers(0, SIZE, (stray.sum(), 2))
    return t, xy[:, 0], xy[:, 1], on


def write(path, t, x, y, on):
    """The format of N-MNIST: five bytes an event, x, y, and polarity and time in 24 bits."""
    words = np.stack([x, y, on << 7 | t >> 16, t >> 8 & 255, t & 255], 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(words.astype(np.uint8).tobytes())


def frame(t, x, y, on):
    """What the network is trained on: less light in channel 0, more in channel 1."""
    image = np.zeros((2, SIZE, SIZE), np.float32)
    np.add.at(image, (on, y, x), WORTH)
    return image


def recordings(part, each, rng):
    """Write so many recordings of each class; their frames and classes."""
    frames, labels = [], []
    for label, name in enumerate(CLASSES):
        for i in range(each):
            events = record(name, rng)
            write(FOLDER / part / name / f"{i:03}.bin", *events)
            frames.append(frame(*events))
            labels.append(label)
    return torch.from_numpy(np.stack(frames)), torch.tensor(labels)


def network():
    return nn.Sequential(
        *(nn.Conv2d(2, 8, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * 4 * 4, len(CLASSES))),
    )


def train(model, x, y, epochs=30):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(40):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model.eval()


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x, y = recordings("x_norm", 100, rng)
    recordings("x_test", 90, rng)
    model = train(network(), x, y)
    program = torch.export.export(model, (x[:2],), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, FOLDER / "events_cnn.pt2")


if __name__ == "__main__":
    main()
