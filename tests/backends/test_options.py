"""Options of backends and exporters, by the dataclass that they are fields of."""

from dataclasses import dataclass, field

import pytest

from snntoolbox.backends.options import chosen_options
from snntoolbox.errors import BackendError


@dataclass(frozen=True, kw_only=True)
class Options:
    target: str
    lanes: int = 1
    sizes: list = field(default_factory=list)


def test_options_become_fields():
    assert chosen_options("b", Options, {"target": "t", "lanes": 2}) == Options(target="t", lanes=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "t", "lane": 2}, "backend 'b' has no option lane"),
        ({"target": 2}, "backend 'b': target = 2 is no text"),
        ({"lanes": 2}, "backend 'b' needs the option target"),
    ],
)
def test_what_cannot_be_is_refused_with_what_there_is(options, message):
    with pytest.raises(BackendError, match=rf"{message}\n  hint: it has target, lanes = 1, sizes"):
        chosen_options("b", Options, options)
