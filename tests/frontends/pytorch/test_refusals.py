"""What the PyTorch frontend does not take is refused by name, all of it at once."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from snntoolbox.errors import FrontendError, UnsupportedError
from snntoolbox.frontends.pytorch import TorchFrontend

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
    "sigmoid": (nn.Sigmoid(), (4,)),
    "tanh": (nn.Tanh(), (4,)),
    "gelu": (nn.GELU(), (4,)),
    "silu": (nn.SiLU(), (4,)),
    "leaky_relu": (nn.LeakyReLU(), (4,)),
    "elu": (nn.ELU(), (4,)),
    "prelu": (nn.PReLU(), (4,)),
    "hardswish": (nn.Hardswish(), (4,)),
    "hardtanh": (nn.Hardtanh(), (4,)),
    "layer normalisation": (nn.LayerNorm(4), (4,)),
    "group normalisation": (nn.GroupNorm(2, 4), (4, 3)),
    "instance normalisation": (nn.InstanceNorm1d(4), (4, 3)),
    "transposed convolution": (nn.ConvTranspose2d(2, 3, 2), (2, 4, 4)),
    "embedding": (nn.Embedding(5, 3), (4,)),
    "LSTM": (nn.LSTM(3, 2, batch_first=True), (4, 3)),
    "statistics of the batch": (nn.BatchNorm1d(4, track_running_stats=False), (4,)),
    "adaptive max pooling": (nn.AdaptiveMaxPool2d(2), (1, 5, 5)),
    "attention": (Function(lambda s, x: s.m(x, x, x)[0], m=nn.MultiheadAttention(4, 2, batch_first=True)), (3, 4)),
}


@pytest.mark.parametrize("reason", ALONE)
def test_layer(reason):
    module, shape = ALONE[reason]
    (found,) = offenders(module, shape)
    assert reason in found[1]


FUNCTIONS = {
    "product of two activations": (lambda s, x: x * x.relu(), (4,)),
    "product of two activations is": (lambda s, x: torch.bmm(x, x.transpose(1, 2)), (4, 3)),
    "division by an activation": (lambda s, x: torch.ones(4) / x, (4,)),
    "division by zero": (lambda s, x: x / torch.tensor([1.0, 0.0]), (2,)),
    "with rounding": (lambda s, x: torch.div(x, 2, rounding_mode="floor"), (4,)),
    "pow": (lambda s, x: x**2, (4,)),
    "clamp between": (lambda s, x: x.clamp(-1, 1), (4,)),
    "mean works along the batch axis": (lambda s, x: x - x.mean(0), (4,)),
    "mean over all axes": (lambda s, x: x - x.mean(), (4,)),
    "softmax works along the batch": (lambda s, x: F.softmax(x, 0), (4,)),
    "moves the batch axis": (lambda s, x: x.t(), (4,)),
    "permute moves": (lambda s, x: x.permute(1, 0, 2).relu(), (4, 3)),
    "view touches the batch axis": (lambda s, x: x.view(-1, 2), (4,)),
    "flip works along": (lambda s, x: x.flip(0), (4,)),
    "roll over all axes": (lambda s, x: x.roll(1), (4,)),
    "div computes with the batch size": (lambda s, x: x / x.size(0), (4,)),
    "slice of the batch axis": (lambda s, x: x[1:], (4,)),
    "conversion to int32": (lambda s, x: x.int() + 1, (4,)),
    "random": (lambda s, x: x + torch.rand(4), (4,)),
    "does not depend on the input": (lambda s, x: (x, torch.ones(2)), (4,)),
    "outputs depend on earlier calls": (lambda s, x: (s.n.add_(1), x + s.n)[1], (4,)),
}


@pytest.mark.parametrize("reason", FUNCTIONS)
def test_function(reason):
    function, shape = FUNCTIONS[reason]
    found = offenders(Function(function, n=torch.zeros(1)), shape)
    assert any(reason in r for _, r in found), found


def test_all_offenders_at_once_with_their_layers():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Sigmoid(), nn.MaxPool2d(2), nn.GELU(), nn.Flatten(), nn.Linear(18, 3), nn.ELU()
    )
    assert [layer for layer, _ in offenders(net, (1, 8, 8))] == [
        "1 (pytorch Sigmoid)",
        "3 (pytorch GELU)",
        "6 (pytorch ELU)",
    ]


def test_training_mode_programs_are_refused():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout()).train()
    program = torch.export.export(net, (torch.ones(2, 4),))
    with pytest.raises(UnsupportedError) as error:
        FRONTEND.parse(program)
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


def test_script_modules_are_refused():
    with pytest.raises(FrontendError, match="TorchScript"):
        FRONTEND.open(torch.jit.trace(nn.Linear(4, 3), torch.ones(2, 4)))


@pytest.mark.parametrize("x", [[np.ones((2, 5))], [np.ones((0, 4))], [], [np.ones((2, 4))] * 2])
def test_predict_checks_its_data(x):
    model = FRONTEND.open(nn.Linear(4, 3), input_shape=(4,))
    with pytest.raises(FrontendError):
        FRONTEND.predict(model, *x)
