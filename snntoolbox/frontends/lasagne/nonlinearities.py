"""Stand-ins for the functions of ``lasagne.nonlinearities``, told by what they are made of."""

from __future__ import annotations

from typing import Any

from snntoolbox.frontends.lasagne.expressions import Expression

SELU = (1.0507009873554805, 1.6732632423543772)  # scale, and scale below zero


def sigmoid(x: Any) -> Expression:
    """``1 / (1 + exp(-x))``."""
    return Expression("sigmoid", x)


def softmax(x: Any) -> Expression:
    """Softmax along the last axis."""
    return Expression("softmax", x)


def tanh(x: Any) -> Expression:
    """Hyperbolic tangent."""
    return Expression("tanh", x)


def rectify(x: Any) -> Expression:
    """``max(x, 0)``."""
    return Expression("relu", x)


def elu(x: Any) -> Expression:
    """``x`` above zero, ``exp(x) - 1`` below."""
    return Expression("elu", x)


def softplus(x: Any) -> Expression:
    """``log(1 + exp(x))``."""
    return Expression("softplus", x)


def linear(x: Any) -> Any:
    """The input itself."""
    return x


identity = linear


class ScaledTanH:
    """``scale_out * tanh(scale_in * x)``."""

    def __init__(self, scale_in: float = 1, scale_out: float = 1) -> None:
        self.scale_in = scale_in
        self.scale_out = scale_out

    def __call__(self, x: Any) -> Expression:
        """The function of an expression."""
        return Expression("mul", Expression("tanh", Expression("mul", x, self.scale_in)), self.scale_out)


ScaledTanh = ScaledTanH


class LeakyRectify:
    """A rectifier with a slope below zero."""

    def __init__(self, leakiness: float = 0.01) -> None:
        self.leakiness = leakiness

    def __call__(self, x: Any) -> Expression:
        """The function of an expression."""
        return Expression("relu", x, self.leakiness)


class SELU_:  # noqa: N801 - it is known as SELU, which is a constant here
    """``scale * x`` above zero, ``scale * scale_neg * (exp(x) - 1)`` below."""

    def __init__(self, scale: float = 1, scale_neg: float = 1) -> None:
        self.scale = scale
        self.scale_neg = scale_neg

    def __call__(self, x: Any) -> Expression:
        """The function of an expression."""
        return Expression("scaled_elu", x, scale=self.scale, alpha=self.scale_neg)


leaky_rectify, very_leaky_rectify, selu = LeakyRectify(), LeakyRectify(1 / 3), SELU_(*SELU)

NAMES: dict[str, Any] = {
    **{"sigmoid": sigmoid, "softmax": softmax, "tanh": tanh, "rectify": rectify, "elu": elu, "softplus": softplus},
    **{"linear": linear, "identity": identity, "ScaledTanH": ScaledTanH, "ScaledTanh": ScaledTanh},
    **{"LeakyRectify": LeakyRectify, "leaky_rectify": leaky_rectify, "very_leaky_rectify": very_leaky_rectify},
    **{"SELU": SELU_, "selu": selu},
}
"""What ``lasagne.nonlinearities`` has."""
