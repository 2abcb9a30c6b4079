"""What a sentence transformer that others trained keeps as a spiking network: embeddings beside the original's.

    python benchmarks/sentences.py MODEL.onnx --vocabulary tokenizer.json --bits 5,6,7

MODEL.onnx is an encoder of the BERT family (token identities in, LayerNormalization nodes in it). Its table of
embeddings stays outside: the rows of the tokens are the input of the spiking network, and all sentences have as many.
With `--padded` these are of 3 words to all, and a mask of the tokens that are there is the second input.
They are made of words by a pattern, half of each second one as the one before; without a vocabulary they are identities
at random. Sentences are compared by the mean of what the last normalisation says of their tokens: the cosine to the
original's, the correlation of all similarities between sentences with the original's (Pearson), and whether the nearest
sentence is the same one.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

import snntoolbox as stb
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.quantized import QuantizedRun
from snntoolbox.ir.node import Array

WORDS = {
    "adjective": "old young small large red green happy quiet famous poor",
    "noun": "man woman dog cat child king doctor horse teacher bird",
    "verb": "saw found helped followed heard wanted loved left",
    "place": "house garden river school city forest church street market station",
    "time": "today yesterday now then again often",
}
PATTERN = "the adjective noun verb the adjective noun near the place time"


def vocabulary(path: Path) -> dict[str, int]:
    """The identity of each word, of a tokenizer.json or of a list with one word a line."""
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        return dict(json.loads(text)["model"]["vocab"])
    return {word: i for i, word in enumerate(text.splitlines())}


def identities_of(words: dict[str, int] | None, count: int, highest: int) -> Array:
    """Identities (count, tokens); each second sentence begins as the one before it."""
    random, pattern = np.random.default_rng(0), PATTERN.split()
    begin, end = (words["[CLS]"], words["[SEP]"]) if words else (0, 1)
    rows: list[list[int]] = []
    for i in range(count):
        if words:
            said = [words[str(random.choice(WORDS[w].split())) if w in WORDS else w] for w in pattern]
        else:
            said = [int(n) for n in random.integers(highest // 8, highest, len(pattern))]
        half = len(said) // 2
        rows.append([begin, *(rows[-1][1 : 1 + half] if i % 2 else said[:half]), *said[half:], end])
    return np.array(rows, np.int64)


def padded(identities: Array) -> tuple[Array, Array]:
    """The same with sentences of 3 words to all of them, 0 behind their last token, and which tokens are there."""
    count, tokens = identities.shape
    lengths = np.random.default_rng(1).integers(5, tokens + 1, (count, 1))
    place = np.arange(tokens)
    ended = np.where(place == lengths - 1, identities[:, -1:], identities)
    return np.where(place < lengths, ended, 0), place < lengths


class Encoder:
    """A model cut at its embeddings: `rows` of tokens, what it says of them, and the file of all behind the rows."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.model, self.folder = onnx.load(path), folder
        nodes = [n for n in self.model.graph.node if n.op_type == "LayerNormalization"]
        self.names = [i.name for i in self.model.graph.input]
        self.cut, self.end = nodes[0].input[0], nodes[-1].output[0]
        tables = [t for t in self.model.graph.initializer if len(t.dims) == 2]
        self.highest = max(int(t.dims[0]) for t in tables)

    def run(self, identities: Array, there: Array) -> tuple[Array, Array]:
        """The rows of the tokens and what the last normalisation says of them, each (samples, tokens, width).

        Which of them are `there` is what masks say.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.output[:]
        model.graph.output.extend(helper.make_tensor_value_info(n, 1, None) for n in (self.cut, self.end))
        session = ort.InferenceSession(model.SerializeToString())
        given = self._inputs(identities, there)
        parts = [session.run(None, {n: v[i : i + 16] for n, v in given.items()}) for i in range(0, len(identities), 16)]
        rows, said = (np.concatenate(part) for part in zip(*parts, strict=True))
        return rows, said

    def _inputs(self, identities: Array, there: Array) -> dict[str, Array]:
        others = {n: there * np.int64("mask" in n) for n in self.names}
        return {**others, next(n for n in self.names if "type" not in n and "mask" not in n): identities}

    def behind(self, rows: Array, identities: Array, masked: bool = False) -> Path:
        """A file that takes rows in place of identities, and a mask of tokens or all of them.

        What is computed of their number alone is a constant in it.
        """
        model, tokens = onnx.ModelProto(), rows.shape[1:]
        model.CopyFrom(self.model)
        model.graph.node.remove(next(n for n in model.graph.node if self.cut in n.output))
        del model.graph.input[:], model.graph.output[:]
        model.graph.input.append(helper.make_tensor_value_info(self.cut, 1, [1, *tokens]))
        for name, values in self._inputs(identities[:1], np.ones_like(identities[:1])).items():
            if masked and "mask" in name:
                model.graph.input.append(helper.make_tensor_value_info(name, onnx.TensorProto.INT64, values.shape))
            else:
                model.graph.initializer.append(numpy_helper.from_array(values, name))
        model.graph.output.append(helper.make_tensor_value_info(self.end, 1, [1, *tokens]))
        options, path = ort.SessionOptions(), self.folder / "behind.onnx"
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        ort.InferenceSession(model.SerializeToString(), options)
        return path


def compared(original: Array, spiking: Array) -> dict[str, float]:
    """How near the embeddings (samples, width) of one come to the other's."""
    one, other = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (original, spiking))
    upper = np.triu_indices(len(one), 1)
    similar = [v @ v.T for v in (one, other)]
    nearest = [np.argmax(s - 2 * np.eye(len(s)), axis=1) for s in similar]
    return {
        "cosine": float((one * other).sum(axis=1).mean()),
        "Pearson": float(np.corrcoef(similar[0][upper], similar[1][upper])[0, 1]),
        "same nearest": float(np.mean(nearest[0] == nearest[1])),
    }


def embedded(said: Array, there: Array) -> Array:
    """The mean over the tokens that are there, (samples, width), of what is said of all, (samples, tokens, width)."""
    of_each = said.reshape(*there.shape, -1) * there[:, :, None]
    return np.asarray(of_each.sum(axis=1) / there.sum(axis=1, keepdims=True))


def main() -> None:
    """Print a line for each number of bits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--vocabulary", type=Path, help="tokenizer.json, or a list of words")
    parser.add_argument("--bits", default="5,6,7", help="steps of a radix window (%(default)s)")
    parser.add_argument("--samples", type=int, default=96, help="sentences that are compared (%(default)s)")
    parser.add_argument("--padded", action="store_true", help="sentences of several lengths, and a mask as an input")
    parser.add_argument("--calibration", type=int, default=64, help="sentences that calibrate (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told(options, Encoder(options.model, Path(folder)))


def told(options: Any, encoder: Encoder) -> None:
    """The lines."""
    words = vocabulary(options.vocabulary) if options.vocabulary else None
    identities = identities_of(words, options.samples + options.calibration, encoder.highest)
    identities, there = padded(identities) if options.padded else (identities, np.ones(identities.shape, bool))
    rows, said = encoder.run(identities, there)
    graph = stb.load(encoder.behind(rows, identities, options.padded))
    given = [rows, there.astype(np.float32)] if options.padded else [rows]
    read = Executor(graph).run(*(a[:16] for a in given)).reshape(said[:16].shape)
    apart, counts = np.abs(read - said[:16])[there[:16]].max(), there.sum(axis=1)
    least = f"{counts.min()} to " if options.padded else ""
    print(f"as read: {apart:.1e} from the file's own output, {least}{counts.max()} tokens")
    for bits in map(int, options.bits.split(",")):
        begun = time.monotonic()
        snn = stb.convert(graph, [a[options.samples :] for a in given], duration=bits, schedule="radix")
        took, run, x = time.monotonic() - begun, QuantizedRun(snn), [a[: options.samples] for a in given]
        places = range(0, options.samples, 8)
        output = np.concatenate([run.outputs([a[i : i + 8] for a in x])[0] for i in places])
        shown = compared(*(embedded(v, there[: options.samples]) for v in (said[: options.samples], output)))
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(
            f"{bits} bits: " + ", ".join(f"{name} {value:.4f}" for name, value in shown.items())
            + f"; {snn.neurons:,} neurons, converted in {took:.0f} s, {megabytes:,.0f} MB", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
