"""``python -m snntoolbox.workflow.config`` writes the configuration page of the documentation to standard output."""

import sys

from snntoolbox.workflow.config.template import markdown

sys.stdout.write(markdown())
