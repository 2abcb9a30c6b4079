"""A schedule is one object: what a new one needs beyond itself, and that nobody else asks for one by its name."""

import ast
import typing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import snntoolbox as stb
from snntoolbox.analysis.tuning.space import Space, axes
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.conversion.settle import settle
from snntoolbox.errors import ConversionError, Unsupported, UnsupportedError
from snntoolbox.ir.encodings import Poisson
from snntoolbox.ir.network import Schedule
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Dense, Input, MaxPool, ReLU, Reshape
from snntoolbox.ir.timing import steps_of
from snntoolbox.workflow.config.schema import Conversion

pytestmark = pytest.mark.usefixtures("process_clock")


class Early:
    """Inputs are there in the first half of the steps alone; starts are corrected by a quarter of a threshold."""

    name = "early"
    hint = "schedule = early takes constant currents and no gates"
    corrections = ("quarter", "none")
    why_no_others = "which corrects by a quarter alone"
    levels = (1.0,)
    always_fires = counts_steps = saturates = rates = ends_early = own_start = multiplies = False
    in_turn = False

    def __init__(self):
        self.verified = 0

    def cost(self, layers):
        return 2.0

    def resolution(self, steps):
        return steps

    def steps_for(self, levels):
        return levels

    def misfits(self, recipe):
        return ["schedule = early needs constant currents"] if isinstance(recipe.encoding, Poisson) else []

    def unsupported(self, lowered):
        return [Unsupported(n.label, "a gate is too late") for n in lowered.nodes.values() if isinstance(n, MaxPool)]

    def corrected(self, network, graph, x, duration, layers):
        return network.with_neurons(initial=0.25)

    def apply(self, network, duration):
        steps = steps_of(duration, network.dt)
        encodings = {name: replace(coding, steps=steps) for name, coding in network.encodings.items()}
        return network.replaced(encodings=encodings, schedule=Schedule(self.name, window=steps, steps=2 * steps))

    def verify(self, network, before, x):
        assert network.schedule
        assert not before.schedule
        self.verified += 1


@pytest.fixture
def early(monkeypatch):
    """The schedule, known by its name."""
    schedule = Early()
    monkeypatch.setitem(SCHEDULES, schedule.name, schedule)
    return schedule


def graph(pooled=False):
    """Two layers of rectifiers, with max pooling between them if asked, and 60 samples."""
    random = np.random.default_rng(1)
    pool = MaxPool(name="p", inputs=("r",), kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))
    nodes = [
        Input(name="x", shape=(1, 8)),
        Dense(name="d", inputs=("x",), weight=random.normal(size=(8, 8))),
        ReLU(name="r", inputs=("d",)),
        *([pool] if pooled else []),
        Reshape(name="f", inputs=("p" if pooled else "r",), shape=(4 if pooled else 8,)),
        Dense(name="e", inputs=("f",), weight=random.normal(size=(6, 4 if pooled else 8))),
        ReLU(name="s", inputs=("e",)),
        Dense(name="y", inputs=("s",), weight=random.normal(size=(3, 6))),
    ]
    return stb.Graph(nodes, ["y"]), random.random((60, 1, 8))


def test_it_converts_and_runs(early, tmp_path):
    net, x = graph()
    snn = stb.convert(net, x, schedule="early", duration=4)
    assert early.verified == 1
    assert {float(p.neuron.initial) for p in snn.populations.values()} == {0.25}
    assert settle(lower(net, stb.Recipe()), [x], stb.Recipe(schedule="early"), 4).recipe.layer_correction == "quarter"
    again = stb.load_network(stb.save(snn, tmp_path / "snn"))
    result = stb.simulate(again, x[:5])
    assert result.steps == 8
    assert "early, 8 steps" in snn.summary()


def test_its_correction_can_be_left_out(early):
    net, x = graph()
    snn = stb.convert(net, x, schedule="early", duration=4, layer_correction="none")
    assert {float(p.neuron.initial) for p in snn.populations.values()} == {0.5}


def test_it_is_refused_where_it_does_not_fit(early):
    net, x = graph(pooled=True)
    with pytest.raises(ConversionError, match="schedule = early needs constant currents"):
        stb.Recipe(schedule="early", encoding=Poisson())
    refused = r"bias does not go with schedule = early, which(.|\n)*auto or quarter or none"
    with pytest.raises(ConversionError, match=refused):
        stb.convert(net, x, schedule="early", layer_correction="bias")
    with pytest.raises(UnsupportedError, match=r"schedule = early(.|\n)*gate is too late(.|\n)*hint: schedule = early"):
        stb.convert(net, x, schedule="early", max_pool="gate", duration=4)
    wrong = "none of rate, phased, radix, first-spike, recurrent, differential, early"
    with pytest.raises(ConversionError, match=wrong):
        stb.Recipe(schedule="late")
    with pytest.raises(ConversionError, match="a early network does not fire at a rate"):
        stb.diagnose(*graph(), schedule="early", duration=4, seconds=0)


def test_it_is_on_the_axis_of_a_search(early):
    candidates = [c.chosen for c in Space.around(stb.Recipe()).candidates(8) if c.chosen["coding"] == "early"]
    assert candidates
    assert {c["correction"] for c in candidates} == {"quarter"}
    assert {c["pool"] for c in candidates} == {"relu_tree"}
    assert "mmse" not in {c["rule"] for c in candidates}
    assert all(c.chosen["correction"] != "quarter" or c.chosen["coding"] == "early"
               for c in Space.around(stb.Recipe()).candidates(8))  # fmt: skip
    assert "quarter" in axes()["correction"]


def test_a_search_tries_it(early):
    keep = ["rule", "scope", "start", "readout"]
    tuning = stb.tune(*graph(), steps=[4], budget=4, keep=keep, threshold_rule="percentile")
    tried = [t for t in tuning.trials if t.candidate.chosen["coding"] == "early"]
    assert {t.steps for t in tried} == {8}
    refusing = stb.tune(*graph(), steps=[4], budget=1, keep=keep, encoding=Poisson(amplitude=1.0))
    assert "early needs constant currents" in refusing.left_out["coding early"]


def test_the_names_of_schedules_stand_in_few_files():
    """A new one is its own file, its row of `SCHEDULES`, and its name among the choices of a configuration."""
    choices = typing.get_args(typing.get_type_hints(Conversion)["schedule"])
    assert choices == tuple(SCHEDULES)
    names = set(SCHEDULES) - {"rate"}  # a word for other things, too
    package = Path(stb.__file__).parent
    room = package / "conversion" / "schedules"
    frontends = package / "frontends"  # whose formats have words of their own: layers of Caffe are recurrent
    # The conformance networks are data of the representation, written down.
    keys = package / "workflow" / "config" / "conversion_keys.py"
    drawn = package / "analysis" / "conformance"
    free = {keys, drawn / "networks.py", drawn / "windowed_networks.py"}
    found = set()
    for path in (p for p in package.rglob("*.py") if not {room, frontends} & {*p.parents}):
        constants = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}
        found |= {path} if constants & names else set()
    assert found == free


def test_nobody_compares_schedules():
    """Neither their names nor their classes: who wants to know something asks the object."""
    classes = {type(schedule).__name__ for schedule in SCHEDULES.values()}
    package = Path(stb.__file__).parent
    wrong = []
    for path in (p for p in package.rglob("*.py") if package / "conversion" / "schedules" not in p.parents):
        for node in (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Compare | ast.Call)):
            names = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
            compared = isinstance(node, ast.Compare) and names & set(SCHEDULES)
            asked = isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"
            if compared or (asked and classes & {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}):
                wrong.append(f"{path.relative_to(package)}:{node.lineno}")
    assert wrong == []


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_says_all_that_is_asked(name):
    """Also what the protocol's annotations cannot: none of them is left out, 'auto' means something, names agree."""
    schedule = SCHEDULES[name]
    assert schedule.name == name
    assert schedule.corrections[-1] == "none"
    assert len(schedule.corrections) == len(set(schedule.corrections))
    assert schedule.cost(3) >= 1
    assert [schedule.steps_for(schedule.resolution(steps)) for steps in (1, 4, 16)] == [1, 4, 16]
    assert all(schedule.resolution(schedule.steps_for(levels)) >= levels for levels in range(1, 20))
    recipe = stb.Recipe(schedule=name)
    assert recipe.chosen_schedule is schedule
    assert schedule.misfits(recipe) == []
    lossy = (IF(refractory=1), IF(leak=0.5), IF(reset="zero"), IF(saturation=(-1, 2)))
    assert schedule.always_fires or all(schedule.misfits(replace(stb.Recipe(), neuron=neuron)) for neuron in lossy)
