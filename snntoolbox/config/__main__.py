"""``python -m snntoolbox.config`` writes the configuration page of the documentation to standard output."""

import sys

from snntoolbox.config.document import markdown

sys.stdout.write(markdown())
