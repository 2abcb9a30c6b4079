"""``python -m snntoolbox`` is the command ``snntoolbox``."""

import sys

from snntoolbox.workflow.cli import main

sys.exit(main())
