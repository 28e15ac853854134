"""Writes one table in several formats, and what DuckDB says of its columns and of two versions of it.

python oracle.py DIR ROWS
"""

import json
import os
import sys

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def table(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)

    def some(values, share=0.1):
        return pa.array(values, mask=rng.random(n) < share)

    names = np.array(["alpha", "beta", "gämma", "x" * 300, "", "with, comma", 'quo"te'])
    return pa.table(
        {
            "id": pa.array(np.arange(n)),
            "small": some(rng.integers(-5, 6, n)),
            "wide": some(rng.integers(-(2**62), 2**62, n)),
            "normal": some(rng.normal(1e6, 3, n)),
            "money": some(np.round(rng.lognormal(3, 1, n), 2)),
            "flag": some(rng.random(n) < 0.3),
            "at": some(rng.integers(0, 2**50, n)).cast(pa.timestamp("us")),
            "day": some(rng.integers(-9999, 29999, n).astype("int32")).cast(pa.date32()),
            "name": some(names[rng.integers(0, len(names), n)]),
            "user": some(np.char.add("u", rng.integers(0, n * 2, n).astype("U"))),
            "price": some(np.round(rng.normal(0, 1e4, n), 2)).cast(pa.decimal128(14, 2)),
            "none": pa.nulls(n, pa.int64()),
        }
    )


def figures(db: duckdb.DuckDBPyConnection, t: pa.Table) -> dict:
    out = {}
    for field in t.schema:
        c = f'"{field.name}"'
        kind = str(field.type)
        q = {
            "count": "count(*)",
            "nulls": f"count(*) - count({c})",
            "distinct": f"count(distinct {c})",
        }
        if kind in ("string", "large_string"):
            q |= {
                "shortest": f"min(length({c}))",
                "longest": f"max(length({c}))",
                "length": f"avg(length({c}))",
            }
        elif kind == "bool":
            q |= {"mean": f"avg({c}::int)"}
        elif kind.startswith(("timestamp", "date")):
            n = f"epoch_us({c})" if kind.startswith("time") else f"({c} - DATE '1970-01-01')"
            q |= {"low": f"min({n})", "high": f"max({n})"}
        else:
            d = f"{c}::double"
            q |= {
                "low": f"min({d})",
                "high": f"max({d})",
                "mean": f"avg({d})",
                "sd": f"stddev_samp({d})",
            }
            if kind != "int64" or field.name == "small":
                q |= {"skew": f"skewness({d})", "kurtosis": f"kurtosis({d})"}
            q |= {f"q{s}": f"quantile_cont({d}, {s})" for s in (0.01, 0.25, 0.5, 0.99)}
        q |= {
            "most": f"(select max(k) from (select count(*) k from t where {c} is not null group by {c}))"
        }
        row = db.execute(
            "select " + ", ".join(f"({v})::double" for v in q.values()) + " from t"
        ).fetchone()
        out[field.name] = dict(zip(q, row))
    return out


def main() -> None:
    folder, n = sys.argv[1], int(sys.argv[2])
    os.chdir(folder)
    t = table(n, 1)
    db = duckdb.connect()
    db.register("t", t)
    pq.write_table(t, "plain.parquet")
    pq.write_table(
        t,
        "groups.parquet",
        row_group_size=7001,
        data_page_size=4096,
        compression="zstd",
        data_page_version="2.0",
    )
    pq.write_table(t, "values.parquet", use_dictionary=False, compression="none")
    db.execute("copy t to 'duckdb.parquet' (format parquet)")
    db.execute("copy t to 'table.csv' (header, force_quote (name))")
    db.execute("copy t to 'table.jsonl' (format json)")
    os.mkdir("parts")
    for i, at in enumerate(range(0, n, n // 5 + 1)):
        pq.write_table(t.slice(at, n // 5 + 1), f"parts/{i}.parquet")
    with open("figures.json", "w") as f:
        json.dump(figures(db, t), f)
    # The next version of the table: rows that are gone, new and changed.
    db.execute(
        """create table later as
           select * replace (case when id % 7 = 0 then coalesce(money, 0) + 1 else money end as money,
                             case when id % 11 = 0 then 'new' else name end as name)
           from t where id % 13 <> 0
           union all select * replace (id + 1000000 as id) from t where id % 50 = 0"""
    )
    db.execute("copy (select * from later order by hash(id)) to 'later.parquet' (format parquet)")
    columns = [c for c in t.column_names if c != "id"]
    differs = " or ".join(f"t.{c} is distinct from later.{c}" for c in columns)
    row = db.execute(
        f"""select count(*) filter (t.id is not null and later.id is not null and not ({differs})),
                   count(*) filter (t.id is not null and later.id is not null and ({differs})),
                   count(*) filter (t.id is null), count(*) filter (later.id is null)
            from t full join later on t.id = later.id"""
    ).fetchone()
    with open("diff.json", "w") as f:
        json.dump(dict(zip(("same", "changed", "added", "removed"), row)), f)


main()
