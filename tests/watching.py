"""Somebody who watches how far work is, as tests do."""

from contextlib import contextmanager


class Seen:
    """A watcher that notes all that it is told."""

    def __init__(self):
        self.told = []

    @contextmanager
    def __call__(self, name, total):
        self.told.append(("begin", name, total))
        yield lambda steps: self.told.append((name, steps))
        self.told.append(("end", name))

    @property
    def names(self):
        """Work that was begun."""
        return [said[1] for said in self.told if said[0] == "begin"]

    def whole(self, name):
        """Whether all of some work was done, step by step, and it ended."""
        (total,) = {said[2] for said in self.told if said[:2] == ("begin", name)}
        done = sum(said[1] for said in self.told if said[0] == name)
        ended = self.told.count(("end", name))
        return ended == self.names.count(name) and abs(done - total * ended) < 1e-6
