"""The small pieces of Verilog text and of memory files from which modules are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from snntoolbox.ir.foreign import comment
from snntoolbox.ir.node import Array

_WORD = 62
"""Bits of words that numpy's integers hold."""

WAIVER = "// Outputs that are not needed here stay open.\n/* verilator lint_off PINCONNECTEMPTY */\n"
"""Why the lint check does not complain."""


@dataclass
class Files:
    """The files written so far: name -> text."""

    texts: dict[str, str] = field(default_factory=dict)

    def memory(self, name: str, words: Iterable[int], bits: int, about: str) -> str:
        """Add a memory of unsigned words for $readmemh; returns its name."""
        digits = -(-bits // 4)
        listed = tuple(words)
        self.texts[name] = f"// {comment(about)}; {bits} bits a word\n" + f"%0{digits}x\n" * len(listed) % listed
        return name


def packed(fields: Sequence[tuple[int, int]]) -> int:
    """One word of (value, bits), the first field highest, negative values in two's complement."""
    word = 0
    for value, bits in fields:
        word = (word << bits) | (int(value) & ((1 << bits) - 1))
    return word


def packed_columns(fields: Sequence[tuple[Array, int]]) -> list[int]:
    """Many words at once: for each field its values and bits, as `packed` does."""
    if sum(bits for _, bits in fields) > _WORD:
        columns = [values.tolist() for values, _ in fields]
        return [packed(list(zip(word, (b for _, b in fields), strict=True))) for word in zip(*columns, strict=True)]
    words = np.zeros(len(fields[0][0]), np.int64)
    for values, bits in fields:
        words = (words << bits) | (values.astype(np.int64) & ((1 << bits) - 1))
    found: list[int] = words.tolist()
    return found


def vector(bits: int) -> str:
    """The range of a vector: ``[7:0]``, padded so that names line up."""
    return f"[{bits - 1}:0]"


def constant(value: int, bits: int) -> str:
    """A sized decimal number, negative ones in two's complement."""
    return f"{bits}'d{int(value) & ((1 << bits) - 1)}"


def wide(expression: str, bits: int, width: int) -> str:
    """An unsigned expression with zeros in front."""
    return expression if bits == width else f"{{{width - bits}'d0, {expression}}}"


def signed(expression: str, bits: int, width: int) -> str:
    """A signed name with its sign repeated in front."""
    return expression if bits == width else f"{{{{{width - bits}{{{expression}[{bits - 1}]}}}}, {expression}}}"


def times(expression: str, bits: int, factor: int, width: int) -> list[str]:
    """An unsigned expression times a constant, as terms of a sum: shifts, no multiplier."""
    terms = []
    for shift in range(factor.bit_length()):
        if factor >> shift & 1:
            front = width - bits - shift
            parts = [f"{front}'d0"] * (front > 0) + [expression] + [f"{shift}'d0"] * (shift > 0)
            terms.append(parts[0] if len(parts) == 1 else f"{{{', '.join(parts)}}}")
    return terms


def total(terms: Sequence[str], width: int) -> str:
    """The sum of terms of one width."""
    return " + ".join(terms) if terms else f"{width}'d0"


def both(expressions: Sequence[str]) -> str:
    """The AND of expressions; 1 for none."""
    return " & ".join(expressions) if expressions else "1'b1"


def either(expressions: Sequence[str]) -> str:
    """The OR of expressions; 0 for none."""
    return " | ".join(expressions) if expressions else "1'b0"


def header(lines: Iterable[str]) -> str:
    """Lines as a comment; what a user has named cannot break out of it."""
    return "".join(f"// {comment(line)}\n" for line in lines)


def counter(name: str, end: str, bits: int, count: int, step: str) -> str:
    """A register that counts round, one further with each `step`, and a wire that tells its last number."""
    return (
        f"    reg {vector(bits)} {name};\n"
        f"    wire {end} = {name} == {constant(count - 1, bits)};\n"
        f"    always @(posedge clk)\n        if (rst) {name} <= {bits}'d0;\n"
        f"        else if ({step}) {name} <= {end} ? {bits}'d0 : {name} + 1'b1;\n"
    )


def ports_text(ports: Sequence[tuple[str, int, str]]) -> str:
    """The ports of a module: (direction, bits, name); 0 bits is a scalar."""
    ranges = [vector(bits) if bits else "" for _, bits, _ in ports]
    widest = max(map(len, ranges))
    rows = [
        f"    {direction:<6} wire {text:<{widest}} {name}"
        for (direction, _, name), text in zip(ports, ranges, strict=True)
    ]
    return ",\n".join(rows)


def connected(pairs: Iterable[tuple[str, str]]) -> str:
    """Connections of an instance, a few to a line."""
    lines, line = [], "       "
    items = [f".{port}({net})" for port, net in pairs]
    for position, item in enumerate(items):
        text = item + ("," if position < len(items) - 1 else "")
        if len(line) + len(text) > 110:
            lines.append(line)
            line = "       "
        line += f" {text}"
    return "\n".join([*lines, line])
