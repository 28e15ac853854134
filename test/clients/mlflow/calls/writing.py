"""How the requests of the differential tests are written down: calls, scripts, and what many of them begin with."""

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


def post(path, body=None, **capture):
    return {
        "method": "POST",
        "path": API + path,
        "body": {} if body is None else body,
        "capture": capture,
    }


def patch(path, body, **capture):
    return {"method": "PATCH", "path": API + path, "body": body, "capture": capture}


def delete(path, body=None):
    return {"method": "DELETE", "path": API + path, "body": body}


def get(path, /, **query):
    return {"method": "GET", "path": API + path, "query": query}


def raw(method, path, body=None, headers=None, /, **query):
    return {"method": method, "path": path, "body": body, "headers": headers or {}, "query": query}


def script(name, *steps):
    flat = []
    for s in steps:
        flat += s if isinstance(s, list) else [s]
    for i, s in enumerate(flat):
        # Names of experiments are unique on a server; each script has its own.
        if (
            s["path"] == API + "/experiments/create"
            and isinstance(s["body"], dict)
            and s["body"].get("name") in ("exp", "second")
        ):
            flat[i] = {**s, "body": {**s["body"], "name": f"{s['body']['name']} of {name}"}}
    return {"name": name, "steps": flat}


def experiment(name="exp"):
    return post("/experiments/create", {"name": name}, **{name: "experiment_id"})


def run(name, exp="exp", start=1000, **more):
    return post(
        "/runs/create",
        {"experiment_id": "{" + exp + "}", "start_time": start, "run_name": name, **more},
        **{name: "run.info.run_id"},
    )


def search(where="", **more):
    return post("/runs/search", {"experiment_ids": ["{exp}"], "filter": where, **more})


LONG = "k" * 251
NAMES = [
    "a",
    "a/b",
    "a b",
    "a:b",
    "a.b",
    "a-b",
    "é",
    "a$b",
    "a\\b",
    "/a",
    "a/",
    "a//b",
    "../a",
    ".",
    "..",
    "a/../b",
    "./a",
    "",
    LONG,
    "a\nb",
    "//a",
]
