"""Tests of the flights pipeline, with the real data: run ``pytest`` in this folder.

The components are called as plain Python functions through ``python_func``. The most important
question is whether a feature can know the future; several tests ask it in different ways.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pipeline
import pytest
import yaml
from kfp import compiler
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Markdown, Metrics, Model

LEAD = pd.Timedelta(minutes=120)
LATE = 15
HOUR = pd.Timedelta(hours=1)
MINUTE = pd.Timedelta(minutes=1)

# Known only at or after departure, or not certain before it (which aircraft really flies).
FORBIDDEN = {
    "dep_time",
    "dep_delay",
    "arr_time",
    "arr_delay",
    "air_time",
    "tailnum",
    "late",
    "sched_arr_time",
}


def parquet(folder: Path, name: str, table: pd.DataFrame) -> Dataset:
    path = folder / f"{name}.parquet"
    table.to_parquet(path, index=False)
    return Dataset(name=name, uri=str(path))


def make_features(folder: Path, flights: Dataset, weather: Dataset) -> tuple:
    """Run the component; return its table and the two lists of column names."""
    output = Dataset(name="features", uri=str(folder / "features.parquet"))
    categorical, numeric = pipeline.build_features.python_func(flights, weather, output)
    return pd.read_parquet(output.path), categorical, numeric


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    folder = tmp_path_factory.mktemp("raw")
    flights = Dataset(name="flights", uri=str(folder / "flights.parquet"))
    weather = Dataset(name="weather", uri=str(folder / "weather.parquet"))
    pipeline.ingest.python_func(flights, weather)
    return flights, weather


@pytest.fixture(scope="session")
def built(raw: tuple, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    return make_features(tmp_path_factory.mktemp("features"), *raw)


@pytest.fixture(scope="session")
def parts(built: tuple, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    folder = tmp_path_factory.mktemp("parts")
    features = parquet(folder, "features", built[0])
    names = ("train", "validation", "test")
    outputs = {name: Dataset(name=name, uri=str(folder / f"{name}.out")) for name in names}
    pipeline.split_by_time.python_func(features, *outputs.values())
    return outputs


def known_flights(raw: tuple) -> pd.DataFrame:
    """All scheduled flights, with their time worked out independently, from the local clock."""
    flights = pd.read_parquet(raw[0].path)
    local = pd.to_datetime(flights[["year", "month", "day", "hour", "minute"]])
    # No flight is scheduled in an hour that occurs twice or never.
    flights["at"] = local.dt.tz_localize("America/New_York").dt.tz_convert("UTC")
    return flights


# --- no feature knows the future -----------------------------------------------------------


def test_no_forbidden_feature(built: tuple) -> None:
    table, categorical, numeric = built
    features = set(categorical + numeric)
    assert not features & FORBIDDEN
    assert features <= set(table.columns)
    # The raw columns that tell the outcome do not even reach the table.
    assert set(table.columns) - features == {"scheduled_at", "cutoff", "flight", "late"}
    assert len(features) == len(categorical) + len(numeric)


def test_weather_is_the_last_observation_known_at_the_cutoff(raw: tuple, built: tuple) -> None:
    """Against brute force. A row is known one hour after its stamp: it sums up that hour."""
    weather = pd.read_parquet(raw[1].path)
    weather["known_at"] = pd.to_datetime(weather["time_hour"], utc=True) + HOUR
    sample = built[0].sample(300, random_state=1)
    # Also the days on which the clocks change, and the last day, which has no weather.
    for day in ("2013-03-10", "2013-11-03", "2013-12-31"):
        on_day = built[0]["scheduled_at"].dt.strftime("%Y-%m-%d") == day
        sample = pd.concat([sample, built[0][on_day].sample(20, random_state=1)])

    for flight in sample.itertuples():
        cutoff = flight.scheduled_at - LEAD
        assert cutoff == flight.cutoff
        usable = weather[(weather["origin"] == flight.origin) & (weather["known_at"] <= cutoff)]
        newest = usable.loc[usable["known_at"].idxmax()] if len(usable) else None
        if newest is None or cutoff - newest["known_at"] > 6 * HOUR:
            assert np.isnan(flight.weather_age_minutes)
            assert np.isnan(flight.weather_visib)
            continue
        age = (cutoff - newest["known_at"]) / MINUTE
        assert flight.weather_age_minutes == age >= 0
        for name in ("temp", "humid", "visib", "precip", "pressure"):
            np.testing.assert_equal(getattr(flight, f"weather_{name}"), newest[name])
        last_hours = usable[usable["known_at"] > newest["known_at"] - 6 * HOUR]
        assert flight.weather_precip_6h == pytest.approx(last_hours["precip"].sum(), abs=1e-9)
        assert flight.weather_visib_min_6h == last_hours["visib"].min()


def test_history_counts_only_known_outcomes(raw: tuple, built: tuple) -> None:
    flights = known_flights(raw)
    bad = ~(flights["dep_delay"] <= LATE)  # late or cancelled
    checks = [
        ("origin_late_3h", ["origin"], 3),
        ("carrier_origin_late_7d", ["carrier", "origin"], 7 * 24),
        ("dest_late_6h", ["dest"], 6),
        ("flight_late_28d", ["carrier", "flight", "origin"], 28 * 24),
    ]
    for flight in built[0].sample(100, random_state=2).itertuples():
        # A flight scheduled later than this may still leave in time after the cutoff.
        newest = flight.scheduled_at - LEAD - (LATE + 1) * MINUTE
        for feature, keys, hours in checks:
            window = (flights["at"] <= newest) & (flights["at"] > newest - hours * HOUR)
            for key in keys:
                window &= flights[key] == getattr(flight, key)
            expected = bad[window].mean() if window.any() else np.nan
            np.testing.assert_allclose(getattr(flight, feature), expected)


def test_changing_the_future_changes_no_feature(raw: tuple, built: tuple, tmp_path: Path) -> None:
    """Spoil all that is not known at some moment: earlier predictions must stay the same.

    This needs no knowledge of how the features are made, so it also guards those to come.
    """
    now = pd.Timestamp("2013-07-10 18:30", tz="UTC")  # in the middle of a bad afternoon
    random = np.random.default_rng(0)

    flights = known_flights(raw)
    future = (flights.pop("at") + LATE * MINUTE >= now).to_numpy()
    flights.loc[future, "dep_delay"] = random.integers(-20, 600, future.sum())
    # Of a flight that is known to be late, it is not known how late, or whether it ever leaves.
    late = ~future & (flights["dep_delay"] > LATE).to_numpy()
    flights.loc[late, "dep_delay"] = random.integers(LATE + 1, 600, late.sum())
    for column in ("dep_time", "arr_time", "arr_delay", "air_time"):
        flights[column] = random.permutation(flights[column].to_numpy())

    weather = pd.read_parquet(raw[1].path)
    unseen = (pd.to_datetime(weather["time_hour"], utc=True) + HOUR > now).to_numpy()
    for column in ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"):
        weather.loc[unseen, column] = random.uniform(0, 10, unseen.sum())

    spoiled, categorical, numeric = make_features(
        tmp_path, parquet(tmp_path, "flights", flights), parquet(tmp_path, "weather", weather)
    )
    columns = ["scheduled_at", "flight", *categorical, *numeric]
    keys = ["scheduled_at", "carrier", "flight", "origin"]

    def predicted_by_now(table: pd.DataFrame) -> pd.DataFrame:
        known = table[table["cutoff"] <= now]
        return known[columns].sort_values(keys, ignore_index=True)

    before, after = predicted_by_now(built[0]), predicted_by_now(spoiled)
    # Cancelled flights after `now` have got a delay and so a row; they were not there before.
    after = before[keys].merge(after, on=keys, how="left")[columns]
    assert len(before) > 100_000
    pd.testing.assert_frame_equal(before, after)
    # And the spoiling did something: later predictions do differ.
    later = built[0]["cutoff"] > now
    mean_before = built[0].loc[later, "weather_temp"].mean()
    assert spoiled.loc[spoiled["cutoff"] > now, "weather_temp"].mean() < mean_before / 2


def test_a_cancelled_flight_counts_like_one_that_is_not_off_in_time(
    raw: tuple, built: tuple, tmp_path: Path
) -> None:
    flights = pd.read_parquet(raw[0].path)
    flights["dep_delay"] = flights["dep_delay"].fillna(500)
    table, categorical, numeric = make_features(
        tmp_path, parquet(tmp_path, "flights", flights), raw[1]
    )
    assert len(table) == len(flights)  # now every flight has a label
    keys = ["scheduled_at", "carrier", "flight", "origin"]
    same = built[0][keys].merge(table, on=keys, how="left")
    for column in categorical + numeric:
        pd.testing.assert_series_equal(same[column], built[0][column])


# --- labels and split ----------------------------------------------------------------------


def test_labels(raw: tuple, built: tuple) -> None:
    flights = pd.read_parquet(raw[0].path)
    assert len(built[0]) == flights["dep_delay"].notna().sum() == 328_521
    assert built[0]["late"].sum() == (flights["dep_delay"] > 15).sum()


def test_split_is_by_time(built: tuple, parts: dict[str, Dataset]) -> None:
    train, validation, test = (pd.read_parquet(part.path) for part in parts.values())
    assert train["scheduled_at"].max() < validation["scheduled_at"].min()
    assert validation["scheduled_at"].max() < test["scheduled_at"].min()
    assert len(train) + len(validation) + len(test) == len(built[0])
    # All labels of one part are known when the first prediction of the next one is made.
    assert train["scheduled_at"].max() + (LATE + 1) * MINUTE <= validation["cutoff"].min()
    first_day = validation["scheduled_at"].min().tz_convert("America/New_York")
    assert first_day.strftime("%Y-%m-%d") == "2013-09-01"


# --- checks of the data --------------------------------------------------------------------


def test_good_data_passes_the_checks(raw: tuple, tmp_path: Path) -> None:
    for table, rules in zip(raw, (pipeline.FLIGHTS_RULES, pipeline.WEATHER_RULES), strict=True):
        report = Markdown(uri=str(tmp_path / f"{table.name}.md"))
        pipeline.check_table.python_func(table, table.name, rules, 20_000, report)
        assert ": 0 failed" in Path(report.path).read_text()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.drop(columns="distance"), "all expected columns exist"),
        (lambda t: t.head(100), "at least 20,000 rows"),
        (lambda t: pd.concat([t, t.head(3)]), "unique key"),
        (lambda t: t.assign(distance=-1), "distance: from 1 to 6000"),
        (lambda t: t.assign(origin="PHL"), "origin: one of EWR, JFK, LGA"),
        (lambda t: t.assign(dest=None), "dest: at most 0.0% empty"),
        (lambda t: t.assign(hour=(t["hour"] + 5) % 24), "same hour as month, day, hour"),
        (lambda t: t.assign(dep_time=1.0), "dep_time.isna"),
    ],
)
def test_bad_data_is_refused(raw: tuple, tmp_path: Path, spoil: object, message: str) -> None:
    table = parquet(tmp_path, "flights", spoil(pd.read_parquet(raw[0].path).head(30_000)))
    report = Markdown(uri=str(tmp_path / "report.md"))
    with pytest.raises(ValueError, match="flights failed") as caught:
        pipeline.check_table.python_func(table, "flights", pipeline.FLIGHTS_RULES, 20_000, report)
    assert message in str(caught.value)
    # The report is written although the step fails.
    assert "| error |" in Path(report.path).read_text()


# --- training, evaluation, packaging -------------------------------------------------------


@pytest.fixture(scope="session")
def evaluated(built: tuple, parts: dict, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A small model, trained and scored for real."""
    folder = tmp_path_factory.mktemp("model")
    _, categorical, numeric = built
    names = {"categorical": categorical, "numeric": numeric}
    train = parquet(folder, "train", pd.read_parquet(parts["train"].path).tail(40_000))
    model = Model(uri=str(folder / "model"))
    baseline = Model(uri=str(folder / "baseline"))
    _, threshold = pipeline.train_model.python_func(
        train, parts["validation"], **names, model=model, max_iter=20
    )
    pipeline.fit_baseline.python_func(train, baseline)
    metrics = Metrics(uri=str(folder / "metrics"))
    curves = ClassificationMetrics(uri=str(folder / "curves"))
    report = HTML(uri=str(folder / "report.html"))
    arguments = [model, baseline, parts["test"], categorical, numeric, threshold]
    answer = pipeline.evaluate.python_func(*arguments, metrics, curves, report)
    refused = pipeline.evaluate.python_func(
        *arguments, Metrics(), ClassificationMetrics(), report, min_auc_gain=0.5
    )
    return {
        "names": names,
        "train": train,
        "model": model,
        "baseline": baseline,
        "threshold": threshold,
        "metrics": metrics,
        "curves": curves,
        "report": report,
        "answer": answer,
        "refused": refused,
    }


def test_metrics_are_finite_json(evaluated: dict) -> None:
    # `allow_nan=False` refuses NaN and infinity.
    json.dumps([evaluated["metrics"].metadata, evaluated["curves"].metadata], allow_nan=False)
    metrics = evaluated["metrics"].metadata
    assert 0.5 < metrics["roc_auc"] < 1
    assert metrics["baseline_constant_roc_auc"] == 0.5
    assert metrics["auc_gain_low"] < metrics["auc_gain"] < metrics["auc_gain_high"]
    roc = evaluated["curves"].metadata["confidenceMetrics"]
    assert 50 < len(roc) <= 100
    assert (roc[0]["recall"], roc[-1]["recall"]) == (0, 1)
    matrix = evaluated["curves"].metadata["confusionMatrix"]["rows"]
    assert sum(sum(row["row"]) for row in matrix) == metrics["test_flights"]


def test_gate_needs_the_gain(evaluated: dict) -> None:
    assert evaluated["refused"][0] == "no"
    metrics = evaluated["metrics"].metadata
    needed = metrics["auc_gain"] >= 0.02 and metrics["log_loss_gain"] > 0
    assert evaluated["answer"] == ("yes" if needed else "no", metrics["auc_gain"])


def test_package_predicts(evaluated: dict, parts: dict, tmp_path: Path) -> None:
    """The step itself compares predict.py with the model and fails if they differ."""
    package = Model(uri=str(tmp_path / "package"))
    pipeline.package_model.python_func(
        evaluated["model"],
        evaluated["metrics"],
        evaluated["train"],
        parts["test"],
        **evaluated["names"],
        threshold=evaluated["threshold"],
        late_after_minutes=15,
        lead_minutes=120,
        package=package,
    )
    folder = Path(package.path)
    card = json.loads((folder / "model_card.json").read_text())
    names = evaluated["names"]
    assert [c["name"] for c in card["inputs"]] == names["categorical"] + names["numeric"]
    assert card["test_metrics"]["roc_auc"] == evaluated["metrics"].metadata["roc_auc"]
    for name in ("model.joblib", "README.md", "predict.py", "example.json", "requirements.txt"):
        assert (folder / name).stat().st_size > 0


# --- the pipeline itself -------------------------------------------------------------------


def test_compiles_with_the_expected_tasks(tmp_path: Path) -> None:
    path = tmp_path / "flights.yaml"
    compiler.Compiler().compile(pipeline.flights_late_departure, str(path))
    spec = next(yaml.safe_load_all(path.read_text()))
    tasks = spec["root"]["dag"]["tasks"]
    assert set(tasks) == {
        "ingest",
        "check-table",
        "check-table-2",
        "build-features",
        "split-by-time",
        "train-model",
        "fit-baseline",
        "evaluate",
        "condition-1",
    }
    assert {"check-table", "check-table-2"} <= set(tasks["build-features"]["dependentTasks"])
    # The test part goes to nobody who learns or chooses.
    for name in ("train-model", "fit-baseline"):
        assert "split-by-time-test" not in json.dumps(tasks[name])
        assert '"outputArtifactKey": "test"' not in json.dumps(tasks[name])
    assert "beats_baseline" in tasks["condition-1"]["triggerPolicy"]["condition"]
    inner = spec["components"]["comp-condition-1"]["dag"]["tasks"]
    assert list(inner) == ["package-model"]


def test_one_pinned_package_list() -> None:
    pinned = (Path(pipeline.__file__).parent / "requirements.txt").read_text().splitlines()
    for package in pipeline.PACKAGES:
        assert package in pinned
