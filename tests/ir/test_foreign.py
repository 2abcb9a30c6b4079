"""Text of others: letters that stand for themselves, wherever it goes."""

import os
import re
import unicodedata

import pytest

from snntoolbox.backends.fpga.report import table
from snntoolbox.backends.verilog.names import Names
from snntoolbox.backends.verilog.writing import Files, header
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.drawing import canvas, plots
from snntoolbox.ir.foreign import code, comment, file_name, file_names, longer, markdown, shown
from snntoolbox.ir.node import Origin
from snntoolbox.ir.summary import text_table

NASTY = {
    "colours": "\x1b[31mred\x1b[0m",
    "eight bits": "\x9b31mred",
    "a title": "\x1b]0;owned\x07",
    "the other way round": "a\u202ecod.exe",
    "no width": "a\u200bb\ufeff",
    "lines": "a\nsnntoolbox: all is well\r\nb",
    "lines of others": "a\x85b\u2028c\u2029d\x0be\x0cf",
    "zero": "a\0b",
    "not utf-8": os.fsdecode(b"caf\xe9"),
    "tab": "a\tb",
    "markup": "[red]x[/] [/] [link=file:///]y",
    "a formula": "$x_{$",
    "two dollars": r"$\frac{1}{0}$",
    "half a dollar": r"\$a$",
    "hidden": "_hidden",
    "tex": "\\input{/etc/passwd} 100% #1 ~^&",
    "html": "<script>alert(1)</script>",
    "table": "a|b`c`d",
    "upwards": "../../etc/passwd",
    "root": "/etc/passwd",
    "points": "...",
    "nothing": "",
    "blank": "  ",
    "a device": "con",
    "a device with more": "NUL.txt",
    "end of a comment": "a */ endmodule /* b",
    "instruction": "synopsys translate_off",
    "another": "verilator lint_off WIDTH",
    "a macro": "`define x \\",
    "long": "n" * 5000,
    "long and wide": "中" * 500,
    "emoji": "🙂 é ñ",
    "point at its end": "name. ",
}
NAMES = pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)


def plain(text):
    """Whether there is nothing in a text that a terminal obeys, or that hides or turns letters."""
    return not any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for letter in text)


@NAMES
def test_it_is_plain_in_every_line_of_text(name):
    builder = GraphBuilder("onnx")
    node = builder.input(name, (3,))
    lines = [shown(name), node, str(Origin("keras", name, name)), builder.node(node).label, markdown(name), code(name)]
    lines += [comment(name), *header([name]).split("\n"), *table(("a",), [(code(name),)]).split("\n")]
    lines += [*text_table(("a", "b"), [(name, name)], set()).split("\n"), builder.finish([node], name).name]
    assert all(map(plain, lines))
    assert len(node) <= 200
    assert len(text_table(("a",), [(name,), ("b",)], set(), total=False).splitlines()) == 4


@pytest.mark.parametrize("name", ["dense_1", "block 2/conv", "é", "中", "a-b", "layer[0]", "C:\\x", "a_b%"])
def test_what_is_plain_is_as_it_was(name):
    assert shown(name) == name


@NAMES
def test_names_of_files(name, tmp_path):
    found = file_name(name)
    (tmp_path / found).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [found]
    assert re.fullmatch(r"(?!\.)[\w.+-]+(?<!\.)", found)
    assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", found)
    (tmp_path / longer(found, "-unfinished")).mkdir()


def test_no_two_files_have_one_name():
    texts = [*NASTY.values(), "a/b", "a_b", "A_b", "a:b", "é", "e\u0301", "n" * 4999, "n" * 4998]
    names = file_names(texts)
    assert list(names) == list(dict.fromkeys(texts))
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names.values()}) == len(names)
    assert all(len(os.fsencode(name)) <= 255 for name in names.values())


def test_ordinary_names_of_files_are_as_they_were():
    names = ["relu1", "max_pool.larger_2", "Conv+1-b"]
    assert file_names(names) == dict(zip(names, names, strict=True))


@NAMES
@pytest.mark.one_in(4)
def test_plots(name, tmp_path):
    """It is drawn, as it is, and named in a legend."""
    figure = plots.spike_counts({name: [1.0, 2.0]})
    canvas.save(figure, tmp_path / "a.png", dpi=20)
    (text,) = figure.axes[0].get_legend().get_texts()
    assert "".join(text.get_text().split()) == "".join(canvas.drawn_name(name).split())
    assert text._preprocess_math(text.get_text())[1] is False
    drawn = text._preprocess_math(text.get_text())[0].strip()
    assert drawn == (shown(name) if len(name) <= canvas.LONGEST else drawn).strip()
    assert len(drawn) <= canvas.LONGEST


def test_latex_gets_its_signs_escaped():
    with canvas.styled({"text.usetex": True}):
        assert canvas.drawn_name("a_b $ % \\x~^") == r"a\_b \$ \% \textbackslash{}x\textasciitilde{}\textasciicircum{}"


@NAMES
def test_verilog(name):
    text, files = header([name, f"{name}: 3 neurons"]), Files()
    lines = [*text.splitlines(), files.texts[files.memory("a.mem", [1], 8, name)].splitlines()[0]]
    assert len(text.splitlines()) == 2
    for line in lines:
        assert line.startswith("//")
        assert "*/" not in line
        assert not line.endswith("\\")
        assert not re.match(r"//\s*(verilator|synopsys|synthesis|pragma)\b", line)
    names = Names()
    first, second = names.module(name), names.module(name.upper())
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,120}", first)
    assert first.lower() != second.lower()
    assert file_name(first) == first


@NAMES
def test_markdown(name):
    """No cell ends, no line, no code, and nothing is HTML."""
    for text in (markdown(name), code(name)):
        assert not re.search(r"(?<!\\)\|", text)
        assert "\n" not in text
    assert not re.search(r"(?<!\\)[<`\[$]", markdown(name))
    assert code(name)[1:-1].count("`") == 0
