"""All is well only if something happened: a run of nothing proves nothing."""

from dataclasses import replace
from typing import Any

import pytest

from broker.simulation.evidence import Evidence
from broker.simulation.reconcile import Counts

COUNTS = Counts(accepted=1, due=1, outcomes={"released": 1}, views=1, dead=0)
WELL = Evidence(
    asked=(3,),
    played=(3,),
    receipts=1,
    items=(),
    counts=COUNTS,
    records={0: (1, [])},
    checks=(),
    faults={},
    unsettled=(),
    troubled=(),
)


def test_a_run_in_which_everything_came_out_is_well() -> None:
    """One scenario, one receipt, one view, one record."""
    assert WELL.ok


@pytest.mark.parametrize(
    "changes",
    [
        {"asked": (), "played": (), "receipts": 0},
        {"asked": (3, 4)},
        {"played": ()},
        {"receipts": 0},
        {"counts": replace(COUNTS, views=0)},
        {"counts": replace(COUNTS, dead=1)},
        {"counts": replace(COUNTS, faults=("released twice: e1",))},
        {"records": {0: (1, [0])}},
        {"faults": {"refused": 1}},
        {"unsettled": (3,)},
        {"troubled": (3,)},
    ],
    ids=",".join,
)
def test_one_thing_missing_or_wrong_and_it_is_not_well(changes: dict[str, Any]) -> None:
    """Nothing played, nothing received, nothing seen, something dead: none of it passes."""
    assert not replace(WELL, **changes).ok
