"""Tells when memory ran out, whichever library says so."""

from __future__ import annotations

import errno

NO_MEMORY = "not enough memory"
HINT = "a smaller [simulation] batch_size needs less"


def out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; PyTorch tells it in RuntimeErrors, and what maps files in OSErrors."""
    text = str(error)
    known = isinstance(error, MemoryError) or getattr(error, "errno", 0) == errno.ENOMEM
    return known or "out of memory" in text or "can't allocate memory" in text
