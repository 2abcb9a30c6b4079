"""Parts are saved under names that lead to loaded classes alone."""

import sys
import types
from dataclasses import dataclass

import pytest

from snntoolbox.errors import DataError
from snntoolbox.ir import parts
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.part import Threshold
from snntoolbox.ir.part_names import UnknownPartError, part_name, part_named


@dataclass(frozen=True, eq=False)
class Mine(Threshold):
    features = (Feature("a threshold of mine"),)

    def height(self, step, memory):
        return 1.0


def test_own_parts_are_known_by_their_names_others_by_their_modules():
    assert part_name(parts.Leak) == "Leak"
    assert part_named("Leak") is parts.Leak
    assert part_name(Mine) == f"{__name__}:Mine"
    assert part_named(f"{__name__}:Mine") is Mine


@pytest.mark.parametrize(
    "name", ["Wings", "os:system", "os:path", "no_such_package:Part", "numpy:ndarray", ":", "a:b:c"]
)
def test_what_is_no_loaded_part_is_unknown(name):
    with pytest.raises(UnknownPartError, match="not known here"):
        part_named(name)


def test_nothing_is_imported_or_asked_of_a_module():
    module = types.ModuleType("module_that_makes_names")
    module.__getattr__ = lambda name: pytest.fail("its code was run")
    sys.modules[module.__name__] = module
    try:
        with pytest.raises(UnknownPartError, match=r"module_that_makes_names:Part"):
            part_named(f"{module.__name__}:Part")
        with pytest.raises(UnknownPartError, match="import wave first"):
            part_named("wave:Part")
        assert "wave" not in sys.modules
    finally:
        del sys.modules[module.__name__]


def test_a_class_that_no_name_leads_to_is_not_saved():
    @dataclass(frozen=True, eq=False)
    class Hidden(Mine):
        pass

    with pytest.raises(DataError, match=r"Hidden cannot be saved(.|\n)*top of a module"):
        part_name(Hidden)
