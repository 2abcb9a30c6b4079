"""Measure what each target keeps of the demo, for docs/targets.md: writes docs/targets.json.

    python docs/measure_targets.py --lava-python ~/lava/bin/python --spinnaker-python ~/spinnaker/bin/python
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import snntoolbox as stb
from snntoolbox.backends.nir.importers import IMPORTERS
from snntoolbox.backends.protocol import Check, Exported
from snntoolbox.backends.registry import plugin_named, roles
from snntoolbox.conversion.converted import ConvertedNetwork
from snntoolbox.ir.features import CONSTANT_INPUT, FLOAT_WEIGHTS, RESET_SUBTRACT, Feature
from snntoolbox.ir.interpreter import interpret
from snntoolbox.workflow import demo

TARGET = Path(__file__).resolve().parent / "targets.json"
COMMAND = (
    "python docs/measure_targets.py --lava-python ~/lava/bin/python --spinnaker-python ~/spinnaker/bin/python"
)
STEPS, SAMPLES, REPLAYED, DIGITS = 16, 2, 20, 500
ZERO = {"neuron": stb.IF(reset=stb.Reset.ZERO)}
OPTIONS: dict[str, dict[str, Any]] = {"fpga": {"target": "generic", "bench_samples": 1}}
"""What targets have to be told."""
RUN_OPTIONS: dict[str, dict[str, Any]] = {"pynn.spiNNaker": {"board": "arithmetic"}}
"""What they have to be told for a run, and otherwise than for an export."""
WITHOUT: tuple[tuple[Feature, str, dict[str, Any]], ...] = (
    (FLOAT_WEIGHTS, "8 bits", {"weight_bits": 8}),
    (RESET_SUBTRACT, "reset to zero", ZERO),
    (CONSTANT_INPUT, "Poisson input", {"encoding": stb.Poisson()}),
)
"""What becomes of the demo for a target that lacks a feature."""
SETTINGS: dict[str, dict[str, Any]] = {
    "the usual ones": {},
    "`weight_bits = 8`": {"weight_bits": 8},
    "`reset = zero`, `initial_potential = 0`": ZERO,
    "`reset = zero`, `initial_potential = 0`, `weight_bits = 8`": {**ZERO, "weight_bits": 8},
}


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The demo's test digits and their classes."""
    x, y = (np.load(demo.folder() / name)["arr_0"] for name in ("x_test.npz", "y_test.npz"))
    return x[:DIGITS], y[:DIGITS]


def converted(**settings: Any) -> ConvertedNetwork:
    """The demo, converted with these settings."""
    graph = stb.load(demo.folder() / "digits_cnn.onnx")
    return stb.convert(graph, np.load(demo.folder() / "x_norm.npz")["arr_0"], duration=STEPS, **settings)


def for_target(name: str) -> tuple[str, ConvertedNetwork]:
    """What is not as converted for a target, weights or reset, and the demo so."""
    held = plugin_named(name).capabilities.features
    lacking = [(told, settings) for feature, told, settings in WITHOUT if feature not in held]
    told = ", ".join(told for told, _ in lacking) or "as converted"
    return told, converted(**{key: value for _, settings in lacking for key, value in settings.items()})


def ran(name: str) -> dict[str, Any]:
    """Cells of the rasters on a simulator, and how many differ from those that the semantics say."""
    weights, network = for_target(name)
    x, record = digits()[0][:SAMPLES], stb.Record(spikes=True)
    meant = interpret(network, x, steps=STEPS, record=record).spikes
    options = RUN_OPTIONS.get(name, OPTIONS.get(name, {}))
    weights = "; ".join([weights, *(f"{key} = {value}" for key, value in RUN_OPTIONS.get(name, {}).items())])
    found = stb.simulate(network, x, duration=STEPS, simulator=name, record=record, **options).spikes
    cells = sum(spikes.size for spikes in meant.values())
    differ = sum(int((found[layer] != spikes).sum()) for layer, spikes in meant.items())
    return {"weights": weights, "cells": cells, "differ": differ}


def written(name: str) -> Iterator[dict[str, str]]:
    """How the checks of an export ended."""
    weights, network = for_target(name)
    for check in _exported(network, name, **OPTIONS.get(name, {})).checks:
        yield {"target": name, "weights": weights, "goal": check.goal, "outcome": _told(check)}


def _told(check: Check) -> str:
    return check.outcome + (f": {check.why}" if check.why else "")


def _exported(network: ConvertedNetwork, name: str, samples: int = SAMPLES, **options: Any) -> Exported:
    with tempfile.TemporaryDirectory() as folder:
        return stb.export(network, name, Path(folder) / "out", digits()[0][:samples], duration=STEPS, **options)


def importers() -> list[dict[str, Any]]:
    """What importers of NIR make of the demo, and of the demo converted for their rules."""
    found = []
    for told, settings in (("the usual settings", {}), ("`reset = zero`, `initial_potential = 0`", ZERO)):
        exported = _exported(converted(**settings), "nir", REPLAYED)
        for name, row in exported.report["importers"].items():
            about = {"importer": IMPORTERS[name].libraries, "rules": row["rules"], "settings": told}
            found.append({**about, "cells": row["cells that agree"], "classes": row["classes that agree"]})
    return found


def setting(told: str) -> dict[str, Any]:
    """What a setting costs: the share of digits that are right, and of those in the class of the original."""
    x, y = digits()
    network = converted(**SETTINGS[told])
    result = network.run(x, duration=STEPS)
    original = network.original.run(x).argmax(axis=1)
    agree = float(np.mean(result.predictions == original))
    return {"setting": told, "right": float(result.accuracy(y)), "agree": agree}


def main() -> None:
    """Measure everything, or some of it, and write it."""
    parts: dict[str, Callable[[], Any]] = {
        "settings": lambda: [setting(told) for told in SETTINGS],
        "importers": importers,
        "ran": lambda: {name: ran(name) for name in ours("runs")},
        "written": lambda: [row for name in ours("writes") for row in written(name)],
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lava-python", default="python3.10", help="the interpreter that has lava-nc")
    parser.add_argument("--spinnaker-python", default="", help="the interpreter that has sPyNNaker, if not this one")
    parser.add_argument("--only", nargs="*", choices=parts, default=parts, help="measure these again alone")
    chosen = parser.parse_args()
    OPTIONS["lava"] = {"python": chosen.lava_python}
    OPTIONS["pynn.spiNNaker"] = {"python": chosen.spinnaker_python}
    measured = json.loads(TARGET.read_text("utf-8")) if TARGET.exists() else {}
    about = {"command": COMMAND, "processor": processor(), "steps": STEPS, "samples": SAMPLES}
    measured["about"] = {**about, "samples replayed": REPLAYED, "digits": DIGITS}
    for name in chosen.only:
        measured[name] = parts[name]()
        TARGET.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")


def ours(role: str) -> list[str]:
    """The targets of this package with a role."""
    own = [name for name in roles() if type(plugin_named(name)).__module__.startswith("snntoolbox.")]
    return [name for name in own if role in roles()[name]]


def processor() -> str:
    """What Linux calls it."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


if __name__ == "__main__":
    main()
