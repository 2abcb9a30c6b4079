"""A converted network as a hardware project: sources, memories, scripts, and a report of what was measured."""
