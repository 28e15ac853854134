"""Puts runs with metrics into the database of an MLflow server, which would take hours through its API.

usage: fill.py DATABASE EXPERIMENT RUNS POINTS-PER-RUN < testdata/curves.json
The rows are those that MLflow 3.17 writes for the same calls.
"""

import json
import sqlite3
import sys


def main(database, experiment, runs, points):
    """Writes the runs of bench/tracking/load.go: five metrics, ten parameters and three tags each."""
    curves = json.load(sys.stdin)
    db = sqlite3.connect(database, timeout=60)
    for i in range(runs):
        run = f"{i:032x}"
        start = 1_700_000_000_000 + i
        curve = curves[i % len(curves)]
        ms = curve["ms"]
        db.execute(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,"
            " start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
            " VALUES (?, ?, 'UNKNOWN', '', '', 'bench', 'FINISHED', ?, ?, '', 'active', ?, ?)",
            (
                run,
                f"run-{i}",
                start,
                start + 1000,
                f"mlflow-artifacts:/{experiment}/{run}/artifacts",
                experiment,
            ),
        )
        db.executemany(
            "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
            [(f"p{k}", str((i * 7 + k) % 10), run) for k in range(10)],
        )
        db.executemany(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
            [
                ("mlflow.runName", f"run-{i}", run),
                ("team", f"t{i % 5}", run),
                ("kind", "bench", run),
            ],
        )
        for k in range(5):
            values = curve[f"m{k}"]
            rows = [
                (
                    f"m{k}",
                    values[s % len(values)],
                    start + s // len(ms) * ms[-1] + ms[s % len(ms)],
                    run,
                    s,
                    0,
                )
                for s in range(points // 5)
            ]
            db.executemany(
                "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            db.execute(
                "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)",
                (f"m{k}", rows[-1][1], rows[-1][2], rows[-1][4], run),
            )
        if i % 500 == 499:
            db.commit()
    db.commit()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
