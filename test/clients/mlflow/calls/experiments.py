"""Requests about experiments."""

from calls.writing import experiment, get, post, run, script


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
