"""Refused settings come with settings that mend it: each is applied as it stands, over pairs of settings."""

import json
import re
from itertools import combinations

import pytest

from snntoolbox.backends.checking import check_exporter
from snntoolbox.backends.registry import exporter_named
from snntoolbox.conversion.smallest_network import smallest_network
from snntoolbox.errors import SNNToolboxError
from snntoolbox.workflow import demo
from snntoolbox.workflow.choices import check_choices
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.own_keys import in_own_keys
from snntoolbox.workflow.preparation import runs_on

CHOICES = (
    *("cell.leak=True", "cell.reset=zero", "cell.reset=modulo", "cell.tau_refrac=3", "cell.v_limits=[-1, 3]"),
    *("cell.levels=[1, 2]", "cell.levels=[1, 0.5]", "cell.spikes=signed", "cell.payloads=True", "cell.tau_syn_E=5"),
    *("cell.delay=2", "cell.bias_relaxation=True", "cell.quantize_weights=True"),
    *("normalization.online_normalization=True", "conversion.bias=neuron", "conversion.layer_correction=steps"),
    *("conversion.readout=softmax", "conversion.append_softmax=True", "conversion.weight_bits=8"),
    *("conversion.maxpool_type=fir_max", "conversion.maxpool_type=wta", "conversion.schedule=phased"),
    *("conversion.schedule=radix", "conversion.schedule=differential", "conversion.schedule=recurrent"),
    "conversion.bits={'relu1': 3}",
    *("conversion.spike_code=ttfs", "input.poisson_input=True", "input.latency_input=True", "input.digit_input=True"),
    *("paths.filename_clamp_indices=clamps.json", "simulation.reset_between_nth_sample=3"),
)
SIMULATORS = ("INI", "brian2", "nest", "pynn.brian2", "pynn.neuron", "sanafe", "verilog")
LEFT_OUT = {"v_limits left empty": "v_limits = ", "filename_clamp_indices left out": "filename_clamp_indices = "}
MOST = 3


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    (folder / "clamps.json").write_text(json.dumps({"0": 2}))
    return demo.copy_to(folder)


def refusal(config, changes):
    """What is said of these settings before a model is opened, that of any with max pools; None for nothing."""
    try:
        settings = load_config(config, [f"{key}={value}" for key, value in changes.items()])
        with in_own_keys(settings):
            recipe = check_choices(settings)
            runs_on(settings)(smallest_network(recipe, settings.simulation.duration, pools=True, samples=True))
    except SNNToolboxError as error:
        return error
    return None


def ways(error):
    """Each of the ways that an error names, as keys and values: a hint, or what is to be set, of keys on their own."""
    for told in re.findall(r"set ((?:\w+\.\w+ = (?:\[.*?\]|[\w.-]+)(?: or )?)+)", error.message):
        yield from (dict([way.split(" = ")]) for way in told.removesuffix(" or ").split(" or "))
    hint = error.hint or ""
    for usual, written in LEFT_OUT.items():
        hint = hint.replace(usual, written)
    for way in re.split(r"; |,? or (?=\[)|, or ", hint):
        if simulators := re.match(r"simulator = ([\w.]+)", way):
            yield {"simulation.simulator": simulators[1]}
            continue
        settings, section = {}, ""
        for found, key, value in re.findall(r"(?:\[(\w+)\] |and )(\w+) = (\[[^]]*\]|\{\}|[\w.+-]*)", way):
            section = found or section
            settings[f"{section}.{key}"] = value
        if settings:
            yield settings


def mended(config, changes, error, depth=0):
    """Whether some way leads to settings that are taken; that none leaves all as it was is asserted of each."""
    found = list(ways(error))
    assert found, f"{changes}: no way out in: {error}"
    taken = False
    for way in found:
        later = refusal(config, changes | way)
        assert later is None or later.message != error.message, f"{changes}: {way} changes nothing: {error}"
        taken = taken or later is None
    if taken or depth == MOST:
        return taken
    return any(mended(config, c, refusal(config, c), depth + 1) for way in found if (c := changes | way))


def pairs(simulators):
    singles = [dict([choice.split("=", 1)]) for choice in CHOICES]
    found = [a | b for a, b in combinations(singles, 2) if a.keys() != b.keys()]
    return [{**pair, "simulation.simulator": s} for s in simulators for pair in [*singles, *found]]


GROUPS = 16


@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.one_in(GROUPS)
def test_hints_of_pairs(config, group):
    """A quarter of all pairs, on every simulator."""
    refused = 0
    for changes in pairs(SIMULATORS)[4 * group :: 4 * GROUPS]:
        if (error := refusal(config, changes)) is not None:
            refused += 1
            assert mended(config, changes, error), f"{changes}: no hint leads out: {error}"
    assert refused > 20


def test_hints_of_choices_on_the_built_in_simulator(config):
    """And one that is refused at once is one that there is."""
    for choice in CHOICES:
        if (error := refusal(config, dict([choice.split("=", 1)]))) is not None:
            assert choice in ("conversion.schedule=radix", "input.digit_input=True", "conversion.bits={'relu1': 3}")
            assert mended(config, dict([choice.split("=", 1)]), error)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        (["cell.bias_relaxation=True", "simulation.simulator=nir"], "bias_relaxation = False"),
        (["conversion.spike_code=ttfs", "cell.delay=2"], "spike_code = temporal_mean_rate"),
        (["conversion.spike_code=ttfs", "conversion.schedule=first-spike", "cell.delay=2"], "and schedule = rate"),
        (["conversion.bias=neuron", "cell.tau_syn_E=5"], "bias = current"),
        (["cell.quantize_weights=True", "cell.v_limits=[-1, 3]"], "quantize_weights = False"),
        (["cell.quantize_weights=True", "cell.leak=True"], "leak = False"),
        (["conversion.append_softmax=True", "conversion.schedule=phased"], "append_softmax = False"),
    ],
)
def test_hints_name_the_keys_that_chose(config, changes, hint):
    error = refusal(config, dict(c.split("=", 1) for c in changes if "=nir" not in c))
    if error is None:
        network = smallest_network(check_choices(load_config(config, changes[:1])), 8)
        with pytest.raises(SNNToolboxError) as caught:
            check_exporter(exporter_named("nir"), network)
        error = caught.value
    assert hint in error.hint
