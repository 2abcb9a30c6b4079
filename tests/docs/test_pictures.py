"""The page about pictures: its code runs as it stands, and its table names every call."""

import re

import pytest
from doc_pages import marked, text_of

from snntoolbox.ir.drawing.result_plots import ResultPlots

matplotlib = pytest.importorskip("matplotlib")


def test_the_code_runs():
    matplotlib.use("agg")
    from matplotlib import pyplot

    (code,) = marked("docs/pictures.md", "pictures")
    names = {}
    exec(code, names)
    assert len(pyplot.get_fignums()) == 4
    assert names["axes"].get_title() == "the last layer"
    pyplot.close("all")


def test_the_table_names_every_call():
    told = set(re.findall(r"^\| `\.(\w+)\(", text_of("docs/pictures.md"), re.MULTILINE))
    assert told == {name for name in vars(ResultPlots) if not name.startswith("_")}
