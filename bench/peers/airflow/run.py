"""Airflow: the LocalExecutor, which forks a process for each task, so one mode, `isolated`. A run is
triggered through the REST API; that it has succeeded is read from the database, so that asking often costs
the API server nothing. The database is PostgreSQL, as its documentation wants it (SQLite where that is not
installed), started and migrated before the clock.

For speed, as
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/scheduler.html
("Fine-tuning your Scheduler performance") and the configuration reference say: the scheduler looks again
after 50 ms instead of 1 s when it had nothing to do, asks for many tasks at once, keeps no lock for a second
scheduler; tasks are forked (the default); as many at once as there are cores, since more only contend; no
examples, no triggerer (no DAG defers), DAG files are parsed once and then left alone while the clock runs.
"""

from __future__ import annotations

import json
import os
import secrets
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

import measure
import postgres
from measure import Peer, Work

RUN_WITHIN = 1200.0


class Airflow(Peer):
    """API server, scheduler with LocalExecutor, and DAG processor."""

    name: ClassVar[str] = "Airflow"
    package: ClassVar[str] = "apache-airflow"
    modes: ClassVar[tuple[str, ...]] = ("isolated",)
    inside: ClassVar[bool] = False

    def __init__(self, mode: str, folder: Path) -> None:
        super().__init__(mode, folder)
        self.servers: list[Any] = []
        self.database: postgres.Postgres | None = None
        self.connection: Any = None
        self.dags: list[str] = []
        self.port = measure.free_port()
        self.api = f"http://127.0.0.1:{self.port}"

    def prepare(self, works: list[Work]) -> None:
        unique = sorted({(w.shape, w.body, w.steps) for w in works if not w.cache})
        self.dags = [dag_id(*u) for u in unique]
        dags = self.folder / "dags"
        dags.mkdir()
        (dags / "work.py").write_text((Path(__file__).parent / "dags.py").read_text())
        cores = str(os.cpu_count() or 1)
        if postgres.programs():
            self.database = postgres.Postgres(self.folder)
            url = self.database.url("postgresql+psycopg2")
        else:
            url = f"sqlite:///{self.folder}/airflow.db"
        settings = {
            ("core", "executor"): "LocalExecutor",
            ("core", "load_examples"): "False",
            ("core", "dags_folder"): str(dags),
            ("core", "parallelism"): cores,
            ("core", "max_active_tasks_per_dag"): cores,
            ("core", "max_map_length"): "10000",
            ("core", "execution_api_server_url"): f"{self.api}/execution/",
            ("core", "simple_auth_manager_all_admins"): "True",
            ("database", "sql_alchemy_conn"): url,
            ("api", "port"): str(self.port),
            ("api", "host"): "127.0.0.1",
            ("api", "secret_key"): secrets.token_hex(32),
            ("api_auth", "jwt_secret"): secrets.token_hex(32),
            ("logging", "logging_level"): "WARNING",
            ("scheduler", "scheduler_idle_sleep_time"): "0.05",
            ("scheduler", "max_tis_per_query"): "512",
            ("scheduler", "use_row_level_locking"): "False",
            ("dag_processor", "min_file_process_interval"): "3600",
            ("dag_processor", "refresh_interval"): "3600",
            ("usage_data_collection", "enabled"): "False",
        }
        os.environ |= {
            f"AIRFLOW__{section}__{key}".upper(): value
            for (section, key), value in settings.items()
        }
        os.environ["AIRFLOW_HOME"] = str(self.folder / "home")
        os.environ["LEVADA_BENCH_DAGS"] = json.dumps(unique)
        migrate = measure.spawn(
            [measure.script("airflow"), "db", "migrate"], self.folder / "migrate.log"
        )
        if migrate.wait():
            raise RuntimeError("airflow db migrate failed")

    def start(self) -> None:
        for part in ("api-server", "scheduler", "dag-processor"):
            log = self.folder / f"{part}.log"
            self.servers.append(measure.spawn([measure.script("airflow"), part], log))
        measure.wait_until(self.ready, measure.READY_WITHIN * 2, "start Airflow", self.servers[0])

    def ready(self) -> bool:
        """Whether all three are healthy and every DAG can be triggered."""
        health = measure.answer(f"{self.api}/api/v2/monitor/health")
        if not health or any(
            health[part]["status"] != "healthy" for part in ("scheduler", "dag_processor")
        ):
            return False
        listed = measure.answer(f"{self.api}/api/v2/dags?limit=100") or {"dags": []}
        return set(self.dags) <= {d["dag_id"] for d in listed["dags"]}

    def stop(self) -> None:
        measure.end(self.servers)
        if self.database:
            self.database.stop()

    def ask(self, statement: str, *values: str) -> Any:
        """The first value of the first row."""
        if self.connection is None:
            from sqlalchemy import create_engine

            engine = create_engine(
                os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], isolation_level="AUTOCOMMIT"
            )
            self.connection = engine.connect()
        from sqlalchemy import text

        given = {f"p{n}": v for n, v in enumerate(values)}
        return self.connection.execute(text(statement), given).scalar()

    def run(self, work: Work) -> str:
        if work.cache:
            raise measure.NotOfferedError("no cache")
        dag = dag_id(work.shape, work.body, work.steps)
        request = urllib.request.Request(
            f"{self.api}/api/v2/dags/{dag}/dagRuns",
            data=json.dumps({"logical_date": None}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            run = str(json.load(response)["dag_run_id"])

        def ended() -> bool:
            state = self.ask(
                "SELECT state FROM dag_run WHERE dag_id = :p0 AND run_id = :p1", dag, run
            )
            if state == "failed":
                raise RuntimeError(f"run {run} of {dag} failed")
            return bool(state == "success")

        measure.wait_until(ended, RUN_WITHIN, f"run {dag}")
        return run

    def succeeded(self, handle: str) -> int:
        count = "SELECT count(*) FROM task_instance WHERE run_id = :p0 AND state = 'success'"
        return int(self.ask(count, handle))

    def processes(self) -> list[int]:
        return [p.pid for p in (*self.servers, self.database and self.database.process) if p]


def dag_id(shape: str, kind: str, steps: int) -> str:
    """How dags.py calls it."""
    return f"{kind}-{shape}-{steps}"


if __name__ == "__main__":
    measure.main(Airflow)
