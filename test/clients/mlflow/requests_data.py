"""The requests of the differential tests, as data: what is sent, in which order, what is remembered."""

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


def experiments():
    yield script(
        "experiments",
        experiment("exp_one"),
        post("/experiments/create", {"name": "exp_one"}),
        post("/experiments/create", {}),
        post("/experiments/create", {"name": ""}),
        post("/experiments/create", {"name": 3}),
        post("/experiments/create", {"name": ["x"]}),
        post("/experiments/create", {"name": "n" * 501}),
        post("/experiments/create", {"name": "bad tags", "tags": "x"}),
        post(
            "/experiments/create",
            {
                "name": "exp tagged",
                "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}],
            },
            tagged="experiment_id",
        ),
        post("/experiments/create", {"name": "bad tag", "tags": [{"key": "../a", "value": "1"}]}),
        post(
            "/experiments/create",
            {"name": "long tag", "tags": [{"key": "a", "value": "v" * 20001}]},
        ),
        post(
            "/experiments/create",
            {"name": "s3 exp", "artifact_location": "s3://bucket/path"},
            s3exp="experiment_id",
        ),
        post("/experiments/create", {"name": "runs exp", "artifact_location": "runs:/x/y"}),
        post(
            "/experiments/create",
            {"name": "frag exp", "artifact_location": "s3://bucket/path#frag"},
        ),
        get("/experiments/get", experiment_id="{s3exp}"),
        get("/experiments/get", experiment_id="{exp_one}"),
        get("/experiments/get", experiment_id="0"),
        get("/experiments/get", experiment_id="{tagged}"),
        get("/experiments/get", experiment_id="123456"),
        get("/experiments/get", experiment_id="abc"),
        get("/experiments/get"),
        get("/experiments/get", experiment_id=""),
        get("/experiments/get-by-name", experiment_name="exp_one"),
        get("/experiments/get-by-name", experiment_name="Default"),
        get("/experiments/get-by-name", experiment_name="none"),
        get("/experiments/get-by-name"),
        post("/experiments/update", {"experiment_id": "{exp_one}", "new_name": "exp renamed"}),
        post("/experiments/update", {"experiment_id": "{exp_one}", "new_name": "Default"}),
        post("/experiments/update", {"experiment_id": "{exp_one}"}),
        post("/experiments/update", {"experiment_id": "{exp_one}", "new_name": "n" * 501}),
        post("/experiments/update", {"experiment_id": "999", "new_name": "x"}),
        post("/experiments/update", {"new_name": "x"}),
        get("/experiments/get", experiment_id="{exp_one}"),
        post(
            "/experiments/set-experiment-tag",
            {"experiment_id": "{exp_one}", "key": "k", "value": "v"},
        ),
        post(
            "/experiments/set-experiment-tag",
            {"experiment_id": "{exp_one}", "key": "k", "value": "w"},
        ),
        post("/experiments/set-experiment-tag", {"experiment_id": "{exp_one}", "key": "nov"}),
        post("/experiments/set-experiment-tag", {"experiment_id": "{exp_one}", "value": "w"}),
        post(
            "/experiments/set-experiment-tag",
            {"experiment_id": "{exp_one}", "key": "../x", "value": "w"},
        ),
        post("/experiments/set-experiment-tag", {"experiment_id": "999", "key": "k", "value": "w"}),
        post("/experiments/delete-experiment-tag", {"experiment_id": "{exp_one}", "key": "k"}),
        post("/experiments/delete-experiment-tag", {"experiment_id": "{exp_one}", "key": "k"}),
        post("/experiments/delete-experiment-tag", {"experiment_id": "{exp_one}"}),
        get("/experiments/get", experiment_id="{exp_one}"),
        run("r1", "exp_one"),
        post("/experiments/delete", {"experiment_id": "{exp_one}"}),
        post("/experiments/delete", {"experiment_id": "{exp_one}"}),
        post("/experiments/delete", {"experiment_id": "424242"}),
        post("/experiments/delete", {}),
        get("/experiments/get", experiment_id="{exp_one}"),
        get("/experiments/get-by-name", experiment_name="exp renamed"),
        get("/runs/get", run_id="{r1}"),
        post("/experiments/create", {"name": "exp renamed"}),
        post("/experiments/update", {"experiment_id": "{exp_one}", "new_name": "y"}),
        post(
            "/experiments/set-experiment-tag",
            {"experiment_id": "{exp_one}", "key": "k", "value": "w"},
        ),
        post("/runs/create", {"experiment_id": "{exp_one}", "start_time": 1}),
        post("/experiments/restore", {"experiment_id": "{exp_one}"}),
        post("/experiments/restore", {"experiment_id": "{exp_one}"}),
        get("/runs/get", run_id="{r1}"),
    )
    exps = [
        post("/experiments/create", {"name": n, "tags": [{"key": "g", "value": g}]})
        for n, g in [
            ("s alpha", "1"),
            ("s beta", "2"),
            ("S Gamma", "1"),
            ("s_delta", "3"),
            ("s%eps", "2"),
        ]
    ]
    filters = [
        "tags.g = '1'",
        "tags.g != '1'",
        "tags.g LIKE '1%'",
        "name LIKE 's %'",
        "name ILIKE 's %'",
        "name = 's beta'",
        "name != 's beta'",
        "attribute.name LIKE 's\\_%'",
        "tags.g = '1' AND name ILIKE '%gamma'",
        "tag.g IS NULL AND name = 'Default'",
        "tags.g IS NOT NULL",
        "tags.none = 'x'",
        "name IN ('s alpha')",
        "foo = 'x'",
        "metrics.a > 1",
        "name > 'a'",
        "creation_time > 1000",
        "creation_time < 1000",
        "creation_time > 'x'",
        "creation_time LIKE 'x'",
        "name = 3",
        "last_update_time > 1 and creation_time >= 0",
        "name IS NULL",
        "name",
        "= 'x'",
        "name = 's alpha' OR",
        "experiment_id IN ('0')",
        "experiment_id = '0'",
        "experiment_id > '0'",
        "attribute.name = 's alpha'",
        "tags.`g` = '1'",
        'tags."g" = "1"',
        "parameters.a = '1'",
        "creation_time > 1.5",
    ]
    yield script(
        "experiments search",
        exps,
        [
            post(
                "/experiments/search",
                {
                    "max_results": 50,
                    "order_by": ["name ASC"],
                    "filter": (
                        "name ILIKE 's%' AND " if f.startswith("tag") and "NULL" not in f else ""
                    )
                    + f,
                },
            )
            for f in filters
        ],
        [
            post(
                "/experiments/search",
                {
                    "max_results": m,
                    "filter": "name ILIKE 's%' AND tags.g IS NOT NULL",
                    "order_by": o,
                },
            )
            for m, o in [
                (2, ["name"]),
                (3, ["name DESC"]),
                (100, ["creation_time ASC", "name DESC"]),
                (100, ["tags.g"]),
                (100, ["foo"]),
                (100, ["name sideways"]),
                (100, ["name, x"]),
                (100, []),
                (100, ["name ASC", "name DESC"]),
                (0, []),
                (-1, []),
                (50001, []),
                ("x", []),
                (5, "name"),
            ]
        ],
        post(
            "/experiments/search",
            {
                "max_results": 2,
                "filter": "name ILIKE 's%' AND tags.g IS NOT NULL",
                "order_by": ["name"],
            },
            page="next_page_token",
        ),
        post(
            "/experiments/search",
            {
                "max_results": 2,
                "filter": "name ILIKE 's%' AND tags.g IS NOT NULL",
                "order_by": ["name"],
                "page_token": "{page}",
            },
            page="next_page_token",
        ),
        post(
            "/experiments/search",
            {
                "max_results": 2,
                "filter": "name ILIKE 's%' AND tags.g IS NOT NULL",
                "order_by": ["name"],
                "page_token": "{page}",
            },
        ),
        post("/experiments/search", {"max_results": 2, "page_token": "!!!"}),
        post("/experiments/search", {"max_results": 2, "page_token": "abcd"}),
        post("/experiments/search", {"max_results": 2, "page_token": "e30="}),
        post("/experiments/search", {}),
        post(
            "/experiments/search",
            {"max_results": 5, "view_type": "DELETED_ONLY", "filter": "name = 'Default'"},
        ),
        post(
            "/experiments/search",
            {"max_results": 5, "view_type": "ALL", "filter": "name = 'Default'"},
        ),
        post(
            "/experiments/search", {"max_results": 5, "view_type": 2, "filter": "name = 'Default'"}
        ),
        post(
            "/experiments/search",
            {"max_results": 5, "view_type": "ACTIVE_ONLY", "filter": "name = 'Default'"},
        ),
        get("/experiments/search", max_results=5, filter="name = 'Default'"),
        get("/experiments/search", max_results=5, filter="name = 'Default'", view_type="ALL"),
    )


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


def metrics():
    def log(value, t=1, step=0, key="m"):
        return post(
            "/runs/log-metric",
            {"run_id": "{r}", "key": key, "value": value, "timestamp": t, "step": step},
        )

    yield script(
        "metrics",
        experiment("exp"),
        run("r"),
        log(1.0),
        log(1.0),
        log(2.0, 2, 1),
        log(0.5, 1, 1),
        get("/runs/get", run_id="{r}"),
        log(5.0, 3, 0),
        get("/runs/get", run_id="{r}"),
        log(9.0, 2, 1),
        log(3.0, 2, 1),
        get("/runs/get", run_id="{r}"),
        log("NaN", 5, 2),
        get("/runs/get", run_id="{r}"),
        log(-1.0, 5, 2),
        get("/runs/get", run_id="{r}"),
        log("Infinity", 6, 3),
        log("-Infinity", 6, 4),
        log("1.25", "7", "5"),
        log(1e300, 8, 6),
        log(-0.0, 9, 7),
        log(3, 10, 8),
        get("/runs/get", run_id="{r}"),
        get("/metrics/get-history", run_id="{r}", metric_key="m"),
        get("/metrics/get-history", run_id="{r}", metric_key="none"),
        get("/metrics/get-history", run_id="{r}"),
        get("/metrics/get-history", metric_key="m"),
        get("/metrics/get-history", run_id="none", metric_key="m"),
        get("/metrics/get-history", run_uuid="{r}", metric_key="m"),
        {
            **get("/metrics/get-history", run_id="{r}", metric_key="m", max_results=3),
            "capture": {"page": "next_page_token"},
        },
        {
            **get(
                "/metrics/get-history",
                run_id="{r}",
                metric_key="m",
                max_results=4,
                page_token="{page}",
            ),
            "capture": {"page": "next_page_token"},
        },
        {
            **get(
                "/metrics/get-history",
                run_id="{r}",
                metric_key="m",
                max_results=4,
                page_token="{page}",
            ),
            "capture": {"page": "next_page_token"},
        },
        get("/metrics/get-history", run_id="{r}", metric_key="m", max_results=0),
        get("/metrics/get-history", run_id="{r}", metric_key="m", max_results=-1),
        get("/metrics/get-history", run_id="{r}", metric_key="m", page_token="%%"),
        get("/metrics/get-history", run_id="{r}", metric_key="m", max_results=100),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"key": "x", "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"run_id": 31, "key": "x", "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": 31, "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": "abc", "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": 1, "timestamp": "abc"}),
        post(
            "/runs/log-metric",
            {"run_id": "{r}", "key": "x", "value": 1, "timestamp": 1, "step": "abc"},
        ),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": 1, "timestamp": -5}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": 0, "timestamp": 0}),
        post(
            "/runs/log-metric",
            {"run_id": "{r}", "key": "x", "value": 1, "timestamp": 1, "step": -3},
        ),
        post("/runs/log-metric", {"run_id": "none", "key": "x", "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": [1], "timestamp": 1}),
        get("/runs/get", run_id="{r}"),
    )
    import random

    rng = random.Random(7)
    series = [
        {
            "key": "m",
            "value": rng.choice([rng.random(), rng.random(), 1.0]),
            "timestamp": 1000 + i * 3 + rng.randint(-5, 5),
            "step": i // 2,
        }
        for i in range(900)
    ]
    shuffled = series[:]
    rng.shuffle(shuffled)
    interval = "/metrics/get-history-bulk-interval"
    yield script(
        "sampling",
        experiment("exp"),
        run("a"),
        run("b"),
        post("/runs/log-batch", {"run_id": "{a}", "metrics": series}),
        post("/runs/log-batch", {"run_id": "{b}", "metrics": shuffled}),
        post("/runs/log-batch", {"run_id": "{b}", "metrics": shuffled}),
        get("/runs/get", run_id="{b}"),
        get("/metrics/get-history", run_id="{b}", metric_key="m"),
        [
            get(interval, run_ids=["{a}"], metric_key="m", max_results=n)
            for n in (1, 2, 3, 7, 100, 899, 900, 901, 2500)
        ],
        [
            get(interval, run_ids=["{b}"], metric_key="m", max_results=n, start_step=s, end_step=e)
            for n, s, e in (
                (10, 100, 200),
                (50, 0, 0),
                (50, -5, 10),
                (3, 449, 449),
                (10, 5000, 6000),
            )
        ],
        get(interval, run_ids=["{a}", "{b}"], metric_key="m", max_results=5),
        get(interval, run_ids=["{a}"], metric_key="m"),
        get(interval, metric_key="m"),
        get(interval, run_ids=["{a}"]),
        get(interval, run_ids=["{a}"], metric_key="m", max_results=0),
        get(interval, run_ids=["{a}"], metric_key="m", max_results=2501),
        get(interval, run_ids=["{a}"], metric_key="m", start_step=1),
        get(interval, run_ids=["{a}"], metric_key="m", start_step=5, end_step=1),
        get(interval, run_ids=["{a}"] * 101, metric_key="m"),
        get(interval, run_ids=["{a}"], metric_key="none"),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
            run_id=["{a}", "{b}"],
            metric_key="m",
            max_results=20,
        ),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
            run_id=["{b}"],
            metric_key="none",
        ),
        raw("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", metric_key="m"),
        raw("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", run_id="{a}"),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
            run_id=["x"] * 101,
            metric_key="m",
        ),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval",
            run_ids=["{a}"],
            metric_key="m",
            max_results=4,
        ),
    )


FILTERS = [
    "metrics.acc > 0.5",
    "metrics.acc >= 0.5",
    "metrics.acc = 0.5",
    "metrics.acc != 0.5",
    "metrics.acc < 0.5",
    "metrics.acc <= 0.5",
    "metric.acc > -1",
    "metrics.`acc` > 0.5",
    'metrics."acc" > 0.5',
    "metrics.acc > 1e-3",
    "metrics.none > 0",
    "metrics.none != 0",
    "metrics.nan > 0",
    "metrics.nan != 0",
    "metrics.nan = 0",
    "metrics.nan < 1",
    "metrics.`with space` > 1",
    "params.lr = '0.1'",
    "params.lr != '0.1'",
    "params.lr LIKE '0.%'",
    "params.lr ILIKE '0.%'",
    'param.lr = "0.1"',
    "parameters.lr = '0.1'",
    "parameter.lr = '0.1'",
    "params.none != 'x'",
    "params.lr IS NULL",
    "params.opt IS NOT NULL",
    "params.opt is null",
    "tags.team = 'A'",
    "tags.team ILIKE 'a'",
    "tags.team LIKE 'a'",
    "tags.team != 'A'",
    "tag.team IS NULL",
    "tags.`dotted.key` = 'x'",
    "tags.mlflow.runName = 'r2'",
    "tags.`mlflow.runName` LIKE 'r%'",
    "status = 'RUNNING'",
    "status != 'RUNNING'",
    "attributes.status = 'FINISHED'",
    "attribute.status = 'FINISHED'",
    "attr.status LIKE 'FIN%'",
    "run.status ILIKE 'fin%'",
    "run_name = 'r1'",
    "run_name LIKE 'r_'",
    "`run name` = 'r1'",
    "attributes.run_name != 'r1'",
    "user_id = 'me'",
    "user_id = ''",
    "start_time > 1001",
    "start_time = 1002",
    "start_time != 1002",
    "attributes.start_time <= 1001",
    "created > 1001",
    "start_time > 1001.5",
    "end_time > 0",
    "end_time < 5000",
    "run_id = '{r1}'",
    "run_id != '{r1}'",
    "run_id IN ('{r1}', '{r3}')",
    "run_id NOT IN ('{r1}','{r3}')",
    "run_id IN ('x')",
    "run_id in ('{r1}')",
    "artifact_uri LIKE 'mlflow-artifacts:%'",
    "metrics.acc > 0.3 AND params.lr = '0.1'",
    "metrics.acc > 0.3 and params.lr = '0.1' and tags.team = 'A'",
    "metrics.acc > 0.3 AND",
    "metrics.acc > 0.3 params.lr = '0.1'",
    "dataset.name = 'train'",
    "dataset.name != 'train'",
    "datasets.digest = 'd1'",
    "dataset.context = 'training'",
    "dataset.name LIKE 'tr%'",
    "dataset.name IN ('train', 'x')",
    "dataset.name = 'train' AND dataset.context = 'training'",
    "dataset.context != 'training'",
    # what is refused
    "metrics.acc > 'x'",
    "metrics.acc > nan",
    "metrics.acc LIKE '0%'",
    "metrics.acc IN ('1')",
    "metrics.acc IS NULL",
    "metrics.acc",
    "metrics.acc >",
    "> 3",
    "metrics.acc == 0.5",
    "metrics.acc <> 0.5",
    "metrics.acc ~ 1",
    "params.lr = 0.1",
    "params.lr = x",
    "params.lr > '0.1'",
    "params.lr IN ('0.1')",
    "params.lr = `0.1`",
    "tags.team > 'A'",
    "tags.team = 3",
    "bad.x = 'y'",
    "foo = 'x'",
    "attributes.foo = 'x'",
    "status > 'A'",
    "status = 3",
    "status IN ('RUNNING')",
    "status IS NULL",
    "start_time > 'x'",
    "start_time LIKE '1'",
    "start_time IN (1)",
    "run_id IN ()",
    "run_id IN (1)",
    "run_id IN ('a', 1)",
    "run_id IN 'a'",
    "run_id > 'a'",
    "dataset.foo = 'x'",
    "dataset.name > 'x'",
    "dataset.name = 3",
    "dataset.name IS NULL",
    "1 = 1",
    "'a' = 'b'",
    "metrics.acc > 0.5; metrics.acc < 1",
    "   ",
    "metrics.m-1 > 1",
    "metrics.a/b > 1",
    "lifecycle_stage = 'active'",
    "experiment_id = '1'",
    "params.lr = '0.1",
    "tags. = 'x'",
    ". = 'x'",
    "metrics.acc > 0.5 XOR metrics.acc < 2",
    "name = 'x' -- comment",
    "params.a = 'it''s'",
    "params.a LIKE '%'",
    "tags.team LIKE '_'",
]

ORDERS = [
    [],
    ["metrics.acc"],
    ["metrics.acc DESC"],
    ["metrics.acc ASC", "start_time DESC"],
    ["params.lr"],
    ["params.lr DESC"],
    ["tags.team DESC"],
    ["start_time"],
    ["start_time ASC"],
    ["attributes.start_time DESC"],
    ["run_id"],
    ["run_id DESC"],
    ["status"],
    ["end_time"],
    ["end_time DESC"],
    ["created"],
    ["metrics.nan"],
    ["metrics.nan DESC"],
    ["metric.`acc` desc"],
    ["params.none"],
    ["run_name DESC"],
    ["user_id", "metrics.acc"],
    ["metrics.acc", "metrics.acc DESC"],
    ["foo"],
    ["metrics.acc sideways"],
    ["metrics.acc, params.lr"],
    [""],
    ["dataset.name"],
    ["metrics"],
    ["start_time", "created"],
    ["tags.x DESC NULLS"],
    ["metrics.acc DESC "],
    [3],
]


def searches():
    setup = [
        experiment("exp"),
        post("/experiments/create", {"name": "second"}, exp2="experiment_id"),
    ]
    for i, (acc, lr, team) in enumerate(
        [
            (0.1, "0.1", "A"),
            (0.5, "0.2", "a"),
            (0.9, "0.1", "B"),
            (None, None, None),
            (0.5, "0.01", "A"),
        ],
        1,
    ):
        setup.append(run(f"r{i}", start=1000 + i, user_id="me" if i == 2 else ""))
        batch = {"run_id": "{r" + str(i) + "}"}
        if acc is not None:
            batch["metrics"] = [
                {"key": "acc", "value": 2, "timestamp": 1, "step": 0},
                {"key": "acc", "value": acc, "timestamp": 2, "step": 1},
            ]
            batch["params"] = [{"key": "lr", "value": lr}]
            batch["tags"] = [{"key": "team", "value": team}, {"key": "dotted.key", "value": "x"}]
        setup.append(post("/runs/log-batch", batch))
    setup += [
        post("/runs/log-metric", {"run_id": "{r1}", "key": "nan", "value": "NaN", "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r2}", "key": "nan", "value": 5, "timestamp": 1}),
        post(
            "/runs/log-metric",
            {"run_id": "{r3}", "key": "nan", "value": "Infinity", "timestamp": 1},
        ),
        post(
            "/runs/log-metric", {"run_id": "{r3}", "key": "with space", "value": 2, "timestamp": 1}
        ),
        post("/runs/log-parameter", {"run_id": "{r3}", "key": "opt", "value": "adam"}),
        post("/runs/update", {"run_id": "{r1}", "status": "FINISHED", "end_time": 4000}),
        post("/runs/update", {"run_id": "{r3}", "status": "FAILED", "end_time": 6000}),
        post(
            "/runs/log-inputs",
            {
                "run_id": "{r1}",
                "datasets": [
                    {
                        "tags": [{"key": "mlflow.data.context", "value": "training"}],
                        "dataset": {
                            "name": "train",
                            "digest": "d1",
                            "source_type": "local",
                            "source": "s",
                        },
                    }
                ],
            },
        ),
        post(
            "/runs/log-inputs",
            {
                "run_id": "{r2}",
                "datasets": [
                    {
                        "tags": [],
                        "dataset": {
                            "name": "test",
                            "digest": "d2",
                            "source_type": "local",
                            "source": "s",
                            "schema": "sc",
                            "profile": "pr",
                        },
                    }
                ],
            },
        ),
        run("gone", start=1500),
        post("/runs/delete", {"run_id": "{gone}"}),
        run("elsewhere", "exp2", start=1200),
    ]
    yield script("search filters", setup, [search(f) for f in FILTERS])
    yield script("search orders", setup, [search(order_by=o) for o in ORDERS])
    yield script(
        "search pages",
        setup,
        search(max_results=2),
        {**search(max_results=2), "capture": {"page": "next_page_token"}},
        {**search(max_results=2, page_token="{page}"), "capture": {"page": "next_page_token"}},
        search(max_results=2, page_token="{page}"),
        search(max_results=0),
        search(max_results=-1),
        search(max_results=50001),
        search(max_results="2"),
        search(max_results="x"),
        search(page_token="???"),
        search(run_view_type="DELETED_ONLY"),
        search(run_view_type="ALL"),
        search(run_view_type="ACTIVE_ONLY"),
        search(run_view_type=3),
        post("/runs/search", {"experiment_ids": ["{exp}", "{exp2}"]}),
        post(
            "/runs/search",
            {"experiment_ids": ["{exp2}", "{exp}", "{exp}"], "order_by": ["start_time ASC"]},
        ),
        post("/runs/search", {"experiment_ids": []}),
        post("/runs/search", {}),
        post("/runs/search", {"experiment_ids": ["987654"]}),
        post("/runs/search", {"experiment_ids": "x"}),
        post("/runs/search", {"experiment_ids": ["{exp}"], "filter": 3}),
        post("/runs/search", {"experiment_ids": ["{exp}"], "order_by": "start_time"}),
        post("/runs/search", {"experimentIds": ["{exp2}"], "maxResults": 1}),
        raw("GET", API + "/runs/search"),
        raw(
            "POST",
            "/ajax-api/2.0/mlflow/runs/search",
            {"experiment_ids": ["{exp}"], "max_results": 1},
        ),
        raw(
            "POST",
            "/ajax-api/2.0/mlflow/experiments/search-datasets",
            {"experiment_ids": ["{exp}"]},
        ),
        raw("POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": []}),
        raw(
            "POST",
            "/ajax-api/2.0/mlflow/experiments/search-datasets",
            {"experiment_ids": ["1"] * 21},
        ),
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


def artifacts():
    root = FILES + "/{exp}/{r}/artifacts"
    yield script(
        "artifacts",
        experiment("exp"),
        run("r"),
        get("/artifacts/list", run_id="{r}"),
        raw("PUT", root + "/a.txt", b"hello"),
        raw("PUT", root + "/d/b.bin", b"\x00\x01"),
        raw("PUT", root + "/d/e/c.txt", b""),
        raw("PUT", root + "/d/e/x%20y.txt", b"z"),
        get("/artifacts/list", run_id="{r}"),
        get("/artifacts/list", run_id="{r}", path="d"),
        get("/artifacts/list", run_id="{r}", path="d/e"),
        get("/artifacts/list", run_id="{r}", path="none"),
        get("/artifacts/list", run_id="{r}", path="a.txt"),
        get("/artifacts/list", run_id="{r}", path="../x"),
        get("/artifacts/list", run_id="{r}", path="/etc"),
        get("/artifacts/list", run_id="{r}", path="..%2f.."),
        get("/artifacts/list", run_id="none"),
        get("/artifacts/list"),
        get("/artifacts/list", run_uuid="{r}"),
        raw("GET", root + "/a.txt"),
        raw("GET", root + "/d/e/x%20y.txt"),
        raw("GET", root + "/none"),
        raw("GET", FILES, path="{exp}/{r}/artifacts/d"),
        raw("GET", FILES, path="none"),
        raw("GET", FILES, path="../x"),
        raw("GET", FILES, path="/etc"),
        raw("PUT", root + "/a.txt", b"again"),
        raw("GET", root + "/a.txt"),
        raw("GET", FILES + "/%2e%2e/x"),
        raw("GET", FILES + "/..%2fx"),
        raw("GET", FILES + "/%252e%252e%252fx"),
        raw("GET", FILES + "//etc/passwd"),
        raw("GET", FILES + "/file:///etc/passwd"),
        raw("GET", FILES + "/a%5c..%5cb"),
        raw("GET", FILES + "/C:/x"),
        raw("PUT", FILES + "/../x", b"1"),
        raw("PUT", FILES + "/%2e%2e/x", b"1"),
        raw("PUT", FILES + "/a%23b", b"1"),
        raw("DELETE", FILES + "/..%2fx"),
        raw("GET", "/get-artifact", run_id="{r}", path="a.txt"),
        raw("GET", "/get-artifact", run_id="{r}", path="../a.txt"),
        raw("GET", "/get-artifact", run_uuid="{r}", path="d/b.bin"),
        raw("GET", "/get-artifact", run_id="none", path="x"),
        raw("DELETE", root + "/a.txt"),
        raw("GET", root + "/a.txt"),
        raw("DELETE", root + "/d"),
        get("/artifacts/list", run_id="{r}"),
        raw("PUT", "/ajax-api/2.0/mlflow-artifacts/artifacts/{exp}/{r}/artifacts/j.txt", b"j"),
        get("/artifacts/list", run_id="{r}"),
    )


def logged_models():
    m = "/logged-models"
    yield script(
        "logged models",
        experiment("exp"),
        run("r"),
        post(
            m,
            {
                "experiment_id": "{exp}",
                "name": "one",
                "model_type": "t",
                "source_run_id": "{r}",
                "params": [{"key": "a", "value": "1"}],
                "tags": [{"key": "x", "value": "y"}],
            },
            one="model.info.model_id",
        ),
        post(m, {"experiment_id": "{exp}", "name": "two"}, two="model.info.model_id"),
        post(m, {"experiment_id": "{exp}", "name": "three"}, three="model.info.model_id"),
        post(m, {}),
        post(m, {"experiment_id": "77777"}),
        post(m, {"experiment_id": "{exp}", "name": "a/b"}),
        post(m, {"experiment_id": 3}),
        get(m + "/{one}"),
        get(m + "/none"),
        patch(m + "/{one}", {"model_id": "{one}", "status": "LOGGED_MODEL_READY"}),
        patch(m + "/{two}", {"model_id": "{two}", "status": 3}),
        patch(m + "/none", {"model_id": "none", "status": 2}),
        patch(m + "/{one}", {"model_id": "{one}"}),
        patch(
            m + "/{one}/tags",
            {"model_id": "{one}", "tags": [{"key": "x", "value": "z"}, {"key": "n", "value": "1"}]},
        ),
        patch(m + "/none/tags", {"tags": []}),
        delete(m + "/{one}/tags/n"),
        delete(m + "/{one}/tags/n"),
        delete(m + "/none/tags/n"),
        post(m + "/{one}/params", {"model_id": "{one}", "params": [{"key": "b", "value": "2"}]}),
        post(m + "/none/params", {"model_id": "none", "params": []}),
        get(m + "/{one}"),
        post(
            "/runs/log-metric",
            {
                "run_id": "{r}",
                "key": "acc",
                "value": 0.5,
                "timestamp": 1,
                "step": 1,
                "model_id": "{one}",
                "dataset_name": "dn",
                "dataset_digest": "dd",
            },
        ),
        post(
            "/runs/log-batch",
            {
                "run_id": "{r}",
                "metrics": [
                    {"key": "acc", "value": 0.7, "timestamp": 2, "step": 2, "model_id": "{three}"},
                    {"key": "acc", "value": 0.1, "timestamp": 2, "step": 2, "model_id": "{one}"},
                ],
            },
        ),
        get(m + "/{one}"),
        get(m + "/{three}"),
        get("/runs/get", run_id="{r}"),
        get(m + "/{one}/artifacts/directories"),
        raw("PUT", FILES + "/{exp}/models/{one}/artifacts/MLmodel", b"x: 1"),
        get(m + "/{one}/artifacts/directories"),
        get(m + "/{one}/artifacts/directories", artifact_directory_path="../x"),
        get(m + "/none/artifacts/directories"),
        [
            post(
                m + "/search",
                {"experiment_ids": ["{exp}"], "order_by": [{"field_name": "name"}], **q},
            )
            for q in [
                {},
                {"filter": "name = 'one'"},
                {"filter": "name LIKE 't%'"},
                {"filter": "metrics.acc > 0.6"},
                {"filter": "metrics.acc > 0.3"},
                {"filter": "params.a = '1'"},
                {"filter": "tags.x = 'z'"},
                {"filter": "status = 'READY'"},
                {"filter": "model_type = 't'"},
                {"filter": "source_run_id = '{r}'"},
                {"filter": "creation_time > 0"},
                {"filter": "creation_timestamp < 5"},
                {"filter": "model_id IN ('{one}', '{two}')"},
                {"filter": "name IN ('one')"},
                {"filter": "bad.x = 'y'"},
                {"filter": "metrics.acc LIKE 'x'"},
                {"filter": "name > 'a'"},
                {"max_results": 1},
                {"order_by": [{"field_name": "metrics.acc", "ascending": False}]},
                {"order_by": [{"field_name": "metrics.acc"}]},
                {"order_by": [{"field_name": "creation_timestamp"}]},
                {"order_by": [{"field_name": "foo"}]},
                {"order_by": [{"field_name": "params.a"}]},
                {"datasets": [{"dataset_name": "dn"}]},
                {"datasets": [{"dataset_name": "dn", "dataset_digest": "dd"}]},
                {"datasets": [{}]},
                {"filter": "name"},
                {"filter": "name = 'one' AND metrics.acc < 1"},
                {
                    "filter": "metrics.acc > 0.6",
                    "datasets": [{"dataset_name": "dn", "dataset_digest": "dd"}],
                },
                {
                    "order_by": [
                        {"field_name": "metrics.acc", "dataset_name": "dn", "dataset_digest": "dd"}
                    ]
                },
            ]
        ],
        post(
            m + "/search",
            {"experiment_ids": ["{exp}"], "max_results": 2, "order_by": [{"field_name": "name"}]},
            page="next_page_token",
        ),
        post(
            m + "/search",
            {
                "experiment_ids": ["{exp}"],
                "max_results": 2,
                "order_by": [{"field_name": "name"}],
                "page_token": "{page}",
            },
        ),
        post(m + "/search", {}),
        post(m + "/search", {"experiment_ids": []}),
        delete(m + "/{two}"),
        delete(m + "/none"),
        get(m + "/{two}"),
        get(m + "/{two}", allow_deleted="true"),
        post(m + "/search", {"experiment_ids": ["{exp}"], "order_by": [{"field_name": "name"}]}),
    )


def registry():
    r, v = "/registered-models", "/model-versions"
    yield script(
        "registered models",
        post(
            r + "/create", {"name": "mod", "description": "d", "tags": [{"key": "a", "value": "1"}]}
        ),
        post(r + "/create", {"name": "mod"}),
        post(r + "/create", {}),
        post(r + "/create", {"name": ""}),
        post(r + "/create", {"name": 3}),
        post(r + "/create", {"name": "a/b"}),
        post(r + "/create", {"name": "a:b"}),
        post(r + "/create", {"name": " "}),
        post(r + "/create", {"name": ".."}),
        post(r + "/create", {"name": "bad tag", "tags": [{"key": "../x", "value": "1"}]}),
        post(r + "/create", {"name": "plain"}),
        post(r + "/create", {"name": "Other"}),
        get(r + "/get", name="mod"),
        get(r + "/get", name="plain"),
        get(r + "/get", name="none"),
        get(r + "/get"),
        get(r + "/get", name="a/b"),
        patch(r + "/update", {"name": "mod", "description": "new"}),
        patch(r + "/update", {"name": "none", "description": "new"}),
        patch(r + "/update", {"name": "mod"}),
        post(r + "/rename", {"name": "plain", "new_name": "renamed"}),
        post(r + "/rename", {"name": "renamed", "new_name": "mod"}),
        post(r + "/rename", {"name": "none", "new_name": "x"}),
        post(r + "/rename", {"name": "mod"}),
        post(r + "/rename", {"name": "mod", "new_name": "a/b"}),
        post(r + "/set-tag", {"name": "mod", "key": "k", "value": "v"}),
        post(r + "/set-tag", {"name": "mod", "key": "k"}),
        post(r + "/set-tag", {"name": "none", "key": "k", "value": "v"}),
        post(r + "/set-tag", {"name": "mod", "value": "v"}),
        delete(r + "/delete-tag", {"name": "mod", "key": "k"}),
        delete(r + "/delete-tag", {"name": "mod", "key": "k"}),
        delete(r + "/delete-tag", {"name": "none", "key": "k"}),
        get(r + "/get", name="mod"),
        post(
            r + "/create",
            {"name": "pr", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]},
        ),
        post(r + "/create", {"name": "pr"}),
        post(
            r + "/create",
            {"name": "mod", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]},
        ),
        [
            get(r + "/search", **q)
            for q in [
                {},
                {"filter": "name = 'mod'"},
                {"filter": "name LIKE 'm%'"},
                {"filter": "name ILIKE 'O%'"},
                {"filter": "tags.a = '1'"},
                {"filter": "tags.a != '1'"},
                {"filter": "name IN ('mod', 'Other')"},
                {"filter": "tags.`mlflow.prompt.is_prompt` = 'true'"},
                {"filter": "tags.`mlflow.prompt.is_prompt` != 'true'"},
                {"filter": "tags.`mlflow.prompt.is_prompt` = 'false' AND name LIKE 'm%'"},
                {"filter": "foo = 'x'"},
                {"filter": "name > 'x'"},
                {"filter": "name = 3"},
                {"filter": "name"},
                {"max_results": 1},
                {"max_results": 1001},
                {"max_results": "x"},
                {"order_by": "name DESC"},
                {"order_by": ["timestamp DESC"]},
                {"order_by": "foo"},
                {"order_by": "name sideways"},
                {"order_by": ["name", "name DESC"]},
                {"page_token": "x"},
                {"filter": "params.a = '1'"},
            ]
        ],
        {
            **get(r + "/search", max_results=1, order_by="name"),
            "capture": {"page": "next_page_token"},
        },
        get(r + "/search", max_results=1, order_by="name", page_token="{page}"),
        delete(r + "/delete", {"name": "renamed"}),
        delete(r + "/delete", {"name": "renamed"}),
        delete(r + "/delete", {}),
        get(r + "/get", name="renamed"),
    )
    make = [
        post(
            v + "/create",
            {
                "name": "vm",
                "source": f"s3://bucket/m{i}",
                "description": f"d{i}",
                "run_link": "l",
                "tags": [{"key": "i", "value": str(i)}],
            },
        )
        for i in (1, 2, 3)
    ]
    yield script(
        "model versions",
        experiment("exp"),
        run("r"),
        post(r + "/create", {"name": "vm"}),
        make,
        post(v + "/create", {"name": "vm"}),
        post(v + "/create", {"source": "s3://b/x"}),
        post(v + "/create", {"name": "none", "source": "s3://b/x"}),
        post(v + "/create", {"name": "vm", "source": "runs:/{r}/model", "run_id": "{r}"}),
        post(
            v + "/create",
            {
                "name": "vm",
                "source": "mlflow-artifacts:/{exp}/{r}/artifacts/model",
                "run_id": "{r}",
            },
        ),
        [
            post(v + "/create", {"name": "vm", "source": s, **more})
            for s, more in [
                ("/etc/passwd", {}),
                ("file:///etc/passwd", {}),
                ("/etc/passwd", {"run_id": "{r}"}),
                ("../x", {}),
                ("s3://b/../../etc", {}),
                ("http://h/api/2.0/mlflow-artifacts/artifacts/../../x", {}),
                ("mlflow-artifacts:/../../etc", {}),
                ("mlflow-artifacts://host:1/..%2f..%2fetc", {}),
                ("mlflow-artifacts:/{exp}/other/artifacts", {"run_id": "{r}"}),
                ("runs:/{r}/model", {}),
                ("runs:/other/model", {"run_id": "{r}"}),
                ("models:/m-none", {}),
                ("models:/vm/1", {}),
                ("models:/vm/99", {}),
                ("models:/none/1", {}),
                ("s3://b/%00", {}),
            ]
        ],
        get(v + "/get", name="vm", version="1"),
        get(v + "/get", name="vm", version="99"),
        get(v + "/get", name="none", version="1"),
        get(v + "/get", name="vm", version="x"),
        get(v + "/get", name="vm"),
        get(v + "/get", version="1"),
        patch(v + "/update", {"name": "vm", "version": "1", "description": "nd"}),
        patch(v + "/update", {"name": "vm", "version": "99", "description": "nd"}),
        patch(v + "/update", {"name": "vm", "version": "2"}),
        get(v + "/get-download-uri", name="vm", version="1"),
        get(v + "/get-download-uri", name="vm", version="99"),
        post(v + "/set-tag", {"name": "vm", "version": "1", "key": "k", "value": "v"}),
        post(v + "/set-tag", {"name": "vm", "version": "99", "key": "k", "value": "v"}),
        post(v + "/set-tag", {"name": "vm", "version": "x", "key": "k", "value": "v"}),
        post(v + "/set-tag", {"name": "vm", "version": "1"}),
        delete(v + "/delete-tag", {"name": "vm", "version": "1", "key": "k"}),
        delete(v + "/delete-tag", {"name": "vm", "version": "1", "key": "k"}),
        delete(v + "/delete-tag", {"name": "vm", "version": "99", "key": "k"}),
        [
            post(
                v + "/transition-stage",
                {"name": "vm", "version": n, "stage": s, "archive_existing_versions": a},
            )
            for n, s, a in [
                ("1", "Staging", False),
                ("2", "staging", True),
                ("3", "Production", False),
                ("1", "None", True),
                ("1", "foo", False),
                ("99", "Staging", False),
                ("1", "Archived", False),
            ]
        ],
        post(v + "/transition-stage", {"name": "vm", "version": "1"}),
        get(r + "/get", name="vm"),
        post(r + "/get-latest-versions", {"name": "vm"}),
        post(r + "/get-latest-versions", {"name": "vm", "stages": ["Production"]}),
        post(r + "/get-latest-versions", {"name": "vm", "stages": ["foo"]}),
        post(r + "/get-latest-versions", {"name": "none"}),
        get(r + "/get-latest-versions", name="vm", stages="Staging"),
        post(r + "/alias", {"name": "vm", "alias": "champion", "version": "1"}),
        post(r + "/alias", {"name": "vm", "alias": "champion", "version": "2"}),
        post(r + "/alias", {"name": "vm", "alias": "b", "version": "2"}),
        [
            post(r + "/alias", {"name": "vm", "alias": a, "version": n})
            for a, n in [
                ("latest", "1"),
                ("v1", "1"),
                ("a b", "1"),
                ("", "1"),
                ("x", "99"),
                ("x", "y"),
                ("a" * 256, "1"),
            ]
        ],
        post(r + "/alias", {"name": "none", "alias": "a", "version": "1"}),
        get(r + "/alias", name="vm", alias="champion"),
        get(r + "/alias", name="vm", alias="none"),
        get(r + "/alias", name="none", alias="x"),
        get(r + "/alias", name="vm", alias="latest"),
        get(v + "/get", name="vm", version="2"),
        get(r + "/get", name="vm"),
        delete(r + "/alias", {"name": "vm", "alias": "b"}),
        delete(r + "/alias", {"name": "vm", "alias": "b"}),
        delete(r + "/alias", {"name": "none", "alias": "b"}),
        [
            get(v + "/search", **{"order_by": ["version_number ASC"], **q})
            for q in [
                {"filter": "name = 'vm'"},
                {"filter": "name LIKE 'v%'"},
                {"filter": "run_id = '{r}'"},
                {"filter": "run_id IN ('{r}')"},
                {"filter": "source_path = 's3://bucket/m1'"},
                {"filter": "version_number > 1 AND name = 'vm'"},
                {"filter": "version_number = 2"},
                {"filter": "tags.i = '2'"},
                {"filter": "tags.i != '2' AND name = 'vm'"},
                {"filter": "foo = 'x'"},
                {"filter": "name > 'x'"},
                {"filter": "name = 3"},
                {"filter": "version_number = 'x'"},
                {"filter": "source_path IN ('x')"},
                {"max_results": 1, "filter": "name = 'vm'"},
                {"max_results": 0},
                {"max_results": 200001},
                {"order_by": ["foo"]},
                {"order_by": ["name DESC", "version_number DESC"], "filter": "name = 'vm'"},
                {"order_by": ["name", "name"]},
                {
                    "filter": "name = 'vm'",
                    "order_by": ["creation_timestamp ASC", "version_number ASC"],
                },
            ]
        ],
        post(r + "/rename", {"name": "vm", "new_name": "vm2"}),
        get(v + "/get", name="vm2", version="1"),
        get(r + "/get", name="vm2"),
        delete(v + "/delete", {"name": "vm2", "version": "2"}),
        delete(v + "/delete", {"name": "vm2", "version": "2"}),
        delete(v + "/delete", {"name": "vm2", "version": "x"}),
        get(r + "/get", name="vm2"),
        get(v + "/get", name="vm2", version="2"),
        delete(v + "/delete", {"name": "vm2", "version": "1"}),
        post(v + "/create", {"name": "vm2", "source": "s3://b/next"}),
        get(v + "/search", filter="name = 'vm2'", order_by=["version_number"]),
        delete(r + "/delete", {"name": "vm2"}),
        get(v + "/search", filter="name = 'vm2'"),
    )


def others():
    yield script(
        "unknown calls",
        raw("GET", "/version"),
        raw("GET", API + "/none"),
        raw("POST", API + "/none/x", {}),
        raw("GET", "/api/2.0/mlflow"),
        raw("GET", API + "/"),
    )


def scripts():
    """All scripts, in the order in which they run."""
    for group in (
        experiments,
        runs,
        metrics,
        searches,
        inputs,
        artifacts,
        logged_models,
        registry,
        others,
    ):
        yield from group()
