"""Fills an MLflow backend with one of everything that `levada import mlflow` brings: import_source.py [RUNS POINTS].

MLFLOW_TRACKING_URI names the backend. With numbers there are also that many runs with that many points in all.
"""

import math
import os
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from sklearn.linear_model import LinearRegression

MLFLOW3 = int(mlflow.__version__.split(".")[0]) >= 3
X = pd.DataFrame({"x": np.arange(10.0)})


def log_model(slope, **more):
    model = LinearRegression().fit(X, X.x * slope)
    more["pip_requirements"] = ["scikit-learn"]  # what is installed need not be found out
    if MLFLOW3:
        return mlflow.sklearn.log_model(model, name="model", **more)
    return mlflow.sklearn.log_model(model, artifact_path="model", **more)


def strange_metrics(client, run_id):
    """Points out of order, at equal times and steps, and with values that JSON has no number for."""
    points = [Metric("loss", 1 / (i + 1), 1_600_000_000_000 + 7 * i, i) for i in range(0, 1500, 1)]
    client.log_batch(run_id, metrics=points[900:])
    client.log_batch(run_id, metrics=points[:900])
    same = 1_600_000_000_000
    client.log_batch(
        run_id,
        metrics=[
            Metric("equal", 3.0, same, 5),
            Metric("equal", 1.0, same, 5),
            Metric("equal", 2.0, same, 4),
            Metric("odd/na me", math.nan, same, 0),
            Metric("odd/na me", math.inf, same + 1, 1),
            Metric("odd/na me", -math.inf, same + 2, 2),
            Metric("odd/na me", -0.1, same + 3, -3),
            Metric("odd/na me", 1e-300, same + 4, 2**40),
        ],
    )


def runs_of_every_kind(client, folder):
    """Runs in every state, nested, deleted, with inputs and files."""
    with mlflow.start_run(run_name="parent", description="about\nthe parent") as parent:
        mlflow.log_params({"lr": 0.1, "group/opt": "adam", "empty": "", "text": "größer ≥ 3\nnext"})
        mlflow.set_tags({"team": "a/b", "long": "x" * 4000})
        strange_metrics(client, parent.info.run_id)
        mlflow.log_input(
            mlflow.data.from_pandas(X, name="numbers", source="https://example.com/x.csv"),
            "training",
        )
        mlflow.log_input(mlflow.data.from_pandas(X + 1, name="numbers"), "test")
        (folder / "sub" / "deep").mkdir(parents=True)
        (folder / "sub" / "deep" / "bytes.bin").write_bytes(bytes(range(256)) * 5000)
        (folder / "sub" / "empty").write_bytes(b"")
        (folder / "with space, é.txt").write_text("text")
        (folder / "<b>.html").write_text("<b>bold</b>")
        mlflow.log_artifacts(folder, "files")
        mlflow.log_text("top", "top.txt")
        with mlflow.start_run(nested=True, run_name="child"):
            mlflow.log_metric("inner", 1)
    for status in ("FAILED", "KILLED", "SCHEDULED", "RUNNING"):
        run = client.create_run(parent.info.experiment_id, run_name=status.lower())
        if status != "RUNNING":
            client.set_terminated(run.info.run_id, status)
    run = client.create_run(
        parent.info.experiment_id, start_time=1_500_000_000_000, run_name="gone"
    )
    client.log_batch(
        run.info.run_id,
        metrics=[Metric("m", 1.5, 1_500_000_000_001, 0)],
        params=[Param("p", "1")],
        tags=[RunTag("t", "v")],
    )
    client.log_text(run.info.run_id, "still here", "note.txt")
    client.delete_run(run.info.run_id)


def registry(client):
    """Registered models with versions, stages, aliases, gaps, copies, and one without versions."""
    with mlflow.start_run(run_name="first model"):
        log_model(2, registered_model_name="price")
    with mlflow.start_run(run_name="second model"):
        mlflow.log_metric("rmse", 0.5)
        log_model(3, registered_model_name="price")
    with mlflow.start_run(run_name="third model"):
        log_model(4, registered_model_name="price")
    client.delete_model_version("price", "3")
    with mlflow.start_run(run_name="fourth model") as run:
        log_model(5)
    client.create_model_version("price", f"{run.info.artifact_uri}/model", run.info.run_id) if not (
        MLFLOW3
    ) else mlflow.register_model(f"runs:/{run.info.run_id}/model", "price")
    client.update_registered_model("price", "what a house costs")
    client.set_registered_model_tag("price", "owner", "ada")
    newest = max(int(v.version) for v in client.search_model_versions("name = 'price'"))
    client.update_model_version("price", "1", "the first")
    client.set_model_version_tag("price", "1", "checked", "yes")
    client.transition_model_version_stage("price", "1", "Archived")
    client.transition_model_version_stage("price", "2", "Production")
    client.set_registered_model_alias("price", "champion", "2")
    client.set_registered_model_alias("price", "challenger", str(newest))
    client.set_registered_model_alias("price", "latest-good", str(newest))
    client.copy_model_version("models:/price/2", "price-copy")
    client.create_registered_model("empty", tags={"state": "planned"}, description="not yet")
    register = mlflow.genai.register_prompt if MLFLOW3 else mlflow.register_prompt
    register(name="greet", template="Say hello to {{name}}", commit_message="one", tags={"k": "v"})
    register(name="greet", template="Greet {{name}}", commit_message="two")
    (mlflow.genai if MLFLOW3 else client).set_prompt_alias("greet", alias="live", version=1)


def logged_models(client):
    """What only MLflow 3 has."""
    with mlflow.start_run(run_name="logged") as run:
        info = log_model(7, params={"depth": "3"}, tags={"kind": "linear"})
        dataset = mlflow.data.from_pandas(X, name="eval")
        mlflow.log_input(dataset, "eval")
        client.log_inputs(run.info.run_id, models=[mlflow.entities.LoggedModelInput(info.model_id)])
        mlflow.log_metric("acc", 0.9, step=1, model_id=info.model_id, dataset=dataset)
        mlflow.log_metric("acc", 0.95, step=2, model_id=info.model_id, dataset=dataset)
        mlflow.log_metric("f1", 0.8, model_id=info.model_id)
    external = mlflow.create_external_model("external", params={"p": "1"}, model_type="agent")
    with mlflow.start_run(run_name="uses", experiment_id=run.info.experiment_id) as user:
        client.log_inputs(
            user.info.run_id, models=[mlflow.entities.LoggedModelInput(external.model_id)]
        )
    failed = mlflow.initialize_logged_model("failed", tags={"why": "disk"})
    mlflow.finalize_logged_model(failed.model_id, "FAILED")

    @mlflow.trace
    def answer(question):
        return question

    answer("not brought")


def many(client, runs, points):
    """Many runs, for measuring."""
    experiment = client.create_experiment("many")
    per_run = points // runs
    for i in range(runs):
        run = client.create_run(experiment, run_name=f"run {i}")
        metrics = [
            Metric(f"m{j % 4}", math.sin(i + j / 50), 1_700_000_000_000 + j, j // 4)
            for j in range(per_run)
        ]
        params = [Param(f"p{j}", str(i * j)) for j in range(10)]
        for start in range(0, len(metrics), 900):
            client.log_batch(
                run.info.run_id,
                metrics=metrics[start : start + 900],
                params=params if start == 0 else [],
            )
        if i % 20 == 0:
            client.log_text(run.info.run_id, f"file {i}", "notes/file.txt")
        client.set_terminated(run.info.run_id)


def main():
    client = MlflowClient()
    mlflow.set_experiment("Default")
    with mlflow.start_run(run_name="in the default experiment"):
        mlflow.log_metric("m", 1)
        mlflow.log_text("default", "x.txt")
    old = client.create_experiment("old", tags={"state": "gone"})
    run = client.create_run(old, run_name="in a deleted experiment")
    client.log_metric(run.info.run_id, "m", 2.5)
    client.log_text(run.info.run_id, "old", "old.txt")
    client.delete_experiment(old)
    mlflow.set_experiment("before")
    client.rename_experiment(
        mlflow.get_experiment_by_name("before").experiment_id, "churn/2026 (é)"
    )
    mlflow.set_experiment("churn/2026 (é)")
    mlflow.set_experiment_tags({"mlflow.note.content": "# About\nthis", "owner": "ada"})
    with tempfile.TemporaryDirectory() as folder:
        runs_of_every_kind(client, Path(folder))
    registry(client)
    if MLFLOW3:
        logged_models(client)
    if len(sys.argv) > 2:
        many(client, int(sys.argv[1]), int(sys.argv[2]))


os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
main()
