"""What is set is kept in the folder, comes back, and is refused whole where it leads out."""

import pytest

from snntoolbox.errors import ConfigError
from snntoolbox.workflow.config.load import load_config, texts_in
from snntoolbox.workflow.gui.folder import WorkFolder
from snntoolbox.workflow.gui.session import SETTINGS, Session


@pytest.fixture
def session(tmp_path):
    return Session(WorkFolder(tmp_path))


def test_the_demo_is_opened_and_its_settings_go_together(session):
    session.open_demo()
    checked = session.check()
    assert checked.problems == ()
    assert checked.settings.paths.path_wd == session.folder.path / "snntoolbox-demo"
    assert checked.settings == load_config(session.file)
    assert session.folder.models() == ["snntoolbox-demo/digits_cnn.onnx"]


def test_the_last_settings_are_restored(session):
    session.open_demo()
    session.set("simulation.duration", " 7 ")
    session.set("input.datagen_kwargs", "{'a': 1,\n'b': 2}")
    session.set("paths.runlabel", "100%%")
    session.set("simulation.batch_size", "")
    again = Session(session.folder)
    again.restore()
    assert again.texts == session.texts
    assert again.texts["simulation.duration"] == "7"
    assert "simulation.batch_size" not in again.texts
    assert SETTINGS in again.restored


def test_settings_that_cannot_be_read_are_told(session):
    session.file.write_text("no configuration")
    session.restore()
    assert "cannot be read" in session.restored
    assert session.texts == {}


def test_a_wrong_value_is_kept_and_told(session):
    session.open_demo()
    session.set("simulation.duration", "0")
    assert session.check().problems == ("simulation.duration = 0: must be at least 1",)
    again = Session(session.folder)
    again.restore()
    assert again.texts["simulation.duration"] == "0"


def test_a_configuration_with_a_wrong_key_is_refused_whole(session):
    session.open_demo()
    before = dict(session.texts)
    (session.folder.path / "other.ini").write_text("[paths]\nfilename_ann = m\n[simulation]\nduratoin = 3\ndt = -1\n")
    with pytest.raises(ConfigError) as error:
        session.load("other.ini")
    assert "did you mean duration?" in error.value.message
    assert "simulation.dt = -1" in error.value.message
    assert session.texts == before


def test_saved_and_loaded(session):
    session.open_demo()
    session.set("simulation.duration", "9")
    path = session.save("mine.ini")
    assert texts_in(path) == session.texts
    session.set("simulation.duration", "10")
    session.load("mine.ini")
    assert session.texts["simulation.duration"] == "9"


@pytest.mark.parametrize("name", ["../mine.ini", "mine.txt", "snntoolbox-demo/mine.ini"])
def test_a_configuration_is_saved_in_the_folder_alone(session, name):
    with pytest.raises(ConfigError):
        session.save(name)


def test_no_other_file_is_replaced(session):
    (session.folder.path / "mine.ini").write_bytes(b"\0")
    with pytest.raises(ConfigError):
        session.save("mine.ini")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("paths.dataset_path", "/etc"),
        ("paths.path_wd", ".."),
        ("paths.log_dir_of_current_run", "~/log"),
        ("paths.filename_ann", "../../model.onnx"),
        ("paths.filename_snn", "/etc/passwd"),
        ("paths.filename_clamp_indices", "/etc/passwd"),
        ("simulation.architecture", "/etc/passwd"),
    ],
)
def test_settings_that_lead_out_are_refused(session, key, text):
    session.open_demo()
    before = dict(session.texts)
    with pytest.raises(ConfigError, match=f"^{key}: .* outside the working folder"):
        session.set_inside(key, text)
    assert session.texts == before == texts_in(session.file)
    session.set(key, text)
    (problem,) = session.check().problems
    assert problem.startswith(f"{key}: ")
    assert "outside the working folder" in problem


def test_a_folder_outside_is_told_once_whatever_lies_in_it(session):
    """Also where no model is set yet, and beside another file that leads out by itself."""
    with pytest.raises(ConfigError, match=r"^paths.path_wd: "):
        session.set_inside("paths.path_wd", "..")
    session.open_demo()
    session.set("paths.dataset_path", "/etc")
    session.set_inside("paths.runlabel", "mine")
    session.set_inside("simulation.duration", "9")
    session.set("paths.path_wd", "/tmp")
    told = [problem.partition(":")[0] for problem in session.check().problems]
    assert told == ["paths.path_wd", "paths.dataset_path"]


def test_a_model_of_another_folder_takes_its_place(session):
    session.open_demo()
    session.set("simulation.duration", "5")
    (session.folder.path / "own").mkdir()
    (session.folder.path / "own" / "net.onnx").write_text("")
    session.open_model("own/net.onnx")
    assert session.check().settings.paths.log_dir_of_current_run == session.folder.path / "own" / "log" / "test"
    assert session.texts["simulation.duration"] == "5"
    assert "simulation.duration=5" in session.choices()
    assert not any(choice.startswith("paths.") for choice in session.choices())


def test_keys_without_effect_are_told(session):
    session.open_demo()
    session.set("simulation.architecture", "truenorth")
    assert session.check().notes == ("simulation.architecture has no effect: simulator = INI",)


def test_chips_that_are_named_are_no_files(session, tmp_path):
    session.open_demo()
    session.set("paths.path_wd", str(tmp_path.parent))
    told = session.check().problems
    assert told
    assert not [problem for problem in told if "architecture" in problem]


def test_what_is_set_is_what_is_run(session):
    session.open_demo()
    session.set("simulation.duration", "11")
    session.file.write_text("[simulation]\nduration = 13\n")  # by somebody else
    session.keep()
    assert texts_in(session.file) == session.texts


def test_settings_that_are_replaced_come_back(session):
    session.open_demo()
    assert not session.can_take_back
    session.set("simulation.duration", "9")
    mine = dict(session.texts)
    session.open_demo()
    (session.folder.path / "net.onnx").write_bytes(b"")
    session.open_model("net.onnx")
    last = dict(session.texts)
    assert "simulation.duration" not in last or last["simulation.duration"] != "9"
    session.take_back()
    session.take_back()
    assert session.texts == mine == texts_in(session.file)
    session.take_back()
    assert session.texts == last, "nothing is lost by taking back"
