"""Tests of the pipeline as a whole: which steps run when, and what they are handed.

Run them with ``levada test`` in this folder. Steps that matter for a question are replaced by
canned outputs; the rest gets placeholders. So no flight is read, and each test takes
milliseconds. Two run a step for real, on a table of six flights.
"""

from pathlib import Path

import pandas as pd
import pipeline
import pytest
from levada.testing import InvalidTest, fails, outputs, placeholders, run

EVERY_STEP = {
    "ingest",
    "check-table",
    "check-table-2",
    "build-features",
    "split-by-time",
    "train-model",
    "fit-baseline",
    "evaluate",
    "package-model",
}


def scored(answer: str, gain: float) -> placeholders:
    """What ``evaluate`` says of a model, with the metrics that go into the package."""
    return placeholders(beats_baseline=answer, auc_gain=gain, metrics={"roc_auc": 0.71 + gain})


@pytest.mark.parametrize(("answer", "package"), [("yes", "SUCCEEDED"), ("no", "SKIPPED")])
def test_only_a_model_that_beats_the_baseline_is_packaged(answer: str, package: str) -> None:
    result = run(
        pipeline.flights_late_departure,
        replace={"evaluate": scored(answer, 0.03)},
        rest=placeholders(),
    )
    assert result.state() == "SUCCEEDED"
    assert result.state("package_model") == package
    # Nothing else depends on the answer.
    others = {path: state for path, state in result.plan.items() if "package" not in path}
    assert set(others.values()) == {"SUCCEEDED"}
    assert {path.rsplit("/", 1)[-1] for path in result.plan} == EVERY_STEP


@pytest.mark.parametrize("check", ["check-table", "check-table-2"])
def test_nothing_is_learned_from_tables_that_fail_their_check(check: str) -> None:
    result = run(
        pipeline.flights_late_departure,
        replace={check: fails("12 rows break the rules")},
        rest=placeholders(),
    )
    assert result.state() == "FAILED"
    assert "12 rows break the rules" in result.failure
    assert result.state("build_features") == "SKIPPED"
    assert result.state("train_model") == "SKIPPED"
    assert result.state("package_model") == "SKIPPED"


def test_the_package_gets_the_threshold_and_the_features_of_its_model() -> None:
    result = run(
        pipeline.flights_late_departure,
        {"lead_minutes": 60},
        replace={
            "build_features": placeholders(categorical=["carrier"], numeric=["hour", "distance"]),
            "train_model": placeholders(model=b"a model", iterations=7, threshold=0.25),
            "evaluate": scored("yes", 0.03),
        },
        rest=placeholders(),
    )
    got = result.task("package_model").inputs
    assert got["threshold"] == 0.25
    assert (got["categorical"], got["numeric"]) == (["carrier"], ["hour", "distance"])
    assert got["lead_minutes"] == 60
    assert got["model"].read_bytes() == b"a model"
    assert got["metrics"].metadata["roc_auc"] == pytest.approx(0.74)


def six_flights(folder: Path, *times: str) -> Path:
    """A table of features with flights at these times in New York, every other one late."""
    scheduled = pd.to_datetime(list(times)).tz_localize("America/New_York")
    table = pd.DataFrame(
        {
            "scheduled_at": scheduled,
            "cutoff": scheduled - pd.Timedelta(minutes=120),
            "late": [True, False] * 3,
        }
    )
    table.to_parquet(folder / "features.parquet", index=False)
    return folder / "features.parquet"


def test_the_split_cuts_at_midnight_in_new_york(tmp_path: Path) -> None:
    """One step, for real, in the environment that it asks for."""
    features = six_flights(
        tmp_path,
        "2013-08-30 12:00",
        "2013-08-31 21:00",
        "2013-09-01 00:00",
        "2013-10-31 21:00",
        "2013-11-01 00:00",
        "2013-12-31 21:00",
    )
    result = run(pipeline.split_by_time, {"features": features})
    assert result.state() == "SUCCEEDED"
    table = pd.read_parquet(features)
    for part, first in [("train", 0), ("validation", 2), ("test", 4)]:
        assert result.output(part).metadata["rows"] == 2
        got = pd.read_parquet(result.output(part).path)
        pd.testing.assert_frame_equal(got, table.iloc[first : first + 2].reset_index(drop=True))


def test_a_label_that_is_known_too_late_stops_the_split(tmp_path: Path) -> None:
    features = six_flights(
        tmp_path,
        "2013-08-30 12:00",
        "2013-08-31 23:59",  # whether it was late is known after the first prediction of September
        "2013-09-01 00:00",
        "2013-10-31 21:00",
        "2013-11-01 00:00",
        "2013-12-31 21:00",
    )
    result = run(pipeline.split_by_time, {"features": features})
    assert result.state() == "FAILED"
    assert "labels are known at 2013-09-01 00:15:00-04:00" in result.failure


def test_outputs_that_a_step_does_not_have_are_refused() -> None:
    """A test that no longer fits the pipeline fails before anything runs."""
    with pytest.raises(InvalidTest, match='there is no output "roc_auc"; it has: auc_gain'):
        run(
            pipeline.flights_late_departure,
            replace={"evaluate": outputs(roc_auc=0.8)},
            rest=placeholders(),
        )
