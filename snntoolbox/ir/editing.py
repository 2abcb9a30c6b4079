"""Makes many edits to one graph: each costs what it touches, and the new graph is built once, at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TypeVar

from snntoolbox.ir.graph import Graph, first_free, followed, needed
from snntoolbox.ir.node import Node, Shape
from snntoolbox.ir.nodes import Input

N = TypeVar("N", bound=Node)


class Editing:
    """A graph between edits: nodes and shapes by name, and who reads whom. What nobody reads is dropped at once.

    `graph` gives the result, which is where names, shapes and biases are checked.
    """

    def __init__(self, graph: Graph) -> None:
        self._before = graph
        self._edited = False
        self.nodes: dict[str, Node] = {n.name: n for n in needed(graph.nodes, graph.outputs)}
        self.shapes: dict[str, Shape] = {name: graph.shapes[name] for name in self.nodes}
        self._outputs = list(graph.outputs)
        self._places: dict[str, list[int]] = {}
        for place, output in enumerate(self._outputs):
            self._places.setdefault(output, []).append(place)
        self._readers: dict[str, Counter[str]] = {name: Counter() for name in self.nodes}
        for node in self.nodes.values():
            for source in node.inputs:
                self._readers[source][node.name] += 1

    # -- asking -------------------------------------------------------------------------------------------------

    def is_output(self, name: str) -> bool:
        """Whether the node is an output of the graph."""
        return name in self._places

    def readers(self, name: str) -> Iterable[str]:
        """The nodes that read a node, each once."""
        return self._readers[name].keys()

    def only_reader(self, name: str) -> Node | None:
        """The node that alone reads a node, by one input; None where there are others or it is an output."""
        readers = self._readers[name]
        if len(readers) != 1 or self.is_output(name):
            return None
        ((reader, times),) = readers.items()
        return self.nodes[reader] if times == 1 else None

    def input_shapes(self, name: str) -> tuple[Shape, ...]:
        """The shapes that a node reads."""
        return tuple(self.shapes[i] for i in self.nodes[name].inputs)

    def fresh(self, stem: str, taken: Container[str] = ()) -> str:
        """A name beginning with `stem` that no node has."""
        return first_free(stem, self.nodes, taken)

    # -- editing ------------------------------------------------------------------------------------------------

    def edit(self, changed: Iterable[Node], redirect: Mapping[str, str] | None = None) -> None:
        """What `Graph.edited` does: nodes added or replaced by name, readers redirected, what nobody reads dropped.

        `changed` comes in topological order, and every node that is not in it keeps its shape.
        """
        self._edited = True
        new = {node.name: node for node in changed}
        for old in redirect or {}:
            self._redirect(old, followed(redirect or {}, old), new)
        unread = [source for node in new.values() for source in self._put(node)]
        self._drop([*unread, *(redirect or {}), *new])

    def graph(self) -> Graph:
        """The graph as it is now; the one given where nothing was edited."""
        if not self._edited:
            return self._before
        before = self._before
        return Graph(self.nodes.values(), self._outputs, name=before.name, heads=before.heads)

    def _redirect(self, old: str, target: str, new: Mapping[str, Node]) -> None:
        """Let the readers of `old` and the outputs read `target`; those in `new` read what they say."""
        for reader in [r for r in self._readers[old] if r not in new]:
            node = self.nodes[reader].with_inputs(*(target if i == old else i for i in self.nodes[reader].inputs))
            self.nodes[reader] = node
            times = self._readers[old].pop(reader)
            self._readers.setdefault(target, Counter())[reader] += times
        for place in self._places.pop(old, ()):
            self._outputs[place] = target
            self._places.setdefault(target, []).append(place)

    def _put(self, node: Node) -> Iterable[str]:
        """Add or replace a node; gives what its predecessor of the same name read."""
        before = self.nodes[node.name].inputs if node.name in self.nodes else ()
        for source in before:
            self._readers[source].pop(node.name, None)
        self.nodes[node.name] = node
        self._readers.setdefault(node.name, Counter())
        for source in node.inputs:
            self._readers[source][node.name] += 1
        self.shapes[node.name] = node.output_shape(*(self.shapes[i] for i in node.inputs))
        return before

    def _drop(self, names: list[str]) -> None:
        """Drop those of these nodes that nobody reads, and what only they read."""
        while names:
            name = names.pop()
            if name not in self.nodes or self._readers[name] or self.is_output(name):
                continue
            if isinstance(self.nodes[name], Input):
                continue
            node = self.nodes.pop(name)
            del self.shapes[name], self._readers[name]
            for source in node.inputs:
                self._readers[source].pop(name, None)
            names.extend(node.inputs)


def rewritten(
    graph: Graph,
    kind: type[N],
    written: Callable[[Editing, N], Iterable[Node]],
    where: Callable[[N], bool] = lambda node: True,
) -> Graph:
    """The graph with other nodes, in topological order, in the place of each of a kind: readers read the last of them.

    The same graph where there are none.
    """
    editing = Editing(graph)
    for name in [n.name for n in graph.nodes.values() if isinstance(n, kind) and where(n)]:
        node = editing.nodes[name]
        assert isinstance(node, kind)
        nodes = list(written(editing, node))
        editing.edit(nodes, redirect={name: nodes[-1].name})
    return editing.graph()
