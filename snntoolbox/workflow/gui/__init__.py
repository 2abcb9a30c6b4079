"""A page in the browser of this machine: set, run and look at networks in one folder."""
