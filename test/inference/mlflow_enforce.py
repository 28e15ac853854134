"""Say what MLflow makes of inputs: one case per line on standard input, one answer per line on standard output.

A case has the inputs of a signature, and either columns with numpy types (a DataFrame that a program made, which
MLflow enforces) or the body of a request (which MLflow's scoring server parses and then enforces).
"""

import json
import logging
import struct
import sys
import warnings

import numpy as np
import pandas as pd
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc.scoring_server import infer_and_parse_data
from mlflow.types import Schema

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")


def say(value: object) -> str:
    """Write a value so that two programs write it alike."""
    if value is None or value is pd.NaT:
        return "none"
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return "nan" if np.isnan(value) else struct.pack(">d", float(value)).hex()
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        return str(pd.Timestamp(value).as_unit("ns").value)
    if isinstance(value, bytes):
        return value.hex()
    return json.dumps(value)


def column(spec: dict) -> pd.Series:
    values = spec["values"]
    if spec["dtype"] == "object":
        return pd.Series(values, dtype=object)
    return pd.Series(np.array(values, dtype=spec["dtype"]))


def answer(case: dict) -> dict:
    schema = Schema.from_json(json.dumps(case["inputs"]))
    try:
        if "columns" in case:
            data = pd.DataFrame({c["name"]: column(c) for c in case["columns"]})
        else:
            data = infer_and_parse_data(case["body"], schema)
        data = _enforce_schema(data, schema)
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"[:300]}
    return {
        "columns": [{"name": str(c), "values": [say(v) for v in data[c]]} for c in data.columns]
    }


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
