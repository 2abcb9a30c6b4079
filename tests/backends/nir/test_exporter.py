"""NIR as an exporter: nothing is lost on the way out and in, and importers do what the report says."""


import nir
import numpy as np
import pytest
import torch
from drawn import network, samples
from dyadic import NETWORKS, dyadic, rasters, rounded
from needed import needed

import snntoolbox as stb
from snntoolbox.analysis.conformance.equality import differences
from snntoolbox.analysis.conformance.exporters import written_cases
from snntoolbox.backends.nir.exporter import FILE, NirExporter
from snntoolbox.backends.nir.importers import IMPORTERS, RECORD, as_imported
from snntoolbox.errors import BackendError, UnsupportedError
from snntoolbox.ir.interpreter import interpret


@pytest.mark.parametrize("form", ["layers", "matrices"])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.one_in(3)
def test_what_is_read_gives_the_spikes_of_what_was_written(name, form, tmp_path):
    net, x = NETWORKS[name]()
    exported = stb.export(net, "nir", tmp_path / "out", form=form)
    assert [c.outcome for c in exported.checks] == ["passed"], exported.checks
    read = stb.load_network(exported.folder / FILE)
    ours, theirs = rasters(net, x), rasters(read, x)
    assert sum(int(s.sum()) for s in ours.spikes.values()) > 1000
    assert {n: int((theirs.spikes[n] != s).sum()) for n, s in ours.spikes.items()} == dict.fromkeys(ours.spikes, 0)
    assert np.array_equal(theirs.output, ours.output)
    assert list(differences(read, net)) == []


MATRICES = ("map: permute", "network: residual", "network: delays between pools", "integer grid: deep loop")


@pytest.mark.parametrize(
    "case",
    [c if c.name in MATRICES else pytest.param(c, marks=pytest.mark.long) for c in written_cases()],
    ids=lambda case: case.name,
)
def test_each_projection_as_a_matrix_is_the_same_network(case, tmp_path):
    net = case.build()
    if NirExporter.capabilities.missing(net):
        return
    exported = stb.export(net, "nir", tmp_path / "out", form="matrices")
    kinds = {type(node).__name__ for node in nir.read(exported.folder / FILE).nodes.values()}
    assert kinds <= {"Input", "Output", "IF", "LIF", "CubaLIF", "Linear", "Affine", "Delay"}
    assert list(differences(NirExporter().read(exported.folder), net, exact=case.check == "identical")) == []


def test_what_layers_have_no_words_for_is_named_or_a_matrix(tmp_path):
    (case,) = (c for c in written_cases() if c.name == "map: permute")
    with pytest.raises(UnsupportedError, match="no words for Permute") as error:
        stb.export(case.build(), "nir", tmp_path / "out", form="layers")
    assert "form=matrices" in error.value.hint
    assert not any(tmp_path.iterdir())
    exported = stb.export(case.build(), "nir", tmp_path / "out")
    assert exported.report["form"] == "matrices"
    assert "Permute" in exported.report["why no layers"][0]


def plain():
    """Two layers with one threshold each, which every importer takes."""
    torch.manual_seed(1)
    layers = [torch.nn.Linear(12, 10), torch.nn.ReLU(), torch.nn.Linear(10, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)]
    x = rounded(np.random.default_rng(0).random((4, 12)), 16)
    return dyadic(stb.convert(stb.load(torch.nn.Sequential(*layers), input_shape=(12,)), x, duration=16)), x


def test_sinabs_does_what_the_report_says_of_it(tmp_path):
    needed("sinabs")
    from sinabs.nir import from_nir

    net, x = plain()
    exported = stb.export(net, "nir", tmp_path / "out", x, duration=30)
    module, seen = from_nir(nir.read(exported.folder / FILE), batch_size=len(x)).float(), []
    for layer in module.modules():
        if type(layer).__name__ == "IAFSqueeze":
            layer.register_forward_hook(lambda layer, given, spikes: seen.append(spikes.detach().numpy()))
    with torch.no_grad():
        module(torch.tensor(np.repeat(x[:, None], 30, axis=1).reshape(-1, 12)).float())
    told = interpret(as_imported(net, IMPORTERS["sinabs"]), x, steps=30, record=RECORD)
    ours = interpret(net, x, steps=30, record=RECORD)
    theirs = [s.reshape(len(x), 30, -1).swapaxes(0, 1) for s in seen]
    assert [int((a != b).sum()) for a, b in zip(theirs, told.spikes.values(), strict=True)] == [0, 0]
    agree = sum(int((a == b).sum()) for a, b in zip(theirs, ours.spikes.values(), strict=True))
    cells = sum(s.size for s in ours.spikes.values())
    assert exported.report["importers"]["sinabs"]["cells that agree"] == pytest.approx(agree / cells)
    assert agree < cells


def test_each_importer_is_measured_by_rules_of_its_own(tmp_path):
    net, x = plain()
    measured = stb.export(net, "nir", tmp_path / "out", x, duration=30).report["importers"]
    assert measured.keys() == IMPORTERS.keys()
    assert len({row["spikes, theirs"] for row in measured.values()} | {measured["norse"]["spikes, ours"]}) >= 3
    text = (tmp_path / "out" / "report.md").read_text()
    assert all(row["rules"] in text for row in measured.values())


def test_what_was_not_measured_is_said(tmp_path):
    per_neuron = next(c.build() for c in written_cases() if c.name == "network: every neuron differs")
    measured = stb.export(per_neuron, "nir", tmp_path / "out", samples(per_neuron), duration=4).report["importers"]
    assert measured["sinabs"]["not measured"] == "thresholds differ within a layer"
    assert "cells that agree" in measured["norse"]
    net = network()
    assert stb.export(net, "nir", tmp_path / "none", samples(net), samples_replayed=0).report["importers"] == {}


def test_forms_that_are_none_are_refused(tmp_path):
    with pytest.raises(BackendError, match="no form 'dense' of NIR"):
        stb.export(network(), "nir", tmp_path / "out", form="dense")
    with pytest.raises(BackendError, match="samples_replayed = -1"):
        stb.export(network(), "nir", tmp_path / "out", samples_replayed=-1)
