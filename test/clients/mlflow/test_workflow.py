"""Whole workflows with the unmodified client. They run with the newest MLflow 3 and the last MLflow 2."""

import math
import pathlib

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LinearRegression

MLFLOW3 = int(mlflow.__version__.split(".")[0]) >= 3
X = pd.DataFrame({"x": np.arange(10.0)})
Y = X.x * 2


def test_a_run_holds_what_was_logged():
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"opt": "adam", "layers": 3})
        for step in range(20):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"nan": math.nan, "inf": math.inf, "int": 3}, step=5)
        mlflow.set_tag("team", "a")
        mlflow.log_text("<b>bold</b>", "reports/x.html")
        mlflow.log_dict({"a": [1, 2]}, "y.json")
        with mlflow.start_run(nested=True) as child:
            mlflow.log_metric("inner", 1)
    got = MlflowClient().get_run(run.info.run_id)
    assert got.info.status == "FINISHED" and got.info.run_name == "first"
    assert got.data.params == {"lr": "0.1", "opt": "adam", "layers": "3"}
    assert (
        got.data.metrics["loss"] == 0.05
        and math.isnan(got.data.metrics["nan"])
        and got.data.metrics["inf"] > 1e300
    )
    history = MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [m.step for m in history] == list(range(20))
    assert {f.path: f.is_dir for f in MlflowClient().list_artifacts(run.info.run_id)} == {
        "reports": True,
        "y.json": False,
    }
    assert mlflow.artifacts.load_text(run.info.artifact_uri + "/reports/x.html") == "<b>bold</b>"
    assert mlflow.artifacts.load_dict(run.info.artifact_uri + "/y.json") == {"a": [1, 2]}
    parent = MlflowClient().get_run(child.info.run_id).data.tags["mlflow.parentRunId"]
    assert parent == run.info.run_id


def test_a_run_can_be_resumed_and_deleted():
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1)
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.log_metric("m", 2, step=1)
    assert MlflowClient().get_run(run.info.run_id).data.metrics["m"] == 2
    mlflow.delete_run(run.info.run_id)
    assert MlflowClient().get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    with pytest.raises(MlflowException, match="must be in the 'active' state"):
        MlflowClient().log_metric(run.info.run_id, "m", 3)


def test_asynchronous_logging_loses_nothing():
    with mlflow.start_run() as run:
        futures = [mlflow.log_metric("m", i, step=i, synchronous=False) for i in range(200)]
        for future in futures:
            future.wait()
    assert len(MlflowClient().get_metric_history(run.info.run_id, "m")) == 200


def test_errors_become_the_exceptions_that_mlflow_raises():
    client = MlflowClient()
    with pytest.raises(MlflowException) as error:
        client.get_run("0" * 32)
    assert error.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    with mlflow.start_run():
        mlflow.log_param("p", 1)
        with pytest.raises(MlflowException, match="Changing param values is not allowed"):
            mlflow.log_param("p", 2)
    with pytest.raises(MlflowException) as error:
        mlflow.create_experiment(mlflow.get_experiment("0").name)
    assert error.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_search_finds_pages_sorts_and_takes_more_than_mlflow(experiment):
    for i in range(30):
        with mlflow.start_run(run_name=f"r{i}"):
            mlflow.log_metrics({"acc": i / 30}, step=0)
            mlflow.log_metrics({"acc": 0.5}, step=1)
            mlflow.log_param("lr", str(i % 3))
    frame = mlflow.search_runs(
        filter_string="params.lr = '1'", order_by=["attributes.run_name ASC"]
    )
    assert len(frame) == 10 and frame["tags.mlflow.runName"][0] == "r1"
    client, token, seen = MlflowClient(), None, []
    while True:
        page = client.search_runs([experiment.experiment_id], max_results=7, page_token=token)
        seen += [r.info.run_id for r in page]
        token = page.token
        if not token:
            break
    assert len(set(seen)) == 30
    # What only Levada knows, in the filter string of the plain client.
    assert len(mlflow.search_runs(filter_string="metrics.acc.max > 0.8")) == 5
    assert (
        len(
            mlflow.search_runs(
                filter_string="params.lr = '0' OR (params.lr = '1' AND metrics.acc.min < 0.1)"
            )
        )
        == 11
    )
    best = mlflow.search_runs(order_by=["metrics.acc.best DESC"], max_results=1)
    assert best["tags.mlflow.runName"][0] == "r29"


def test_datasets_are_noted(experiment):
    with mlflow.start_run() as run:
        mlflow.log_input(mlflow.data.from_pandas(X, name="numbers"), context="training")
    got = MlflowClient().get_run(run.info.run_id).inputs.dataset_inputs[0]
    assert got.dataset.name == "numbers" and got.tags[0].value == "training"
    assert len(mlflow.search_runs(filter_string="dataset.name = 'numbers'")) == 1


def log_model(**more):
    model = LinearRegression().fit(X, Y)
    if MLFLOW3:
        return mlflow.sklearn.log_model(model, name="model", **more)
    return mlflow.sklearn.log_model(model, artifact_path="model", **more)


def test_a_model_is_logged_registered_aliased_and_loaded(experiment):
    name = f"model-{experiment.experiment_id}"
    pinned = ["scikit-learn"]  # what is installed need not be found out
    with mlflow.start_run() as run:
        log_model(registered_model_name=name, pip_requirements=pinned)
    client = MlflowClient()
    client.set_registered_model_alias(name, "champion", "1")
    predicted = mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(X[:3])
    assert np.allclose(predicted, [0, 2, 4])
    version = client.get_model_version_by_alias(name, "champion")
    assert version.run_id == run.info.run_id and version.status == "READY"
    assert client.get_registered_model(name).aliases == {"champion": "1"}
    client.transition_model_version_stage(name, "1", "Production")
    assert mlflow.pyfunc.load_model(f"models:/{name}/Production") is not None
    assert [v.version for v in client.search_model_versions(f"name = '{name}'")] in (["1"], [1])
    copied = client.copy_model_version(f"models:/{name}/1", name + "-copy")
    assert np.allclose(
        mlflow.pyfunc.load_model(f"models:/{copied.name}/{copied.version}").predict(X[:2]), [0, 2]
    )
    if MLFLOW3:
        models = mlflow.search_logged_models(experiment_ids=[experiment.experiment_id])
        assert len(models) == 1 and models["status"][0] == "READY"
        run_again = client.get_run(run.info.run_id)
        assert run_again.outputs.model_outputs[0].model_id == models["model_id"][0]


@pytest.mark.skipif(not MLFLOW3, reason="MLflow 2 keeps prompts elsewhere")
def test_prompts_are_no_models(experiment):
    name = f"prompt-{experiment.experiment_id}"
    mlflow.genai.register_prompt(name=name, template="Hello {{name}}")
    assert mlflow.genai.load_prompt(f"prompts:/{name}/1").template == "Hello {{name}}"
    assert name not in [m.name for m in MlflowClient().search_registered_models()]


def test_equal_files_are_stored_once(experiment, tmp_path):
    big = tmp_path / "big.bin"
    big.write_bytes(b"0123456789abcdef" * (1 << 16))
    for _ in range(3):
        with mlflow.start_run() as run:
            mlflow.log_artifact(str(big))
    path = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="big.bin", dst_path=str(tmp_path / "back")
    )
    assert pathlib.Path(path).read_bytes() == big.read_bytes()
