"""Puts runs with metrics into the database of an MLflow server, which would take hours through its API.

usage: fill.py DATABASE EXPERIMENT RUNS POINTS-PER-RUN < testdata/curves.json
DATABASE is a file of SQLite or a postgresql:// URL. The rows are those that MLflow 3.17 writes for the same calls.
"""

import json
import sqlite3
import subprocess
import sys

# The columns that are written, in the order that foreign keys want.
TABLES = {
    "runs": "run_uuid name source_type source_name entry_point_name user_id status start_time end_time"
    " source_version lifecycle_stage artifact_uri experiment_id",
    "params": "key value run_uuid",
    "tags": "key value run_uuid",
    "metrics": "key value timestamp run_uuid step is_nan",
    "latest_metrics": "key value timestamp step is_nan run_uuid",
}


def rows(i, curve, experiment, points):
    """The rows of run i of bench/tracking/load.go by table: five metrics, ten parameters and three tags."""
    run = f"{i:032x}"
    start = 1_700_000_000_000 + i
    ms = curve["ms"]
    files = f"mlflow-artifacts:/{experiment}/{run}/artifacts"
    out = {
        "runs": [
            (
                *(run, f"run-{i}", "UNKNOWN", "", "", "bench", "FINISHED", start, start + 1000),
                *("", "active", files, experiment),
            )
        ],
        "params": [(f"p{k}", str((i * 7 + k) % 10), run) for k in range(10)],
        "tags": [
            ("mlflow.runName", f"run-{i}", run),
            ("team", f"t{i % 5}", run),
            ("kind", "bench", run),
        ],
        "metrics": [],
        "latest_metrics": [],
    }
    for k in range(5):
        values = curve[f"m{k}"]
        for s in range(points // 5):
            at = start + s // len(ms) * ms[-1] + ms[s % len(ms)]
            out["metrics"].append((f"m{k}", values[s % len(values)], at, run, s, 0))
        key, value, at, _, step, _ = out["metrics"][-1]
        out["latest_metrics"].append((key, value, at, step, 0, run))
    return out


class Sqlite:
    """Writes to a file of SQLite."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, timeout=60)

    def write(self, table, batch):
        columns = TABLES[table].replace(" ", ", ")
        marks = ", ".join("?" * len(batch[0]))
        # Both are from the table above.
        self.db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", batch)  # noqa: S608

    def close(self):
        self.db.commit()


class Postgres:
    """Writes to PostgreSQL through psql, with COPY. No value here needs an escape."""

    def __init__(self, url):
        command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]
        self.psql = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        self.out = self.psql.stdin

    def write(self, table, batch):
        self.out.write(f"COPY {table} ({TABLES[table].replace(' ', ', ')}) FROM STDIN;\n")
        for row in batch:
            self.out.write("\t".join(map(str, row)) + "\n")
        self.out.write("\\.\n")

    def close(self):
        self.out.write("VACUUM ANALYZE;\n")
        self.out.close()
        if self.psql.wait() != 0:
            sys.exit("psql failed")


def main(database, experiment, runs, points):
    """Writes all runs, some at a time."""
    curves = json.load(sys.stdin)
    db = (Postgres if database.startswith("postgresql://") else Sqlite)(database)
    for first in range(0, runs, 100):
        made = [
            rows(i, curves[i % len(curves)], experiment, points)
            for i in range(first, min(first + 100, runs))
        ]
        for table in TABLES:
            db.write(table, [row for run in made for row in run[table]])
    db.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
