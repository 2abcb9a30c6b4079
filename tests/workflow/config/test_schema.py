"""The table of keys itself: complete, consistent, and read without evaluating anything."""

from importlib.util import find_spec

from snntoolbox.workflow.config.presets import PRESETS
from snntoolbox.workflow.config.refusals import REFUSED, refused
from snntoolbox.workflow.config.schema import Settings, keys, sections


def test_the_table_is_consistent():
    assert not keys().keys() & refused().keys()
    assert len(refused()) == len(REFUSED)
    preset_keys = {name for preset in PRESETS.values() for name in preset}
    assert preset_keys <= keys().keys()
    assert set(PRESETS) == set(keys()["conversion.recipe"].choices)
    assert set(sections()) == {row.section for row in keys().values()}
    for row in keys().values():
        assert row.doc.endswith("."), row.path
        choices = ("True", "False") if row.kind is bool else row.choices
        assert set(row.aliases.values()) <= set(choices), row.path
        assert not set(row.refused) & {*row.choices, *row.all_of}, row.path
        assert row.rule is None or row.rule.holds(row.default), row.path


def test_mapping_defaults_are_not_shared():
    assert Settings().output.plotproperties is not Settings().output.plotproperties


def test_nothing_is_evaluated():
    for module in ("load", "values", "raw_config", "schema", "conversion_keys", "template"):
        spec = find_spec(f"snntoolbox.workflow.config.{module}")
        with open(spec.origin) as file:
            text = file.read()
        assert "eval(" not in text.replace("ast.literal_eval(", "")
