"""Small recordings of events, and files of them written word by word."""

import struct

import numpy as np
from scipy.io import savemat

END_OF_HEAD = b"#!END-HEADER\r\n"


def events(count=40, width=8, height=6, seed=0):
    """Times in µs, pixels, polarities; no two at one time."""
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.integers(1, 50, count))
    return t, rng.integers(0, width, count), rng.integers(0, height, count), rng.integers(0, 2, count)


def nmnist(t, x, y, on):
    rows = zip(t.tolist(), x.tolist(), y.tolist(), on.tolist(), strict=True)
    return b"".join(bytes((b, a, p << 7 | s >> 16, s >> 8 & 255, s & 255)) for s, b, a, p in
                    ((s, b, a, p) for s, b, a, p in rows))  # fmt: skip


def dat(t, x, y, on, head=b"% Data file containing CD events.\n% Version 2\n"):
    return head + b"\x00\x08" + b"".join(
        struct.pack("<II", s, b | a << 14 | p << 28) for s, b, a, p in zip(t, x, y, on, strict=True)
    )


def aedat1(t, x, y, on):
    words = (struct.pack(">HI", a << 8 | b << 1 | 1 - p, s) for s, b, a, p in zip(t, x, y, on, strict=True))
    return b"#!AER-DAT1.0\r\n# jAER\r\n" + b"".join(words)


def aedat2(t, x, y, on, head=b"#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n"):
    words = (struct.pack(">II", a << 22 | b << 12 | p << 11, s) for s, b, a, p in zip(t, x, y, on, strict=True))
    return head + b"".join(words)


def packet(t, x, y, on, overflow=0, kind=1, valid=1):
    words = (struct.pack("<II", b << 17 | a << 2 | p << 1 | valid, s) for s, b, a, p in zip(t, x, y, on, strict=True))
    return struct.pack("<HHIIIIII", kind, 1, 8, 4, overflow, len(t), len(t), len(t)) + b"".join(words)


def aedat3(*packets, chip=b"DVS128"):
    return b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: " + chip + b"\r\n" + END_OF_HEAD + b"".join(packets)


def mat(path, t, x, y, on, structure=""):
    fields = {"x": x, "y": y, "ts": t, "p": on}
    savemat(path, {structure: fields} if structure else fields)
