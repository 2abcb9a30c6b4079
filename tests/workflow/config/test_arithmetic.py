"""Arithmetic in configurations: what is worked out, what is not, and that nothing grows without bound."""

import math

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.config.arithmetic import worked_out
from snntoolbox.workflow.config.load import load_config

VALUES = {
    "1./255": 1 / 255,
    "1/255.": 1 / 255,
    "2**10": 1024,
    "-2 ** 2": -4,
    "7 // 2 + 7 % 2": 4,
    "(1 + 2) * 3": 9,
    "range(3)": [0, 1, 2],
    "list(range(10, 0, -5))": [10, 5],
    "tuple([1, 2])": (1, 2),
    "set()": set(),
    "{'a', 'b'} | {'c'}": {"a", "b", "c"},
    "{'rescale': 1./255, 'target_size': (16 * 2, 32)}": {"rescale": 1 / 255, "target_size": (32, 32)},
    "dict(rescale=1/4)": {"rescale": 0.25},
    "[None, True, 'x']": [None, True, "x"],
}


@pytest.mark.parametrize("text", VALUES)
def test_what_is_worked_out(text):
    assert worked_out(text) == VALUES[text]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').getcwd()", "open('x')", "x", "a.b", "lambda: 1", "[i for i in range(3)]", "1 if True else 2",
        "[1][0]", "'a' * 3", "[1] * 3", "[1] + [2]", "True + 1", "1 < 2", "range(3.5)", "range()", "list(5)", "1j",
        "...", "1 / 0", "0 ** -1", "(-8) ** 0.5", "1 << 5", "{1} - {1}", "{**{}}", "[*range(2)]", "dict([(1, 2)])", "",
        "1 2", "9 ** 9 ** 9", "2 ** 100000", "10 ** 199 * 10", "range(10 ** 9)", "{[1]: 2}", "(" * 500,
        "-" * 5000 + "1",
    ],
)  # fmt: skip
def test_what_is_not(text):
    with pytest.raises(ValueError, match="a Python literal"):
        worked_out(text)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("simulation.duration=2*50", 100),
        ("simulation.dt=1/4", 0.25),
        ("normalization.percentile=100 - 0.1", 99.9),
        ("simulation.sample_idxs_to_test=range(2, 8, 3)", (2, 5)),
        ("parameter_sweep.param_values=range(1, 3)", (1, 2)),
        ("cell.levels=[1, 1/2]", (1.0, 0.5)),
        ("input.datagen_kwargs={'rescale': 1./255}", {"rescale": 1 / 255}),
        ("output.plot_vars={'v_mem'} | {'error_t'}", {"v_mem", "error_t"}),
    ],
)
def test_in_every_kind_of_key(tmp_path, override, value):
    section, name = override.partition("=")[0].split(".")
    more = ["parameter_sweep.param_name=duration", "input.dataset_format=jpg"]
    more += ["parameter_sweep.param_name=cell.tau_refrac"]
    settings = load_config({"paths": {"filename_ann": "net"}}, [*more, override])
    read = getattr(getattr(settings, section), name)
    assert math.isclose(read, value) if isinstance(value, float) else read == value


@pytest.mark.parametrize("override", ["simulation.duration=2*50.", "simulation.dt='1'", "simulation.dt=True"])
def test_the_type_still_counts(override):
    with pytest.raises(ConfigError, match="must be a"):
        load_config({"paths": {"filename_ann": "net"}}, [override])
