"""The main module is hidden while processes start, and is back afterwards."""

import sys

from snntoolbox.backends.main_module import no_main_module


def test_it_is_back_after_blocks_that_overlap():
    """As those of two threads do, which begin and end in the same order."""
    main = sys.modules["__main__"]
    first, second = no_main_module(), no_main_module()
    with first:
        assert sys.modules["__main__"] is not main
        second.__enter__()
    assert sys.modules["__main__"] is not main
    second.__exit__(None, None, None)
    assert sys.modules["__main__"] is main
