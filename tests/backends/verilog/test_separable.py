"""Wiring as sums over axes: what becomes of matrices that are dense for each place of an axis."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp

from snntoolbox.backends.verilog.separable import Irregular, separable
from snntoolbox.ir.nodes import Sparse
from snntoolbox.ir.paths import Path


def blocks(axis, home, seed=0):
    """Five places with a matrix of 3 x 4 each: along this axis of the source, along `home` of the target."""
    weights = np.random.default_rng(seed).integers(1, 9, (5, 3, 4)).astype(float)
    weights[2, 0] = 0.0
    source, target = (5, 4) if axis == 0 else (4, 5), (5, 3) if home == 0 else (3, 5)
    matrix = np.zeros((15, 20))
    for place, out, by in np.ndindex(weights.shape):
        to = np.ravel_multi_index((place, out) if home == 0 else (out, place), target)
        at = np.ravel_multi_index((place, by) if axis == 0 else (by, place), source)
        matrix[to, at] = weights[place, out, by]
    return Sparse(name="map", matrix=sp.csr_array(matrix), shape_in=source, shape_out=target)


def found(node):
    """The path as sums, and the matrix that these sums give."""
    way = separable(Path(nodes=(node,), shapes=(node.shape_in,), factor=1.0), node.shape_in)
    matrix = np.zeros(node.matrix.shape)
    for source in np.ndindex(*node.shape_in):
        for entries in product(*(rows[at] for rows, at in zip(way.rows, source, strict=True))):
            word = way.word + sum(v for _, v in entries)
            for step in range(way.words.shape[1]):
                place = list(way.base)
                for (p, _), home in zip(entries, way.home, strict=True):
                    if home is not None:
                        place[home] += p
                place[way.loop] += step * way.loop_step
                to, at = np.ravel_multi_index(place, node.shape_out), np.ravel_multi_index(source, node.shape_in)
                matrix[to, at] += way.words[word, step]
    return way, matrix


@pytest.mark.parametrize(("axis", "home"), list(np.ndindex(2, 2)))
def test_a_matrix_for_each_place_is_kept_as_words(axis, home):
    node = blocks(axis, home)
    way, matrix = found(node)
    np.testing.assert_array_equal(matrix, node.matrix.toarray())
    assert way.words.shape == (20, 3)


def test_what_reaches_another_place_is_a_list():
    node = blocks(0, 1)
    matrix = node.matrix.tolil()
    matrix[3, 0] = 1.0  # the fourth place, from the first one
    with pytest.raises(Irregular):
        found(Sparse(name="map", matrix=sp.csr_array(matrix), shape_in=(5, 4), shape_out=(3, 5)))
