"""Rules that choose the scale of every rectifier."""
