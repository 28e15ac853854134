"""Requests about runs: their lives, parameters, tags, batches, inputs and outputs."""

from calls.writing import API, LONG, NAMES, experiment, get, post, raw, run, script, search


def runs():
    yield script(
        "runs",
        experiment("exp"),
        run("r"),
        get("/runs/get", run_id="{r}"),
        get("/runs/get", run_uuid="{r}"),
        get("/runs/get", run_id="none"),
        get("/runs/get"),
        post(
            "/runs/create",
            {
                "experiment_id": "{exp}",
                "start_time": 5,
                "user_id": "me",
                "tags": [{"key": "a", "value": "b"}, {"key": "mlflow.user", "value": "x"}],
            },
            r2="run.info.run_id",
        ),
        post(
            "/runs/create",
            {
                "experiment_id": "{exp}",
                "start_time": 5,
                "run_name": "x y",
                "tags": [{"key": "mlflow.runName", "value": "other"}],
            },
        ),
        post(
            "/runs/create",
            {
                "experiment_id": "{exp}",
                "start_time": 5,
                "tags": [{"key": "mlflow.runName", "value": "tagged name"}],
            },
        ),
        post("/runs/create", {"experiment_id": "{exp}", "start_time": "7"}),
        post("/runs/create", {"experiment_id": "{exp}", "start_time": "x"}),
        post("/runs/create", {"experiment_id": 31}),
        post("/runs/create", {"experiment_id": "99999"}),
        post("/runs/create", {"experiment_id": "{exp}", "run_name": 5}),
        post("/runs/create", {"experiment_id": "{exp}"}),
        post("/runs/create", {}),
        post("/runs/update", {"run_id": "{r}", "status": "FINISHED", "end_time": 9}),
        post("/runs/update", {"run_id": "{r}", "status": "FAILED"}),
        post("/runs/update", {"run_id": "{r}", "end_time": "12"}),
        post("/runs/update", {"run_id": "{r}", "run_name": "new name"}),
        post("/runs/update", {"run_id": "{r}", "run_name": ""}),
        post("/runs/update", {"run_id": "{r}"}),
        post("/runs/update", {"run_uuid": "{r}", "status": "KILLED"}),
        post("/runs/update", {"run_id": "{r}", "status": "SCHEDULED", "end_time": 0}),
        post("/runs/update", {"run_id": "none", "status": "FINISHED"}),
        post("/runs/update", {"status": "FINISHED"}),
        post("/runs/update", {"run_id": "{r}", "end_time": "x"}),
        post("/runs/update", {"run_id": 31, "status": "FINISHED"}),
        get("/runs/get", run_id="{r}"),
        post("/runs/delete", {"run_id": "{r}"}),
        post("/runs/delete", {"run_id": "{r}"}),
        post("/runs/delete", {"run_id": "none"}),
        post("/runs/delete", {}),
        get("/runs/get", run_id="{r}"),
        post("/runs/update", {"run_id": "{r}", "status": "FINISHED"}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "m", "value": 1, "timestamp": 1}),
        post("/runs/log-parameter", {"run_id": "{r}", "key": "m", "value": "1"}),
        post("/runs/set-tag", {"run_id": "{r}", "key": "m", "value": "1"}),
        post("/runs/delete-tag", {"run_id": "{r}", "key": "m"}),
        post(
            "/runs/log-batch",
            {"run_id": "{r}", "metrics": [{"key": "m", "value": 1, "timestamp": 1}]},
        ),
        post("/runs/log-batch", {"run_id": "{r}"}),
        post("/runs/log-inputs", {"run_id": "{r}", "datasets": []}),
        post("/runs/restore", {"run_id": "{r}"}),
        post("/runs/restore", {"run_id": "{r}"}),
        post("/runs/restore", {"run_id": "none"}),
        post("/runs/restore", {}),
        get("/runs/get", run_id="{r}"),
        raw("POST", API + "/runs/get", {"run_id": "x"}),
        raw("GET", API + "/runs/create"),
        raw("POST", API + "/runs/none", {}),
        raw("POST", API + "/runs/create", "garbage", {"Content-Type": "application/json"}),
        raw("POST", API + "/runs/create", "[1]", {"Content-Type": "application/x-none"}),
        raw("POST", API + "/runs/get-history", "{}"),
        raw("GET", "/health"),
    )
    tags = [post("/runs/set-tag", {"run_id": "{r}", "key": n, "value": "v"}) for n in NAMES]
    params = [post("/runs/log-parameter", {"run_id": "{r}", "key": n, "value": "v"}) for n in NAMES]
    metrics = [
        post("/runs/log-metric", {"run_id": "{r}", "key": n, "value": 1, "timestamp": 1})
        for n in NAMES
    ]
    yield script(
        "names",
        experiment("exp"),
        run("r"),
        tags,
        params,
        metrics,
        get("/runs/get", run_id="{r}"),
        [
            post(
                "/runs/log-batch",
                {
                    "run_id": "{r}",
                    "metrics": [
                        {"key": "ok", "value": 1, "timestamp": 1},
                        {"key": n, "value": 1, "timestamp": 1},
                    ],
                },
            )
            for n in ["a$b", "../a", "", LONG]
        ],
        [
            post("/runs/log-batch", {"run_id": "{r}", "params": [{"key": n, "value": "1"}]})
            for n in ["a$b", "../a", "", LONG]
        ],
        [
            post("/runs/log-batch", {"run_id": "{r}", "tags": [{"key": n, "value": "1"}]})
            for n in ["a$b", "../a", "", LONG]
        ],
        get("/runs/get", run_id="{r}"),
    )
    yield script(
        "params and tags",
        experiment("exp"),
        run("r"),
        post("/runs/log-parameter", {"run_id": "{r}", "key": "p", "value": "1"}),
        post("/runs/log-parameter", {"run_id": "{r}", "key": "p", "value": "1"}),
        post("/runs/log-parameter", {"run_id": "{r}", "key": "p", "value": "2"}),
        post("/runs/log-parameter", {"run_id": "{r}", "key": "empty"}),
        post("/runs/log-parameter", {"run_id": "{r}", "key": "empty2", "value": ""}),
        post("/runs/log-parameter", {"run_id": "{r}", "value": ""}),
        post("/runs/log-parameter", {"run_id": "{r}", "key": "n", "value": 5}),
        post("/runs/log-parameter", {"run_id": "none", "key": "n", "value": "5"}),
        post("/runs/log-parameter", {"run_uuid": "{r}", "key": "uuid", "value": "5"}),
        post("/runs/log-parameter", {"key": "n", "value": "5"}),
        post("/runs/log-parameter", {"run_id": "{r}", "key": "long", "value": "x" * 6001}),
        post("/runs/log-parameter", {"run_id": "{r}", "key": "uni", "value": 'é✓ "q" <b>\n'}),
        post("/runs/set-tag", {"run_id": "{r}", "key": "t", "value": "1"}),
        post("/runs/set-tag", {"run_id": "{r}", "key": "t", "value": "2"}),
        post("/runs/set-tag", {"run_id": "{r}", "key": "t2"}),
        post("/runs/set-tag", {"run_id": "{r}", "key": "mlflow.runName", "value": "by tag"}),
        post("/runs/set-tag", {"run_id": "{r}", "key": "long", "value": "x" * 8001}),
        post("/runs/set-tag", {"run_id": "none", "key": "t2"}),
        post("/runs/set-tag", {"run_id": "{r}"}),
        post("/runs/set-tag", {"run_id": "{r}", "key": "n", "value": 5}),
        post("/runs/delete-tag", {"run_id": "{r}", "key": "t"}),
        post("/runs/delete-tag", {"run_id": "{r}", "key": "t"}),
        post("/runs/delete-tag", {"run_id": "{r}"}),
        post("/runs/delete-tag", {"run_id": "none", "key": "t"}),
        get("/runs/get", run_id="{r}"),
    )
    many = [{"key": f"k{i}", "value": "1"} for i in range(101)]
    points = [{"key": f"k{i}", "value": i, "timestamp": i} for i in range(1001)]
    yield script(
        "batches",
        experiment("exp"),
        run("r"),
        post(
            "/runs/log-batch",
            {
                "run_id": "{r}",
                "metrics": [{"key": "a", "value": 1.5, "timestamp": 1, "step": 2}],
                "params": [{"key": "p", "value": "1"}],
                "tags": [{"key": "t", "value": "2"}],
            },
        ),
        post("/runs/log-batch", {"run_id": "{r}", "params": many}),
        post("/runs/log-batch", {"run_id": "{r}", "tags": many}),
        post("/runs/log-batch", {"run_id": "{r}", "metrics": points}),
        post("/runs/log-batch", {"run_id": "{r}", "metrics": points[:950], "params": many[:60]}),
        post(
            "/runs/log-batch",
            {"run_id": "{r}", "metrics": points[:900], "params": many[:50], "tags": many[:50]},
        ),
        post(
            "/runs/log-batch",
            {"run_id": "{r}", "params": [{"key": "d", "value": "1"}, {"key": "d", "value": "1"}]},
        ),
        post(
            "/runs/log-batch",
            {
                "run_id": "{r}",
                "params": [{"key": "p", "value": "other"}, {"key": "new", "value": "1"}],
            },
        ),
        post("/runs/log-batch", {"run_id": "{r}", "params": [{"key": "p", "value": "1"}]}),
        post(
            "/runs/log-batch",
            {"run_id": "{r}", "tags": [{"key": "d", "value": "1"}, {"key": "d", "value": "2"}]},
        ),
        post(
            "/runs/log-batch",
            {"run_id": "{r}", "tags": [{"key": "mlflow.runName", "value": "batch name"}]},
        ),
        post("/runs/log-batch", {"run_id": "{r}"}),
        post("/runs/log-batch", {}),
        post("/runs/log-batch", {"run_id": "none"}),
        post("/runs/log-batch", {"run_id": "-x"}),
        post("/runs/log-batch", {"run_id": "{r}", "metrics": {}}),
        post("/runs/log-batch", {"run_id": "{r}", "metrics": [{"value": 1, "timestamp": 1}]}),
        post("/runs/log-batch", {"run_id": "{r}", "metrics": [{"key": "a", "timestamp": 1}]}),
        post("/runs/log-batch", {"run_id": "{r}", "metrics": [{"key": "a", "value": 1}]}),
        post("/runs/log-batch", {"run_id": "{r}", "params": [{"value": "1"}]}),
        post("/runs/log-batch", {"run_id": "{r}", "tags": [{"value": "1"}]}),
        post(
            "/runs/log-batch",
            {"run_id": "{r}", "params": [{"key": "novalue"}], "tags": [{"key": "novalue"}]},
        ),
        post(
            "/runs/log-batch",
            {"run_id": "{r}", "metrics": [{"key": "a", "value": 1, "timestamp": -1}]},
        ),
        get("/runs/get", run_id="{r}"),
        get("/metrics/get-history", run_id="{r}", metric_key="a"),
        raw("POST", "/ajax-api/2.0/mlflow/runs/log-batch", {"run_id": "none"}),
    )


def inputs():
    def dataset(**more):
        return {"name": "n", "digest": "d", "source_type": "t", "source": "s", **more}

    yield script(
        "inputs",
        experiment("exp"),
        run("r"),
        post(
            "/runs/log-inputs",
            {
                "run_id": "{r}",
                "datasets": [
                    {
                        "tags": [{"key": "mlflow.data.context", "value": "train"}],
                        "dataset": dataset(schema="sc"),
                    }
                ],
            },
        ),
        post(
            "/runs/log-inputs",
            {
                "run_id": "{r}",
                "datasets": [
                    {
                        "tags": [{"key": "mlflow.data.context", "value": "other"}],
                        "dataset": dataset(),
                    }
                ],
            },
        ),
        post(
            "/runs/log-inputs",
            {
                "run_id": "{r}",
                "datasets": [{"dataset": dataset(digest="d2")}, {"dataset": dataset(digest="d2")}],
            },
        ),
        get("/runs/get", run_id="{r}"),
        post(
            "/runs/log-inputs",
            {"run_id": "{r}", "datasets": [{"dataset": dataset(name="n" * 501)}]},
        ),
        post(
            "/runs/log-inputs",
            {"run_id": "{r}", "datasets": [{"dataset": dataset(digest="d" * 37)}]},
        ),
        post(
            "/runs/log-inputs",
            {
                "run_id": "{r}",
                "datasets": [{"dataset": dataset(), "tags": [{"key": "k" * 256, "value": "v"}]}],
            },
        ),
        post("/runs/log-inputs", {"run_id": "{r}"}),
        post("/runs/log-inputs", {"datasets": []}),
        post("/runs/log-inputs", {"run_id": "none", "datasets": []}),
        post("/runs/log-inputs", {"run_id": "{r}", "datasets": "x"}),
        post("/runs/log-inputs", {"run_id": "{r}", "models": [{"model_id": "m-1"}]}),
        post("/runs/outputs", {"run_id": "{r}", "models": [{"model_id": "m-2", "step": 3}]}),
        post("/runs/outputs", {"run_id": "{r}"}),
        post("/runs/outputs", {"run_id": "none", "models": [{"model_id": "m-2"}]}),
        get("/runs/get", run_id="{r}"),
        search(),
        raw(
            "POST",
            "/ajax-api/2.0/mlflow/experiments/search-datasets",
            {"experiment_ids": ["{exp}"]},
        ),
        post("/runs/log-model", {"run_id": "{r}", "model_json": "{"}),
        post("/runs/log-model", {"run_id": "{r}", "model_json": "{}"}),
        post("/runs/log-model", {"run_id": "{r}"}),
    )
