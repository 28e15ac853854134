"""Tests of the monitor as a whole: what happens after which verdict.

Run them with ``levada test`` in this folder. The steps that decide are replaced by canned outputs, the
rest gets placeholders.
"""

import monitor
import pytest
from levada.testing import fails, placeholders, run

ARGUMENTS = {"month": "2013-04", "suite": "table: []"}


def after(retrain: str, better: bool):
    """Run the monitor with a verdict on the champion and one on its challenger."""
    return run(
        monitor.monitor,
        ARGUMENTS,
        replace={
            "judge": placeholders(retrain=retrain, reason="off by +5.0%"),
            "challenge": placeholders(better=better),
        },
        rest=placeholders(),
    )


def test_a_champion_that_is_right_is_kept() -> None:
    result = after("no", better=True)
    assert result.state() == "SUCCEEDED"
    assert result.state("train_model") == "SKIPPED"
    assert result.state("register") == "SKIPPED"


@pytest.mark.parametrize("better", [True, False])
def test_a_challenger_is_registered_and_promoted_only_when_it_is_better(better: bool) -> None:
    result = after("yes", better)
    assert result.state("register") == "SUCCEEDED"
    assert result.task("register").inputs["promote"] is better


def test_nothing_is_judged_by_data_that_fails_its_check() -> None:
    result = run(
        monitor.monitor,
        ARGUMENTS,
        replace={"check-data": fails("3 of 16 expectations fail")},
        rest=placeholders(),
    )
    assert result.state() == "FAILED"
    assert result.state("judge") == "SKIPPED"
    assert result.state("register") == "SKIPPED"
