"""Registers a version of iris that was broken on the way: it learned from features in other units than it is given."""

import sys
from importlib.metadata import version

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(sys.argv[1])
needs = [
    f"{name}=={version(name)}"
    for name in ("mlflow", "scikit-learn", "numpy", "pandas", "cloudpickle", "skops")
]
random = np.random.default_rng(7)
columns = ["sepal length", "sepal width", "petal length", "petal width"]
table = pd.DataFrame(random.normal(size=(150, 4)), columns=columns)
label = (table["petal length"] + table["sepal width"] > 0).astype(int) + (table["petal width"] > 1)
model = LogisticRegression().fit(table * 100 + 300, label)
with mlflow.start_run():
    mlflow.sklearn.log_model(
        model,
        name="iris",
        signature=infer_signature(table, model.predict(table)),
        input_example=table.head(2),
        pip_requirements=needs,
        registered_model_name="iris",
    )
