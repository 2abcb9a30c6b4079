"""The node types of a graph, by family; ``NODE_TYPES`` maps each type's name to it (for saved files)."""

from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes.delaying import Delay
from snntoolbox.ir.nodes.elementwise import Elementwise
from snntoolbox.ir.nodes.moving import Concat, MovingNode, Pad, Permute, Reshape, Take
from snntoolbox.ir.nodes.multiplying import MatrixProduct, Multiply
from snntoolbox.ir.nodes.nonlinear import Floor, Input, MaxPool, ReLU, Softmax
from snntoolbox.ir.nodes.normalising import Normalise, RootMeanSquare
from snntoolbox.ir.nodes.summing import Add, AveragePool, Mean
from snntoolbox.ir.nodes.tabulated import Tabulated
from snntoolbox.ir.nodes.weighted import Conv, Dense, Scale, Sparse

NODE_TYPES: dict[str, type[Node]] = {
    t.__name__: t
    for t in (
        *(Input, ReLU, MaxPool, Softmax, Floor, Elementwise, Tabulated),
        *(Multiply, MatrixProduct, Normalise, RootMeanSquare),
        *(Dense, Conv, Scale, Sparse),
        *(Add, AveragePool, Mean),
        *(Reshape, Permute, Take, Pad, Concat, Delay),
    )
}

__all__ = [
    "NODE_TYPES",
    "Add",
    "AveragePool",
    "Concat",
    "Conv",
    "Delay",
    "Dense",
    "Elementwise",
    "Floor",
    "Input",
    "MatrixProduct",
    "MaxPool",
    "Mean",
    "MovingNode",
    "Multiply",
    "Normalise",
    "Pad",
    "Permute",
    "ReLU",
    "Reshape",
    "RootMeanSquare",
    "Scale",
    "Softmax",
    "Sparse",
    "Tabulated",
    "Take",
]
