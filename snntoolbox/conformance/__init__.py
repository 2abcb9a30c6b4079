"""What every backend must pass, ours and others: ``from snntoolbox.conformance import check_backend``."""

from snntoolbox.conformance.cases import Case, cases
from snntoolbox.conformance.checks import ConformanceError, check, check_backend

__all__ = ["Case", "ConformanceError", "cases", "check", "check_backend"]
