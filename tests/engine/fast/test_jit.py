"""Machine code is kept between runs, and for the very sources that it was made of."""

from pathlib import Path

import numpy as np
from needed import needed

from snntoolbox.engine.fast import jit


def doubled(values):
    for i in range(len(values)):
        values[i] = 2 * values[i]


def test_code_of_other_sources_is_not_taken(monkeypatch, tmp_path):
    needed("numba")
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    places = []
    for digest in ("old", "new", "old"):
        monkeypatch.setattr(jit, "sources", lambda digest=digest: digest)
        loop = jit.compiled.__wrapped__(doubled)
        values = np.array([1.0, 2.0])
        loop(values)
        assert values.tolist() == [2, 4]
        places.append(Path(loop.stats.cache_path).relative_to(tmp_path).parts)
        assert bool(loop.stats.cache_hits) == (len(places) == 3)
    assert places[0] == places[2] != places[1]
    assert ["old" in place for place in places] == [True, False, True]
    assert str(tmp_path) == numba.config.CACHE_DIR  # other code of the user stays where it was


def test_any_file_that_loops_are_made_of_counts(monkeypatch, tmp_path):
    for name in ("loops", "intrinsics"):
        (tmp_path / f"{name}.py").write_text(name)
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    found = [jit.sources.__wrapped__()]
    (tmp_path / "intrinsics.py").write_text("changed")
    found.append(jit.sources.__wrapped__())
    assert found[0] != found[1]
