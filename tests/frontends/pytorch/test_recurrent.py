"""Recurrent layers and cells of PyTorch, in either layout, against torch's own output."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from snntoolbox.errors import UnsupportedError
from snntoolbox.frontends.pytorch import TorchFrontend

FRONTEND = TorchFrontend()
SEQUENCE = (4, 2)


class Net(nn.Module):
    """A recurrent layer, and what a function makes of it and the data."""

    def __init__(self, read, kind=nn.RNN, **settings):
        super().__init__()
        settings = {"batch_first": True, **({"nonlinearity": "relu"} if kind is nn.RNN else {}), **settings}
        self.rnn, self.read = kind(2, 3, **settings), read

    def forward(self, *x):
        return self.read(self.rnn, *x)


def check(module, *shapes):
    torch.manual_seed(0)
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.5)
    model = FRONTEND.open(module, input_shape=shapes if len(shapes) > 1 else shapes[0])
    graph = FRONTEND.parse(model)
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(3, *shape)).astype(np.float32) for shape in shapes]
    values = graph.values(*x)
    for name, expected in zip(graph.outputs, FRONTEND.predict(model, *x), strict=True):
        np.testing.assert_allclose(values[name], expected, rtol=1e-4, atol=1e-5)
    return graph


def turned(x):
    return x.transpose(0, 1)


def last_of_layers(rnn, x):
    y, h = rnn(x)
    h = h.view(rnn.num_layers, 2 if rnn.bidirectional else 1, -1, 3)[-1]
    return torch.cat([y[:, -1], y.flatten(1), *h.unbind(0)], 1)


READ = {
    "all": lambda rnn, x: rnn(x)[0],
    "last": lambda rnn, x: rnn(x)[0][:, -1],
    "last_state": lambda rnn, x: rnn(x)[1][-1],
    "layers": last_of_layers,
    "state_turned": lambda rnn, x: turned(rnn(x)[1]).flatten(1),
    "state_permuted": lambda rnn, x: rnn(x)[1].permute(1, 0, 2).reshape(x.shape[0], -1),
    "mean": lambda rnn, x: rnn(x)[0].mean(1).relu(),
}
STEPS_FIRST = {
    "all": lambda rnn, x: turned(rnn(turned(x))[0]),
    "last": lambda rnn, x: rnn(turned(x))[0][-1],
    "last_state": lambda rnn, x: rnn(x.permute(1, 0, 2))[1][-1],
    "mean": lambda rnn, x: rnn(x.movedim(1, 0))[0].mean(0),
    "sums": lambda rnn, x: (rnn(turned(x))[0] * 2 + 1).relu().sum(dim=0),
    "parts": lambda rnn, x: torch.cat(rnn(turned(x))[0].split(2)[::-1])[1:].unbind(0)[0],
    "stacked": lambda rnn, x: turned(torch.stack([y.relu() for y in rnn(turned(x))[0]])),
    "wide": lambda rnn, x: (rnn(turned(x))[0].unsqueeze(1).squeeze(1) + torch.ones(1)).mean(0),
}


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize(("layers", "both", "bias"), [*itertools.product((1, 2), (False, True), (False, True))])
@pytest.mark.one_in(7)
def test_layer(read, layers, both, bias):
    check(Net(READ[read], num_layers=layers, bidirectional=both, bias=bias), SEQUENCE)


@pytest.mark.parametrize("read", STEPS_FIRST)
@pytest.mark.parametrize(("layers", "both"), [*itertools.product((1, 2), (False, True))])
@pytest.mark.one_in(7)
def test_steps_in_front_of_the_batch(read, layers, both):
    check(Net(STEPS_FIRST[read], num_layers=layers, bidirectional=both, batch_first=False), SEQUENCE)


GATED = {
    "lstm": (READ["all"], {"kind": nn.LSTM}),
    "lstm_both_of_layers": (READ["last"], {"kind": nn.LSTM, "num_layers": 2, "bidirectional": True, "bias": False}),
    "lstm_projected": (READ["last"], {"kind": nn.LSTM, "proj_size": 2, "num_layers": 2}),
    "lstm_turned": (STEPS_FIRST["last"], {"kind": nn.LSTM, "batch_first": False}),
    "lstm_states": (lambda rnn, x: torch.cat([rnn(x)[1][0][-1], rnn(x)[1][1][-1]], 1), {"kind": nn.LSTM}),
    "gru": (READ["all"], {"kind": nn.GRU, "num_layers": 2}),
    "gru_both": (READ["last_state"], {"kind": nn.GRU, "bidirectional": True}),
    "gru_turned": (STEPS_FIRST["mean"], {"kind": nn.GRU, "batch_first": False, "bias": False}),
}


@pytest.mark.parametrize("case", GATED)
def test_gates(case):
    read, settings = GATED[case]
    check(Net(read, **settings), SEQUENCE)


GATED_STARTS = {
    "lstm_given": (nn.LSTM, lambda rnn, x, h, c: rnn(x, (h[None], c[None]))[0], (SEQUENCE, (3,), (3,))),
    "lstm_ones": (nn.LSTM, lambda rnn, x: rnn(x, (torch.ones(1, len(x), 3),) * 2)[0], (SEQUENCE,)),
    "lstm_of_another": (nn.LSTM, lambda rnn, x: rnn(x, rnn(x)[1])[0], (SEQUENCE,)),
    "gru_given": (nn.GRU, lambda rnn, x, h: rnn(x, h[None])[0], (SEQUENCE, (3,))),
    "gru_ones": (nn.GRU, lambda rnn, x: rnn(x, torch.ones(1, len(x), 3))[0], (SEQUENCE,)),
}


@pytest.mark.parametrize("case", GATED_STARTS)
def test_gates_with_initial_states(case):
    kind, read, shapes = GATED_STARTS[case]
    check(Net(read, kind), *shapes)


STARTS = {
    "given": (lambda rnn, x, h: rnn(x, h.unsqueeze(0))[0], (SEQUENCE, (3,))),
    "zeros": (lambda rnn, x: rnn(x, torch.zeros(1, x.shape[0], 3))[0], (SEQUENCE,)),
    "ones": (lambda rnn, x: rnn(x, torch.ones(1, x.shape[0], 3))[0], (SEQUENCE,)),
    "trained": (lambda rnn, x: rnn(x, rnn.bias_hh_l0.expand(1, x.shape[0], 3).contiguous())[0], (SEQUENCE,)),
    "of_another": (lambda rnn, x: rnn(x, rnn(x)[1])[0], (SEQUENCE,)),
}


@pytest.mark.parametrize("start", STARTS)
def test_initial_state(start):
    read, shapes = STARTS[start]
    check(Net(read), *shapes)


def test_tanh():
    graph = check(Net(READ["last"], nonlinearity="tanh"), SEQUENCE)
    assert {getattr(n, "function", "tanh") for n in graph.nodes.values()} == {"tanh"}


class Loop(nn.Module):
    """Cells in a loop, the second without bias."""

    def __init__(self, turn, nothing):
        super().__init__()
        self.first, self.second = nn.RNNCell(2, 3, nonlinearity="relu"), nn.RNNCell(3, 2, bias=False)
        self.turn, self.nothing = turn, nothing

    def forward(self, x):
        h = None if self.nothing else torch.zeros(len(x), 3)
        g = None if self.nothing else torch.full((len(x), 2), 0.5)
        steps = []
        for row in turned(x).unbind(0) if self.turn else x.unbind(1):
            h = self.first(row, h)
            g = self.second(h, g)
            steps.append(g)
        return turned(torch.stack(steps)) if self.turn else torch.stack(steps, 1)


@pytest.mark.parametrize(("turn", "nothing"), [*itertools.product((False, True), repeat=2)])
def test_cells_in_a_loop(turn, nothing):
    check(Loop(turn, nothing), SEQUENCE)


class GatedLoop(nn.Module):
    """Cells with gates in a loop, one on the other."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LSTMCell(2, 3), nn.GRUCell(3, 2)

    def forward(self, x):
        states, g = None, None
        for row in x.unbind(1):
            states = self.first(row, states)
            g = self.second(states[0], g)
        return torch.cat([g, *states], 1)


def test_cells_with_gates_in_a_loop():
    graph = check(GatedLoop(), SEQUENCE)
    assert {"first_step_3_memory", "second_step_3"} <= set(graph.nodes)


def test_a_step_does_not_hang_on_the_others():
    graph = check(Net(lambda rnn, x: rnn(x)[0][:, 0], num_layers=2), SEQUENCE)
    assert sum(n.kind == "ReLU" for n in graph.nodes.values()) == 2


def offenders(module, shape):
    with pytest.raises(UnsupportedError) as caught:
        FRONTEND.parse(FRONTEND.open(module, input_shape=shape))
    return [f"{o.layer}: {o.reason}" for o in caught.value.offenders], str(caught.value)


REFUSED = {
    "steps along the batch": (Net(lambda rnn, x: rnn(x)[0], batch_first=False), SEQUENCE, "where the batch is"),
    "batch along the steps": (Net(lambda rnn, x: rnn(turned(x))[0]), SEQUENCE, "where the batch is"),
    "state returned": (Net(lambda rnn, x: rnn(x)[1]), SEQUENCE, "moves the batch axis"),
    "steps returned": (Net(lambda rnn, x: rnn(turned(x))[0], batch_first=False), SEQUENCE, "moves the batch axis"),
    "joined": (Net(lambda rnn, x: rnn(x)[1].view(-1, 3).relu(), num_layers=2), SEQUENCE, "mixes the batch"),
    "pooled": (Net(lambda rnn, x: nn.functional.max_pool1d(rnn(x)[1], 3)[0]), SEQUENCE, "first axis is not the batch"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    module, shape, reason = REFUSED[case]
    listed, message = offenders(module, shape)
    assert len(listed) == 1
    assert "hint" in message
    assert reason in listed[0]


def test_a_long_sequence_is_refused(monkeypatch):
    monkeypatch.setattr("snntoolbox.frontends.recurrence.LONGEST", 3)
    listed, _ = offenders(Net(READ["last"]), SEQUENCE)
    assert listed == ["rnn (pytorch RNN): its sequence of 4 steps is longer than the 3 that are written out"]
