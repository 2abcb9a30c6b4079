"""The public names of snntoolbox, and where each lives."""

from .analysis.advice.diagnose import diagnose as diagnose
from .analysis.comparison.compare import compare as compare
from .analysis.comparison.comparison import Comparison as Comparison
from .analysis.conformance.checks import check_backend as check_backend
from .analysis.conformance.exporters import check_exporter as check_exporter
from .analysis.tuning.tune import tune as tune
from .backends.export import export as export
from .backends.fpga.deploy import deploy as deploy
from .backends.fpga.write import Deployment as Deployment
from .backends.simulate import simulate as simulate
from .conversion.converted import ConvertedNetwork as ConvertedNetwork
from .conversion.converted import load_network as load_network
from .conversion.load import load as load
from .conversion.recipe import Recipe as Recipe
from .conversion.schedules.quantized_reference import quantized_graph as quantized_graph
from .conversion.schedules.quantized_reference import quantized_reference as quantized_reference
from .conversion.stages import convert as convert
from .errors import SNNToolboxError as SNNToolboxError
from .ir.binary_digits import BinaryDigits as BinaryDigits
from .ir.encodings import ConstantCurrent as ConstantCurrent
from .ir.encodings import Poisson as Poisson
from .ir.encodings import SpikeTimes as SpikeTimes
from .ir.graph import Graph as Graph
from .ir.head import Head as Head
from .ir.io import load_graph as load_graph
from .ir.io import save as save
from .ir.latency import Latency as Latency
from .ir.network import SpikingNetwork as SpikingNetwork
from .ir.neurons import IF as IF
from .ir.neurons import Negative as Negative
from .ir.neurons import Reset as Reset
from .ir.result import Record as Record
from .ir.result import Result as Result
from .ir.summary import summary as summary
from .training.pytorch.named_by_others import QCFSActivation as QCFSActivation
from .workflow import demo as demo
from .workflow.main import main as main
from .workflow.stories.sweep import sweep as sweep

__version__: str
