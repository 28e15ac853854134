"""What the workflow tests have in common."""

import os
import uuid

import mlflow
import pytest


@pytest.fixture(autouse=True)
def experiment():
    """Gives each test an experiment of its own."""
    assert os.environ["MLFLOW_TRACKING_URI"], "the tests need a server"
    name = f"test {uuid.uuid4().hex[:8]}"
    mlflow.set_experiment(name)
    yield mlflow.get_experiment_by_name(name)
    while mlflow.active_run():
        mlflow.end_run()
