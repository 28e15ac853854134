"""Registers a model that does what its input says, a good one, and one whose environment cannot be built."""

import json
import sys
from importlib.metadata import version

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(sys.argv[1])
needs = [f"{n}=={version(n)}" for n in ("scikit-learn", "numpy", "pandas", "cloudpickle")]


class Trouble(BaseEstimator):
    """A model that does what the first number of its input says."""

    def fit(self, x, y=None):
        return self

    def predict(self, table):
        import os
        import time

        import numpy as np

        what = float(np.asarray(table).ravel()[0])
        if what == 1:
            raise ValueError("it was asked to")
        if what == 2:
            os.kill(os.getpid(), 11)
        if what == 3:
            time.sleep(3600)
        if what == 4:
            self.kept = []
            while True:
                self.kept.append(np.ones(4 << 20))
                time.sleep(0.01)
        if what == 5:
            return object()
        if what == 6:
            os.write(3, b"\xff" * 64)
            time.sleep(3600)
        if what == 7:
            time.sleep(0.02)
        return np.zeros(len(table))


random = np.random.default_rng(7)
columns = ["sepal length", "sepal width", "petal length", "petal width"]
table = pd.DataFrame(random.normal(size=(50, 4)), columns=columns)
label = (table["petal length"] + table["sepal width"] > 0).astype(int)
good = LogisticRegression().fit(table, label)
what = pd.DataFrame({"what": [0.0]})
with mlflow.start_run():
    for model, name, data, more in [
        (good, "iris", table, []),
        (Trouble(), "trouble", what, []),
        (Trouble(), "trouble", what, ["levada-there-is-no-such-package==1"]),
    ]:
        mlflow.sklearn.log_model(
            model,
            name=name,
            signature=infer_signature(data, np.zeros(len(data))),
            pip_requirements=needs + more,
            registered_model_name=name,
            serialization_format="cloudpickle",
        )
client = mlflow.MlflowClient()
client.create_model_version("trouble", "s3://elsewhere/model")
print(json.dumps({"rows": table.to_numpy().tolist(), "iris": [good.predict(table).tolist()]}))
