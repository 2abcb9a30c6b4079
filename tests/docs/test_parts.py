"""The parts of neurons shown in the documentation are ones."""

from doc_pages import marked

from snntoolbox.ir.features import LEAK, RESET_SUBTRACT, THRESHOLDS


def test_a_part_of_ones_own_is_one():
    (code,) = marked("docs/semantics.md", "part")
    names = {"__name__": "shown"}
    exec(code, names)
    assert names["neuron"].special_words == ("thresholds that rise with each spike",)
    assert names["neuron"].parts.threshold.base == 1.0


def test_the_table_of_a_backend_gives_its_features():
    (code,) = marked("docs/writing_a_backend.md", "parts")
    names = {}
    exec(code, names)
    assert names["features"] == {LEAK, RESET_SUBTRACT, THRESHOLDS}
