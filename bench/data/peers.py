"""Does the work of one task with another program: python peers.py TASK TOOL THREADS FILE [REFERENCE].

Prints how many columns or expectations it looked at, or how many of them failed or drifted.
"""

import json
import os
import sys

task, tool, threads, path, *rest = sys.argv[1:]
reference = rest[0] if rest else ""
os.environ["POLARS_MAX_THREADS"] = threads
FLIGHTS = "/flights-" in path
HERE = os.path.dirname(os.path.abspath(__file__))
SUITE = os.path.join(HERE, "flights.json" if FLIGHTS else "suite.json")


def is_csv(name: str) -> bool:
    return name.endswith(".csv")


def frame(name: str, columns: list[str] | None = None):
    import pandas as pd

    if is_csv(name):
        dates = ["time_hour"] if FLIGHTS else ["at", "day"]
        return pd.read_csv(name, usecols=columns, parse_dates=dates)
    return pd.read_parquet(name, columns=columns)


def profile_duckdb() -> int:
    return len(database().execute(f"summarize select * from '{path}'").fetchall())  # noqa: S608


def database():
    import duckdb

    db = duckdb.connect()
    db.execute(f"set threads = {threads}")
    return db


def lazy():
    import polars as pl

    return pl.scan_csv(path, try_parse_dates=True) if is_csv(path) else pl.scan_parquet(path)


def profile_polars() -> int:
    return lazy().describe().width - 1


def profile_whylogs() -> int:
    """Feeds it a million rows at a time, because a whole table would not fit into the memory."""
    import pandas as pd
    import pyarrow.parquet as pq
    from whylogs.core import DatasetProfile

    if is_csv(path):
        frames = pd.read_csv(path, chunksize=1_000_000)
    else:
        frames = (b.to_pandas() for b in pq.ParquetFile(path).iter_batches(1_000_000))
    profile = DatasetProfile()
    for part in frames:
        profile.track(part)
    return len(profile.view().to_pandas())


def tfdv_statistics():
    import tensorflow_data_validation as tfdv

    table = frame(path)
    if not FLIGHTS:
        table["day"] = table["day"].astype("str")  # it has no type for days
    return tfdv, tfdv.generate_statistics_from_dataframe(table, n_jobs=int(threads))


def profile_tfdv() -> int:
    _, statistics = tfdv_statistics()
    return len(statistics.datasets[0].features)


def check_tfdv() -> int:
    """Its schema has a rule or two for each column; it has no suite of expectations."""
    tfdv, statistics = tfdv_statistics()
    return len(tfdv.validate_statistics(statistics, tfdv.infer_schema(statistics)).anomaly_info)


def check_gx() -> int:
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    with open(SUITE) as f:
        suite = json.load(f)
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("files").add_dataframe_asset("table")
    whole = asset.add_batch_definition_whole_dataframe("whole")
    batch = whole.get_batch({"dataframe": frame(path)})
    expectations = [ExpectationConfiguration(**e).to_domain_obj() for e in suite["expectations"]]
    result = batch.validate(gx.ExpectationSuite(name="table", expectations=expectations))
    if result.statistics["evaluated_expectations"] != len(expectations):
        raise SystemExit(f"not all were evaluated: {result.statistics}")
    failed = [r.expectation_config.type for r in result.results if not r.success]
    if failed:
        raise SystemExit(f"these failed: {failed}")
    return 0


CARRIERS = [
    "9E",
    "AA",
    "AS",
    "B6",
    "DL",
    "EV",
    "F9",
    "FL",
    "HA",
    "MQ",
    "OO",
    "UA",
    "US",
    "VX",
    "WN",
    "YV",
]


def check_flights_duckdb() -> int:
    carriers = ", ".join(f"'{c}'" for c in CARRIERS)
    row = (
        database()
        .execute(f"""select count(*) between 1 and 100000, count(*) = count("year"),
        min("month") >= 1 and max("month") <= 12, min("day") >= 1 and max("day") <= 31,
        count(dep_time) >= 0.9 * count(*), min(dep_delay) >= -60 and max(dep_delay) <= 2000,
        avg(dep_delay) between 0 and 30, count(arr_delay) >= 0.9 * count(*),
        count(*) filter (carrier not in ({carriers})) = 0, count(*) = count(time_hour),
        min(flight) >= 1 and max(flight) <= 9999,
        count(*) filter (regexp_matches(tailnum, '^N[0-9A-Z]+$')) >= 0.9 * count(tailnum),
        count(*) filter (origin not in ('EWR', 'JFK', 'LGA')) = 0,
        count(*) filter (length(dest) <> 3) = 0, min(air_time) >= 10 and max(air_time) <= 700,
        min(distance) >= 10 and max(distance) <= 5000, median(distance) between 500 and 1200,
        count(distinct dest) between 50 and 120, max("hour") between 0 and 24
        from '{path}'""")  # noqa: S608
        .fetchone()
    )
    return len(row) - sum(row)


def check_flights_polars() -> int:
    import polars as pl

    c = pl.col
    questions = [
        pl.len().is_between(1, 100_000),
        c("year").null_count() == 0,
        c("month").is_between(1, 12).all(),
        c("day").is_between(1, 31).all(),
        c("dep_time").count() >= 0.9 * pl.len(),
        c("dep_delay").is_between(-60, 2000).all(),
        c("dep_delay").mean().is_between(0, 30),
        c("arr_delay").count() >= 0.9 * pl.len(),
        c("carrier").is_in(CARRIERS).all(),
        c("time_hour").null_count() == 0,
        c("flight").is_between(1, 9999).all(),
        c("tailnum").str.contains(r"^N[0-9A-Z]+$").sum() >= 0.9 * c("tailnum").count(),
        c("origin").is_in(["EWR", "JFK", "LGA"]).all(),
        (c("dest").str.len_chars() == 3).all(),
        c("air_time").is_between(10, 700).all(),
        c("distance").is_between(10, 5000).all(),
        c("distance").median().is_between(500, 1200),
        c("dest").n_unique().is_between(50, 120),
        c("hour").max().is_between(0, 24),
    ]
    named = [q.alias(str(i)) for i, q in enumerate(questions)]
    row = lazy().select(named).collect(engine="streaming").row(0)
    return len(row) - sum(row)


def check_duckdb() -> int:
    """One statement with the same twenty questions."""
    if FLIGHTS:
        return check_flights_duckdb()
    words = "'alpha', 'beta', 'gamma', 'delta', 'epsilon'"
    row = (
        database()
        .execute(f"""select count(*) > 0, count(*) = count(id), count(*) = count(distinct id),
        min(small) >= 0 and max(small) <= 99, min(zipf) >= 1 and max(zipf) <= 1000000000,
        count(nulls) >= 0.9 * count(*), avg(nulls) between 9 and 11,
        min(money) >= 0 and max(money) <= 1000000, median(money) between 15 and 25,
        min(share) >= 0 and max(share) <= 1, stddev_samp(single) between 0.9 and 1.1,
        count(*) filter (flag is not null and flag not in (true, false)) = 0,
        count(*) = count("at"), count(*) filter (kind not in ({words})) = 0,
        count(*) filter (not regexp_matches(city, '^city [0-9]+$')) = 0,
        count(distinct city) <= 1000, count(*) filter (length("user") not between 5 and 12) = 0,
        count(*) filter (regexp_matches(code, '^K[0-9]+$')) >= 0.9 * count(code),
        max(feature_0) between 0 and 20 from '{path}'""")  # noqa: S608
        .fetchone()
    )
    return len(row) - sum(row)


def check_polars() -> int:
    import polars as pl

    if FLIGHTS:
        return check_flights_polars()
    c = pl.col
    words = ["alpha", "beta", "gamma", "delta", "epsilon"]
    questions = [
        pl.len() > 0,
        c("id").null_count() == 0,
        c("id").n_unique() == pl.len(),
        c("small").is_between(0, 99).all(),
        c("zipf").is_between(1, 10**9).all(),
        c("nulls").count() >= 0.9 * pl.len(),
        c("nulls").mean().is_between(9, 11),
        c("money").is_between(0, 1e6).all(),
        c("money").median().is_between(15, 25),
        c("share").is_between(0, 1).all(),
        c("single").std().is_between(0.9, 1.1),
        c("flag").is_in([True, False]).all(),
        c("at").null_count() == 0,
        c("kind").is_in(words).all(),
        c("city").str.contains(r"^city \d+$").all(),
        c("city").n_unique() <= 1000,
        c("user").str.len_chars().is_between(5, 12).all(),
        c("code").str.contains(r"^K\d+$").sum() >= 0.9 * c("code").count(),
        c("feature_0").max().is_between(0, 20),
    ]
    named = [q.alias(str(i)) for i, q in enumerate(questions)]
    row = lazy().select(named).collect(engine="streaming").row(0)
    return len(row) - sum(row)


def drift_evidently() -> int:
    import pyarrow.parquet as pq
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    fields = pq.ParquetFile(path).schema_arrow
    chosen = os.environ["COLUMNS_COMPARED"].split(",")
    texts = [n for n in chosen if str(fields.field(n).type) in ("string", "large_string", "bool")]
    numbers = [n for n in chosen if n not in texts]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    now, before = (
        Dataset.from_pandas(frame(name, chosen), definition) for name in (path, reference)
    )
    result = Report([DataDriftPreset()]).run(now, before).dict()
    return len(result["metrics"])


print(globals()[f"{task}_{tool}"]())
