"""Memory does not grow with the number of samples: they lie in a mapped file, results are handed out as they come."""

import tracemalloc

import numpy as np
import pytest

from snntoolbox.backends.simulate import simulate_batches
from snntoolbox.backends.workers import batches
from snntoolbox.ir.data_range import range_of
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Input
from snntoolbox.ir.result import Record
from snntoolbox.workflow.data import arrays, images
from snntoolbox.workflow.data.images import ImageFormat
from snntoolbox.workflow.data.load import load_test

SIZE, FEW, MANY = 20_000, 30, 300
SAMPLE = 4 * SIZE


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A folder with a mapped test set."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    np.save(folder / "x_test.npy", generator.random((MANY, SIZE), dtype=np.float32))
    return folder


@pytest.fixture(autouse=True)
def mapped(monkeypatch):
    """However small the files are."""
    monkeypatch.setattr(arrays, "IN_MEMORY", 0)


@pytest.fixture(scope="module")
def networks():
    """One population that reads the input, by coding."""
    nodes = [Input(name="x", shape=(SIZE,)), Input(name="n", shape=(SIZE,))]
    cell = Population(name="n", shape=(SIZE,), neuron=IF(), current="x", scale=np.ones(1), activation="n")
    readout = Readout(name="o", current="n", shape=(SIZE,))
    codings = {"constant": ConstantCurrent(), "poisson": Poisson()}
    return {n: SpikingNetwork(Graph(nodes, ["x", "n"]), {"x": c}, [cell], [readout]) for n, c in codings.items()}


def peak(use):
    """Bytes that Python and NumPy hold at most during the call."""
    tracemalloc.start()
    try:
        use()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def through(network, x, **how):
    for result in simulate_batches(network, x, 4, "INI", 10, Record(spikes=True, outputs_per_step=False), **how):
        assert result.samples == 10


@pytest.mark.parametrize("coding", ["constant", "poisson"])
def test_of_a_simulation(coding, networks, samples):
    x = load_test(samples).x
    through(networks[coding], x[:FEW])
    few = peak(lambda: through(networks[coding], x[:FEW]))
    many = peak(lambda: through(networks[coding], x))
    assert many < few + 0.05 * (MANY - FEW) * SAMPLE


def test_of_a_simulation_on_workers(networks, samples, address, monkeypatch):
    monkeypatch.setattr(batches, "LIMIT", 2**20)  # a batch at a time: the samples here are few megabytes themselves
    x = load_test(samples).x
    through(networks["constant"], x[:FEW], scheduler=address)
    few = peak(lambda: through(networks["constant"], x[: 2 * FEW], scheduler=address))
    many = peak(lambda: through(networks["constant"], x, scheduler=address))
    assert many < few + 0.4 * (MANY - 2 * FEW) * SAMPLE


def test_of_looking_at_the_data(samples):
    assert peak(lambda: load_test(samples)) < 5 * 2**22 < MANY * SAMPLE
    x = load_test(samples).x
    for look in (lambda: range_of(x), lambda: Poisson().check(x, "x")):
        look()  # what is imported and kept on first use is no part of it
        # What threads of other tests hold meanwhile is counted too.
        assert min(peak(look) for _ in range(3)) < SAMPLE


def test_of_images(tmp_path, monkeypatch):
    pillow = pytest.importorskip("PIL.Image")
    paths = [tmp_path / f"{n}.png" for n in range(60)]
    for n, path in enumerate(paths):
        pillow.fromarray(np.full((64, 64, 3), n, np.uint8)).save(path)
    read = images.read_images(paths, ImageFormat())
    assert not isinstance(read, np.memmap)
    monkeypatch.setattr(images, "IN_MEMORY", 1000)
    found = []
    assert peak(lambda: found.append(images.read_images(paths, ImageFormat()))) < read.nbytes / 4
    assert isinstance(found[0], np.memmap)
    assert np.array_equal(found[0], read)
