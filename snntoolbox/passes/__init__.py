"""Rewrites of graphs and networks, one file each; the exact ones in their default order are `EXACT`."""

from snntoolbox.passes.cancel_permutes import CancelPermutes
from snntoolbox.passes.drop_identities import DropIdentities
from snntoolbox.passes.fold_scales import FoldScales
from snntoolbox.passes.read_quantizers import ReadQuantizers
from snntoolbox.passes.rectify_before_pooling import RectifyBeforePooling

EXACT = (
    *(DropIdentities(), ReadQuantizers(), CancelPermutes(), DropIdentities()),
    *(FoldScales(), RectifyBeforePooling(), DropIdentities()),
)
"""Passes that keep `Graph.run` up to rounding: fewer and simpler nodes."""
