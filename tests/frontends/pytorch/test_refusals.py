"""What the PyTorch frontend does not take is refused by name, all of it at once."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from snntoolbox.errors import FrontendError, UnsupportedError
from snntoolbox.frontends.pytorch import TorchFrontend
from snntoolbox.ir.ways_out import WINDOWS

FRONTEND = TorchFrontend()


class Function(nn.Module):
    """A module whose forward is a function."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.register_buffer(name, part) if isinstance(part, torch.Tensor) else setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def offenders(module, shape):
    with pytest.raises(UnsupportedError) as error:
        FRONTEND.parse(FRONTEND.open(module, input_shape=shape))
    return [(o.layer, o.reason) for o in error.value.offenders]


ALONE = {
    "softshrink": (nn.Softshrink(), (4,)),
    "only 1 is known": (nn.CELU(2.0), (4,)),
    "input_scale = 2.0": (Function(lambda s, x: torch.ops.aten.elu(x, 1.0, 1.0, 2.0)), (4,)),
    "only those of SELU": (Function(lambda s, x: torch.ops.aten.elu(x, 1.0, 2.0)), (4,)),
    "softplus with beta 2.0": (nn.Softplus(2.0), (4,)),
    "thresholds from 16": (nn.Softplus(1.0, 3.0), (4,)),
    "jumps at its threshold of 0.1": (nn.Threshold(0.1, 20.0), (4,)),
    "divided by the root of its own mean square": (Function(lambda s, x: torch.sqrt(x)), (4,)),
    "root of its own mean square: normalisation": (
        Function(lambda s, x: torch.rsqrt((x * x).mean(-1) + 1)),
        (3, 4),
    ),
    "a division by an activation": (
        Function(lambda s, x: x.relu() / torch.sqrt((x * x).mean(-1, keepdim=True) + 1)),
        (4,),
    ),
    "embedding": (nn.Embedding(5, 3), (4,)),
    "statistics of the batch": (nn.BatchNorm1d(4, track_running_stats=False), (4,)),
}


@pytest.mark.parametrize("reason", ALONE)
def test_layer(reason):
    module, shape = ALONE[reason]
    (found,) = offenders(module, shape)
    assert reason in found[1]


FUNCTIONS = {
    "a length of order 'nuc'": (lambda s, x: x / torch.linalg.norm(x, "nuc", (1, 2), keepdim=True), (4, 3)),
    "the largest singular value": (lambda s, x: x / torch.linalg.norm(x, 2, (1, 2), keepdim=True), (4, 3)),
    "compares values that depend on the input": (
        lambda s, x: F.scaled_dot_product_attention(x, x, x, (x @ x.mT).to(torch.bool)),
        (4, 3),
    ),
    "mask leaves a query without any key": (
        lambda s, x: F.scaled_dot_product_attention(x, x, x, s.n.bool().expand(4, 4)),
        (4, 3),
    ),
    "compares the input 'x', with which where (pytorch where) computes": (
        lambda s, x: torch.where(x > 0, x, s.n),
        (4,),
    ),
    "division by an activation": (lambda s, x: torch.ones(4) / x, (4,)),
    "division by zero": (lambda s, x: x / torch.tensor([1.0, 0.0]), (2,)),
    "with rounding": (lambda s, x: torch.div(x, 2, rounding_mode="floor"), (4,)),
    "the variance of 1 values, less 1": (lambda s, x: x.var(1), (1,)),
    "x ** 0.5": (lambda s, x: x**0.5, (4,)),
    "x ** 5": (lambda s, x: x**5, (4,)),
    "'exponent' of pow is computed from the input": (lambda s, x: 2**x, (4,)),
    "clips to [1.0, -1.0]": (lambda s, x: x.clamp(1, -1), (4,)),
    "clips to [inf, inf]": (lambda s, x: x.clamp(min=float("inf")), (4,)),
    "its bound is not a number": (lambda s, x: x.clamp(min=float("nan")), (4,)),
    "'min' of clamp depends on the input": (lambda s, x: x.clamp(x.flip(1) - 1, torch.ones(4)), (4,)),
    "clips to [0.0, -1.0]": (lambda s, x: x.relu().clamp(max=-1), (4,)),
    "minimum over axes": (lambda s, x: x.min(1)[0], (4,)),
    "maximum over all axes": (lambda s, x: x - x.max(), (4,)),
    "works along axis 0, the batch": (lambda s, x: x - x.mean(0), (4,)),
    "works along all axes": (lambda s, x: x - x.mean(), (4,)),
    "works along axis 0": (lambda s, x: F.softmax(x, 0), (4,)),
    "moves the batch": (lambda s, x: x.t(), (4,)),
    "moves the batch axis": (lambda s, x: x.permute(1, 0, 2).relu(), (4, 3)),
    "gives outputs of several samples in one": (lambda s, x: x.view(-1, 2), (4,)),
    "works along axis 0, the batch, and mixes samples": (lambda s, x: x.flip(0), (4,)),
    "rolls over all axes": (lambda s, x: x.roll(1), (4,)),
    "div computes with the batch size": (lambda s, x: x / x.size(0), (4,)),
    "slices the batch axis": (lambda s, x: x[1:], (4,)),
    "casts to int32": (lambda s, x: x.int() + 1, (4,)),
    "random": (lambda s, x: x + torch.rand(4), (4,)),
    "does not depend on the input": (lambda s, x: (x, torch.ones(2)), (4,)),
    "outputs depend on earlier calls": (lambda s, x: (s.n.add_(1), x + s.n)[1], (4,)),
}


@pytest.mark.parametrize("reason", FUNCTIONS)
def test_function(reason):
    function, shape = FUNCTIONS[reason]
    found = offenders(Function(function, n=torch.zeros(1)), shape)
    assert any(reason in r for _, r in found), found


def test_what_joins_batch_and_heads_is_told_what_mends_it():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.m = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, x):
            return self.m(x, x, x, need_weights=False)[0]

    program = torch.export.export(Net().eval(), (torch.zeros(2, 3, 4),), dynamic_shapes=({0: torch.export.Dim("b")},))
    with pytest.raises(UnsupportedError, match=r"m \(pytorch Multihead.*\).*\n.*give the module and not a program"):
        FRONTEND.parse(FRONTEND.open(program))
    FRONTEND.parse(FRONTEND.open(Net(), input_shape=(3, 4)))


def test_all_offenders_at_once_with_their_layers():
    net = nn.Sequential(
        *(nn.Conv2d(1, 2, 3), nn.Softsign(), nn.MaxPool2d(2), nn.LogSigmoid(), nn.Flatten(), nn.Linear(18, 3)),
        nn.Hardshrink(),
    )
    assert [layer for layer, _ in offenders(net, (1, 8, 8))] == [
        "1 (pytorch Softsign)",
        "3 (pytorch LogSigmoid)",
        "6 (pytorch Hardshrink)",
    ]


def test_training_mode_programs_are_refused():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout()).train()
    program = torch.export.export(net, (torch.ones(2, 4),))
    with pytest.raises(UnsupportedError) as error:
        FRONTEND.parse(program)
    assert error.value.hint.startswith("call model.eval() before torch.export")
    assert {"BatchNorm1d", "Dropout"} <= {o.layer.split()[-1].rstrip(")") for o in error.value.offenders}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda s, x: x if x.sum() > 0 else -x, "data-dependent"),
        (lambda s, x: x * 2 if x.shape[0] == 2 else x * 3, "change with the size of the batch"),
        (lambda s, x: x[:, : x.size(0)] + 1, "change with the size of the batch"),
        (lambda s, x: x.select(1, x.size(0) - 2), "change with the size of the batch"),
    ],
    ids=["control_flow", "batch_size", "slice", "select"],
)
def test_control_flow(function, message, capfd):
    with pytest.raises(FrontendError, match=message) as error:
        FRONTEND.parse(FRONTEND.open(Function(function), input_shape=(4,)))
    assert error.value.hint
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("x", [[np.ones((2, 5))], [np.ones((0, 4))], [], [np.ones((2, 4))] * 2])
def test_predict_checks_its_data(x):
    model = FRONTEND.open(nn.Linear(4, 3), input_shape=(4,))
    with pytest.raises(FrontendError):
        FRONTEND.predict(model, *x)


def test_a_refusal_lists_what_is_refused_and_says_what_smooth_functions_will_need():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Softshrink(), nn.GELU(), nn.Linear(4, 4), nn.GELU())
    with pytest.raises(UnsupportedError) as caught:
        TorchFrontend().parse(TorchFrontend().open(model.eval(), input_shape=(4,)))
    assert [o.layer for o in caught.value.offenders] == ["2 (pytorch Softshrink)"]
    for told in ("1 (pytorch Sigmoid) will", "approximate = sigmoid", "3 (pytorch GELU) and 1 more will", WINDOWS):
        assert told in caught.value.hint
