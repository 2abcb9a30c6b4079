"""Advice on conversions with one fault each: the setting that mends it is named, tried, and helps."""

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis import trials
from snntoolbox.analysis.advice import diagnose as diagnosing
from snntoolbox.analysis.advice import remedies
from snntoolbox.analysis.advice.advise import advise
from snntoolbox.analysis.advice.remedies import Reason, Remedy, Situation, applying
from snntoolbox.analysis.diagnosis import terms
from snntoolbox.analysis.diagnosis.diagnosis import Confidence, Diagnosis, LayerDiagnosis, Outcome, Size
from snntoolbox.analysis.settings import written
from snntoolbox.analysis.trials import Measurement, Trials
from snntoolbox.backends.simulate import simulate
from snntoolbox.conversion.changes import changed
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import ArgumentError, ConversionError
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.nodes import Dense, Input, ReLU, Softmax
from snntoolbox.workflow import demo
from snntoolbox.workflow.choices import as_key
from snntoolbox.workflow.config.schema import keys


@pytest.fixture(scope="module")
def digits():
    """The graph of the digit classifier that comes with the package, and calibration samples."""
    x = np.load(demo.folder() / demo.DATA[2])["arr_0"][:120]
    return stb.load(demo.folder() / demo.MODELS["onnx"]), x


PERCENTILE = {"threshold_rule": "percentile"}
PLAIN = {**PERCENTILE, "layer_correction": "none"}

# fault -> choices that have it, duration, the setting that mends it
FAULTS = {
    "clipping": ({"percentile": 50.0, **PLAIN}, 16, "percentile = 99.9"),
    "clipping, another rule": ({"percentile": 50.0, **PLAIN}, 16, "threshold_rule = mmse"),
    "spikes too early": (PLAIN, 8, "schedule = phased"),
    "spikes not taken back": (PLAIN, 16, "neuron.negative = memory"),
    "all steps": ({}, 64, "early_exit = 0.99"),
    "start potential": ({"neuron": IF(), "layer_correction": "none"}, 4, "neuron.initial = 0.5"),
    "too few steps": ({}, 2, "duration = 4"),
    "Poisson": ({"encoding": Poisson(amplitude=1.0)}, 16, "encoding = ConstantCurrent()"),
    "reset": ({"neuron": IF(initial=0.5, reset=Reset.ZERO)}, 16, "neuron.reset = subtract"),
    "leak": ({"neuron": IF(initial=0.5, leak=0.7)}, 16, "neuron.leak = 1"),
    "refractory": ({"neuron": IF(initial=0.5, refractory=3)}, 16, "neuron.refractory = 0"),
    "spiking read-out": ({"readout": "spikes"}, 8, "readout = linear"),
    "no correction of the read-out": (
        {"readout_correction": 0, "layer_correction": "none", "threshold_rule": "max"}, 4,
        "readout_correction = 100"),
    "no correction of layers": ({"layer_correction": "none"}, 4, "layer_correction = auto"),
    "two bits": ({"weight_bits": 3}, 16, "weight_bits = 5"),
    "average for max": ({"max2avg_pool": True}, 16, "max2avg_pool = False"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_mended(fault, digits):
    choices, duration, setting = FAULTS[fault]
    graph, x = digits
    found = stb.diagnose(graph, x, duration=duration, seconds=60, **choices)
    (advice,) = (a for a in found.advice if a.setting == setting)
    assert advice.helps, found
    if "early_exit" in setting:  # it saves steps, and nothing else
        assert advice.after.steps < 0.5 * advice.before.steps == 32
        assert advice.gain >= -1 / 30 - 1e-9
    else:
        assert advice.after.output_error < advice.before.output_error
        assert (advice.gain or 0) >= 0
    assert advice.samples == 30
    # What helps stands before what does not, and in the order of the gain.
    ranks = [a.helps for a in found.advice if a.after is not None]
    assert ranks == sorted(ranks, reverse=True)
    gains = [a.gain for a in found.advice if a.helps]
    assert gains == sorted(gains, reverse=True)


def test_the_first_advice_for_clipping_says_so(digits):
    graph, x = digits
    found = stb.diagnose(graph, x, duration=16, percentile=50.0, **PLAIN)
    assert "percentile = 99.9" in found.advice[0].setting or "mmse" in found.advice[0].setting
    assert found.advice[0].gain > 0.1
    assert "makes" in next(a for a in found.advice if a.setting.startswith("percentile")).reason
    assert found.share(terms.CLIPPING) > 0.8


def uneven_channels():
    """A hidden layer whose channels differ by a factor of a thousand, all of them needed; classes by softmax."""
    random = np.random.default_rng(1)
    gain = np.logspace(-3, 0, 16)[:, None]
    nodes = [
        Input(name="x", shape=(8,)),
        Dense(name="d1", inputs=("x",), weight=random.normal(size=(16, 8)) * gain),
        ReLU(name="r1", inputs=("d1",)),
        Dense(name="d2", inputs=("r1",), weight=random.normal(size=(4, 16)) / gain.T),
        Softmax(name="out", inputs=("d2",), axis=0),
    ]
    return Graph(nodes, ["out"]), random.random((100, 8))


def test_channels_of_different_size_ask_for_their_own_thresholds():
    graph, x = uneven_channels()
    found = stb.diagnose(graph, x, duration=16, per_channel=False)
    (layer,) = found.layers
    assert layer.dead > 3
    (advice,) = (a for a in found.advice if a.setting == "per_channel = True")
    assert advice.gain > 0.2
    assert advice.helps


def test_what_goes_into_a_softmax_is_compared():
    """The read-out does not apply it: probabilities would be another quantity."""
    graph, x = uneven_channels()
    found = stb.diagnose(graph, x, duration=512)
    assert all(a.before.output_error < 0.05 for a in found.advice if a.before)
    assert Trials(graph, [x], 8, Recipe()).original.max() > 1


# -- bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_no_time_tries_nothing(digits):
    graph, x = digits
    found = stb.diagnose(graph, x, duration=4, seconds=1e-6)
    assert {a.untried for a in found.advice if a.after is None} <= {"no time was left", "needs more data"}
    assert not [a for a in found.advice if a.after is not None]
    assert stb.diagnose(graph, x, duration=4, seconds=0).advice == ()


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_what_is_no_time_is_refused_before_the_conversion(seconds, digits, monkeypatch):
    monkeypatch.setattr(diagnosing, "convert", lambda *a, **k: pytest.fail("it began"))
    with pytest.raises(ConversionError, match="not a finite number from 0 on"):
        stb.diagnose(*digits, seconds=seconds)


def test_the_time_that_a_trial_takes_is_reckoned_with(digits, monkeypatch):
    """A clock that moves by 10 s per look: after the first measurement a bound of 25 s leaves time for one trial."""
    graph, x = digits
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(trials.time, "perf_counter", lambda: float(next(clock)))
    advice = advise(Trials(graph, [x], 8, Recipe(percentile=50.0, readout_correction=0, **PLAIN)), 50)
    assert sum(a.after is not None for a in advice) == 1


def test_test_samples_are_never_tried_on(digits, monkeypatch):
    graph, x = digits
    held = Trials(graph, [x], 8, Recipe())
    test = np.full((3, *x.shape[1:]), 0.25, np.float32)
    seen = []
    run = simulate
    monkeypatch.setattr(trials, "simulate", lambda n, x, **k: seen.append(x) or run(n, x, **k))
    stb.diagnose(graph, x, test, duration=4)
    assert seen
    assert not any(np.any(np.all(a[0].reshape(len(a[0]), -1) == 0.25, axis=1)) for a in seen)
    fitted, simulated = ({bytes(s) for s in part[0]} for part in (held.fitted, held.held))
    assert not fitted & simulated
    assert len(fitted | simulated) == 120


def test_few_samples_do_both(digits):
    graph, x = digits
    held = Trials(graph, [x[:5]], 8, Recipe())
    assert len(held.fitted[0]) == 5
    assert len(held.held[0]) == 1
    assert stb.diagnose(graph, x[:5], duration=4).samples == 5


def test_what_the_simulator_cannot_run_is_not_tried(digits, monkeypatch):
    """And adding a remedy is one entry."""
    entry = Remedy(
        when=lambda situation: Reason("it is a test"),
        changes=lambda situation: {"max_pool": "gate"},
    )
    monkeypatch.setattr(remedies, "REMEDIES", (entry,))
    graph, x = digits
    (advice,) = advise(Trials(graph, [x], 8, Recipe(), "nest"), 60)
    assert advice.after is None
    assert "nest" in advice.untried
    (advice,) = advise(Trials(graph, [x], 8, Recipe(), "INI"), 60)
    assert advice.after is not None


@pytest.mark.long
def test_an_early_exit_that_is_set_is_measured_and_not_advised(digits):
    graph, x = digits
    advice = advise(Trials(graph, [x], 64, Recipe(), early_exit=0.9), 60)
    assert not [a for a in advice if "early_exit" in a.setting]
    assert Trials(graph, [x], 64, Recipe(), early_exit=0.9).measured(Recipe(), 64).outcome.steps < 32


# -- the table ------------------------------------------------------------------------------------------------------


def situation(recipe=None, duration=64, steps=1, early_exit=0.0, **shares):
    """One layer whose terms have these sizes; by default thresholds are by percentile."""
    sizes = {t: Size(shares.pop(t, 0.0), 0.0) for t in terms.LOCAL}
    channels = {name: shares.pop(name, 0) for name in ("channels", "dead")}
    layer = LayerDiagnosis(name="r", label="r", unit=1.0, total=Size(1.0, 0.0), terms=sizes, **channels)
    found = Diagnosis(samples=1, steps=steps, layers=(layer,), **shares)
    recipe = recipe or Recipe(**PERCENTILE)
    return Situation(diagnosis=found, recipe=recipe, duration=duration, early_exit=early_exit)


MMSE = "[conversion] threshold_rule = mmse"
CORRECTED = "[conversion] layer_correction = auto"
SIGNED, PHASED = "[cell] spikes = signed", "[conversion] schedule = phased"
RADIX = "[conversion] schedule = radix, [simulation] duration = 7"
LONGER = "[simulation] duration = 128"
LOWER = "[normalization] percentile = 99"

SITUATIONS = {
    "clipping": (situation(clipping=1.0), ["[normalization] percentile = 100", MMSE]),
    "clipping of mmse": (
        situation(Recipe(), clipping=1.0),
        ["[normalization] percentile = 100"],
    ),
    "clipping of the maximum": (situation(Recipe(percentile=100.0), clipping=1.0), [MMSE]),
    "clipping without thresholds": (situation(Recipe(normalize=False), clipping=1.0), ["[tools] normalize = True"]),
    "quantisation": (situation(quantisation=1.0), [MMSE, LOWER, LONGER]),
    "quantisation, many steps": (
        situation(Recipe(), duration=128, quantisation=1.0), [MMSE, LOWER, "[simulation] duration = 256"]
    ),
    "quantisation from the maximum": (
        situation(Recipe(percentile=100.0, per_channel=False, **PERCENTILE), quantisation=1.0),
        [MMSE, "[conversion] threshold_scope = channel", "[normalization] percentile = 99.9", LONGER],
    ),
    "quantisation of sent changes": (
        situation(Recipe(schedule="differential"), quantisation=1.0), [LOWER, LONGER]
    ),
    "unevenness": (situation(unevenness=1.0), [LOWER, SIGNED, PHASED, RADIX, LONGER]),
    "unevenness, no correction": (
        situation(Recipe(**PLAIN), unevenness=1.0), [LOWER, SIGNED, PHASED, RADIX, LONGER, CORRECTED]
    ),
    "quantisation in digits": (
        situation(Recipe(schedule="radix"), duration=4, quantisation=1.0), [LOWER, "[simulation] duration = 5"]
    ),
    "quantisation in as many digits as there are": (
        situation(Recipe(schedule="radix"), duration=16, quantisation=1.0), [LOWER]
    ),
    "phased, no correction": (situation(Recipe(schedule="phased", **PLAIN)), []),
    "unevenness, corrected in part": (
        situation(Recipe(layer_correction="bias", **PERCENTILE), unevenness=1.0),
        [LOWER, SIGNED, f"{PHASED}, layer_correction = auto",
         RADIX.replace("radix", "radix, layer_correction = auto"), LONGER, CORRECTED],
    ),
    "unevenness of signed spikes": (
        situation(Recipe(neuron=IF(initial=0.5, negative=Negative.MEMORY), **PERCENTILE), unevenness=1.0),
        [LOWER, LONGER],
    ),
    "unevenness at a gate": (
        situation(Recipe(max_pool="gate", **PERCENTILE), unevenness=1.0),
        [LOWER, SIGNED, LONGER, "[conversion] maxpool_type = relu_tree"],
    ),
    "sampling": (situation(Recipe(encoding=Poisson()), sampling=1.0), ["[input] poisson_input = False", LONGER]),
    "small clipping": (situation(clipping=0.1, unevenness=1.0), [LOWER, SIGNED, PHASED, RADIX, LONGER]),
    "dead channels": (situation(channels=10, dead=2), [LONGER]),
    "a dead channel of many": (situation(channels=100, dead=1), []),
    "gate": (situation(Recipe(max_pool="gate")), ["[conversion] maxpool_type = relu_tree"]),
    "nothing": (situation(), []),
    "many steps": (situation(steps=32), ["[simulation] early_exit = 0.99"]),
    "many steps, early exit": (situation(steps=32, early_exit=0.9), []),
    "many steps, phased": (situation(Recipe(schedule="phased"), steps=32), []),
    "unsure": (
        situation(confidence={"r": Confidence(samples=9, spread=0.3, drift=0.0, unsure=0, channels=1)}),
        ["more samples in x_norm, or a larger [normalization] num_samples"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SITUATIONS)
def test_which_remedies_apply(case):
    found, expected = SITUATIONS[case]
    assert [remedy.setting(found, as_key) for remedy, _ in applying(found)] == expected


def test_every_setting_is_a_key_and_a_field():
    for remedy in remedies.REMEDIES:
        changes = dict(remedy.changes(situation(Recipe(weight_bits=4))))
        assert bool(changes) != bool(remedy.text)
        assert all(setting.path in keys() for setting in written(changes, as_key))
        changed(Recipe(), {name: value for name, value in changes.items() if name not in remedies.OF_A_RUN})


def test_of_two_values_of_a_field_the_better_is_tried_with_others(digits, monkeypatch):
    """What helps alone is tried at once, as long as no field would get two values."""
    graph, x = digits
    tried = []

    def better(self, recipe, duration):
        tried.append((recipe.threshold_rule, recipe.percentile, recipe.readout_correction))
        return Measurement(Outcome(0.5 + 0.1 * len(tried), 1 / len(tried), 4), 1.0, 0.0, 4, 10)

    monkeypatch.setattr(trials.Trials, "measured", better)
    monkeypatch.setattr(trials.Trials, "outcome", lambda self, result: Outcome(0.5, 2.0, 4))
    table = [{"threshold_rule": "max"}, {"percentile": 50.0, "threshold_rule": "percentile"}, {"readout_correction": 0}]
    entries = tuple(Remedy(when=lambda s: Reason("it is a test"), changes=lambda s, c=c: c) for c in table)
    monkeypatch.setattr(remedies, "REMEDIES", entries)
    advice = advise(Trials(graph, [x], 4, Recipe(readout_correction=1)), 60)
    assert tried[-1] == ("percentile", 50.0, 0)
    assert [a.setting for a in advice if " and " in a.setting] == [
        "readout_correction = 0 and percentile = 50, threshold_rule = percentile"
    ]


def test_a_likely_remedy_in_words():
    found = situation(clipping=1.0)
    text = diagnosing.likely_remedy(found.diagnosis, found.recipe, 64, as_key)
    assert text.startswith(
        "clipping (activations above the scale) makes 100% of the error that the layers add, most in r"
    )
    assert text.endswith("; [normalization] percentile = 100 or [conversion] threshold_rule = mmse may help")
    assert diagnosing.likely_remedy(situation().diagnosis, Recipe(), 64) == ""


def test_a_remedy_that_the_simulator_refuses_is_not_named():
    zero, found = Recipe(neuron=IF(reset=Reset.ZERO)), situation().diagnosis
    assert "reset = subtract may help" in diagnosing.likely_remedy(found, zero, 64, as_key)
    text = diagnosing.likely_remedy(found, zero, 64, as_key, refused=lambda changes: "neuron.reset" in changes)
    assert "subtract" not in text


# -- the call -------------------------------------------------------------------------------------------------------


def test_other_outputs_are_judged_by_their_error():
    random = np.random.default_rng(0)
    nodes = [
        Input(name="x", shape=(4,)),
        Dense(name="d", inputs=("x",), weight=random.normal(size=(8, 4))),
        ReLU(name="r", inputs=("d",)),
        Dense(name="out", inputs=("r",), weight=random.normal(size=(1, 8))),
    ]
    found = stb.diagnose(Graph(nodes, ["out"]), random.random((40, 4)), duration=4, percentile=50.0)
    best = found.advice[0]
    assert best.helps
    assert best.before.agreement is best.after.agreement is best.gain is None


@pytest.mark.parametrize("wrong", [{"percent": 3}, {"percentile": -1}])
def test_wrong_choices_are_refused(wrong, digits):
    with pytest.raises(ConversionError):
        stb.diagnose(*digits, **wrong)
    with pytest.raises(ArgumentError, match="is no Graph"):
        stb.diagnose("model.onnx", digits[1])
