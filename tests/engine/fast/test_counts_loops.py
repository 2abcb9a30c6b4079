"""Counts of sums of several trains against numpy: plain and compiled."""

import numpy as np
import pytest

from snntoolbox.engine.fast import counts_loops, jit

COMPILED = [False, pytest.param(True, marks=pytest.mark.skipif(not jit.installed(), reason="needs numba"))]


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("terms", [1, 2, 3, 4])
def test_counts_of_bytes_times_gains(terms, compiled):
    """Every train lies elsewhere; the start is one for all, then one for each sample."""
    random, samples, places, channels, total = np.random.default_rng(terms), 3, 90, 17, 9
    n = places * channels
    trains = [random.integers(0, 10, (samples, places + k, channels), np.uint8) for k in range(terms)]
    starts = np.stack([random.permutation(places + k)[:places] for k in range(terms)]) * channels
    gains = random.integers(-3, 4, (terms, n)).astype(np.float32)
    current = random.integers(-9, 30, (samples, n)).astype(np.float32)
    threshold = random.integers(1, 5, n).astype(np.float32)
    loop = jit.compiled(counts_loops.count_points) if compiled else counts_loops.count_points
    flat = [train.reshape(-1) for train in trains]
    sizes = np.array([train[0].size for train in trains])
    lie = gains.reshape(-1), starts.reshape(-1), sizes
    points = terms, n, places, *lie, *(flat + flat[:1] * 4)[:4]
    for given, shared, plain in ((True, True, False), (False, False, True)):
        start = random.integers(0, 3, (1 if shared else samples, n)).astype(np.float32)
        sums = start + (current if given else 0) + np.zeros((samples, n), np.float32)
        for train, where, gain in zip(trains, starts, gains, strict=True):
            values = train.reshape(samples, -1)[:, where[:, None] + np.arange(channels)]
            sums += values.reshape(samples, n) * gain
        out = np.full((samples, n), 77, np.uint8)
        blocks = -(-places // max(1, 1024 // channels))
        loop(
            n, channels, current.reshape(-1) if given else current.reshape(-1)[:0], given, points, start.reshape(-1),
            shared, threshold, plain, total, out.reshape(-1), 0, samples * blocks,
        )  # fmt: skip
        wanted = np.clip(np.floor(sums / (1 if plain else threshold)), 0, total)
        assert np.array_equal(out, wanted)
        assert len(np.unique(out)) > 5
