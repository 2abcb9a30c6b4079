"""``python -m snntoolbox`` is the command ``snntoolbox``."""

from snntoolbox.workflow.cli import program

program()
