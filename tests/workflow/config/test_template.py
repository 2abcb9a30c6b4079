"""Settings written as the text of a configuration file, and read again."""

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import keys
from snntoolbox.workflow.config.template import config_text, default_config_text


def load_text(folder, text):
    (folder / "config.ini").write_text(text)
    return load_config(folder / "config.ini")


def test_the_new_file_sets_what_it_is_told(tmp_path):
    settings = load_text(
        tmp_path,
        default_config_text(
            {
                "paths.filename_ann": "net.keras",
                "input.poisson_input": True,
                "output.plot_vars": frozenset({"v_mem", "error_t"}),
                "simulation.sample_idxs_to_test": (1, 2),
                "cell.reset": "zero",
            }
        ),
    )
    assert settings.paths.filename_ann == "net.keras"
    assert settings.input.poisson_input
    assert settings.output.plot_vars == {"v_mem", "error_t"}
    assert settings.simulation.sample_idxs_to_test == (1, 2)
    assert settings.cell.reset == "zero"


def test_the_new_file_sets_nothing_but_suggestions_else(tmp_path):
    settings = load_text(tmp_path, default_config_text({"paths.filename_ann": "net"}))
    for row in keys().values():
        expected = row.default if row.suggested is None else row.suggested
        if not row.derived and row.path != "paths.filename_ann":
            assert getattr(getattr(settings, row.section), row.name) == expected, row.path


def test_suggestions_yield_to_values(tmp_path):
    text = default_config_text({"paths.filename_ann": "net", "simulation.duration": 7})
    assert load_text(tmp_path, text).simulation.duration == 7


def test_every_key_and_its_documentation_is_in_the_new_file():
    lines = default_config_text().splitlines()
    flat = " ".join(line.removeprefix("# ") for line in lines)
    for row in keys().values():
        assert any(line.removeprefix("# ").startswith(f"{row.name} =") for line in lines), row.path
        assert row.doc in flat, row.path


def test_uncommented_the_new_file_still_loads(tmp_path):
    text = default_config_text({"paths.filename_ann": "net"})
    names = tuple(f"# {row.name} =" for row in keys().values())
    lines = [line.removeprefix("# ") if line.startswith(names) else line for line in text.splitlines()]
    settings = load_text(tmp_path, "\n".join(lines))
    assert settings == load_text(tmp_path, text)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"simulation.duraton": 3}, "simulation.duraton: unknown key"),
        ({"simulation.duration": 0}, "simulation.duration = 0: must be at least 1"),
    ],
)
def test_values_of_the_new_file_are_checked(values, words):
    with pytest.raises(ConfigError, match=words):
        default_config_text(values)


def test_settings_survive_being_written(tmp_path):
    settings = load_text(
        tmp_path,
        "[paths]\nfilename_ann = n\n[conversion]\nrecipe = rueckauer2017\n[simulation]\nsample_idxs_to_test = [4]\n"
        "[output]\nplot_vars = all\nplotproperties = {'a': 'b'}\n[cell]\ntau_m = 0.1\n",
    )
    (tmp_path / "other").mkdir()
    assert load_text(tmp_path / "other", config_text(settings)) == settings
