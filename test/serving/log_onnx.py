"""Logs and registers ONNX models with MLflow's client, and prints what they predict as JSON."""

import json
import os
import sys
import tempfile
from importlib.metadata import version

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"

import mlflow
import numpy as np
import onnx
import pandas as pd
from mlflow.models import infer_signature
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(sys.argv[1])
needs = [
    f"{name}=={version(name)}" for name in ("mlflow", "onnx", "onnxruntime", "numpy", "pandas")
]


def made(nodes: list, inputs: list, outputs: list) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def log(model: onnx.ModelProto, name: str, **options: object) -> None:
    mlflow.onnx.log_model(
        model, name=name, pip_requirements=needs, registered_model_name=name, **options
    )


def log_files(folder: str, name: str) -> None:
    run = mlflow.active_run().info
    mlflow.log_artifacts(folder, name)
    client = mlflow.MlflowClient()
    client.create_registered_model(name)
    client.create_model_version(name, f"{run.artifact_uri}/{name}", run.run_id)


def iris() -> dict:
    """A classifier as skl2onnx makes it: one input, labels, and a dictionary for each row."""
    random = np.random.default_rng(7)
    columns = ["sepal length", "sepal width", "petal length", "petal width"]
    table = pd.DataFrame(random.normal(size=(60, 4)), columns=columns)
    label = (table["petal length"] + table["sepal width"] > 0).astype(int)
    label += table["petal width"] > 1
    model = LogisticRegression().fit(table.to_numpy(), label)
    converted = to_onnx(model, table.to_numpy().astype(np.float32), target_opset=17)
    answers = model.predict(table.to_numpy())
    log(converted, "iris", signature=infer_signature(table), input_example=table.head(2))
    return {"rows": table.to_numpy().tolist(), "iris": [int(a) for a in answers]}


def types() -> None:
    """Every type, each through an input and an output of its own."""
    kinds = {
        "f": TensorProto.FLOAT,
        "d": TensorProto.DOUBLE,
        "h": TensorProto.FLOAT16,
        "l": TensorProto.INT64,
        "i": TensorProto.INT32,
        "t": TensorProto.INT8,
        "u": TensorProto.UINT8,
        "b": TensorProto.BOOL,
        "s": TensorProto.STRING,
    }
    nodes = [helper.make_node("Identity", [name], ["out_" + name]) for name in kinds]
    inputs = [helper.make_tensor_value_info(n, k, ["rows", 2]) for n, k in kinds.items()]
    outputs = [helper.make_tensor_value_info("out_" + n, k, ["rows", 2]) for n, k in kinds.items()]
    log(made(nodes, inputs, outputs), "types")


def fixed() -> None:
    """A model that takes one row and no more."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])
    log(made([helper.make_node("Add", ["x", "x"], ["y"])], [x], [y]), "fixed")


def sequence() -> None:
    """A model whose output is a list of tensors, which needs Python."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 2])
    y = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, ["rows", 2])
    log(made([helper.make_node("SequenceConstruct", ["x"], ["y"])], [x], [y]), "sequence")


def files() -> None:
    """A damaged model, and one that is nothing but a file."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 2])
    model = made([helper.make_node("Add", ["x", "x"], ["y"])], [x], [y])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "damaged")
        mlflow.onnx.save_model(model, path, pip_requirements=needs)
        with open(os.path.join(path, "model.onnx"), "wb") as f:
            f.write(b"this is no model")
        log_files(path, "damaged")
        path = os.path.join(folder, "bare")
        os.mkdir(path)
        onnx.save_model(model, os.path.join(path, "double.onnx"))
        log_files(path, "bare")


with mlflow.start_run():
    said = iris()
    types()
    fixed()
    sequence()
    files()
print(json.dumps(said))
