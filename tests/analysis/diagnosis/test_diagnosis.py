"""A diagnosis as text: it fits 80 columns and says what was found."""

import pytest

from snntoolbox.analysis.diagnosis import terms
from snntoolbox.analysis.diagnosis.diagnosis import (
    Advice,
    Confidence,
    Diagnosis,
    LayerDiagnosis,
    Outcome,
    Size,
    diagnosis_text,
)

LONG = "features.block_3.downsample.0.activation_of_the_sum"
ALL = {t: Size(rms=0.123 * i, mean=-0.01) for i, t in enumerate((*terms.LOCAL, terms.PROPAGATED), 1)}


def layers():
    yield LayerDiagnosis(name="relu1", label="relu1", unit=1.0, total=Size(0.1234, -0.05), terms=ALL, dead=12, full=3)
    yield LayerDiagnosis(name=LONG, label=LONG, unit=1.0, total=Size(123.4, -99.0), terms=ALL, dead=2048, full=2048)
    yield from (
        LayerDiagnosis(name=f"{LONG}{i}", label="", unit=1.0, total=Size(1.0, 0.0), undefined="leak = 0.9")
        for i in range(9)
    )


def advice(**changes):
    fields = {
        "setting": "[simulation] duration = 128",
        "reason": "quantisation makes 70% " * 5,
        "cost": "twice the time",
    }
    return Advice(**{**fields, "samples": 64, "before": Outcome(0.5, 0.9), **changes})


DIAGNOSIS = Diagnosis(
    samples=500,
    steps=16,
    layers=tuple(layers()),
    readouts=(LayerDiagnosis(name="out", label="out", kind="readout", unit=1.0, total=Size(0.4, 0.0), terms={
        terms.PROPAGATED: Size(0.41, 0.0), terms.CORRECTION: Size(0.2, 0.1), terms.WINDOW: Size(0.0, 0.0)}),),
    confidence={LONG: Confidence(samples=300, spread=0.1, drift=0.03, unsure=2, channels=64)},
    advice=(
        advice(after=Outcome(0.75, 0.5)),
        advice(setting="a", untried="no time was left"),
        advice(setting="useless", after=Outcome(0.5, 0.95)),
        advice(setting="regression", before=Outcome(None, 0.5), after=Outcome(None, 0.2)),
    ),
)  # fmt: skip


def test_every_line_fits_80_columns():
    lines = diagnosis_text(DIAGNOSIS).splitlines()
    assert max(map(len, lines)) <= 80
    assert min(len(line) for line in lines if line.startswith(("relu1", "layer"))) <= 80


@pytest.mark.parametrize(
    "expected",
    [
        "in % of the activations' RMS (500 samples, 16 steps)",
        "relu1 12.3 -5.0",
        "Not split, as leak = 0.9",
        "and 5 more",
        "Read-out out: 40.0 = 41.0 from the layers before + 20.0 that the bias correction adds.",
        "Thresholds from 300 samples: standard error up to 10.0 %",
        "1. [simulation] duration = 128 (twice the time)",
        "agreement on 64 calibration samples 50.0% -> 75.0%, error of the output 90.0% -> 50.0%",
        "not tried: no time was left",
        "on 64 calibration samples: error of the output 50.0% -> 20.0%",
        "Tried, and no better: useless.",
    ],
)
def test_it_says(expected):
    found = " ".join(str(DIAGNOSIS).split())
    assert " ".join(expected.split()) in found


def test_a_plain_diagnosis_is_only_the_table():
    plain = Diagnosis(samples=1, steps=1, layers=DIAGNOSIS.layers[:1])
    assert len(str(plain).splitlines()) == 4
    assert "input" in str(plain)
    without = {t: s for t, s in ALL.items() if t != terms.SAMPLING}
    layer = LayerDiagnosis(name="r", label="r", unit=1.0, total=Size(0.1, 0.0), terms=without)
    assert "input" not in str(Diagnosis(samples=1, steps=1, layers=(layer,)))
