"""One converted network on several simulators, spike by spike."""

from snntoolbox.comparison.outcome import Cause, Comparison, Divergence, Membrane, Side, Status
from snntoolbox.comparison.run import compare

__all__ = ["Cause", "Comparison", "Divergence", "Membrane", "Side", "Status", "compare"]
