"""Early exit: margins by hand, a calibration that keeps what it promises, and the whole way by configuration."""

from importlib import resources

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.backends.early_exit import ExitRule, Exits, assured, calibrated_exit, early_exit
from snntoolbox.errors import DataError
from snntoolbox.ir.result import Record, Result


def result(values, window=None):
    """A run with these outputs per step, (steps, samples, classes)."""
    values = np.asarray(values, float)
    return Result(
        steps=len(values),
        samples=values.shape[1],
        counts={},
        outputs={"o": values[-1]},
        outputs_per_step={"o": values},
        window=window,
    )


# One sample of four steps: gaps 2, 0.5, 1, 2 are margins of 0.5, 0.25, 0.75 and 2.
GAPS = [[[2.0, 0.0]], [[0.0, 0.5]], [[0.0, 1.0]], [[0.0, 2.0]]]
ENDS = {0.5: (1, 0), 0.51: (3, 1), 0.75: (3, 1), 0.76: (4, 1), 9.0: (4, 1)}


@pytest.mark.parametrize(("margin", "expected"), ENDS.items())
def test_a_sample_ends_where_its_margin_is_reached(margin, expected):
    found = early_exit(result(GAPS), ExitRule(margin=margin, agreement=1.0))
    assert (found.steps.tolist(), found.predictions.tolist()) == ([expected[0]], [expected[1]])
    assert found.kept.tolist() == [expected[1] == 1]


def test_outputs_that_are_sums_are_margins_themselves():
    found = early_exit(result(GAPS, window=1), ExitRule(margin=1.0, agreement=1.0))
    assert found.steps.tolist() == [1]


def test_the_margin_is_the_least_that_keeps_enough():
    """At 0.5 the first spikes decide wrongly; the first larger margin that is reached before the end is 0.75."""
    rule = calibrated_exit(result(GAPS), 1.0)
    assert rule.margin == 0.75
    assert calibrated_exit(result(GAPS), 0.4).margin == 0.75


def noisy(samples=400, steps=32, seed=0):
    """Outputs that settle on the larger of two means, as counts of spikes over steps do."""
    random = np.random.default_rng(seed)
    rates = random.uniform(0.2, 0.8, size=(samples, 3))
    return result((random.random((steps, samples, 3)) < rates).cumsum(0) / np.arange(1, steps + 1)[:, None, None])


# kept of samples -> the lower 95 % bound: k of n = 1 from 0.05 = p^n, others from tables of Clopper and Pearson (1934)
BOUNDS = {(1, 1): 0.05, (20, 20): 0.05 ** (1 / 20), (299, 299): 0.05 ** (1 / 299), (0, 5): 0.0, (9, 10): 0.6058}
BOUNDS |= {(5, 10): 0.2224, (1, 2): 1 - 0.95**0.5}


@pytest.mark.parametrize(("counts", "bound"), BOUNDS.items())
def test_what_counts_make_sure_of(counts, bound):
    assert assured(*counts) == pytest.approx(bound, abs=5e-5)


@pytest.mark.parametrize(("samples", "target"), [(298, 0.9851), (299, 0.99), (400, 0.95), (30, 0.9)])
def test_the_margin_is_sure_to_keep_enough_where_samples_suffice(samples, target):
    rule = calibrated_exit(noisy(samples), target)
    assert rule.assured >= target
    found = early_exit(noisy(samples), rule)
    assert rule.assured == assured(int(found.kept.sum()), samples)


@pytest.mark.parametrize(("samples", "target"), [(298, 0.99), (20, 0.9), (400, 1.0)])
def test_too_few_samples_must_all_be_kept(samples, target):
    rule = calibrated_exit(noisy(samples), target)
    assert rule.assured == assured(samples, samples) < target
    assert early_exit(noisy(samples), rule).agreement == 1


def settling(samples, seed, steps=8):
    """Two outputs that differ by a constant and noise, summed over the steps."""
    random = np.random.default_rng(seed)
    gap = random.normal(size=(samples, 1))
    sums = (gap + 1.5 * random.normal(size=(steps, samples, 1))).cumsum(0)
    return result(np.concatenate([sums, -sums], axis=2) / np.arange(1, steps + 1)[:, None, None])


def test_other_samples_keep_the_share_as_often_as_is_promised():
    """60 times a margin from 40 samples: at a confidence of 80 % at most a fifth falls short, at 20 % many more."""
    crowd, short = settling(4000, 0), dict.fromkeys((0.2, 0.8), 0)
    for seed in range(60):
        known = settling(40, seed + 1)
        for confidence in short:
            rule = calibrated_exit(known, 0.9, confidence=confidence)
            short[confidence] += early_exit(crowd, rule).agreement < 0.9
    assert short[0.8] <= 12 < 24 < short[0.2]


def test_where_no_margin_keeps_all_none_is_reached():
    """The surest of all is wrong until the last step."""
    rule = calibrated_exit(result([[[3.0, 0.0]], [[0.0, 4.0]]]), 0.99)
    assert (rule.margin, rule.assured) == (np.inf, 1.0)


@pytest.mark.parametrize("target", [0.8, 0.95, 0.99, 1.0])
def test_calibration_keeps_what_it_promises(target):
    known = noisy()
    rule = calibrated_exit(known, target)
    found = early_exit(known, rule)
    assert found.agreement >= target
    assert found.mean_steps < known.steps
    assert abs(early_exit(noisy(seed=1), rule).agreement - found.agreement) < 0.06


def test_more_agreement_takes_more_steps():
    known = noisy()
    steps = [early_exit(known, calibrated_exit(known, a)).mean_steps for a in (0.8, 0.95, 0.99)]
    assert steps == sorted(steps)


def test_batches_are_put_together():
    whole = noisy()
    rule = calibrated_exit(whole, 0.95)
    exits, values = Exits(rule), whole.outputs_per_step["o"]
    for part in (slice(0, 150), slice(150, 400)):
        exits.add(result(values[:, part]), whole.predictions[part])
    report, at_once = exits.found(labelled=True), early_exit(whole, rule)
    assert report["mean_steps"] == at_once.mean_steps
    assert report["agreement"] == report["accuracy"] == at_once.agreement
    assert "accuracy" not in exits.found(labelled=False)


def test_what_cannot_end_early_is_refused():
    with pytest.raises(DataError, match="one class per sample"):
        early_exit(result(np.zeros((3, 2, 1))), ExitRule(margin=1.0, agreement=1.0))
    bare = Result(steps=3, samples=1, counts={}, outputs={"o": np.zeros((1, 2))})
    with pytest.raises(DataError, match="not recorded"):
        calibrated_exit(bare)
    with pytest.raises(DataError, match="no share"):
        calibrated_exit(result(GAPS), 1.5)
    with pytest.raises(DataError, match="confidence of 1"):
        calibrated_exit(result(GAPS), 0.9, confidence=1)


# -- simulate ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo():
    """The demo's network for 16 steps, calibration samples, and test samples with labels."""
    folder = resources.files("snntoolbox.workflow.demo")
    x_norm, x, y = (np.load(str(folder / f"{name}.npz"))["arr_0"] for name in ("x_norm", "x_test", "y_test"))
    graph = stb.load(str(folder / "digits_cnn.onnx"))
    x_norm, x = (a.reshape(-1, *graph.shapes[graph.inputs[0]]) for a in (x_norm, x))
    return stb.convert(graph, x_norm, duration=16), x_norm, x[:120], y[:120]


def test_simulate_ends_samples_early(demo):
    """The same as by hand, on the samples that did not correct the network."""
    network, known, x, y = demo
    found = stb.simulate(network, x, early_exit=0.9, calibration_data=known, batch_size=50)
    assert network.corrected == 128
    rule = calibrated_exit(stb.simulate(network, known[128:][:1000]), 0.9)
    wanted = early_exit(stb.simulate(network, x), rule)
    assert found.early_exit.rule == rule
    assert found.early_exit.steps.tolist() == wanted.steps.tolist()
    assert found.mean_steps == wanted.mean_steps < found.steps == 16
    assert found.early_exit.predictions.tolist() == wanted.predictions.tolist()
    assert found.early_exit.accuracy(y) == np.mean(wanted.predictions == y) > 0.8
    assert found.accuracy(y) == stb.simulate(network, x).accuracy(y)


def test_simulate_takes_a_rule_and_drops_what_nobody_wants(demo):
    network, _, x, _ = demo
    rule, record = ExitRule(margin=0.5, agreement=0.9), Record(outputs_per_step=False)
    found = stb.simulate(network, x, early_exit=rule, record=record)
    assert found.outputs_per_step == {}
    assert 1 <= found.mean_steps < 16
    assert stb.simulate(network, x).early_exit is None
    assert stb.simulate(network, x).mean_steps == 16


def test_simulate_says_what_few_samples_assure(demo, caplog):
    network, known, x, _ = demo
    stb.simulate(network, x[:5], early_exit=0.99, calibration_data=known[:40])
    assert "early_exit = 0.99: 20 calibration samples, all of them kept, assure no more than" in caplog.text


REFUSED = {
    "no calibration data": ({"early_exit": 0.9}, "needs calibration samples"),
    "more than all": ({"early_exit": 1.5, "calibration_data": 4}, "no share"),
    "not a number": ({"early_exit": float("nan"), "calibration_data": 4}, "no share"),
    "no samples": ({"early_exit": 0.9, "calibration_data": 0}, "no samples to calibrate"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_early_exit_that_cannot_be_is_refused(demo, case):
    network, _, x, _ = demo
    options, words = REFUSED[case]
    shape = network.wiring.shapes[next(iter(network.encodings))]
    if "calibration_data" in options:
        options = {**options, "calibration_data": np.zeros((options["calibration_data"], *shape))}
    with pytest.raises(DataError, match=words):
        stb.simulate(network, x, **options)
