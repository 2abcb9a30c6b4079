"""The Python that runs Lava, which is another one than ours."""

from __future__ import annotations

from snntoolbox.ir.other_python.installation import Interpreter

LAVA = Interpreter(
    target="simulator 'lava'",
    library="Lava",
    modules=("lava",),
    usual="python3.10",
    how="Lava needs Python 3.10 beside ours: `python3.10 -m venv ~/lava && ~/lava/bin/pip install lava-nc` "
    "(or `uv venv -p 3.10 ~/lava && uv pip install -p ~/lava lava-nc`), then [lava] python = ~/lava/bin/python, "
    "in Python python='~/lava/bin/python'",
)
