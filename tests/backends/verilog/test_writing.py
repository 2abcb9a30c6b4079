"""The words of memories."""

import numpy as np
import pytest

from snntoolbox.backends.verilog.writing import Files, packed, packed_columns


@pytest.mark.parametrize("bits", [7, 60])
def test_columns_give_the_words_of_each_row(bits):
    """In numpy's integers, and beyond them."""
    fields = [(np.array([True, False, True]), 1), (np.array([-3, 5, 7]), 9), (np.array([2, 3, -1]), bits)]
    rows = [packed([(int(values[i]), width) for values, width in fields]) for i in range(3)]
    assert packed_columns(fields) == rows


def test_a_memory_is_written_with_all_its_digits():
    files = Files()
    assert files.memory("a.hex", np.array([1, 300]), 9, "two words") == "a.hex"
    assert files.texts["a.hex"] == "// two words; 9 bits a word\n001\n12c\n"
    files.memory("b.hex", (w for w in (1 << 70,)), 71, "a wide one")
    assert files.texts["b.hex"].splitlines()[1] == "40" + 16 * "0"
