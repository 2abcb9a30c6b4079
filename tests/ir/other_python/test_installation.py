"""Other interpreters: one that is missing, is none, or lacks a library is refused with how to make it."""

import sys

import pytest

from snntoolbox.errors import BackendError, FrontendError
from snntoolbox.ir.other_python.installation import Interpreter


def needing(*modules, **fields):
    named = {"target": "this", "library": "Thing", "usual": "", "how": "make one", **fields}
    return Interpreter(modules=modules, **named)


@pytest.mark.parametrize(
    ("python", "modules", "fields", "told"),
    [
        ("/nowhere/python", ("json",), {}, "this: there is no interpreter '/nowhere/python'"),
        ("/bin/false", ("json",), {}, r"is no Python interpreter, or a broken one \(exit code 1\)"),
        ("/bin/echo", ("json",), {}, "is no Python interpreter, or a broken one"),
        (sys.executable, ("json", "no_a", "no_b"), {}, r"\(Python 3\.\d+\) has no module no_a and no module no_b"),
        (sys.executable, ("numpy",), {"least": {"numpy": "99.1"}}, r"has numpy [\d.]+; numpy 99\.1 is needed"),
    ],
)
def test_what_cannot_be_used_is_told_with_how_one_is_made(python, modules, fields, told):
    with pytest.raises(BackendError, match=told) as error:
        needing(*modules, **fields).found(python)
    assert error.value.hint == "make one"
    with pytest.raises(FrontendError):
        needing(*modules, **fields, error=FrontendError).found(python)


def test_one_that_has_it_is_found():
    assert needing("json", "numpy", least={"numpy": "1.2"}).found(sys.executable) == sys.executable
    assert needing("json", usual=sys.executable).there()
    assert not needing("no_module_of_this_name", usual=sys.executable).there()


def test_one_that_is_named_from_here_is_found_from_everywhere(tmp_path, monkeypatch):
    """Also by a link, which stays: that of an environment says which one it is."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert needing("json").found("bin/python") == str(tmp_path / "bin" / "python")
