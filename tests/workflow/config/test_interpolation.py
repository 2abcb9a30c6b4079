"""References between keys: as `configparser` reads them; and values that files can hold only spelled out."""

import configparser
import itertools
import os
import time
from dataclasses import replace

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.ir.writing import write_text
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import Paths, Settings
from snntoolbox.workflow.config.template import config_text, default_config_text


@pytest.fixture
def read(tmp_path):
    def load(text, *overrides):
        (tmp_path / "c.ini").write_text(text, encoding="utf-8")
        return load_config(tmp_path / "c.ini", overrides)

    return load


CASES = [
    {"filename_ann": "88.63", "filename_snn": "%(filename_ann)s_snn"},
    {"filename_ann": "a%%b", "runlabel": "%(filename_ann)s%%"},
    {"filename_ann": "x", "filename_snn": "%(filename_parsed_model)s", "runlabel": "r",
     "filename_parsed_model": "%(filename_ann)s%(runlabel)s"},
    {"filename_ann": "%%(runlabel)s", "runlabel": "%(filename_ann)s"},
    {"filename_ann": "100%%%%", "runlabel": "%%%(filename_ann)s"},
    {"filename_ann": "x", "runlabel": "plain"},
]  # fmt: skip


@pytest.mark.parametrize("keys", CASES, ids=lambda keys: keys["filename_ann"])
def test_as_configparser_reads_them(read, keys):
    text = "[paths]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())
    text += "[tools]\nconvert = False\nsimulate = False\n"
    parser = configparser.ConfigParser()
    parser.read_string(text)
    paths = read(text).paths
    assert {name: getattr(paths, name) for name in keys} == {name: parser["paths"][name] for name in keys}


def test_paths(read, tmp_path):
    assert read("[paths]\nfilename_ann = m\ndataset_path = %(path_wd)s/data\n").paths.dataset_path == tmp_path / "data"
    text = "[paths]\nfilename_ann = m\npath_wd = {}\ndataset_path = %(path_wd)s/data\n"
    for work in ("sub", "'sub'", tmp_path / "sub"):
        assert read(text.format(work)).paths.dataset_path == tmp_path / "sub" / "data"


def test_defaults_overrides_and_other_sections(read):
    text = "[paths]\nfilename_ann = m\nfilename_snn = %(runlabel)s_%(filename_ann)s\n"
    assert read(text).paths.filename_snn == "test_m"
    assert read(text, "paths.runlabel=mine").paths.filename_snn == "mine_m"
    assert read(text, "paths.filename_snn=%(filename_ann)s50%%").paths.filename_snn == "m50%"
    numbers = "[paths]\nfilename_ann = m\n[simulation]\nduration = 32\nbatch_size = %(duration)s\n"
    assert read(numbers).simulation.batch_size == 32


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("50%", "a percent sign is written %%"),
        ("%(filename_ann)", "a percent sign is written %%"),
        ("%d", "a percent sign is written %%"),
        ("%(nothing)s", r"there is no key nothing in \[paths\]"),
        ("%(duration)s", r"there is no key duration in \[paths\]"),
        ("%(runlabel)s", "refers to itself"),
        ("%(filename_snn)s", "filename_snn is not set"),
    ],
)
def test_what_cannot_be_put_in_place(read, value, words):
    with pytest.raises(ConfigError, match=rf"paths\.runlabel = .*{words}"):
        read(f"[paths]\nfilename_ann = m\nrunlabel = {value}\n")


def test_a_circle(read):
    with pytest.raises(ConfigError, match="refers to itself by filename_snn and runlabel"):
        read("[paths]\nfilename_ann = m\nrunlabel = %(filename_snn)s\nfilename_snn = a%(runlabel)s\n")


def test_values_that_grow(read):
    names = ["filename_ann", "filename_snn", "filename_parsed_model", "runlabel"]
    lines = ["filename_ann = " + "x" * 100]
    lines += [f"{name} = {f'%({other})s' * 200}" for other, name in itertools.pairwise(names)]
    with pytest.raises(ConfigError, match="becomes longer"):
        read("[paths]\n" + "\n".join(lines))


# -- written and read back --------------------------------------------------------------------------------------------

ODD = [
    *("a\nb", "a ", " a", "\n", "a\r\nb", "a\tb\t", "'a'", '"a"', "''a", "a%b", "%(runlabel)s", "%%", "a\n%(x)s \n"),
    *("#a", "; a", "a # b", "a = b", "[a]", "a\x0bb\x1cc", "a\u2028b\x85", "~", "%(newline)s", "'", "a\n  b\n\nc"),
]


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_a_saved_configuration_repeats_the_run(tmp_path, text):
    folder = tmp_path / text.replace("/", "")
    names = {"filename_ann": f"{text}m", "filename_parsed_model": f"{text}p", "filename_snn": f"s{text}"}
    folders = {"path_wd": folder, "dataset_path": folder / text, "log_dir_of_current_run": folder / "log"}
    paths = Paths(runlabel=f"r{text}", **names, **folders)
    settings = replace(Settings(), paths=paths)
    (tmp_path / "saved.ini").write_bytes(config_text(settings).encode())
    assert load_config(tmp_path / "saved.ini") == settings


@pytest.mark.parametrize(
    "controls", [b"", bytes(range(1, 32)), b"\x01", b"\x1b[31m", b"\x1c\x7f", b"\n\x0e"], ids=ascii
)
def test_names_that_are_not_utf_8(tmp_path, controls):
    folder = tmp_path / os.fsdecode(b"caf\xe9" + controls + b"\xff")
    paths = Paths(path_wd=folder, dataset_path=folder, log_dir_of_current_run=folder / "log", filename_ann="m",
                  filename_parsed_model="p", filename_snn="s")  # fmt: skip
    settings = replace(Settings(), paths=paths)
    write_text(tmp_path / "saved.ini", config_text(settings))
    assert load_config(tmp_path / "saved.ini") == settings


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_a_new_configuration_holds_what_it_was_given(tmp_path, text):
    (tmp_path / "new.ini").write_bytes(default_config_text({"paths.filename_ann": f"{text}m"}).encode())
    assert load_config(tmp_path / "new.ini").paths.filename_ann == f"{text}m"


# -- files that nobody wrote by hand ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["[paths]", *["filename_ann = x"] * 4000],
        ["[paths]", "filename_ann = x", *["[input]"] * 5000],
        ["[paths]", *["no key"] * 9000],
        [f"[paths{i}]" for i in range(4000)],
    ],
    ids=["keys", "sections", "lines", "unknown sections"],
)
def test_many_problems_take_no_time_and_are_not_all_told(read, lines):
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        read("\n".join(lines))
    assert time.process_time() - start < 2
    assert len(str(caught.value)) < 5000
    assert str(caught.value).count("\n") > 20


def test_two_networks_of_one_name(read):
    for names in (("net", "net"), ("a/net", "b/net"), ("Net", "net")):
        parsed, snn = names
        with pytest.raises(ConfigError, match=r"filename_snn.*is also the name of the parsed network"):
            read(f"[paths]\nfilename_ann = m\nfilename_parsed_model = {parsed}\nfilename_snn = {snn}\n")
    with pytest.raises(ConfigError, match=r"filename_snn.*must be the name of a file"):
        read("[paths]\nfilename_ann = m\nfilename_snn = .\n")
