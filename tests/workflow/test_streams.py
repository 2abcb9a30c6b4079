"""Standard output and error: plain text in letters that the terminal knows, wherever they lead."""

import gc
import io
import os
import subprocess
import sys
import warnings

import pytest

from snntoolbox.workflow.streams import SafeStream, safe_streams, silent_output

TEXTS = {
    "plain": ("utf-8", "a line\n", "a line\n"),
    "colours": ("utf-8", "\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    "a title": ("utf-8", "\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    "the other way round": ("utf-8", "abc\u202ecba", r"abc\u202ecba"),
    "back to the beginning": ("utf-8", "bad\rgood\x08", r"bad\rgood\x08"),
    "zero": ("utf-8", "a\0b", r"a\x00b"),
    "eight bits": ("utf-8", "\x9b31m", r"\x9b31m"),
    "lines of their own": ("utf-8", "a\u2028b\x85c\x0bd", r"a\u2028b\x85c\x0bd"),
    "not utf-8": ("utf-8", os.fsdecode(b"caf\xe9"), r"caf\udce9"),
    "letters of others": ("utf-8", "é 中 ж …", "é 中 ж …"),
    "ascii": ("ascii", "é … ×", r"\xe9 ... x"),
    "latin": ("latin-1", "é 中", r"é \u4e2d"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_what_is_written(case):
    encoding, text, expected = TEXTS[case]
    raw = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    stream = SafeStream(raw)
    print(text, end="", file=stream, flush=True)
    assert raw.buffer.getvalue().decode(encoding) == expected
    assert not stream.isatty()


def test_nothing_stays_open_behind_a_silent_output():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        with silent_output():
            sys.stdout.write("not seen")
        gc.collect()
    assert [str(w.message) for w in told if "/dev/null" in str(w.message) or "name=" in str(w.message)] == []


def test_streams_are_as_before():
    before = sys.stdout, sys.stderr
    with pytest.raises(ValueError, match="x"), safe_streams():
        raise ValueError("x")
    assert (sys.stdout, sys.stderr) == before


CODE = "import sys; from snntoolbox.workflow.cli import main; sys.exit(main(['capabilities']))"
SHELL = {
    "output closed": (">&-", 0),
    "errors closed": ("2>&-", 0),
    "both closed": (">&- 2>&-", 0),
    "a full disk": (">/dev/full", 2),
    "a full disk for errors": ("2>/dev/full", 0),
    "nobody reads": ("| true", 0),
    "nobody reads any of it": ("2>&1 | true", 0),
}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("case", SHELL)
@pytest.mark.one_in(3)
def test_where_they_lead_costs_nothing(case):
    where, code = SHELL[case]
    call = f'"{sys.executable}" -c "{CODE}" {where}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", call], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
