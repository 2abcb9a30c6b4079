"""MegaSim: its files, read by a reader that knows nothing of the writer and plays them event by event."""

import json
import random
import re

import numpy as np
import pytest
from drawn import network, samples

import snntoolbox as stb
from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.networks import NETWORKS
from snntoolbox.backends.megasim import clocked, exporter, files
from snntoolbox.backends.megasim.exporter import MegasimExporter
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.errors import BackendError, TooLargeError, UnsupportedError
from snntoolbox.ir.grid import Grid
from snntoolbox.workflow.cli import main

MEGASIM = MegasimExporter()
SUBTRACT, ZERO = stb.IF(initial=0.25), stb.IF(reset=stb.Reset.ZERO)
DRAWN = ("poisson", "spike times", "two populations")
STEPS = 8


def drawn(name, neuron, bits=8):
    draft = Draft(neuron=neuron)
    if name in NETWORKS:
        NETWORKS[name](draft)
    else:
        source = draft.flat(draft.poisson(2, 3))
        first = draft.neurons(draft.dense(source, 9, scale=2.0))
        second = draft.neurons(draft.dense(first, 8, scale=2.0))
        draft.readout(draft.dense(second, 3))
        draft.readout(draft.dense(first, 2))
    return Quantize(bits)(draft.network()) if bits else draft.network()


def inputs(net):
    if any(isinstance(e, stb.SpikeTimes) for e in net.encodings.values()):
        chosen = np.random.default_rng(2)
        return [chosen.integers(-1, 2, (1, STEPS - 2, *net.wiring.shapes[n])) for n in net.encodings]
    return samples(net, 1)


def play(folder, sample, strict, seed):
    """A second reading of the format, neuron by neuron: time -> node -> addresses that fired."""
    text = (folder / "megasim.sch").read_text()
    body = text[text.index(".netlist") + 8 : text.index(".options")]
    modules, events = {}, []
    for line in filter(None, body.splitlines()):
        kind, rest = line.split(" ", 1)
        braced = re.findall(r"\{(.*?)\}", rest)
        if kind == "source":
            for event in (folder / f"sample_{sample}" / rest.split()[-1]).read_text().splitlines():
                time, request, acknowledged, x, y, polarity = map(int, event.split())
                assert (request, acknowledged, y, polarity) == (-1, -1, 0, 1)
                events.append((time, braced[0], x))
            continue
        words = (folder / rest.split()[-2]).read_text().split()
        state = (folder / rest.split()[-1]).read_text().split()
        assert state == [".integers", "time_busy_initial", "0", ".floats"]
        assert words.pop(0) == ".integers"
        fields, ports = {}, []
        while words[0] != ".floats":
            key, value = words.pop(0), words.pop(0)
            fields[key] = int(value)
            if "Ny_array_pre" in fields:
                size = fields.pop("Nx_array_pre") * fields.pop("Ny_array_pre") * fields["population_size"]
                ports.append([int(words.pop(0)) for _ in range(size)])
        assert fields["n_in_ports"] == len(ports)
        named = dict(zip(braced[0].split(","), ports, strict=True))
        modules[braced[1]] = (named, fields, [0] * fields["population_size"])
    shuffled, found, done = random.Random(seed), [], 0
    while events:
        now = min(time for time, _, _ in events)
        node, x = shuffled.choice([(n, x) for time, n, x in events if time == now])
        events.remove((now, node, x))
        for name, (ports, fields, potentials) in modules.items():
            size = len(potentials)
            for k in range(size) if node in ports else ():
                potentials[k] += ports[node][x * size + k]
                assert fields["THminus"] < potentials[k] < 2**31
                if potentials[k] > fields["THplus"] or (not strict and potentials[k] == fields["THplus"]):
                    left = potentials[k] - fields["THplus"]
                    potentials[k] = left if fields["Reset_to_reminder"] else fields["MembReset"]
                    events.append((now, name, k))
                    found.append((now, name, k))
        done += 1
    assert done > 0
    return found


@pytest.mark.one_in(3)
@pytest.mark.parametrize("neuron", [SUBTRACT, ZERO], ids=["subtract", "zero"])
@pytest.mark.parametrize("name", DRAWN)
def test_another_reader_finds_the_spikes_of_the_network(name, neuron, tmp_path):
    """In whatever order simultaneous events come, and whether a potential fires at its threshold or above it."""
    net = drawn(name, neuron)
    x, folder = inputs(net), tmp_path / "out"
    exported = stb.export(net, MEGASIM, folder, x, duration=STEPS)
    assert [check.outcome for check in exported.checks] == ["passed", "not checked"]
    assert exported.checks[1].why == "the program is not to be had, and was never run here"
    meant = stb.simulate(net, x, duration=STEPS, record=stb.Record(spikes=True)).spikes
    assert all(spikes.any() for spikes in meant.values())
    about = json.loads((folder / "nodes.json").read_text())
    for strict, seed in ((False, 1), (True, 2), (False, 3)):
        spikes = {layer: np.zeros((STEPS, values[0, 0].size), bool) for layer, values in meant.items()}
        for time, node, k in play(folder, 0, strict, seed):
            where = about["nodes"][node]
            step = (time - 2 - where["onset"]) / about["time of a step"]
            assert step == int(step)
            spikes[where["layer"]][int(step), where["neurons"][k]] = True
        for layer, values in meant.items():
            assert np.array_equal(spikes[layer], values[:, 0].reshape(STEPS, -1)), layer


@pytest.mark.parametrize("broken", ["lift", "start", "bias", "threshold", "subtracts", "order"])
def test_files_that_say_something_else_are_no_success(broken, tmp_path, monkeypatch):
    net = drawn("two populations", SUBTRACT)
    made = clocked._clock

    def other(cells, drive, lift):
        rows = made(cells, drive, lift)
        rows[:3] += np.array([[broken == "start"], [broken == "bias"], [broken == "lift"]]) * 300
        return rows

    monkeypatch.setattr(clocked, "_clock", other)
    text = files.parameters
    changes = {"threshold": ("THplus ", "THplus 1"), "subtracts": ("Reset_to_reminder 1", "Reset_to_reminder 0")}
    if broken in changes:
        monkeypatch.setattr(files, "parameters", lambda module: text(module).replace(*changes[broken]))
    if broken == "order":
        monkeypatch.setattr(clocked.Clocked, "fires", lambda self, step, onset: self.begin(step) + 1)
    exported = stb.export(net, MEGASIM, tmp_path / "out", samples(net, 1), duration=STEPS)
    assert exported.checks[0].outcome == "failed"
    assert "differ" in exported.checks[0].why


def test_the_network_comes_back_and_the_report_tells_what_may_fire_twice(tmp_path):
    net = drawn("poisson", SUBTRACT)
    exported = stb.export(net, MEGASIM, tmp_path / "out", samples(net, 3), duration=STEPS, check_samples=2)
    ours, theirs = (stb.simulate(n, samples(net, 1), duration=STEPS) for n in (net, MEGASIM.read(tmp_path / "out")))
    assert np.array_equal(ours.output, theirs.output)
    assert {path.name for path in (tmp_path / "out").glob("sample_*")} == {"sample_0", "sample_1"}
    assert exported.report["spikes after which a second one would follow at once"] > 0
    zero = stb.export(drawn("poisson", ZERO), MEGASIM, tmp_path / "zero", samples(net, 1), duration=STEPS)
    assert zero.report["spikes after which a second one would follow at once"] == 0
    (alone,) = {c.why for c in stb.export(net, MEGASIM, tmp_path / "none").checks if c.goal == exporter.PLAYED}
    assert alone == "there are no samples to check it by"


def test_what_it_cannot_have_is_refused_with_a_way_out(tmp_path, monkeypatch):
    with pytest.raises(UnsupportedError, match=r"constant-current input(.|\n)*\[input\] poisson_input = True"):
        stb.export(network(), MEGASIM, tmp_path / "out", samples(network()))
    net = drawn("poisson", SUBTRACT)
    with pytest.raises(UnsupportedError, match=r"population0.*: potentials of up to [\d,]+, and MegaSim's numbers end"):
        stb.export(net.replaced(grid=Grid(8, 2**30, 1)), MEGASIM, tmp_path / "out", samples(net))
    lifted = net.with_neurons(reset=stb.Reset.ZERO, reset_potential=2.0)
    with pytest.raises(UnsupportedError, match="a reset to a potential other than 0"):
        stb.export(lifted, MEGASIM, tmp_path / "out", samples(net))
    with pytest.raises(BackendError, match="check_samples = -1 is below 0"):
        stb.export(net, MEGASIM, tmp_path / "out", check_samples=-1)
    monkeypatch.setattr(exporter, "MOST_WEIGHTS", 100)
    with pytest.raises(TooLargeError, match=r"the files would have [\d,]+ weights.*population0"):
        stb.export(net, MEGASIM, tmp_path / "out", samples(net))
    assert stb.export(net, MEGASIM, tmp_path / "out", force=True).files
    assert not list(tmp_path.glob("sample_*"))


def test_the_toolbox_s_name_says_where_to_go(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(stb.demo.copy_to(tmp_path).parent)
    assert main(["demo_onnx.ini", "--set", "simulation.simulator=MegaSim"]) == 2
    assert "`snntoolbox export CONFIG --to megasim -o FOLDER`" in re.sub(r"\s+", " ", capsys.readouterr().err)
