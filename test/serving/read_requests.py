"""Reads logged requests with the libraries that people use, and prints what they say as JSON.

python read_requests.py EXPORT DIRECTORY: an exported Parquet file, and the directory of an endpoint's files.
"""

import json
import sys

import duckdb
import pyarrow.parquet as pq

export, directory = sys.argv[1:]
table = pq.read_table(export)
files = f"{directory}/**/*.parquet"
db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")
print(
    json.dumps(
        {
            "types": {f.name: str(f.type) for f in table.schema},
            "rows": table.to_pylist(),
            "files": db.execute(
                'SELECT version, role, count(*), count(DISTINCT request_id), sum("input_sepal length") '
                "FROM read_parquet(?, union_by_name = true) GROUP BY ALL ORDER BY ALL",
                [files],
            ).fetchall(),
        },
        default=str,
    )
)
