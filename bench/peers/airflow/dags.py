"""The work as Airflow DAGs. run.py says in the environment which (LEVADA_BENCH_DAGS, a list of [shape, body,
steps])."""

from __future__ import annotations

import json
import os

import body
from airflow.sdk import DAG, task


# A result that nobody reads need not be stored.
@task(do_xcom_push=False)
def step(kind: str) -> None:
    """One step."""
    body.do(kind)


@task(do_xcom_push=False)
def collect() -> None:
    """Waits for all."""


for shape, kind, steps in json.loads(os.environ.get("LEVADA_BENCH_DAGS", "[]")):
    with DAG(
        dag_id=f"{kind}-{shape}-{steps}",
        schedule=None,
        is_paused_upon_creation=False,
        max_active_tasks=os.cpu_count() or 1,
    ) as dag:
        if shape == "chain":
            last = None
            for _ in range(steps):
                this = step(kind)
                if last is not None:
                    last >> this
                last = this
        else:
            # Dynamic task mapping:
            # https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/dynamic-task-mapping.html
            step.expand(kind=[kind] * steps) >> collect()
    globals()[dag.dag_id] = dag
