"""What a search tells while it goes on."""

import pytest
from watching import Seen

from snntoolbox.ir.progress import watched
from snntoolbox.workflow.stories.tune import _bar


def test_the_seconds_spent_are_told_in_parts_and_never_more_than_may_be_spent():
    seen = Seen()
    with watched(seen), _bar(10.4) as spent:
        for seconds in (1.56, 9.36, 15.6):
            spent(seconds)
    assert [said[1] for said in seen.told[1:-1]] == pytest.approx([1.5, 7.5, 1.0])
