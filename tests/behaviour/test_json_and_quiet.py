"""What scripts read of the command line: one JSON document or nothing, whatever a library prints; exit codes stay."""

import json
import os
import subprocess
import sys
import warnings
from logging import getLogger

import pytest

from snntoolbox.errors import ConversionError
from snntoolbox.workflow import demo
from snntoolbox.workflow.cli import main
from snntoolbox.workflow.commands import COMMANDS, command, parser
from snntoolbox.workflow.commands.outcome import Outcome

pytestmark = pytest.mark.usefixtures("process_clock")

SHORT = ("--set", "simulation.num_to_test=12", "--set", "simulation.duration=3", "--set", "tools.evaluate_ann=False")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return demo.copy_to(tmp_path_factory.mktemp("demo"), "onnx")


@pytest.fixture
def noisy(monkeypatch):
    """A command that prints and logs, as simulators and plug-ins do, and ends as it is told."""

    def put(ends):
        def execute(options):
            sys.stdout.write("people read this")
            os.write(1, b"a library writes this\n")
            getLogger("snntoolbox").warning("a warning")
            return ends()

        monkeypatch.setattr(command("capabilities"), "execute", execute)

    return put


def test_the_report_of_a_run_is_all_that_is_printed(config, capsys):
    assert main([str(config), *SHORT, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (folder,) = (config.parent / "log").iterdir()
    assert printed == json.loads((folder / "report.json").read_text())


def test_quiet_prints_nothing_and_writes_all(config, capsys):
    more = ("--set", "paths.runlabel=quiet")
    assert main(["run", str(config), *SHORT, *more, "--quiet"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert (config.parent / "log" / "quiet" / "report.html").exists()


def test_what_a_model_is_as_data(config, capsys):
    assert main(["inspect", str(config.parent / "digits_cnn.onnx"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model_lib"] == "onnx"
    assert [p["name"] for p in report["populations"]][:2] == ["x", "relu1"]
    assert report["layers"][0]["shape"] == [8, 8]
    assert "INI" in report["simulators"]


@pytest.mark.parametrize("arguments", [["capabilities"], ["completion", "bash"]], ids=str)
def test_other_commands_have_a_report(arguments, capsys):
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_nothing_gets_between(noisy, capfd, code):
    noisy(lambda: Outcome({"a": [1, float("nan")]}, code))
    assert main(["capabilities", "--json"]) == code
    printed = capfd.readouterr()
    assert json.loads(printed.out) == {"a": [1, None]}
    assert "a warning" in printed.err


@pytest.mark.parametrize("code", [0, 1])
def test_quiet_is_quiet_about_all_but_failure(noisy, capsys, code):
    noisy(lambda: Outcome({}, code))
    assert main(["capabilities", "-q"]) == code
    assert capsys.readouterr().out == ""
    getLogger("snntoolbox").error("afterwards all is as before")
    sys.stdout.write("and this\n")
    assert capsys.readouterr().out == "and this\n"


def test_past_python_nothing_is_printed_either(tmp_path):
    code = (
        "import os, sys; from snntoolbox.workflow import cli; from snntoolbox.workflow.commands import command;"
        "from snntoolbox.workflow.commands.outcome import Outcome;"
        "command('capabilities').execute = lambda o: os.write(1, b'noise') and Outcome({'a': 1});"
        "sys.exit(cli.main(['capabilities', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"a": 1}
    assert done.stderr == "noise"


def raising(error):
    def end():
        raise error

    return end


def test_an_error_is_json_too_and_told_on_standard_error(noisy, capsys):
    noisy(raising(ConversionError("cannot be\x1b[31m", layer="<conv>", hint="do this")))
    assert main(["capabilities", "--json"]) == 2
    printed = capsys.readouterr()
    expected = {"kind": "ConversionError", "message": "cannot be\x1b[31m", "layer": "<conv>", "hint": "do this"}
    assert json.loads(printed.out)["error"] == expected
    assert "\x1b" not in printed.out
    assert "cannot be" in printed.err


def test_a_wrong_key_and_a_wrong_option(config, capsys):
    assert main([str(config), "--set", "no.such=1", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "ConfigError"
    with pytest.raises(SystemExit) as ended:
        main([str(config), "--json", "--nope"])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert error["kind"] == "UsageError"
    assert "--nope" in error["message"]
    assert "usage:" in printed.err


def test_a_defect_is_json_beside_its_traceback(noisy, capsys):
    noisy(raising(ZeroDivisionError("nothing to share")))
    with pytest.raises(ZeroDivisionError):
        main(["capabilities", "--json"])
    assert json.loads(capsys.readouterr().out)["error"] == {"kind": "ZeroDivisionError", "message": "nothing to share"}


@pytest.mark.parametrize(("options", "times"), [(["--quiet"], 0), ([], 1)])
def test_quiet_silences_warnings_of_python(options, times, noisy, monkeypatch):
    noisy(lambda: warnings.warn("warned", stacklevel=1))
    shown = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda *told, **_: shown.append(told))
        main(["capabilities", *options])
    assert len(shown) == times


def test_what_is_printed_at_the_very_end_does_not_follow_the_document():
    code = "import atexit, sys; from snntoolbox.workflow.cli import program; atexit.register(print, 'AT EXIT')"
    call = [sys.executable, "-c", f"{code}; sys.argv[1:] = ['capabilities', '--json']; program()"]
    done = subprocess.run(call, capture_output=True, text=True)
    assert json.loads(done.stdout)
    assert "AT EXIT" in done.stderr


def test_an_interruption_is_json(noisy, capsys):
    noisy(raising(KeyboardInterrupt()))
    assert main(["capabilities", "--json"]) == 2
    assert "interrupted" in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_both(name):
    needed = {
        "compare": ["c", "--simulators", "INI"], "export": ["c", "--to", "nir", "-o", "o"], "completion": ["zsh"],
        "deploy": ["c", "--target", "generic", "-o", "o"], "demo": [], "capabilities": [],
    }.get(name, ["c"])  # fmt: skip
    options = parser(name).parse_args([name, *needed, "--json", "-q"])
    assert (options.json, options.quiet) == (True, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_commands_and_options(shell, capsys):
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)
    assert "maxpool-type" in script


def test_bash_completes(tmp_path, capsys):
    pytest.importorskip("shtab")
    assert main(["completion", "bash"]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out)
    ask = 'source ./script; COMP_WORDS=(snntoolbox de); COMP_CWORD=1; _shtab_snntoolbox; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["deploy", "demo"]


def test_without_shtab_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "snntoolbox[completion]" in capsys.readouterr().err


FILES = {  # command -> the file that holds its report
    "sweep": ("log/it/sweep.json", ["run", "--set", "parameter_sweep.param_name=conversion.initial_potential",
                                    "--set", "parameter_sweep.param_values=[0.25, 0.5]"]),
    "compare": ("log/it-compare/compare.json", ["compare", "--simulators", "INI,brian2"]),
    "diagnose": ("log/it/report.json", ["diagnose", "--seconds", "0"]),
    "tune": ("log/it-tune/tune.json", ["tune", "--steps", "2", "--budget", "0.5", "--force"]),
    "deploy": ("out/report.json", ["deploy", "--target", "generic", "-o", "out", "--sim-seconds", "0",
                                   "--synth-seconds", "0", "--set", "conversion.weight_bits=8"]),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_what_is_printed_is_what_the_file_holds(name, tmp_path, monkeypatch, capsys):
    demo.copy_to(tmp_path, "onnx")
    monkeypatch.chdir(tmp_path)
    file, (command_name, *options) = FILES[name]
    samples = ("--set", "simulation.num_to_test=4", "--set", "simulation.duration=4", "--set", "paths.runlabel=it")
    assert main([command_name, "demo_onnx.ini", *options, *samples, "--json"]) in (0, 1)
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / file).read_text())
