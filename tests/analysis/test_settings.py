"""Settings as users write them."""

import pytest

from snntoolbox.analysis.settings import Setting, as_argument, in_one_line, written
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.neurons import Negative

TEXTS = {
    "percentile = 99": ("percentile", 99.0),
    "neuron.initial = 0.125": ("neuron.initial", 0.125),
    "per_channel = True": ("per_channel", True),
    "neuron.levels = [1.0, 0.5]": ("neuron.levels", (1.0, 0.5)),
    "neuron.negative = memory": ("neuron.negative", Negative.MEMORY),
    "encoding = ConstantCurrent()": ("encoding", ConstantCurrent()),
}


@pytest.mark.parametrize("text", TEXTS)
def test_an_argument(text):
    setting = as_argument(*TEXTS[text])
    assert str(setting) == setting.short == text
    assert setting.path == TEXTS[text][0]


def in_sections(name, value):
    return Setting(name, value, "cell" if name == "levels" else "conversion")


def test_a_section_is_named_where_it_changes():
    changes = {"schedule": "phased", "layer_correction": "auto", "levels": 1}
    line = "[conversion] schedule = phased, layer_correction = auto, [cell] levels = 1"
    assert in_one_line(changes, in_sections) == line
    assert [s.path for s in written(changes, in_sections)][2] == "cell.levels"
    assert in_one_line(changes, as_argument) == "schedule = phased, layer_correction = auto, levels = 1"
    assert in_one_line({}, as_argument) == ""
