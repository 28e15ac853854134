"""Autologging of frameworks, and models that are evaluated: what one line of a client's code sends here."""

import json

import mlflow
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow import MlflowClient
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

MLFLOW3 = int(mlflow.__version__.split(".")[0]) >= 3


def files(run_id, path=None):
    """Returns the paths of all files of a run."""
    found = []
    for f in MlflowClient().list_artifacts(run_id, path):
        found += files(run_id, f.path) if f.is_dir else [f.path]
    return sorted(found)


@pytest.fixture
def autologging():
    """Turns autologging on for a test, and everything off afterwards."""

    def begin(flavor, **settings):
        flavor.autolog(silent=True, **settings)

    yield begin
    for flavor in (mlflow.sklearn, mlflow.xgboost):
        flavor.autolog(disable=True)


def test_sklearn_autologging_lands_here(experiment, autologging):
    autologging(mlflow.sklearn, log_models=False)
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    with mlflow.start_run() as run:
        LinearRegression().fit(x, y)
    got = MlflowClient().get_run(run.info.run_id)
    assert got.data.params["fit_intercept"] == "True"
    assert got.data.metrics["training_r2_score"] == pytest.approx(0.5177, abs=1e-3)
    assert got.data.tags["estimator_name"] == "LinearRegression"
    assert [d.tags[0].value for d in got.inputs.dataset_inputs] == ["train"]


def test_a_grid_search_makes_a_run_for_each_candidate(experiment, autologging):
    autologging(mlflow.sklearn, log_models=False, max_tuning_runs=None)
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    search = GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3, 4, 5, 6]}, cv=3
    )
    with mlflow.start_run() as run:
        search.fit(x, y)
    parent = MlflowClient().get_run(run.info.run_id)
    children = mlflow.search_runs(
        filter_string=f"tags.`mlflow.parentRunId` = '{run.info.run_id}'",
        order_by=["metrics.mean_test_score DESC"],
    )
    assert len(children) == 6 and set(children["status"]) == {"FINISHED"}
    logged = dict(zip(children["params.max_depth"], children["metrics.mean_test_score"]))
    wanted = dict(
        zip(map(str, search.cv_results_["param_max_depth"]), search.cv_results_["mean_test_score"])
    )
    assert logged == pytest.approx(wanted)
    assert parent.data.params["best_max_depth"] == str(search.best_params_["max_depth"])
    assert parent.data.metrics["best_cv_score"] == pytest.approx(
        children["metrics.mean_test_score"][0]
    )
    assert "cv_results.csv" in files(run.info.run_id)


def test_xgboost_autologging_lands_here_with_its_model(experiment, autologging):
    autologging(mlflow.xgboost)
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    data = xgboost.DMatrix(x, label=y)
    evaluated = {}
    with mlflow.start_run() as run:
        booster = xgboost.train(
            {"objective": "binary:logistic", "max_depth": 2, "nthread": 1},
            data,
            num_boost_round=12,
            evals=[(data, "train")],
            evals_result=evaluated,
            verbose_eval=False,
        )
    got = MlflowClient().get_run(run.info.run_id)
    assert got.data.params["max_depth"] == "2" and got.data.params["num_boost_round"] == "12"
    history = MlflowClient().get_metric_history(run.info.run_id, "train-logloss")
    # The last value comes twice: once with its step, once as the result.
    assert {m.step: m.value for m in history if m.step > 0} == {
        step: pytest.approx(value)
        for step, value in enumerate(evaluated["train"]["logloss"])
        if step > 0
    }
    assert "feature_importance_weight.json" in files(run.info.run_id)
    loaded = mlflow.xgboost.load_model(f"runs:/{run.info.run_id}/model")
    assert np.allclose(loaded.predict(data), booster.predict(data))


EVALUATE = {"evaluators": "default", "evaluator_config": {"log_model_explainability": False}}


def logged_model(model, x):
    """Logs a model with what is installed as its requirements: they need not be found out."""
    more = {"name": "model"} if MLFLOW3 else {"artifact_path": "model"}
    return mlflow.sklearn.log_model(
        model, input_example=x[:2], pip_requirements=["scikit-learn"], **more
    ).model_uri


def test_a_classifier_is_evaluated(experiment):
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=0)).fit(x, y)
    with mlflow.start_run() as run:
        uri = logged_model(model, x)
        result = mlflow.models.evaluate(
            uri, x.assign(target=y), targets="target", model_type="classifier", **EVALUATE
        )
    got = MlflowClient().get_run(run.info.run_id)
    assert got.data.metrics["accuracy_score"] == pytest.approx(model.score(x, y))
    assert {k: got.data.metrics[k] for k in result.metrics} == pytest.approx(result.metrics)
    assert {"confusion_matrix.png", "roc_curve_plot.png"} <= set(files(run.info.run_id))
    assert len(got.inputs.dataset_inputs) == 1
    if MLFLOW3:
        model_id = got.outputs.model_outputs[0].model_id
        metrics = {m.key: m.value for m in mlflow.get_logged_model(model_id).metrics}
        assert metrics["accuracy_score"] == got.data.metrics["accuracy_score"]


def test_a_regressor_is_evaluated_with_a_metric_of_ones_own(experiment):
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    model = LinearRegression().fit(x, y)

    def worst_of(predictions, targets):
        return mlflow.metrics.MetricValue(
            aggregate_results={"max": float((predictions - targets).abs().max())}
        )

    own = mlflow.metrics.make_metric(eval_fn=worst_of, greater_is_better=False, name="worst_error")
    with mlflow.start_run() as run:
        uri = logged_model(model, x)
        mlflow.models.evaluate(
            uri,
            x.assign(target=y),
            targets="target",
            model_type="regressor",
            extra_metrics=[own],
            **EVALUATE,
        )
    metrics = MlflowClient().get_run(run.info.run_id).data.metrics
    assert metrics["r2_score"] == pytest.approx(model.score(x, y))
    assert metrics["worst_error/max"] == pytest.approx(np.abs(model.predict(x) - y).max())


def test_predictions_that_are_there_already_are_evaluated(experiment):
    frame = pd.DataFrame({"target": [0, 1, 1, 0], "guess": [0, 1, 0, 0]})
    with mlflow.start_run() as run:
        result = mlflow.evaluate(
            data=frame,
            targets="target",
            predictions="guess",
            model_type="classifier",
            **EVALUATE,
        )
    assert result.metrics["accuracy_score"] == 0.75
    assert MlflowClient().get_run(run.info.run_id).data.metrics["accuracy_score"] == 0.75
    [dataset] = MlflowClient().get_run(run.info.run_id).inputs.dataset_inputs
    assert json.loads(dataset.dataset.schema)["mlflow_colspec"] is not None
