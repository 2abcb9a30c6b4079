"""What classifiers that others trained keep as spiking networks: their answers beside the originals'.

    python benchmarks/real_models.py MODEL.onnx --samples bytes --bits 5,6,7
    python benchmarks/real_models.py MODEL.onnx --samples text --shape 3,48,192 --bits 5,6,7
    python benchmarks/real_models.py MODEL.onnx --samples sound --shape 80,800 --bits 6 --count 8 --calibration 8

Samples are made by a script: `bytes` are files of two dozen kinds, whose first and last 1024 bytes are given, as
magika takes them; `text` are pictures of printed words, some of them upside down, as PP-OCR takes them; `sound` are mel
spectra of voices that fall silent or do not, as smart-turn takes them. Where a model
takes whole numbers, the network begins behind their table (`input_tensor`), and onnxruntime computes its rows. Answers
are the classes of largest value, of each place where there are several; told are how many are the original's, and
the correlation of all outputs with the original's before its last softmax, which a spiking network leaves out.
"""

from __future__ import annotations

import argparse
import json
import resource
import string
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx.utils import Extractor

import snntoolbox as stb
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.quantized import QuantizedRun
from snntoolbox.frontends.onnx.cutting import behind_integers
from snntoolbox.ir.node import Array

WORDS = ("count", "total", "name", "value", "index", "result", "node", "table", "first", "last", "open", "user", "file")
ENDS, PADDING = 1024, 256
"""The bytes of each end of a file that are given, and what stands in the place of those that are not there."""

# -- samples --------------------------------------------------------------------------------------------------------


def _word(random: np.random.Generator) -> str:
    return f"{random.choice(WORDS)}_{random.choice(WORDS)}"


def _lines(random: np.random.Generator, form: str, head: str = "", tail: str = "") -> bytes:
    """Lines of a form, in which %w are words and %n numbers."""
    text = "\n".join([form] * int(random.integers(8, 80)))
    while "%w" in text or "%n" in text:
        text = text.replace("%w", _word(random), 1).replace("%n", str(random.integers(1000)), 1)
    return (head + text + tail).encode()


FORMS = {
    "python": ("def %w(%w, %w=%n):\n    for i in range(%n):\n        print(%w[i])\n    return %w\n", "import os\n", ""),
    "c": ("int %w(int %w) {\n  if (%w > %n) return %n;\n  return %w + 1;\n}\n", "#include <stdio.h>\n\n", ""),
    "javascript": ("const %w = (%w) => {\n  console.log(%w, %n);\n};\n", "'use strict';\n", "export default %w;\n"),
    "html": ("<p class='%w'>%w <b>%n</b></p>", "<!DOCTYPE html>\n<html><body>\n", "\n</body></html>\n"),
    "json": ('  "%w": {"%w": %n, "list": [%n, %n]},', "{\n", '\n  "end": null\n}\n'),
    "csv": ("%w,%n,%n,%w", "name,first,second,last\n", "\n"),
    "xml": ("  <%w id='%n'>\n    <name>%n</name>\n  </%w>", "<?xml version='1.0'?>\n<all>\n", "\n</all>\n"),
    "shell": ("if [ -f $%w ]; then\n  echo \"%n $%w\"\nfi\n", "#!/bin/bash\nset -e\n\n", ""),
    "markdown": ("## %n %w\n\nThe %w is *%w* and `%w`.\n", "# %w\n\n", ""),
    "sql": ("INSERT INTO %w (%w, %w) VALUES (%n, '%w');", "CREATE TABLE %w (id INT PRIMARY KEY);\n", ""),
    "css": (".%w {\n  margin: %npx;\n  color: #%n;\n}\n", "@charset 'utf-8';\n", ""),
    "ini": ("%w = %n", "[settings]\n", "\n"),
    "yaml": ("- name: %w\n  value: %n\n  parts: [%w, %w]", "version: %n\nitems:\n", "\n"),
    "java": ("  public int %w(int %w) {\n    return %w * %n;\n  }\n", "public class Table {\n", "}\n"),
    "tex": ("\\section{%w}\nThe %w of $x_%n$ is $%n$.\n", "\\documentclass{article}\n\\begin{document}\n",
            "\\end{document}\n"),
    "log": ("2024-01-%n 12:%n:00 INFO %w: %w took %n ms", "", "\n"),
    "diff": ("@@ -%n,3 +%n,3 @@\n %w\n-%w\n+%w", "--- a/%w\n+++ b/%w\n", "\n"),
}  # fmt: skip


def _binary(kind: str, random: np.random.Generator) -> bytes:
    """A file that begins as one of its kind does; what follows is compressed, noise or zeros."""
    noise, packed = random.bytes(int(random.integers(800, 4000))), zlib.compress(random.bytes(600) * 3)
    return {
        "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + random.bytes(13) + b"\x00\x00\x20\x00IDAT" + packed,
        "zip": b"PK\x03\x04\x14\0\0\0\x08\0" + random.bytes(20) + b"name.txt" + packed + b"PK\x05\x06" + b"\0" * 18,
        "gzip": b"\x1f\x8b\x08\x00" + random.bytes(4) + b"\x00\x03" + packed,
        "elf": b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\x00\x3e\x00\x01\x00\x00\x00" + noise,
        "pdf": b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" + packed + b"\nstartxref\n9\n%%EOF\n",
        "noise": noise,
    }[kind]


def files(count: int) -> Array:
    """The ends of files of all kinds in turn, (count, 2 x 1024) numbers."""
    random, kinds = np.random.default_rng(0), [*FORMS, "png", "zip", "gzip", "elf", "pdf", "noise"]
    rows = np.full((count, 2 * ENDS), PADDING, np.int32)
    for i, row in enumerate(rows):
        kind = kinds[i % len(kinds)]
        content = _lines(random, *FORMS[kind]) if kind in FORMS else _binary(kind, random)
        first, last = content[:4096].lstrip()[:ENDS], content[-4096:].rstrip()[-ENDS:]
        row[: len(first)] = list(first)
        row[2 * ENDS - len(last) :] = list(last)
    return rows


def pictures(count: int, shape: tuple[int, ...]) -> Array:
    """Printed words (count, 3, height, width) from -1 to 1, every second one upside down."""
    from PIL import Image, ImageDraw, ImageFont

    random, (_, height, width) = np.random.default_rng(0), shape
    letters, made = [*string.ascii_letters, *string.digits], []
    for i in range(count):
        dark, light = sorted(random.integers(0, 256, 2) // 3 + np.array([0, 150]))
        picture = Image.new("RGB", (width, height), (int(light),) * 3)
        text = "".join(random.choice(letters, int(random.integers(4, 3 + width // 28))))
        font = ImageFont.load_default(float(height * random.uniform(0.5, 0.8)))
        ImageDraw.Draw(picture).text((4, height * 0.1), text, fill=(int(dark),) * 3, font=font)
        values = np.asarray(picture.rotate(180 * (i % 2)), np.float32)
        made.append(values + random.normal(0, 6, values.shape))
    return np.float32(np.stack(made).transpose(0, 3, 1, 2) / 127.5 - 1)


RATE, FRAME, HOP = 16_000, 400, 160
"""Samples a second, and those of a frame and from one to the next, of the features that Whisper takes."""


def _mel(bands: int) -> Array:
    """Triangles (bands, FRAME // 2 + 1) over frequencies that are evenly spaced in mel, of one area."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    frequencies = np.arange(FRAME // 2 + 1) * RATE / FRAME
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.asarray(np.maximum(np.minimum(rising, falling), 0) * 2 / (high - low))


def _voice(random: np.random.Generator, count: int) -> Array:
    """Syllables of a voice, whose pitch wanders and which may fall silent before the end, over a little noise."""
    time, wave = np.arange(count) / RATE, np.zeros(count)
    end = random.choice([1.0, random.uniform(0.4, 0.95)])
    start = random.uniform(0, 0.3) * count
    while start < end * count:
        length = int(random.uniform(0.08, 0.35) * RATE)
        place = slice(int(start), min(int(start) + length, count))
        pitch = random.uniform(90, 240) * (1 + 0.2 * np.sin(2 * np.pi * random.uniform(1, 4) * time[place]))
        phase, formants = 2 * np.pi * np.cumsum(pitch) / RATE, random.uniform([300, 900, 2200], [800, 2100, 3300])
        for k in range(1, 25):
            weight = sum(np.exp(-(((k * pitch.mean() - f) / 180) ** 2)) for f in formants) + 0.02
            wave[place] += weight * np.sin(k * phase) * np.hanning(len(phase))
        start += length + random.exponential(0.06) * RATE
    return wave * random.uniform(0.05, 0.5) + random.normal(0, 0.002, count)


def sounds(count: int, shape: tuple[int, ...]) -> Array:
    """Logarithms of mel spectra (count, bands, frames) of voices made of harmonics, as Whisper takes them."""
    random, (bands, frames) = np.random.default_rng(0), shape
    window, filters, made = np.hanning(FRAME + 1)[:-1], _mel(bands), []
    for _ in range(count):
        wave = np.pad(_voice(random, frames * HOP), FRAME // 2, mode="reflect")
        pieces = np.lib.stride_tricks.sliding_window_view(wave, FRAME)[::HOP][:frames]
        power = np.abs(np.fft.rfft(pieces * window)) ** 2
        spectrum = np.log10(np.maximum(filters @ power.T, 1e-10))
        made.append((np.maximum(spectrum, spectrum.max() - 8) + 4) / 4)
    return np.float32(np.stack(made))


# -- models ---------------------------------------------------------------------------------------------------------


def in_parts(run: Callable[[Array], Array], x: Array, size: int = 8) -> Array:
    """What a function gives for samples, some at a time."""
    return np.concatenate([run(x[i : i + size]) for i in range(0, len(x), size)])


def front(path: Path, x: Array) -> tuple[str, Array]:
    """The tensor at which the network begins, and its values for these samples; the samples where it is the input."""
    model = onnx.load(path)
    (name,) = [i.name for i in model.graph.input]
    tensor = behind_integers(model, {name}) if x.dtype.kind != "f" else None
    if tensor is None:
        return "", x
    part = Extractor(onnx.shape_inference.infer_shapes(model)).extract_model([name], [tensor])
    session = ort.InferenceSession(part.SerializeToString())
    return tensor, in_parts(lambda a: session.run(None, {name: a})[0], x)


def answers(values: Array, middle: float = 0.5) -> Array:
    """The classes of largest value, at each place; of one value whether it lies above the middle."""
    return np.asarray(values.argmax(axis=-1) if values.shape[-1] > 1 else values > middle)


def one_of_two(values: Array, original: Array) -> Array:
    """Values in the shape of the original's; where two classes say one probability, its logit."""
    if values.size == 2 * original.size:
        values = values[..., 1] - values[..., 0]
    return values.reshape(original.shape)


def told(options: Any, x: Array, shape: tuple[int, ...] | None) -> None:
    """The lines."""
    session = ort.InferenceSession(str(options.model))
    name = session.get_inputs()[0].name
    original = in_parts(lambda a: session.run(None, {name: a})[0], x)
    tensor, rows = front(options.model, x)
    graph = stb.load(options.model, input_tensor=tensor, input_shape=None if tensor else shape)
    executor = Executor(graph)
    test, cal = rows[: options.count], rows[options.count :]
    read = in_parts(executor.run, test, 2).reshape(original[: len(test)].shape)
    apart, classes = np.abs(read - original[: len(test)]).max(), len(np.unique(answers(original)))
    print(f"as read: {apart:.1e} from the file's own output, {classes} different answers; input {rows.shape[1:]}")
    kept = original[: len(test)]
    for bits in map(int, options.bits.split(",")):
        begun = time.monotonic()
        snn = stb.convert(graph, cal, duration=bits, schedule="radix")
        took, run = time.monotonic() - begun, QuantizedRun(snn)
        output, scores = (
            one_of_two(in_parts(function, test, 2), kept)
            for function in (lambda a, run=run: run.outputs([a])[0], Executor(snn.original).run)
        )
        middle = 0.0 if snn.readouts[0].shape != kept.shape[1:] else 0.5
        line = {
            "bits": bits,
            "same answers": round(float(np.mean(answers(output, middle) == answers(kept))), 4),
            "Pearson": round(float(np.corrcoef(np.ravel(output), np.ravel(scores))[0, 1]), 4),
            "neurons": snn.neurons,
            "seconds": round(took),
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**10,
        }
        print(json.dumps(line), flush=True)


def main() -> None:
    """Print a line for each number of bits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--samples", choices=("bytes", "text", "sound"), required=True)
    parser.add_argument("--shape", default="3,48,192", help="of a picture, or of mel spectra (%(default)s)")
    parser.add_argument("--bits", default="5,6,7", help="steps of a radix window (%(default)s)")
    parser.add_argument("--count", type=int, default=100, help="samples that are compared (%(default)s)")
    parser.add_argument("--calibration", type=int, default=46, help="samples that calibrate (%(default)s)")
    options = parser.parse_args()
    shape = tuple(map(int, options.shape.split(",")))
    count = options.count + options.calibration
    kinds = {"bytes": lambda: files(count), "text": lambda: pictures(count, shape)}
    told(options, {**kinds, "sound": lambda: sounds(count, shape)}[options.samples](), shape)


if __name__ == "__main__":
    main()
