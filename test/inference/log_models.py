"""Log and register models with MLflow's client, and print what they predict as JSON."""

import json
import os
import sys
from importlib.metadata import version

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(sys.argv[1])
packages = ("mlflow", "scikit-learn", "numpy", "pandas", "cloudpickle")
needs = [f"{name}=={version(name)}" for name in packages]


class Sums(mlflow.pyfunc.PythonModel):
    """Adds up the rows of a tensor."""

    def predict(self, context, model_input, params=None):
        if (model_input < 0).any():
            raise ValueError("negative numbers cannot be added here")
        return model_input.sum(axis=1)


class Describe(mlflow.pyfunc.PythonModel):
    """Has a column of each sort, and answers a table."""

    def predict(self, context, model_input, params=None):
        return pd.DataFrame(
            {
                "said": [
                    f"{c}|{pd.Timestamp(t).isoformat()}|{n}|{x}"
                    for c, t, n, x in zip(
                        model_input["carrier"],
                        model_input["when"],
                        model_input["n"],
                        model_input["x"],
                    )
                ],
                "scaled": model_input["x"] * params["scale"],
            }
        )


random = np.random.default_rng(7)
columns = ["sepal length", "sepal width", "petal length", "petal width"]
table = pd.DataFrame(random.normal(size=(150, 4)), columns=columns)
label = (table["petal length"] + table["sepal width"] > 0).astype(int)
model = LogisticRegression().fit(table, label)
scale = ParamSchema([ParamSpec("scale", DataType.double, 2.0)])
described = Schema(
    [
        ColSpec(DataType.string, "carrier"),
        ColSpec(DataType.datetime, "when"),
        ColSpec(DataType.long, "n"),
        ColSpec(DataType.double, "x"),
    ]
)
with mlflow.start_run():
    answers = model.predict(table)
    mlflow.sklearn.log_model(
        model,
        name="iris",
        signature=infer_signature(table, answers),
        pip_requirements=needs,
        registered_model_name="iris",
    )
    mlflow.pyfunc.log_model(
        name="sums",
        python_model=Sums(),
        signature=ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 3))])),
        pip_requirements=needs,
        registered_model_name="sums",
    )
    mlflow.pyfunc.log_model(
        name="describe",
        python_model=Describe(),
        signature=ModelSignature(described, params=scale),
        pip_requirements=needs,
        registered_model_name="describe",
    )
print(json.dumps({"rows": table.to_numpy().tolist(), "iris": answers.tolist()}))
