import pytest

from snntoolbox.ir.counting import Counting
from snntoolbox.ir.network import Schedule
from snntoolbox.ir.neurons import IF

WEIGHTS = {"one": [1, 1, 1, 1], "digit": [8, 4, 2, 1], "lead": [4, 3, 2, 1]}


@pytest.mark.parametrize("name", Counting)
def test_what_steps_count_recurs_with_the_window(name):
    counting = Counting(name)
    assert [counting.weight(step, 4) for step in range(4, 12)] == 2 * WEIGHTS[name]
    assert counting.total(4) == {"one": 4, "digit": 15, "lead": 4}[name]


@pytest.mark.parametrize("name", Counting)
def test_neuron_and_schedule_count_alike_by_a_plain_name(name):
    neuron = IF(window=(4, 8), counting=str(name), reset="zero" if name == "lead" else "subtract")
    schedule = Schedule("some", window=4, counting=str(name))
    assert neuron.counting is schedule.counting is name
    assert [neuron.weight(step) for step in range(4)] == WEIGHTS[name]
    assert neuron.valued == (name != "one")
