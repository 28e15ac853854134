"""Start one server with the same small model, as its documentation advises, in the environment it is installed in.

    python servers.py NAME PORT FOLDER

trains the model (logistic regression on iris), writes what the server needs into FOLDER and becomes the server.
`python servers.py log URL` registers the model with a running Levada through MLflow's client; `log-onnx URL`, the
same one in the format ONNX. Servers whose names end in -onnx run that with ONNX Runtime.
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
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=1000).fit(x, y), x


def write(name: str, text: str) -> None:
    with open(name, "w") as f:
        f.write(text)


def mlflow_model() -> tuple:
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature

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


def log_onnx(url: str) -> None:
    from importlib.metadata import version

    import mlflow.onnx

    mlflow.set_tracking_uri(url)
    needs = [f"{name}=={version(name)}" for name in ("mlflow", "onnx", "onnxruntime", "numpy")]
    with mlflow.start_run():
        mlflow.onnx.log_model(
            onnx_model(),
            name="iris",
            signature=onnx_signature(),
            pip_requirements=needs,
            registered_model_name="iris",
        )


def log(url: str) -> None:
    from importlib.metadata import version

    mlflow, model, signature = mlflow_model()
    mlflow.set_tracking_uri(url)
    names = ("mlflow", "scikit-learn", "numpy", "pandas", "cloudpickle")
    needs = [f"{name}=={version(name)}" for name in names]
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            model,
            name="iris",
            signature=signature,
            pip_requirements=needs,
            registered_model_name="iris",
            serialization_format="cloudpickle",
        )


def command(name: str, port: str) -> list[str]:
    programs = os.path.dirname(sys.executable)
    python = [sys.executable, "-m"]
    if name == "mlflow":
        mlflow, model, signature = mlflow_model()
        mlflow.sklearn.save_model(
            model, "model", signature=signature, serialization_format="cloudpickle"
        )
        serve = ["models", "serve", "-m", "model", "--env-manager", "local", "--host", "127.0.0.1"]
        return [*python, "mlflow", *serve, "--port", port, "--workers", WORKERS]
    if name == "mlflow-onnx":
        import mlflow.onnx

        mlflow.onnx.save_model(onnx_model(), "model", signature=onnx_signature())
        serve = ["models", "serve", "-m", "model", "--env-manager", "local", "--host", "127.0.0.1"]
        return [*python, "mlflow", *serve, "--port", port, "--workers", WORKERS]
    if name in ("fastapi-onnx", "bentoml-onnx"):
        with open("model.onnx", "wb") as f:
            f.write(onnx_model().SerializeToString())
        if name == "fastapi-onnx":
            write("app.py", FASTAPI_ONNX)
            flags = ["--port", port, "--workers", WORKERS, "--log-level", "warning"]
            return [*python, "uvicorn", "app:app", *flags]
        write("service.py", BENTOML_ONNX)
        flags = ["--host", "127.0.0.1", "--port", port]
        return [os.path.join(programs, "bentoml"), "serve", "service:Iris", *flags]
    import joblib

    joblib.dump(train()[0], "model.joblib")
    if name == "fastapi":
        write("app.py", FASTAPI)
        flags = ["--port", port, "--workers", WORKERS, "--log-level", "warning"]
        return [*python, "uvicorn", "app:app", *flags]
    if name == "bentoml":
        write("service.py", BENTOML)
        flags = ["--host", "127.0.0.1", "--port", port]
        return [os.path.join(programs, "bentoml"), "serve", "service:Iris", *flags]
    if name == "ray":
        write("app.py", RAY)
        write(
            "serve.yaml",
            json.dumps(
                {
                    "http_options": {"host": "127.0.0.1", "port": int(port)},
                    "applications": [{"name": "iris", "import_path": "app:app"}],
                }
            ),
        )
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
        free = {"http_port": int(port), "grpc_port": 0, "metrics_port": 0, "host": "127.0.0.1"}
        write(
            "settings.json", json.dumps({**free, "parallel_workers": int(WORKERS), "debug": False})
        )
        return [os.path.join(programs, "mlserver"), "start", "."]
    raise SystemExit(f"there is no server {name}")


def main() -> None:
    if sys.argv[1] == "log":
        log(sys.argv[2])
        return
    if sys.argv[1] == "log-onnx":
        log_onnx(sys.argv[2])
        return
    name, port, folder = sys.argv[1:]
    os.chdir(folder)
    arguments = command(name, port)
    os.environ["PYTHONPATH"] = folder
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    os.execv(arguments[0], arguments)  # noqa: S606 - it becomes the server


if __name__ == "__main__":
    main()
