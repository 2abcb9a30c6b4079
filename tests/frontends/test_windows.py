"""Pooling and convolution that frontends share, against torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from layer_calls import call_on, computed, samples

from snntoolbox.frontends import windows
from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.frontends.windows import Window

SHAPE = (4, 9, 7)
RNG = np.random.default_rng(1)


def window(kernel, stride=1, dilation=1, padding=0):
    """A window with the same of each along both axes."""
    return Window((kernel,) * 2, (stride,) * 2, (dilation,) * 2, ((padding, padding),) * 2)


def check(add, expected, shape=SHAPE):
    """What `add` puts behind its input computes `expected` of it, a function of torch."""
    call, (x,) = call_on(shape), samples(shape)
    found = computed(call, add(call, call.source()), x)
    wanted = expected(torch.from_numpy(x)).numpy()
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-10)


WINDOWS = [(2, 2, 1, 0), (3, 2, 1, 1), (3, 1, 2, 1), (2, 3, 1, 1)]


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "dilation", "padding"), WINDOWS)
def test_max_pooling(kernel, stride, dilation, padding, ceil):
    check(
        lambda c, x: windows.max_pool(c, x, window(kernel, stride, dilation, padding), ceil=ceil),
        lambda x: F.max_pool2d(x, kernel, stride, padding, dilation, ceil),
    )


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (2, 3, 1)])
def test_average_pooling(kernel, stride, padding, ceil, counted):
    place = window(kernel, stride, 1, padding)
    check(
        lambda c, x: windows.average_pool(c, x, place, count_padding=counted, ceil=ceil),
        lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil, counted),
    )


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axes", [(0,), (1,), (1, 2), (0, 2), (0, 1, 2)])
def test_the_maximum_over_axes(axes, keepdims):
    check(
        lambda c, x: windows.max_over(c, x, axes, keepdims=keepdims),
        lambda x: torch.amax(x, [a + 1 for a in axes], keepdim=keepdims),
    )


@pytest.mark.parametrize("counts", [(1, 1), (3, 7), (4, 5), (12, 2)])
def test_pooling_to_a_number_of_windows(counts):
    def average(call, x):
        for axis, count in enumerate(counts, 1):
            x = windows.adaptive_average(call, x, axis, count)
        return x

    check(average, lambda x: F.adaptive_avg_pool2d(x, counts))
    check(lambda c, x: windows.adaptive_max(c, x, counts), lambda x: F.adaptive_max_pool2d(x, counts))


def test_adaptive_windows_are_those_of_torch():
    assert [list(w) for w in windows.adaptive_windows(5, 3)] == [[0, 1], [1, 2, 3], [3, 4]]
    with pytest.raises(Refusal, match="to 0 windows"):
        windows.adaptive_windows(5, 0)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(("kernel", "stride", "dilation", "padding"), WINDOWS)
def test_convolution(kernel, stride, dilation, padding, groups):
    weight, bias = RNG.normal(size=(8, 4 // groups, kernel, kernel)), RNG.normal(size=8)
    place = window(kernel, stride, dilation, padding)
    check(
        lambda c, x: windows.convolution(c, x, weight, bias, place, groups),
        lambda x: F.conv2d(x, *map(torch.from_numpy, (weight, bias)), stride, padding, dilation, groups),
    )


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("kernel", "stride", "dilation", "padding"), WINDOWS)
def test_transposed_convolution(kernel, stride, dilation, padding, groups):
    weight, bias = RNG.normal(size=(4, 3, kernel, kernel)), RNG.normal(size=3 * groups)
    extra, place = (min(stride, 2) - 1,) * 2, window(kernel, stride, dilation, padding)
    check(
        lambda c, x: windows.transposed_convolution(c, x, weight, bias, place, groups=groups, output_padding=extra),
        lambda x: F.conv_transpose2d(
            x, *map(torch.from_numpy, (weight, bias)), stride, padding, extra[0], groups, dilation
        ),
    )


def refused(add, reason):
    call = call_on(SHAPE)
    with pytest.raises(Refusal, match=reason):
        add(call, call.source())


def test_what_is_refused():
    weight = np.ones((8, 4, 3, 3))
    refused(lambda c, x: windows.average_pool(c, x, window(2, 2, 2)), "average pooling with dilation")
    refused(lambda c, x: windows.check_kernel(c, x, np.ones((8, 4, 3))), r"\(8, 4, 3\) does not fit samples of shape")
    refused(lambda c, x: windows.convolution(c, x, weight, np.ones(3), window(3)), r"bias of shape \(3,\).* 8 filters")
    refused(lambda c, x: windows.convolution(c, x, weight, None, window(3), 3), "8 filters in 3 groups")
    refused(lambda c, x: windows.transposed_convolution(c, x, weight, None, window(3)), "does not fit 4 channels")
    turned = np.ones((4, 8, 3, 3))
    refused(lambda c, x: windows.transposed_convolution(c, x, turned, np.ones(3), window(3)), "does not fit 8 filters")
    refused(lambda c, x: windows.transposed_convolution(c, x, turned, None, window(3, 2**20)), "too large")
