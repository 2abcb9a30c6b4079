"""NIR as an exporter: what it takes, and how it writes and reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snntoolbox.backends.nir.importers import IMPORTERS, agreements, text_of_agreements, written_for
from snntoolbox.backends.nir.writing import through_synapses
from snntoolbox.backends.options import chosen_options
from snntoolbox.backends.protocol import Check, Exported
from snntoolbox.errors import BackendError
from snntoolbox.ir import features as f
from snntoolbox.ir import parts
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import features_of
from snntoolbox.ir.timing import run_steps

FILE = "network.nir"
FORMS = ("auto", "layers", "matrices")
PARTS = (
    *(parts.Delta, parts.PerfectIntegrator, parts.Leak, parts.ConstantThreshold, parts.BinarySpikes),
    *(parts.Subtract, parts.ToPotential),
)
_WRITTEN = "it is written here and run elsewhere"

TWO_CURRENTS = f.Feature(
    "currents that last, in two ways",
    "excitatory and inhibitory currents that last differently",
    asked_by=f.of_neurons(lambda neuron: neuron.synaptic[0] != neuron.synaptic[1]),
    avoided_by="[cell] tau_syn_E = 5 and tau_syn_I = 5, for instance",
)
THROUGH_SYNAPSES = f.Feature(
    "constant currents beside those that last",
    "constant currents that reach neurons beside spikes whose currents last",
    asked_by=f.of_networks(through_synapses),
    avoided_by="[input] poisson_input = True",
)

CAPABILITIES = Capabilities(
    features=features_of(PARTS)
    | f.INPUTS
    | {f.BIAS, f.INITIAL_POTENTIAL, f.DELAYS, f.RECURRENT, f.QUICK_LOOPS, f.FLOAT_WEIGHTS, f.BATCHES}
    | {f.SPIKE_VALUES, f.SATURATION, f.LASTING_CURRENTS},
    refuses=(TWO_CURRENTS, THROUGH_SYNAPSES),
    exact_bits=53,
    modules=("nir", "h5py"),
    extra="nir",
    reasons=dict.fromkeys((f.RECORDED_SPIKES, f.RECORDED_POTENTIALS), _WRITTEN),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How it is written: `form` layers keeps convolutions and pools, matrices makes one matrix of each projection.

    auto: layers where NIR has words for all of them. For an `importer` thresholds are such that its rules give the
    network's spikes. What importers will do with it is measured on so many `samples_replayed`, for `duration` (ms);
    0 measures nothing.
    """

    form: str = "auto"
    importer: str = ""
    duration: float | None = None
    samples_replayed: int = 20

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise BackendError(f"there is no form '{self.form}' of NIR", hint=f"there are {' and '.join(FORMS)}")
        if self.importer and self.importer not in IMPORTERS:
            raise BackendError(f"no importer '{self.importer}' is known", hint=f"there are {', '.join(IMPORTERS)}")
        if self.samples_replayed < 0:
            raise BackendError(f"samples_replayed = {self.samples_replayed} is below 0", hint="0 measures nothing")


class NirExporter:
    """A network as a NIR graph, which many libraries and chips read, and this package with nothing lost."""

    name = "nir"
    capabilities = CAPABILITIES
    options = Options

    def export(
        self, network: SpikingNetwork, folder: Path, samples: tuple[Array, ...] = (), **options: Any
    ) -> Exported:
        """Write the graph, read it again, and measure what importers will make of it; `options` as in `Options`."""
        self.capabilities.check(self.name, network)
        chosen = chosen_options(self.name, Options, options)
        self.capabilities.require(self.name)
        from snntoolbox.backends.nir.library import nir
        from snntoolbox.backends.nir.notes import KEY, notes_of, text_of
        from snntoolbox.backends.nir.writing import graph_of, note_thresholds, said_in
        from snntoolbox.ir.writing import write_json, write_text

        written = written_for(network, chosen.importer) if chosen.importer else network
        script, why = said_in(written, chosen.form)
        if written is not network:
            note_thresholds(script, network)
        package = nir()
        graph = graph_of(package, script, {KEY: text_of(notes_of(network, script.names))})
        package.write(folder / FILE, graph)
        first = tuple(x[: chosen.samples_replayed] for x in samples)
        measured = agreements(network, first, run_steps(network, chosen.duration), written)
        size = {"nodes": len(script.nodes), "edges": len(script.edges)}
        report = {"form": script.form, "why no layers": why, **size, "for": chosen.importer, "importers": measured}
        write_json(folder / "report.json", report)
        write_text(folder / "report.md", text_of_agreements(network, measured))
        checks = [_read_by(package, folder / FILE), *([_agreed(chosen.importer, measured)] if chosen.importer else [])]
        return Exported(folder=folder, checks=tuple(checks), report=report)

    def read(self, folder: Path) -> SpikingNetwork:
        """The network in a folder, or in a file."""
        from snntoolbox.backends.nir.reading import read_nir

        return read_nir(folder / FILE if folder.is_dir() else folder)


def _agreed(name: str, measured: Mapping[str, Any]) -> Check:
    """Whether the spikes by the rules of an importer that a file was written for are those of the network."""
    goal = f"equal spikes by the rules of {IMPORTERS[name].libraries}"
    found = measured.get(name, {})
    if "cells that agree" not in found:
        why = found.get("not measured", "there are no samples to check it by")
        return Check(goal=goal, outcome="not checked", why=why)
    share = found["cells that agree"]
    if share < 1:
        why = f"{share:.3%} of the cells are equal: more levels, or other limits"
        return Check(goal=goal, outcome="failed", why=why)
    return Check(goal=goal, outcome="passed")


def _read_by(package: Any, path: Path) -> Check:
    """Whether the package nir reads the file with its own check of shapes, which takes all kernels for square."""
    goal = "nir reads it, with its check of shapes"
    try:
        package.read(path)
    except (ValueError, NotImplementedError, AssertionError) as error:
        told = f"nir.read(path, type_check=False) reads it: {error}"
        return Check(goal=goal, outcome="not checked", why=told)
    return Check(goal=goal, outcome="passed")
