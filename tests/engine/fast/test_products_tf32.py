"""Which products may be computed in TF32: none that would lose a bit, whatever order its sums are added in."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snntoolbox.analysis.conformance.cases import cases
from snntoolbox.analysis.conformance.checks import check
from snntoolbox.backends.inisim.backend import InisimBackend
from snntoolbox.engine import executor
from snntoolbox.engine.fast import products_tf32
from snntoolbox.engine.fast.bytes_maps import Form
from snntoolbox.engine.tensors import Target, plain_arithmetic, short_products
from snntoolbox.ir.interpreter import interpret

CPU = torch.device("cpu")


def shortened(x):
    """The 11 most significant bits of numbers, towards zero, as the harshest device would keep them."""
    mantissas, exponents = np.frexp(np.asarray(x, np.float64))
    return np.ldexp(np.trunc(mantissas * 2**11) / 2**11, exponents)


def added(terms, width=24):
    """Their sum by an adder that shifts all terms to the largest exponent, keeps so many bits and drops the rest."""
    total = 0.0
    for part in np.array_split(np.asarray(terms, np.float64), max(1, len(terms) // 4)):
        several = np.append(part, total)
        _, exponents = np.frexp(several)
        unit = 2.0 ** (exponents.max() - width)
        total = (np.trunc(several / unit) * unit).sum()
        unit = 2.0 ** (np.frexp(total)[1] - width)
        total = np.trunc(total / unit) * unit
    return total


WEIGHTS = {
    "8 bits": (np.full((3, 9), 127.0), 1, True),
    "11 bits": (np.full((3, 9), 2047.0), 127, True),
    "12 bits": (np.full((3, 9), 2049.0), 1, False),
    "12 bits, even": (np.full((3, 9), 4094.0), 1, True),
    "quarters": (np.full((3, 9), 0.25), 127, True),
    "far apart": (np.array([[1.0, 2.0**-24]]), 1, False),
    "just together": (np.array([[1.0, 2.0**-23]]), 1, True),
    "any numbers": (np.random.default_rng(0).normal(size=(3, 9)), 1, False),
    "sum above the limit": (np.append(np.full(2**13 - 1, 1024.0), 1025.0)[None], 2, False),
    "sum below it": (np.append(np.full(2**13 - 1, 1024.0), 1023.0)[None], 2, True),
    "in larger units": (np.full((1, 2**13), 1024.0), 127, True),
    "large inputs": (np.ones((1, 3)), 2048, False),
    "in the middle of a sum": (np.array([[2.0**23, 1.0, -(2.0**23)]]), 1, False),
    "huge": (np.full((1, 1), 2.0**100), 1, False),
    "tiny": (np.full((1, 1), 2.0**-100), 1, False),
    "zeros": (np.zeros((3, 9)), 1, False),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_exact(name):
    weight, peak, wanted = WEIGHTS[name]
    assert products_tf32.exact(weight, Form(peak)) is wanted


numbers = st.tuples(st.integers(-4096, 4096), st.integers(-6, 6)).map(lambda pair: pair[0] * 2.0 ** pair[1])


@given(st.lists(numbers, min_size=1, max_size=30), st.integers(1, 127), st.randoms(use_true_random=False))
def test_what_is_taken_loses_nothing(weights, peak, random):
    weight = np.array([weights])
    if not products_tf32.exact(weight, Form(peak)):
        return
    assert np.array_equal(shortened(weight), weight)
    terms = [w * random.randint(0, peak) for w in weights]
    random.shuffle(terms)
    assert added(terms) == sum(terms)


def test_the_adder_can_lose():
    assert added([2.0**24, 1.0, 1.0, 1.0]) != 2.0**24 + 3
    assert shortened(2049) == 2048


def test_precision_is_put_back():
    with plain_arithmetic():
        with short_products():
            assert torch.get_float32_matmul_precision() == "high"
        assert torch.get_float32_matmul_precision() == "highest"


# -- in the simulator, as if the CPU had such products --------------------------------------------------------------


CASES = {case.name: case for case in cases()}


@pytest.fixture
def seen(monkeypatch):
    """What went into products in TF32."""
    inputs = []

    def watched(kernel):
        def compute(*x):
            assert torch.get_float32_matmul_precision() == "highest"
            inputs.extend(x)
            return kernel(*x)

        return compute

    monkeypatch.setattr(products_tf32, "DEVICES", {"cpu"})
    monkeypatch.setattr(products_tf32, "works", lambda device: True)
    make = executor._shortened
    monkeypatch.setattr(executor, "_shortened", lambda kernel: watched(make(kernel)))
    return inputs


TAKEN = {
    "integer grid: convolution with stride 2": True,
    "integer grid: odd pools": True,
    "integer grid: residual": True,
    "integer grid: concat": True,
    "integer grid: poisson": True,
    "network: even kernels": True,
    "network: differences": False,  # spikes with values
    "float weights: convolution": False,
}


@pytest.mark.parametrize("name", TAKEN)
def test_simulator_conforms(name, seen):
    assert check(InisimBackend(), CASES[name], device="cpu", engine="dense") == "passed"
    assert bool(seen) == TAKEN[name]
    for x in seen:
        assert np.array_equal(shortened(x.numpy()), x.numpy())


def test_paths_tell(seen):
    case = CASES["integer grid: convolution with stride 2"]
    network = case.build()
    x = case.inputs(network)
    found = InisimBackend().build(network, device="cpu", engine="dense").run(*x, steps=5)
    first, second = network.populations
    assert found.engine_paths == {first: {"dense"}, second: {"dense", "tf32"}}
    assert np.array_equal(found.counts[second], interpret(network, *x, steps=5).counts[second])


def test_only_float32_is_shortened(seen):
    network = CASES["integer grid: residual"].build()
    assert products_tf32.chosen(network, Target(CPU))
    assert not products_tf32.chosen(network, Target(CPU, torch.float64))


# -- the trial on the device ----------------------------------------------------------------------------------------


@pytest.fixture
def untried(monkeypatch):
    monkeypatch.setattr(products_tf32, "DEVICES", {"cpu"})
    products_tf32.works.cache_clear()
    yield
    products_tf32.works.cache_clear()


def rounded(bits):
    """Sums that are kept in so many bits."""

    def through(values):
        mantissas, exponents = np.frexp(values.double().numpy())
        return torch.from_numpy(np.ldexp(np.rint(mantissas * 2.0**bits) / 2.0**bits, exponents)).to(values.dtype)

    return lambda kernel: lambda x: through(kernel(x))


def test_float32_sums_are_found_exact(untried):
    assert products_tf32.works(CPU)


def failing(kernel):
    raise RuntimeError("no such product")


WRONG = {
    "23 bits": rounded(23),
    "16 bits": rounded(16),
    "bfloat16": lambda kernel: lambda x: kernel((x * 1.01).bfloat16().float()),
    "missing": failing,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_device_that_rounds_is_found_out(name, untried, monkeypatch, caplog):
    monkeypatch.setattr(executor, "_shortened", WRONG[name])
    with caplog.at_level(logging.WARNING):
        assert not products_tf32.chosen(CASES["integer grid: residual"].build(), Target(CPU))
    assert ("no such product" if name == "missing" else "dense, conv") in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_this_gpu_is_exact():
    assert products_tf32.works(torch.device("cuda", 0))
