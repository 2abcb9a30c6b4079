"""Rewrites of graphs and networks, one file each; the exact ones in their default order are `EXACT`."""

from snntoolbox.conversion.exact.cancel_permutes import CancelPermutes
from snntoolbox.conversion.exact.drop_identities import DropIdentities
from snntoolbox.conversion.exact.fold_scales import FoldScales
from snntoolbox.conversion.exact.read_quantizers import ReadQuantizers
from snntoolbox.conversion.exact.rectify_before_pooling import RectifyBeforePooling

EXACT = (
    *(DropIdentities(), ReadQuantizers(), CancelPermutes(), DropIdentities()),
    *(FoldScales(), RectifyBeforePooling(), DropIdentities()),
)
"""Passes that keep `Graph.run` up to rounding: fewer and simpler nodes."""
