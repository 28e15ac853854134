"""Logs and registers models with MLflow's client, and prints what they predict as JSON."""

import json
import os
import sys
from importlib.metadata import version

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.ensemble import RandomForestClassifier
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


class Adder(mlflow.pyfunc.PythonModel):
    """A model of nobody's flavor."""

    def predict(self, context, model_input, params=None):
        add = (params or {}).get("add", 1)
        return pd.DataFrame(
            {
                "sum": model_input.sum(axis=1) + add,
                "word": ["é" * int(n > 0) for n in model_input["petal width"]],
            }
        )


# With a target, which nobody asks a model with.
train = os.path.join(os.environ["LEVADA_TEST_DIR"], "train.csv")
table.assign(label=label).to_csv(train, index=False)

expected = []
with mlflow.start_run():
    mlflow.log_input(mlflow.data.from_pandas(table, source=train, name="iris"), context="training")
    for model in (LogisticRegression(), RandomForestClassifier(n_estimators=10, random_state=1)):
        model.fit(table, label)
        answers = model.predict(table)
        mlflow.sklearn.log_model(
            model,
            name="iris",
            signature=infer_signature(table, answers),
            input_example=table.head(2),
            pip_requirements=needs,
            registered_model_name="iris",
            # MLflow's own choice, which trusts no trees, and the one that takes any model.
            **({} if len(expected) == 0 else {"serialization_format": "cloudpickle"}),
        )
        expected.append([int(a) for a in answers])
    adder = Adder()
    answers = adder.predict(None, table)
    mlflow.pyfunc.log_model(
        name="adder",
        python_model=adder,
        signature=infer_signature(table, answers, params={"add": 1}),
        pip_requirements=needs,
        registered_model_name="adder",
    )
client = mlflow.MlflowClient()
client.set_registered_model_alias("iris", "champion", "1")
print(
    json.dumps(
        {
            "rows": table.to_numpy().tolist(),
            "iris": expected,
            "sums": answers["sum"].tolist(),
            "words": answers["word"].tolist(),
            "train": train,
        }
    )
)
