"""Masks of truth values that are inputs, in three frameworks: as read, and as spikes."""

import io
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from needed import needed

import snntoolbox as stb

TOKENS, WIDTH, HEADS = 4, 4, 2
RNG = np.random.default_rng(3)
X = RNG.normal(size=(56, TOKENS, WIDTH)).astype("float32")
THERE = np.arange(TOKENS) < RNG.integers(1, TOKENS + 1, (len(X), 1))
SEEN = (RNG.random((len(X), TOKENS, TOKENS)) < 0.6) | np.eye(TOKENS, dtype=bool)
OF_HEADS = (RNG.random((len(X), HEADS, TOKENS, TOKENS)) < 0.6) | np.eye(TOKENS, dtype=bool)
FIRST = np.arange(TOKENS) == 0


def shown(model, graph, *masks):
    """Whether graph and network say what the original does of these masks."""
    x = [X, *masks]
    np.testing.assert_allclose(graph.run(*x), model(*x), atol=3e-6)
    network = stb.convert(graph, x, schedule="radix", T=6, readout_correction=0)
    result, expected = stb.simulate(network, [a[:16] for a in x]), graph.run(*x)[:16]
    assert np.sqrt(np.mean((result.output - expected) ** 2)) < 0.1 * expected.std()


def net_of(forward):
    """A module of torch with attention, a layer of a transformer and two dense layers, and this as forward()."""
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.attend = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
            self.layer = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, 6, batch_first=True)
            self.q, self.v = torch.nn.Linear(WIDTH, WIDTH), torch.nn.Linear(WIDTH, WIDTH)

        def scores(self, x):
            query = self.q(x)
            return query @ query.transpose(1, 2) / 2

    Net.forward = forward
    return Net().eval()


def said_by(net):
    def model(*x):
        with torch.no_grad():
            return net(*map(torch.as_tensor, x)).numpy()

    return model


def attends(net, x, mask):
    return net.attend(x, x, x, key_padding_mask=mask)[0]


def attends_in_heads(net, x, mask):
    return net.attend(x, x, x, attn_mask=~mask.flatten(0, 1))[0]


def layer(net, x, mask):
    return net.layer(x, src_key_padding_mask=mask)


def fills(net, x, mask):
    return net.scores(x).masked_fill(mask[:, None] == 0, -1e9).softmax(-1) @ net.v(x)


def chooses(net, x, mask):
    return torch.where(mask[:, None] > 0.5, net.scores(x), -1e4).softmax(-1) @ net.v(x)


def causal_too(net, x, mask):
    seen = mask.bool()[:, None] & torch.ones(TOKENS, TOKENS, dtype=torch.bool).tril()
    scores = torch.where(seen | torch.eye(TOKENS, dtype=torch.bool), net.scores(x), torch.tensor(-torch.inf))
    return scores.softmax(-1) @ net.v(x)


def two(net, x, mask, other):
    return net.scores(x).masked_fill(~(mask[:, None] & ~other), -1e9).softmax(-1) @ net.v(x)


def scaled(net, x, mask):
    q, v = net.q(x)[:, None], net.v(x)[:, None]
    return torch.nn.functional.scaled_dot_product_attention(q, q, v, attn_mask=mask[:, None, None])[:, 0]


def in_pairs(net, x, mask):
    return net.scores(x).masked_fill(mask.logical_not(), -1e9).softmax(-1) @ net.v(x)


def pooled(net, x, mask):
    return net.v(x).masked_fill(~mask[..., None], 0.0).sum(1)


def near(net, x, mask):
    return torch.where(mask[:, None], net.scores(x), -3.0).softmax(-1) @ net.v(x)


OTHER = ~SEEN & ~FIRST
TORCH = {
    "MultiheadAttention": (attends, [~THERE]),
    "a mask for each head": (attends_in_heads, [OF_HEADS]),
    "TransformerEncoderLayer": (layer, [~THERE]),
    "masked_fill of whole numbers": (fills, [THERE.astype("int64")]),
    "masked_fill of numbers": (fills, [THERE.astype("float32")]),
    "where": (chooses, [THERE.astype("float32")]),
    "with a causal one": (causal_too, [THERE.astype("int64")]),
    "two": (two, [THERE, OTHER]),
    "scaled_dot_product_attention": (scaled, [THERE]),
    "pairs": (in_pairs, [SEEN]),
    "a pool": (pooled, [THERE]),
    "a choice of near numbers": (near, [THERE]),
}


@pytest.mark.parametrize("case", TORCH)
def test_of_pytorch(case):
    forward, masks = TORCH[case]
    net = net_of(forward)
    shown(said_by(net), stb.load(net, input_shape=(X, *masks)), *masks)


def exported(net, masks, dynamo):
    """The bytes of an ONNX file with a free batch."""
    file, args = io.BytesIO(), tuple(map(torch.as_tensor, (X[:2], *(m[:2] for m in masks))))
    names = [f"i{k}" for k in range(len(args))]
    free = {"dynamic_axes": {n: {0: "batch"} for n in [*names, "y"]}, "input_names": names, "output_names": ["y"]}
    if dynamo:
        free = {"dynamic_shapes": tuple({0: torch.export.Dim("batch")} for _ in args), "verbose": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, args, file, dynamo=dynamo, **free)
    return file.getvalue()


@pytest.mark.parametrize("case", TORCH)
@pytest.mark.parametrize("dynamo", [False, pytest.param(True, marks=pytest.mark.long)])
def test_of_onnx(case, dynamo):
    needed("onnxruntime")
    if dynamo:
        needed("onnxscript")
    forward, masks = TORCH[case]
    net = net_of(forward)
    graph = stb.load(exported(net, masks, dynamo))
    np.testing.assert_allclose(graph.run(X, *masks), said_by(net)(X, *masks), atol=3e-6)


def keras_model(case):
    needed("keras")
    import keras

    layers, ops = keras.layers, keras.ops
    keras.utils.set_random_seed(0)
    kind, *_, shape = KERAS[case]
    x, mask = keras.Input((TOKENS, WIDTH)), keras.Input(shape, dtype=kind)
    if "=" not in case:
        return keras.Model([x, mask], IN_KERAS[case](layers, ops, x, mask))
    attend = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
    return keras.Model([x, mask], attend(x, x, **{case.split("=")[0]: mask}))


def scored(ops, x):
    return ops.matmul(x, ops.transpose(x, (0, 2, 1))) / 3


IN_KERAS = {
    "Attention": lambda layers, ops, x, m: layers.Attention()([x, x], mask=[None, m]),
    "Softmax": lambda layers, ops, x, m: layers.Dot((2, 1))(
        [layers.Softmax()(layers.Dot(2)([x, x]), mask=layers.Reshape((1, TOKENS))(m)), x]
    ),
    "where": lambda layers, ops, x, m: ops.matmul(
        ops.softmax(ops.where(ops.not_equal(ops.expand_dims(m, 1), 0), scored(ops, x), -1e9)), x
    ),
    "joined": lambda layers, ops, x, m: ops.matmul(
        ops.softmax(ops.where(ops.logical_not(ops.logical_or(m, np.eye(TOKENS) > 0)), -1e9, scored(ops, x))), x
    ),
    "added": lambda layers, ops, x, m: ops.matmul(
        ops.softmax(scored(ops, x) - 1e9 * (1 - ops.cast(ops.expand_dims(m, 1), "float32"))), x
    ),
    "dot_product_attention": lambda layers, ops, x, m: ops.reshape(
        ops.dot_product_attention(*[ops.expand_dims(x, 2)] * 3, mask=m), (-1, TOKENS, WIDTH)
    ),
}
KERAS = {
    "key_mask=": ("bool", THERE, (TOKENS,)),
    "value_mask=": ("bool", THERE, (TOKENS,)),
    "attention_mask=": ("bool", SEEN, (TOKENS, TOKENS)),
    "attention_mask=int": ("int32", SEEN, (TOKENS, TOKENS)),
    "Attention": ("bool", THERE, (TOKENS,)),
    "Softmax": ("bool", THERE, (TOKENS,)),
    "where": ("int32", THERE, (TOKENS,)),
    "joined": ("bool", SEEN, (TOKENS, TOKENS)),
    "added": ("int32", THERE, (TOKENS,)),
    "dot_product_attention": ("bool", OF_HEADS[:, :1], (1, TOKENS, TOKENS)),
}


@pytest.mark.parametrize("case", KERAS)
def test_of_keras(case, tmp_path):
    kind, mask, _ = KERAS[case]
    model, mask = keras_model(case), mask.astype(kind)
    import keras

    graph = stb.load(model)
    shown(lambda *x: keras.ops.convert_to_numpy(model([*x])), graph, mask)
    model.save(tmp_path / "it.keras")
    np.testing.assert_allclose(stb.load(tmp_path / "it.keras").run(X, mask), graph.run(X, mask), atol=1e-9)


class Shares(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.attend = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, x, mask):
        return self.attend(x, x, x, key_padding_mask=~mask)


def both_said(graph, originals):
    """Whether graph and network give what attention says, and its shares."""
    values = graph.values(X, THERE)
    for name, expected in zip(graph.outputs, originals, strict=True):
        np.testing.assert_allclose(values[name], expected, atol=3e-6)
    network = stb.convert(graph, [X, THERE], schedule="radix", T=7, readout_correction=0)
    outputs = stb.simulate(network, [X[:16], THERE[:16]]).outputs
    for output, expected in zip(outputs.values(), originals, strict=True):
        found = output.reshape(expected[:16].shape)
        assert np.sqrt(np.mean((found - expected[:16]) ** 2)) < 0.1 * expected.std()


def test_shares_are_outputs_too_of_pytorch():
    net = Shares().eval()
    originals = [t.detach().numpy() for t in net(torch.tensor(X), torch.tensor(THERE))]
    both_said(stb.load(net, input_shape=(X, THERE)), originals)


@pytest.mark.parametrize("kind", ["MultiHeadAttention", "Attention"])
def test_shares_are_outputs_too_of_keras(kind, tmp_path):
    needed("keras")
    import keras

    keras.utils.set_random_seed(0)
    x, mask = keras.Input((TOKENS, WIDTH)), keras.Input((TOKENS,), dtype="bool")
    if kind == "Attention":
        said = keras.layers.Attention()([x, x], mask=[None, mask], return_attention_scores=True)
    else:
        attend = keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
        said = attend(x, x, key_mask=mask, return_attention_scores=True)
    model = keras.Model([x, mask], said)
    originals = [keras.ops.convert_to_numpy(t) for t in model([X, THERE])]
    both_said(stb.load(model), originals)
    model.save(tmp_path / "it.keras")
    graph = stb.load(tmp_path / "it.keras")
    values = graph.values(X, THERE)
    for name, expected in zip(graph.outputs, originals, strict=True):
        np.testing.assert_allclose(values[name], expected, atol=3e-6)


@pytest.mark.long
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**16),
    tokens=st.integers(2, 6),
    heads=st.sampled_from([1, 2, 3]),
    axes=st.sampled_from(["batch, n", "batch, 1, 1, n", "batch, n, n", "batch, heads, n, n"]),
    kind=st.sampled_from(["bool", "int64", "float32"]),
    form=st.sampled_from(["masked_fill", "where", "sdpa", "added", "multiplied"]),
    fill=st.sampled_from([-np.inf, -1e9, -1e4]),
    hidden=st.booleans(),
)
def test_random_transformers(seed, tokens, heads, axes, kind, form, fill, hidden):
    """Two blocks under a mask that leaves one to all values of each row: as read, and as spikes."""
    random = np.random.default_rng(seed)
    shape = {"batch, n": (tokens,), "batch, 1, 1, n": (1, 1, tokens), "batch, n, n": (tokens, tokens)}.get(
        axes, (heads, tokens, tokens)
    )
    kept = random.random((48, *shape)) < random.choice([0.1, 0.5, 0.9])
    np.put_along_axis(kept, random.integers(0, tokens, (48, *shape[:-1], 1)), True, -1)
    mask = (kept ^ hidden).astype(kind)
    x = random.normal(size=(48, tokens, 2 * heads)).astype("float32")
    added = fill if np.isfinite(fill) else -1e9

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(seed)
            self.joint = torch.nn.ModuleList(torch.nn.Linear(2 * heads, 6 * heads) for _ in range(2))

        def forward(self, x, mask):
            seen = mask if mask.dtype == torch.bool else mask != 0
            seen = ~seen if hidden else seen
            seen = seen[:, None, None] if seen.dim() == 2 else seen[:, None] if seen.dim() == 3 else seen
            for joint in self.joint:
                q, k, v = (
                    part.reshape(len(x), tokens, heads, 2).transpose(1, 2) for part in joint(x).chunk(3, -1)
                )
                scores = q @ k.transpose(-2, -1)
                if form == "sdpa":
                    told = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
                else:
                    told = self.left(scores, seen).softmax(-1) @ v
                x = x + told.transpose(1, 2).flatten(2)
            return x

        def left(self, scores, seen):
            if form == "masked_fill":
                return scores.masked_fill(~seen, fill)
            if form == "where":
                return torch.where(seen, scores, torch.tensor(fill))
            truths = seen.float()
            return (scores if form == "added" else scores * truths) + (1 - truths) * added

    net = Net().eval()
    graph = stb.load(net, input_shape=(x, mask))
    expected = said_by(net)(x, mask)
    np.testing.assert_allclose(graph.run(x, mask), expected, atol=2e-5 * np.abs(expected).max())
    network = stb.convert(graph, [x, mask], schedule="radix", T=7, readout_correction=0)
    output = stb.simulate(network, [x[:12], mask[:12]]).output
    assert np.sqrt(np.mean((output - expected[:12]) ** 2)) < 0.2 * expected.std()


@pytest.mark.parametrize("tokens", [2, 3])
def test_masks_that_may_leave_nothing_are_compared_where_they_leave_some(tokens):
    """Of a row of which nothing is left torch says 0, and the graph something else."""

    class Net(torch.nn.Module):
        def forward(self, x, mask):
            x = x[:, None]
            return torch.nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=mask[:, None])[:, 0]

    mask = np.ones((2, tokens, tokens), bool)
    graph = stb.load(Net().eval(), input_shape=(X[:2, :tokens], mask))
    assert graph.nodes[graph.inputs[1]].truths


def test_masks_of_one_softmax_may_be_many():
    """Six masks that are added, two of them of one sum: what each leaves out adds up."""
    rng = np.random.default_rng(5)
    masks = [(rng.random((len(X), TOKENS)) < 0.8) | FIRST for _ in range(6)]

    def joins(net, x, first, second, *others):
        scores = net.scores(x) + torch.where((first & second)[:, None], 0.0, -1e4)
        for mask in others:
            scores = scores + torch.where(mask[:, None], 0.0, -1e4)
        return scores.softmax(-1) @ net.v(x)

    net = net_of(joins)
    shown(said_by(net), stb.load(net, input_shape=(X, *masks)), *masks)
