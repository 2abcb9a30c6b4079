"""Write the pages that are made from the code: config.md, layers.md, targets.md, and tables of others.

    python docs/generate.py            writes them
    python docs/generate.py --check    says which are out of date, and exits with 1 if any is
"""

from __future__ import annotations

import atexit
import configparser
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from snntoolbox import plugins
from snntoolbox.backends.registry import plugin_named, roles
from snntoolbox.frontends.keras.activations import BY_NAME
from snntoolbox.workflow.config.template import markdown
from snntoolbox.workflow.report.capability_table import capability_table
from snntoolbox.workflow.report.targets_page import targets_page

ROOT = Path(__file__).resolve().parents[1]

TITLES = {"keras": "Keras", "pytorch": "PyTorch", "onnx": "ONNX", "caffe": "Caffe"}

UNDOCUMENTED = {
    "Activation": f"An activation by name: {', '.join(sorted(n for n in BY_NAME if n.isidentifier()))}.",
    "ReLU": "``max(x, 0)``, with an upper bound or none, and with a slope below zero; it jumps at a threshold other "
    "than 0, which is refused.",
    "Softmax": "Softmax along an axis of the sample.",
    "keras.ops.Negative": "``-x``.",
    "keras.ops.Relu": "``max(x, 0)``.",
    "keras.ops.Relu6": "``min(max(x, 0), 6)``.",
    "keras.ops.Softmax": "Softmax along an axis of the sample.",
    "keras.ops.LogSoftmax": "The logarithm of softmax.",
    **dict.fromkeys(
        (f"max_pool{n}d_with_indices" for n in (1, 2, 3)), "The maximum of each window, its position unread."
    ),
}
"""What handlers without a docstring do."""

AS_NAMED = "As the framework defines it."

FAMILIES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "fully connected": {
        "keras": ("Dense",),
        "pytorch": ("linear", "matmul"),
        "onnx": ("Gemm", "MatMul"),
        "caffe": ("InnerProduct",),
    },
    "convolution: stride, dilation, groups, depthwise": {
        "keras": ("Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2D", "SeparableConv2D"),
        "pytorch": ("conv1d", "conv2d", "conv3d"),
        "onnx": ("Conv",),
        "caffe": ("Convolution",),
    },
    "average pooling": {
        "keras": ("AveragePooling2D", "GlobalAveragePooling2D"),
        "pytorch": ("avg_pool2d", "adaptive_avg_pool2d", "mean"),
        "onnx": ("AveragePool", "GlobalAveragePool", "ReduceMean"),
        "caffe": ("Pooling",),
    },
    "max pooling": {
        "keras": ("MaxPooling2D", "GlobalMaxPooling2D"),
        "pytorch": ("max_pool2d", "adaptive_max_pool2d", "amax"),
        "onnx": ("MaxPool", "GlobalMaxPool", "ReduceMax"),
        "caffe": ("Pooling",),
    },
    "batch normalisation": {
        "keras": ("BatchNormalization",),
        "pytorch": ("batch_norm",),
        "onnx": ("BatchNormalization",),
        "caffe": ("BatchNorm", "Scale"),
    },
    "rectifiers": {
        "keras": ("ReLU", "keras.ops.Relu6"),
        "pytorch": ("relu", "relu6", "hardtanh", "clamp"),
        "onnx": ("Relu", "Clip"),
        "caffe": ("ReLU", "PReLU", "Clip"),
    },
    "softmax (at the output)": {
        "keras": ("Softmax",),
        "pytorch": ("softmax", "log_softmax"),
        "onnx": ("Softmax", "LogSoftmax"),
        "caffe": ("Softmax",),
    },
    "joining branches": {
        "keras": ("Add", "Subtract", "Average", "Concatenate"),
        "pytorch": ("add", "sub", "cat", "stack"),
        "onnx": ("Add", "Sub", "Sum", "Mean", "Concat"),
        "caffe": ("Eltwise", "Concat"),
    },
    "arithmetic with constants": {
        "keras": ("Rescaling", "Normalization", "keras.ops.Multiply"),
        "pytorch": ("add", "mul", "div"),
        "onnx": ("Add", "Mul", "Div"),
        "caffe": ("Power", "Scale", "Bias"),
    },
    "moving values": {
        "keras": ("Flatten", "Reshape", "Permute", "ZeroPadding2D", "Cropping2D"),
        "pytorch": ("flatten", "view", "permute", "pad", "slice"),
        "onnx": ("Flatten", "Reshape", "Transpose", "Pad", "Slice", "Split"),
        "caffe": ("Flatten", "Reshape", "Slice", "Crop"),
    },
    "recurrent layers, written out over their steps": {
        "keras": ("SimpleRNN", "RNN", "Bidirectional", "TimeDistributed"),
        "pytorch": ("rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"),
        "onnx": ("RNN",),
        "caffe": (),
    },
    "in windows: recurrent layers with gates": {
        "keras": ("LSTM", "GRU"),
        "pytorch": ("lstm", "lstm_cell", "gru", "gru_cell"),
        "onnx": ("LSTM", "GRU"),
        "caffe": (),
    },
    "in windows: normalisation by a sample's own values": {
        "keras": ("LayerNormalization", "RMSNormalization", "GroupNormalization"),
        "pytorch": ("layer_norm", "rms_norm", "group_norm"),
        "onnx": ("LayerNormalization", "RMSNormalization", "GroupNormalization"),
        "caffe": (),
    },
    "in windows: attention, gates": {
        "keras": ("MultiHeadAttention", "Attention", "Multiply"),
        "pytorch": ("scaled_dot_product_attention", "bmm", "glu", "mul"),
        "onnx": ("Attention", "MatMul", "Mul"),
        "caffe": ("Eltwise",),
    },
    "in windows: smooth functions": {
        "keras": ("keras.ops.Gelu", "keras.ops.Silu", "keras.ops.Sigmoid"),
        "pytorch": ("gelu", "silu", "sigmoid", "tanh"),
        "onnx": ("Gelu", "Swish", "Sigmoid", "Tanh"),
        "caffe": ("Sigmoid", "TanH"),
    },
    "upsampling": {
        "keras": ("UpSampling2D",),
        "pytorch": ("upsample_nearest2d", "upsample_bilinear2d"),
        "onnx": ("Upsample", "Resize"),
        "caffe": ("Deconvolution",),
    },
}
"""Layers of each kind by frontend, for the README; all are names in the tables of handlers."""

ASKED_FOR: Mapping[str, tuple[str, ...]] = {
    "keras": (
        *("LeakyReLU", "PReLU", "ELU", "Conv2DTranspose", "Multiply"),
        *("Maximum", "Dot", "Embedding", "ConvLSTM2D", "Masking", "MultiHeadAttention", "Lambda", "Resizing"),
    ),
    "pytorch": (
        *("leaky_relu", "prelu", "elu", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid"),
        *("conv_transpose2d", "bmm", "embedding"),
        "scaled_dot_product_attention",
    ),
    "onnx": (
        *("LeakyRelu", "PRelu", "Elu", "Gelu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "ConvTranspose"),
        *("LRN", "QLinearConv"),
    ),
    "caffe": (
        *("LRN", "MVN", "Embed", "LSTM", "RNN", "ArgMax", "Exp", "Log", "SPP", "Python", "Permute", "Normalize"),
        *("PriorBox", "ROIPooling", "Axpy", "Interp", "Upsample"),
    ),
}
"""Layers that people ask for; the page says of those without a handler that they are refused."""

_LAYERS_HEAD = """\
# Layers

<!-- Generated by `python docs/generate.py` from the tables of handlers; change the handlers instead. -->

What each frontend takes. A layer that is not listed is refused by name, and all refused layers of a model are named
together, before any other work. `snntoolbox inspect MODEL` says it for your model.

A supported layer can still be refused for one of its options, with the reason: a `ReLU` that jumps, for instance.
What is read must be a function of each sample alone, so whatever mixes the samples of a batch is refused too.

Parsing and conversion are two steps. The table says what can be *parsed*: the graph then computes what the model does.
To be *converted*, a graph must consist of linear maps, max pooling and what is made of straight lines (rectifiers with
or without a bound or a slope, hard tanh and hard sigmoid, absolute values, the larger or smaller of two), and with
[windows](schedules.md#products-of-counts) of products of two, smooth functions (sigmoid, tanh, GELU, SiLU, ...) and
softmax. A softmax or sigmoid is [dropped](conversion.md) at an output, where it does not change the class. Elsewhere,
without windows, a softmax is refused, and smooth functions are, unless
[`approximate`](conversion.md#other-activations) names them.

## Sequences

A recurrent layer is written out: each step of the sequence has neurons of its own, which share the cell's weights and
read the step before. That is exact, and whatever a network without loops can do, this one can: every simulator,
schedule and correction. It costs neurons times the steps, and the network is as deep as a sequence is long; sequences
of more than 2048 steps are refused. Several layers, both directions, given and trained initial states, and what reads
one step, the last or all of them are taken.

The sequences of all samples have the same length. A mask over steps is refused, as are packed sequences and the lengths
of ONNX, and layers that keep their state from one batch to the next. In PyTorch and ONNX the steps may lie in front of
the batch (`batch_first=False`), once the model has turned its data round: the data that it is given, and what it
returns, have the batch in front.

**LSTM and GRU** are written out in the same way, and as they multiply activations with one another they convert
[in windows](modern.md#lstm-and-gru): layers and cells of Keras (the reset before or after, cells of several kinds in
one `RNN`, states given, returned and handed on), of PyTorch (projections too) and of ONNX (all directions and
activations). Peepholes, coupled gates and clipping are refused by name, as are `ConvLSTM` and what Caffe and Lasagne
have. Simple cells of tanh or sigmoid convert in windows too, or by line segments with `approximate`.

Cells of rectifiers, `activation="relu"` in Keras and `nonlinearity="relu"` in PyTorch, convert under every schedule, as
do those with bounds (hard sigmoid, hard tanh). [`recurrent_digits.py`](../examples/recurrent_digits.py) trains 64
rectifiers that read scikit-learn's digits row by row, in some seconds, and

```sh
python examples/recurrent_digits.py
```

prints for 360 test digits: 95.6 % for the original network; 95.6 % and 3,464 spikes a digit with rates in 32 steps,
95.8 % and 1,822 spikes with `schedule = phased` and windows of 16 steps. With
[`schedule = recurrent`](schedules.md#recurrent-a-window-for-each-step-of-a-sequence) the cells are not written out.
"""


def handlers(frontend: str) -> Mapping[str, Callable[..., object]]:
    """The table of handlers of one of our frontends."""
    found: Mapping[str, Callable[..., object]] = import_module(f"snntoolbox.frontends.{frontend}.handlers").HANDLERS
    return found


def described(frontend: str) -> dict[str, list[str]]:
    """What a handler does -> the layers that it takes."""
    found: dict[str, list[str]] = {}
    for name, handler in handlers(frontend).items():
        about = (handler.__doc__ or UNDOCUMENTED.get(name, AS_NAMED)).strip().split("\n")[0]
        found.setdefault(about, []).append(name)
    return found


def layers_page() -> str:
    """The page of all layers, in Markdown."""
    return "\n".join([_LAYERS_HEAD, *(_frontend_section(name) for name in TITLES)])


def _frontend_section(frontend: str) -> str:
    rows = sorted((", ".join(f"`{n}`" for n in sorted(names)), about) for about, names in described(frontend).items())
    table = ["| layer | meaning |", "|---|---|", *(f"| {names} | {_code(about)} |" for names, about in rows)]
    refused = ", ".join(f"`{name}`" for name in ASKED_FOR[frontend] if name not in handlers(frontend))
    return "\n".join([f"## {TITLES[frontend]}\n", *table, "", f"Refused by name, among others: {refused}.", ""])


def _code(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def family_table() -> str:
    """Kinds of layers by frontend, in Markdown; ValueError for a name that has no handler."""
    lines = [f"| | {' | '.join(TITLES.values())} |", f"|{'---|' * (len(TITLES) + 1)}"]
    for family, names in FAMILIES.items():
        for frontend in TITLES:
            if unknown := set(names[frontend]) - set(handlers(frontend)):
                raise ValueError(f"the {frontend} frontend has no handler for {sorted(unknown)}")
        lines.append(f"| {family} | {' | '.join(', '.join(f'`{n}`' for n in names[f]) for f in TITLES)} |")
    return "\n".join(lines) + "\n"


def backend_table() -> str:
    """What the backends of this package can run and its exporters write, in Markdown."""
    found = {name: plugin_named(name) for name in roles()}
    ours = {name: p.capabilities for name, p in found.items() if type(p).__module__.startswith("snntoolbox.")}
    return capability_table(ours, roles())


def targets() -> str:
    """The page of what survives where."""
    found = {name: plugin_named(name) for name in roles()}
    ours = {name: p.capabilities for name, p in found.items() if type(p).__module__.startswith("snntoolbox.")}
    measured = json.loads((ROOT / "docs" / "targets.json").read_text("utf-8"))
    return targets_page(ours, roles(), measured)


def between_markers(text: str, marker: str, content: str) -> str:
    """`text` with what stands between ``<!-- marker -->`` and ``<!-- /marker -->`` replaced."""
    pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    found, count = pattern.subn(lambda match: f"{match[1]}\n{content}\n{match[2]}", text)
    if count != 1:
        raise ValueError(f"expected one pair of markers '{marker}', found {count}")
    return found


def find_as_named() -> None:
    """Have simulators and exporters found as setup.cfg names them now, whatever it named when it was installed."""
    setup = configparser.ConfigParser(delimiters="=")
    setup.optionxform = str  # type: ignore[assignment,method-assign]
    setup.read(ROOT / "setup.cfg")
    groups = setup["options.entry_points"]
    named = {g: {line.partition("=")[0].strip() for line in groups[g].splitlines() if line} for g in groups}
    if all(named[group] <= set(plugins.names(group)) for group in named):
        return
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    about = folder / "snntoolbox-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: snntoolbox\nVersion: 0\n", "utf-8")
    (about / "entry_points.txt").write_text("".join(f"[{g}]\n{groups[g].strip()}\n" for g in groups), "utf-8")
    # The first of one name counts.
    sys.path.insert(0, str(folder))
    plugins.entries.cache_clear()


def pages() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    find_as_named()
    readme, simulators = ROOT / "README.md", ROOT / "docs" / "simulators.md"
    text = between_markers(readme.read_text("utf-8"), "capabilities", backend_table())
    return {
        readme: between_markers(text, "layers", family_table()),
        simulators: between_markers(simulators.read_text("utf-8"), "capabilities", backend_table()),
        ROOT / "docs" / "config.md": markdown(),
        ROOT / "docs" / "layers.md": layers_page(),
        ROOT / "docs" / "targets.md": targets(),
    }


def outdated() -> list[Path]:
    """The generated files that do not hold what they should."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` tell which are out of date."""
    stale = outdated()
    if arguments == ["--check"]:
        sys.stderr.writelines(f"{path} is out of date: run python docs/generate.py\n" for path in stale)
        return int(bool(stale))
    wanted = pages()
    for path in stale:
        path.write_text(wanted[path], "utf-8")
        sys.stdout.write(f"wrote {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
