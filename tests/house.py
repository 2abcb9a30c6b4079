"""The house in figures: entries of the package, floors, arrows that run up, circles.

``python tests/house.py`` prints them; ``tests/behaviour/test_house.py`` holds them.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import networkx as nx

ROOT = Path(str(find_spec("snntoolbox").origin)).parent

FLOORS = (
    {"errors"},
    {"ir", "plugins", "training"},
    {"engine", "frontends"},
    {"backends"},
    {"conversion"},
    {"analysis"},
    {"workflow"},
    {"__init__", "__main__", "bin", "utils"},
)
"""From the ground up: a room may import those before it, and none of its own line but itself."""

FACE = "snntoolbox.__init__"


def files() -> dict[str, Path]:
    """The name of each module, and its file; a stub counts for the module that it types."""
    found = {}
    for path in [*ROOT.rglob("*.py"), *ROOT.rglob("*.pyi")]:
        name = ".".join(("snntoolbox", *path.relative_to(ROOT).with_suffix("").parts))
        found[name if name == FACE else name.removesuffix(".__init__")] = path
    return found


def called(call: ast.Call) -> str:
    """The last name of what is called; empty where that is no name."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def imports(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, wherever in it: in functions and for types too."""
    package = ("snntoolbox", *path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(package[: -node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            if module.split(".")[0] == "snntoolbox":
                yield from (f"{module}.{a.name}" for a in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "snntoolbox")
        elif isinstance(node, ast.Call) and called(node) == "import_module":
            first = node.args[0]
            if isinstance(first, ast.Constant) and str(first.value).startswith("snntoolbox"):
                yield first.value


def graph() -> nx.DiGraph:
    """Modules, and an arrow from each to every one that it imports."""
    known = files()
    found = nx.DiGraph()
    found.add_nodes_from(known)
    for name, path in known.items():
        for wanted in imports(path):
            while wanted not in known and wanted != "snntoolbox":
                wanted = wanted.rpartition(".")[0]
            wanted = FACE if wanted == "snntoolbox" else wanted
            if wanted != name:
                found.add_edge(name, wanted)
    return found


def room(module: str) -> str:
    """The entry of the package that a module belongs to."""
    return module.split(".")[1]


def upwards(modules: nx.DiGraph) -> list[tuple[str, str]]:
    """The arrows that do not run to a lower floor."""
    floor = {name: i for i, names in enumerate(FLOORS) for name in names}
    return [(a, b) for a, b in modules.edges if room(a) != room(b) and not floor[room(b)] < floor[room(a)]]


def circles(modules: nx.DiGraph) -> list[list[str]]:
    """Modules that import one another in a loop."""
    return [sorted(c) for c in nx.strongly_connected_components(modules) if len(c) > 1]


def entries() -> list[str]:
    """Folders and Python files of the package."""
    return sorted(p.name for p in ROOT.iterdir() if p.suffix == ".py" or (p.is_dir() and p.name != "__pycache__"))


def floors(modules: nx.DiGraph) -> int:
    """Rooms in the longest chain of imports, those that run up left out."""
    wrong = set(upwards(modules))
    rooms = nx.DiGraph((room(a), room(b)) for a, b in modules.edges if room(a) != room(b) and (a, b) not in wrong)
    return nx.dag_longest_path_length(rooms) + 1


if __name__ == "__main__":
    whole = graph()
    print(f"entries {len(entries())}")
    print(f"floors {floors(whole)}")
    print(f"upward arrows {len(upwards(whole))}", *(f"  {a} -> {b}" for a, b in upwards(whole)), sep="\n")
    print(f"circles {len(circles(whole))}", *("  " + " ".join(c) for c in circles(whole)), sep="\n")
    sys.exit(len(entries()) > 14 or floors(whole) > 8 or bool(upwards(whole) or circles(whole)))
