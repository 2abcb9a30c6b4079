"""Forms are made from the one table of keys and from the options of commands, and ask what these accept."""

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.config.schema import keys
from snntoolbox.workflow.config.values import show
from snntoolbox.workflow.gui.folder import WorkFolder
from snntoolbox.workflow.gui.forms import arguments, assignment, field_of, fields, options, problem, problems_in


def test_every_key_has_a_field_with_its_text():
    assert [field.path for own in fields().values() for field in own] == list(keys())
    field = field_of("simulation.duration")
    assert field.help == "Simulated time per sample in ms. Must be at least 1."
    assert field.default == "200"
    assert field_of("tools.parse").choices == ("True", "False")
    assert "brian2" in field_of("simulation.simulator").choices


@pytest.mark.parametrize("path", keys())
def test_defaults_and_known_answers_are_right(path):
    assert problem(path, "") == ""
    row = keys()[path]
    if row.default not in (None, ()):
        assert problem(path, show(row.default)) == ""
    assert [choice for choice in field_of(path).choices if problem(path, choice)] == []


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("simulation.duration", "0", "must be at least 1"),
        ("simulation.duration", "ten", "must be an integer"),
        ("simulation.simulator", "brain2", "did you mean brian2?"),
        ("simulation.simulator", "loihi", "use simulator = sanafe"),
        ("tools.parse", "maybe", "must be True or False"),
        ("output.plot_vars", "{'spiketrain'}", "did you mean spiketrains?"),
    ],
)
def test_what_is_wrong_is_told_as_one_types(path, text, told):
    assert told in problem(path, text)


def test_a_text_that_refers_to_others_is_left_to_them():
    assert problem("simulation.duration", "%(batch_size)s") == ""


def test_a_key_by_its_name():
    assert assignment(" simulation.Duration = 32 ") == ("simulation.duration", "32")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("duration", "write section.key = value"),
        ("simulation.duratoin = 32", "unknown key; did you mean duration?"),
        ("simulatoin.duration = 32", "unknown section; did you mean simulation?"),
        ("simulation.duration = -1", "must be at least 1"),
        ("restrictions.anything = 1", "no effect"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest(line, told):
    with pytest.raises(ConfigError, match=told.replace("?", r"\?")):
        assignment(line)


def test_problems_are_told_one_by_one():
    assert problems_in(ConfigError("what is set has 2 problems:\n    a: b\n    c: d")) == ["a: b", "c: d"]
    assert problems_in(ConfigError("no more")) == ["no more"]


@pytest.mark.parametrize("command", ["run", "compare", "diagnose", "tune", "deploy"])
def test_options_of_commands_are_those_of_the_command_line(command):
    found = {field.path: field for field in options(command)}
    assert not {"--json", "--quiet", "--progress", "--set", "config"} & set(found)
    assert all(field.help for field in found.values())
    assert all(found[name].is_switch for name in ("--force", "--saturate") if name in found)


def test_arguments_of_a_command(tmp_path):
    work = WorkFolder(tmp_path)
    said = {"--simulators": "INI,brian2", "--samples": " 3 ", "--force": "True"}
    assert arguments("compare", said, work) == ["--simulators=INI,brian2", "--samples=3", "--force"]
    output = f"--output={work.path / 'build'}"
    assert arguments("deploy", {"--target": "artix7", "--output": "build"}, work) == ["--target=artix7", output]


@pytest.mark.parametrize(
    ("command", "said", "told"),
    [
        ("compare", {}, "--simulators"),
        ("compare", {"--simulators": "INI", "--samples": "x"}, "invalid int"),
        ("deploy", {"--target": "artix7", "--output": "../build"}, "outside"),
        ("tune", {"--steps": "1;2"}, "is not a list"),
    ],
)
def test_wrong_arguments_are_told(command, said, told, tmp_path, capsys):
    with pytest.raises(ConfigError, match=told):
        arguments(command, said, WorkFolder(tmp_path))
    assert capsys.readouterr().err == ""
