"""What errors say in one line."""

from snntoolbox.errors import ConversionError, Unsupported, UnsupportedError


def test_one_line_names_every_offender():
    error = UnsupportedError("a schedule", [Unsupported("pool", "a gate"), Unsupported("cells", "a leak")], hint="rate")
    assert error.brief == "a schedule cannot take: pool (a gate); cells (a leak)"
    assert ConversionError("it is wrong\nin two lines").brief == "it is wrong"
