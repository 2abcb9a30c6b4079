"""Dense products in tiles: every size against numpy, with the neurons behind, and without the newest instructions."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiled_layers import LAYERS, layer
from waiting import PATIENCE

from snntoolbox.engine.fast import jit, products_tile_loops, products_tiled
from snntoolbox.engine.fast.bytes_layout import rows
from snntoolbox.engine.fast.neurons_firing import Firing
from snntoolbox.engine.fast.products_tiled import Rounded, Tiles
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Conv, Dense

NUMBA = pytest.mark.skipif(not jit.installed(), reason="needs numba")

@pytest.fixture(params=["plain", pytest.param("compiled", marks=NUMBA)])
def way(request, monkeypatch):
    """Loops as plain Python or compiled, whatever the processor has."""
    if request.param == "plain":
        monkeypatch.setattr(products_tiled, "compiled", lambda loop: loop)
    monkeypatch.setattr(products_tiled, "works", lambda: True)


def neurons(node, shape, reset, batch, dtype):
    out = node.output_shape(shape)
    generator = np.random.default_rng(1)
    neuron = IF(threshold=generator.integers(200, 900, out).astype(float), reset=reset, initial=0.0)
    bias = generator.integers(-20, 20, out).astype(float)
    cells = Population(name="p", shape=out, neuron=neuron, current="n", scale=np.ones(1), activation="p", bias=bias)
    return Firing(cells, batch, dtype, fused=False).restart(None)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.one_in(3)
def test_spikes_are_those_of_the_product(name, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    node, shape = layer(name)
    product = Tiles.of(node, node.weight, shape, 4)
    for batch, steps, reset, dtype in ((2, 3, Reset.SUBTRACT, torch.float32), (1, 11, Reset.ZERO, torch.float64)):
        generator = np.random.default_rng(batch)
        x = torch.from_numpy(generator.integers(0, 5, (steps * batch, *shape)).astype(np.uint8))
        given = torch.moveaxis(torch.moveaxis(x, 1, -1).contiguous(), -1, 1)
        fired, expected = (neurons(node, shape, reset, batch, dtype) for _ in range(2))
        current = torch.from_numpy(node.linear(x.numpy().astype(float)))
        wanted = expected.advance(current, steps, None)
        found = product.fire(given, fired, steps)
        assert torch.equal(found, wanted)
        assert wanted.any()
        assert torch.equal(fired.potential, expected.potential)
        assert torch.equal(fired.counts, expected.counts)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_sums_are_rounded_half_to_even(name, dtype):
    node, shape = layer(name, whole=False)
    x = np.random.default_rng(3).normal(size=(41 if name == "dense" else 3, *shape)).astype(dtype)
    found, doubtful = Rounded(node, shape, 1e-9)(x, np.abs(x).max(), torch.float64)
    wanted = np.rint(node.linear(x.astype(np.float64)))
    assert np.array_equal(found.numpy(), rows(torch.from_numpy(wanted)).numpy())
    assert not doubtful.any()


@pytest.mark.usefixtures("way")
@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", ["plain", "odd sizes", "dense"])
def test_middles_and_what_is_no_number_are_doubtful(name):
    node, shape = layer(name)
    x = np.zeros((5, *shape))
    first = (0,) * len(shape)
    x[1][first], x[2][first], x[3][first], x[4][first] = np.nan, 0.5, np.inf, 0.25
    node.weight[:] = 3
    found, doubtful = Rounded(node, shape, 1e-9)(x[[0, 2, 4]], 0.5, torch.float32)
    assert doubtful.tolist() == [False, True, False]  # 3 / 2 lies in the middle, 3 / 4 does not
    assert found[0].abs().max() == 0
    assert found[2].max() == 1
    for bad in (1, 3):
        assert Rounded(node, shape, 1e-9)(x[[0, bad]], np.abs(x[bad]).max(), torch.float64)[1][1]


@pytest.mark.parametrize(
    ("node", "taken"),
    [
        (layer("plain")[0], True),
        (Conv(**{**vars(layer("plain")[0]), "dilation": (1, 2), "padding": ((1, 1), (2, 2))}), False),
        (Conv(**{**vars(layer("plain")[0]), "weight": np.ones((4, 2, 3, 3)), "groups": 2}), False),
        (layer("dense")[0], True),
        (Dense(name="n", inputs=("x",), weight=np.ones((4, 7))), False),
        (Dense(name="n", inputs=("x",), weight=np.ones((1025, 1024))), False),
    ],
    ids=["conv", "dilated", "groups", "dense", "no fours", "large"],
)
def test_which_layers_have_tiles(node, taken, monkeypatch):
    monkeypatch.setattr(products_tiled, "works", lambda: True)
    shape = (node.weight.shape[1],) if isinstance(node, Dense) else (4, 6, 9)
    assert (Tiles.of(node, node.weight, shape, 4) is not None) == taken
    monkeypatch.setattr(products_tiled, "works", lambda: False)
    assert Tiles.of(node, node.weight, shape, 4) is None


def multiplied(function, weight_type, largest=255):
    """Every size of tile against the definition, with bytes up to `largest`; the sums and the wanted ones."""
    generator = np.random.default_rng(0)
    each, place, channels, lines, width = (4, 8, 12, 2, 48) if weight_type == np.int8 else (1, 5, 5, 2, 48)
    groups = channels // each
    weight = generator.integers(-128, 128, lines * groups * width * each).astype(weight_type)
    found, wanted = [], []
    for number in range(1, 20):
        size = (number - 1) * place + lines * 40 + channels
        values = generator.integers(0, largest + 1, size).astype(np.uint8 if each == 4 else np.float64)
        out = np.full(number * width, -1.0)
        function(number, each, values, 0, place, lines, 40, groups, weight, width, out, 0)
        matrix = weight.astype(float).reshape(lines, groups, width, each)
        for p in range(number):
            windows = np.array([values[p * place + r * 40 :][:channels].astype(float) for r in range(lines)])
            wanted.append(np.einsum("rge,rgwe->w", windows.reshape(lines, groups, each), matrix))
        found.append(out)
    return np.concatenate(found), np.concatenate(wanted)


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=NUMBA)])
@pytest.mark.parametrize("weight_type", [np.int8, np.float64])
def test_every_size_of_tile(compiled, weight_type):
    function = jit.compiled(products_tile_loops.multiply_places) if compiled else products_tile_loops.multiply_places
    largest = 42 if compiled and products_tiled.sums_in_pairs() else 255  # six products of 42 and 128 fit 16 bits
    found, wanted = multiplied(function, weight_type, largest)
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("peak", [1, 2, 4, 60, 127])
@pytest.mark.parametrize("flat", [True, False])
def test_rows_of_pairs_fit_16_bits(peak, flat):
    """In the fewest rows whose sums do, for the worst bytes; the next fewer do not."""
    weight = np.zeros((96, 1, 16))
    weight[:, 0, 3], weight[::2, 0, 5] = 100, -128
    packed = products_tiled.packed(weight.transpose(2, 1, 0)[:, :, None], 4, np.int8).reshape(1, 24, 16, 4)
    most = {rows: peak * max(100 * 48 // rows, 128 * 48 // (2 * rows)) for rows in (1, 2, 3, 4, 6, 8, 12)}
    fitting = [rows for rows, sums in most.items() if sums < 2**15]
    wanted = next((r for r in fitting if flat or r == 1), None)
    assert products_tiled.short_rows(packed, peak, flat=flat) == wanted


@NUMBA
@pytest.mark.parametrize("channels", [64, 512])
def test_the_largest_sums_of_pairs_are_exact(channels):
    """Bytes and weights so large that a row of all of them would leave 16 bits."""
    node = Dense(name="n", inputs=("x",), weight=np.full((20, channels), 127.0) * np.resize([1, -1], (20, 1)))
    product = Tiles.of(node, node.weight, (channels,), 15)
    if product is None:
        pytest.skip("no tiles of bytes")
    fired, expected = (neurons(node, (channels,), Reset.SUBTRACT, 2, torch.float32) for _ in range(2))
    x = torch.full((6, channels), 15, dtype=torch.uint8)
    wanted = expected.advance(torch.from_numpy(node.linear(x.numpy().astype(float))), 3, None)
    assert torch.equal(product.fire(x, fired, 3), wanted)
    assert torch.equal(fired.potential, expected.potential)


@NUMBA
@pytest.mark.parametrize(
    ("features", "doubles", "bytes_"),
    [("+avx2,+fma", 2, (4, 16)), ("+avx2,+avx512f", 8, (4, 16)), ("+avx2,+avx512f,+avx512vnni", 8, (8, 32)),
     ("", 2, (8, 32))],
)  # fmt: skip
def test_tiles_are_as_large_as_the_registers(features, doubles, bytes_, monkeypatch):
    """Sums of float64 in more places than the processor's registers hold would go to memory and back each time."""
    import numba

    from snntoolbox.engine.fast.products_tile_intrinsics import _most_places, _widest

    monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
    most, wide = _most_places(None), _widest(None)
    assert (most(1), wide(1)) == (doubles, 16)
    assert (most(4), wide(4)) == bytes_


@pytest.mark.parametrize("number", range(1, 20))
def test_tiles_of_any_size_give_the_same_sums(number, monkeypatch):
    generator = np.random.default_rng(number)
    values, weight = generator.random(number * 3), generator.random(3 * 32)
    found = []
    for most in (8, 4, 2):
        monkeypatch.setattr(products_tile_loops, "most_places", lambda each, most=most: most)
        out = np.zeros(number * 32)
        products_tile_loops.multiply_places(number, 1, values, 0, 3, 1, 0, 3, weight, 32, out, 0)
        found.append(out)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_allclose(found[0].reshape(number, 32), values.reshape(number, 3) @ weight.reshape(3, 32))


@NUMBA
@pytest.mark.long
def test_processors_without_the_newest_instructions(tmp_path):
    code = """
import numpy as np
from tests.engine.fast.test_tiles import multiplied
from tests.engine.fast import test_products_fixed as fixed
from snntoolbox.engine.fast import jit, products_fixed_loops, products_tiled, products_tile_loops
from snntoolbox.engine.fast.products_tile_intrinsics import four_products
assert not four_products() and not products_tiled.works()
for weights in (np.int8, np.float64):
    found, wanted = multiplied(jit.compiled(products_tile_loops.multiply_places), weights)
    assert np.array_equal(found, wanted)
found, wanted = fixed.multiplied(jit.compiled(products_fixed_loops.sum_places))
assert np.array_equal(found, wanted)
node, x, wanted = fixed.beside_middles(31, fixed.APART)
assert np.array_equal(fixed.Fixed(node, (31,), 1e-10)(x, 1.0)[0].numpy(), wanted)
"""
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CACHE_DIR": str(tmp_path)}
    folder = Path(__file__).parents[3]
    paths = [str(folder), str(folder / "tests"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder, check=True, timeout=PATIENCE)


def test_packed_weights_hold_every_weight_once():
    weight = np.arange(1, 1 + 5 * 3 * 2 * 3, dtype=float).reshape(5, 3, 2, 3)
    found = products_tiled.packed(weight, 4, np.float64).reshape(2, 3, 16, 4)
    assert sorted(found[found != 0]) == sorted(weight.reshape(-1))
    assert found[1, 0, 4, 3] == weight[4, 0, 1, 1]  # the fourth value of a row: the first channel of its second column
    assert math.prod(found.shape) == 2 * 3 * 16 * 4
