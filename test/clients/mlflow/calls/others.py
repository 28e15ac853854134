"""Requests that MLflow does not know."""

from calls.writing import API, raw, script


def others():
    yield script(
        "unknown calls",
        raw("GET", "/version"),
        raw("GET", API + "/none"),
        raw("POST", API + "/none/x", {}),
        raw("GET", "/api/2.0/mlflow"),
        raw("GET", API + "/"),
    )
