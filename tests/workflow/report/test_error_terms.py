"""The picture of a diagnosis shows each term, and each layer's error."""

import pytest

from snntoolbox.analysis.diagnosis import terms
from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis, LayerDiagnosis, Size
from snntoolbox.ir.drawing.canvas import save
from snntoolbox.workflow.report.plots import error_terms

pytest.importorskip("matplotlib")

SPLIT = {terms.CLIPPING: Size(0.1, 0.0), terms.UNEVENNESS: Size(0.2, 0.0), terms.PROPAGATED: Size(0.0, 0.0)}
DIAGNOSIS = Diagnosis(
    samples=9,
    steps=4,
    layers=(
        LayerDiagnosis(name="relu1", label="", unit=1.0, total=Size(0.25, 0.0), terms=SPLIT),
        LayerDiagnosis(name="pool", label="", unit=1.0, total=Size(0.5, 0.0), undefined="it is a gate"),
    ),
    readouts=(
        LayerDiagnosis(name="out", label="", unit=1.0, total=Size(0.3, 0.0), terms={terms.CORRECTION: Size(0.2, 0)}),
    ),
)


def test_bars_and_marks(tmp_path):
    from matplotlib.text import Text

    figure = error_terms(DIAGNOSIS)
    assert save(figure, tmp_path / "plot.png", dpi=40).read_bytes().startswith(b"\x89PNG")
    (axes,) = figure.axes
    words = {text.get_text() for text in figure.findobj(Text)}
    assert {"clipping", "unevenness", "read-out: bias", "error", "pool (not split)", "out"} <= words
    assert not {"propagated", "quantisation"} & words
    bars = {(round(bar.get_y() + 0.35), round(bar.get_x(), 6), round(bar.get_width(), 6)) for bar in axes.patches}
    assert {(0, 0, 10), (0, 10, 20), (2, 0, 20)} <= bars
    marks = axes.collections[0].get_offsets()
    assert [(round(x, 6), y) for x, y in marks.tolist()] == [(25, 0), (50, 1), (30, 2)]


def test_nothing_to_show_is_drawn():
    layer = LayerDiagnosis(name="r", label="", unit=0.0, total=Size(0.0, 0.0))
    assert error_terms(Diagnosis(samples=1, steps=1, layers=(layer,)))
