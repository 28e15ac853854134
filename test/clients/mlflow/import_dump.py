"""Writes everything that a client sees of an MLflow server or backend as JSON: import_dump.py FILE.

MLFLOW_TRACKING_URI names it. What is dumped before and after an import must be equal: places of files and what the
backends themselves treat differently are left out or written in one form.
"""

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

MLFLOW3 = int(mlflow.__version__.split(".")[0]) >= 3
LARGEST = sys.float_info.max
client = MlflowClient()
registry = (
    client._get_registry_client().store
)  # the client itself hides that prompts are registered models


def pages(search, **arguments):
    """All results of a search that gives pages."""
    token = None
    while True:
        page = search(page_token=token, **arguments)
        yield from page
        token = page.token
        if not token:
            return


def number(value):
    """A value as MLflow's databases keep it; NaN is text, because it equals nothing."""
    return "NaN" if value != value else max(-LARGEST, min(LARGEST, value))


def files(uri):
    """The digest of each file below a URI, but for the one that clients write when they load a model."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            root = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
        except (MlflowException, OSError):  # there is nothing
            return {}
        return {
            str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(root.rglob("*"))
            if p.is_file() and p.name != "registered_model_meta"
        }


def links(run):
    inputs = run.inputs
    found = {
        "datasets": sorted(
            (
                [
                    d.dataset.to_dictionary(),
                    sorted((t.key, t.value) for t in d.tags),
                ]
                for d in (inputs.dataset_inputs if inputs else [])
            ),
            key=str,
        )
    }
    if MLFLOW3:
        found["models"] = sorted(m.model_id for m in inputs.model_inputs or []) if inputs else []
        outputs = run.outputs.model_outputs if run.outputs else []
        found["outputs"] = sorted((m.model_id, m.step) for m in outputs)
    return found


def dump_run(run_id, whole):
    run = client.get_run(run_id)
    info = run.info
    found = {
        "experiment": info.experiment_id,
        "name": info.run_name,
        "user": info.user_id,
        "status": info.status,
        "times": [info.start_time, info.end_time],
        "stage": info.lifecycle_stage,
        "params": run.data.params,
        "tags": run.data.tags,
        "latest": {k: number(v) for k, v in run.data.metrics.items()},
        "links": links(run),
        "history": {
            key: sorted(
                {
                    (m.timestamp, m.step, number(m.value))
                    for m in client.get_metric_history(run_id, key)
                },
                key=str,
            )
            for key in run.data.metrics
        },
    }
    if whole:
        found["files"] = files(info.artifact_uri)
    return found


def dump_version(version):
    version = registry.get_model_version(version.name, version.version)
    return {
        "stage": version.current_stage,
        "description": version.description or "",
        "run": version.run_id or "",
        "user": version.user_id or "",
        "status": [version.status, version.status_message or ""],
        "link": version.run_link or "",
        "tags": version.tags,
        "aliases": sorted(version.aliases),
        "times": [version.creation_timestamp, version.last_updated_timestamp],
        "source": version.source if version.source.startswith("models:/") else "",
    }


def dump_model(name):
    model = registry.get_registered_model(name)
    prompt = model._tags.get("mlflow.prompt.is_prompt") == "true"
    query = f"name = '{name}'"
    if prompt:
        query += " AND tags.`mlflow.prompt.is_prompt` = 'true'"
    # The client notes in a tag from which experiment a prompt was read, this script too: that changes the prompt.
    tags = {k: v for k, v in model._tags.items() if k != "_mlflow_experiment_ids"}
    return {
        "description": model.description or "",
        "tags": tags,
        "aliases": {k: int(v) for k, v in model.aliases.items()},
        "times": [model.creation_timestamp, 0 if prompt else model.last_updated_timestamp],
        "versions": {
            int(v.version): dump_version(v)
            for v in pages(registry.search_model_versions, filter_string=query, max_results=100)
        },
    }


def predictions(names):
    """What the models say to the same question."""
    found = {}
    question = pd.DataFrame({"x": [1.0, 2.0, 5.0]})
    for uri in names:
        answer = mlflow.pyfunc.load_model(uri).predict(question)
        found[uri] = [round(float(x), 6) for x in answer]
    return found


def dump(whole):
    experiments = list(pages(client.search_experiments, view_type=ViewType.ALL))
    found = {
        "experiments": {
            e.experiment_id: {
                "name": e.name,
                "stage": e.lifecycle_stage,
                "tags": e.tags,
                "times": None if e.experiment_id == "0" else [e.creation_time, e.last_update_time],
            }
            for e in experiments
        },
        "runs": {
            r.info.run_id: dump_run(r.info.run_id, whole)
            for e in experiments
            for r in pages(
                client.search_runs,
                experiment_ids=[e.experiment_id],
                run_view_type=ViewType.ALL,
                max_results=500,
            )
        },
        "models": {m.name: dump_model(m.name) for m in pages(client.search_registered_models)},
    }
    found["models"]["greet"] = dump_model("greet")
    load_prompt = mlflow.genai.load_prompt if MLFLOW3 else mlflow.load_prompt
    found["prompts"] = [load_prompt(f"prompts:/greet{x}").template for x in ("/1", "/2", "@live")]
    names = ["models:/price@champion", "models:/price@challenger", "models:/price/1"]
    names += ["models:/price-copy/1", "models:/price/Production"]
    if MLFLOW3:
        logged = list(
            pages(
                client.search_logged_models, experiment_ids=[e.experiment_id for e in experiments]
            )
        )
        found["logged"] = {
            m.model_id: {
                "experiment": m.experiment_id,
                "name": m.name,
                "type": m.model_type or "",
                "run": m.source_run_id or "",
                "status": str(m.status),
                "times": [m.creation_timestamp, m.last_updated_timestamp],
                "params": m.params,
                "tags": m.tags,
                "metrics": sorted(
                    (
                        x.key,
                        number(x.value),
                        x.timestamp,
                        x.step,
                        x.run_id or "",
                        x.dataset_name or "",
                        x.dataset_digest or "",
                    )
                    for x in m.metrics or []
                ),
                "files": files(m.artifact_location),
            }
            for m in (client.get_logged_model(m.model_id) for m in logged)
        }
        names += [f"models:/{m.model_id}" for m in logged if m.name == "model"]
    else:
        names += [
            f"runs:/{r}/model"
            for r, run in found["runs"].items()
            if "mlflow.log-model.history" in run["tags"]
        ]
    found["predictions"] = predictions(names)
    return found


os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
Path(sys.argv[1]).write_text(json.dumps(dump("quick" not in sys.argv), indent=1, sort_keys=True))
