"""Searches at the edges: what is nearly right, equal or missing, for each kind of thing that can be searched."""

from calls.writing import experiment, get, post, run, script, search

# Filters that are nearly right, in each of the grammars. {k} is the beginning of a text attribute, {t} that of a tag.
NEARLY = [
    "{k} = ''",
    "{k} = '''",
    "{k} = 'a' AND",
    "AND {k} = 'a'",
    "{k} = 'a' AND AND {k} = 'b'",
    "{k} = 'a' OR {k} = ",
    "{k} == 'a'",
    "{k} 'a'",
    "{k} = 'a' 'b'",
    "{k} = a",
    "{k} = `a`",
    "{k}='a'",
    "  {k}   =   'a'  ",
    "{k}\n=\n'a'",
    "{k} like 'A%'",
    "{k} Like 'a%'",
    "{k} ILIKE 'A%'",
    "{k} NOT LIKE 'a%'",
    "{k} LIKE a%",
    "{k} LIKE ''",
    "{k} LIKE '%'",
    "{k} LIKE '%%'",
    "{k} LIKE 'a_c'",
    "{k} LIKE 'a\\_c'",
    "{k} LIKE 'a.c'",
    "{k} LIKE '[a]%'",
    "{k} RLIKE 'a.*'",
    "{k} IN ('a', 'a b')",
    "{k} IN ('a',)",
    "{k} IN 'a'",
    "{k} IN (a)",
    "{k} IN ()",
    "{k} NOT IN ('a')",
    "{k} not in ('a', 'b')",
    "{k} NOT 'a'",
    "{k} IS 'a'",
    "{k} IS NOT 'a'",
    "{k} IS NULL",
    "{k} IS NOT NULL",
    "{k} = NULL",
    "{k} BETWEEN 'a' AND 'b'",
    "({k} LIKE 'q%'",
    "{k} = 'a')",
    '{k} = "a"',
    '{k} = "it\'s"',
    '{k} != "it\'s"',
    "'{k}' = 'a'",
    "`{k}` = 'a'",
    "{t} = ''",
    "{t} != ''",
    "{t} IS NULL",
    "{t} IS NOT NULL",
    "{t} IS   NOT   NULL",
    "{t} is not null",
    "{t} IS NULL AND {k} = 'a'",
    "{t} IN ('1')",
    "{t} LIKE '%1%'",
    "{t} ILIKE 'ONE'",
    "{t} = 'one' AND {t} = 'one'",
    "{t} = 'one' AND {t} = 'two'",
    "tags.`a b` = 'x'",
    "tags.`a.b` = 'x'",
    "tags.a.b = 'x'",
    "tags.\"a b\" = 'x'",
    "tags.'a b' = 'x'",
    "tags.a b = 'x'",
    "tags.`a``b` = 'x'",
    "tags.ünï = 'x'",
    "tags.`ünï` = 'é'",
    "tags = 'x'",
    "tags. = 'x'",
    "Tags.g = 'one'",
    "TAG.g = 'one'",
]


def nearly(k, t):
    """The filters for one grammar."""
    return [f.replace("{k}", k).replace("{t}", t) for f in NEARLY]


TAGS = [
    [{"key": "g", "value": "one"}, {"key": "a b", "value": "x"}, {"key": "ünï", "value": "é"}],
    [{"key": "g", "value": "two"}, {"key": "a.b", "value": "x"}],
    [{"key": "g", "value": ""}],
    [],
]
NAMES = ["a", "a b", "a_c", "it's"]


def edges():
    yield from run_edges()
    yield from experiment_edges()
    yield from registered_edges()


def run_edges():
    setup = [
        experiment("exp"),
        post("/experiments/create", {"name": "second"}, exp2="experiment_id"),
    ]
    # Equal starts, and metrics that are equal, NaN, infinite, negative, or not there.
    values = [1.0, "NaN", 1.0, None, "-Infinity", -0.0]
    for i, value in enumerate(values):
        name = f"r{i}"
        # Names are in the order of the ties that are compared, and starts differ where ids would decide.
        setup.append(run(name, start=5000 + i // 2 * 2 - i % 2))
        tags = TAGS[i % 4]
        setup.append(post("/runs/log-batch", {"run_id": "{" + name + "}", "tags": tags}))
        if value is not None:
            setup.append(
                post(
                    "/runs/log-metric",
                    {"run_id": "{" + name + "}", "key": "m", "value": value, "timestamp": 1},
                )
            )
        if i % 3:
            setup.append(
                post(
                    "/runs/log-parameter",
                    {"run_id": "{" + name + "}", "key": "p", "value": NAMES[i % 4]},
                )
            )
    setup.append(post("/runs/update", {"run_id": "{r2}", "status": "FINISHED", "end_time": 9000}))
    setup.append(post("/runs/update", {"run_id": "{r4}", "status": "KILLED", "end_time": 9000}))
    setup.append(post("/runs/delete", {"run_id": "{r5}"}))
    setup.append(
        post(
            "/runs/log-inputs",
            {
                "run_id": "{r0}",
                "datasets": [
                    {
                        "tags": [{"key": "mlflow.data.context", "value": c}],
                        "dataset": {"name": n, "digest": d, "source_type": "local", "source": "s"},
                    }
                    for n, d, c in [("a", "d1", "train"), ("b", "d2", "eval")]
                ],
            },
        )
    )
    yield script(
        "edges of run filters",
        setup,
        [search(f) for f in nearly("params.p", "tags.g")],
        [search(f) for f in nearly("run_name", "tags.g")[:46]],
        [
            search(f)
            for f in [
                "metrics.m > 0",
                "metrics.m >= -0.0",
                "metrics.m = 0",
                "metrics.m != 1",
                "metrics.m < 1e400",
                "metrics.m > -1e400",
                "metrics.m > +0.5",
                "metrics.m > .5",
                "metrics.m > 5.",
                "metrics.m > 0x1",
                "metrics.m > 1_0",
                "metrics.m > 1e",
                "metrics.m > --1",
                "metrics.m > Infinity",
                "metrics.m = NaN",
                "metrics.m > '0'",
                'metrics.m > "0"',
                "metrics.m IS NOT NULL",
                "metrics.m NOT IN (1)",
                "0 < metrics.m",
                "metrics.m > metrics.m",
                "start_time >= 5000",
                "start_time > -1",
                "start_time = '5000'",
                "start_time IS NULL",
                "end_time IS NULL",
                "end_time = 9000",
                "end_time != 9000",
                "attributes.end_time > 0",
                "attributes.`start_time` > 0",
                "Attributes.start_time > 0",
                "status = 'finished'",
                "status LIKE 'F%'",
                "status != 'RUNNING' AND end_time > 1",
                "run_id LIKE '%'",
                "run_id NOT IN ('{r0}')",
                "run_id IN ('{r0}', '{r0}')",
                "attributes.run_id IN ('{r0}', '{r1}')",
                "run_name IN ('r0')",
                "user_id LIKE '%'",
                "artifact_uri = 'x'",
                "Created > 0",
                "`Run Name` = 'r1'",
                "attributes.`Run name` = 'r1'",
                "dataset.name = 'a' AND dataset.digest = 'd2'",
                "dataset.name = 'a' AND dataset.context = 'eval'",
                "dataset.name IN ('a', 'x')",
                "dataset.name NOT IN ('a')",
                "dataset.context IN ('train')",
                "dataset.digest LIKE 'd%'",
                "dataset.name ILIKE 'A'",
                "dataset.profile = 'x'",
                "dataset = 'a'",
                "datasets.`name` = 'a'",
                "inputs.name = 'a'",
            ]
        ],
    )
    yield script(
        "edges of run orders",
        setup,
        [
            search(order_by=o, run_view_type="ALL")
            for o in [
                ["metrics.m", "run_name"],
                ["metrics.m DESC", "run_name"],
                ["metrics.m ASC", "run_name DESC"],
                ["params.p", "run_name"],
                ["params.p DESC", "run_name DESC"],
                ["tags.g", "run_name"],
                ["tags.g DESC", "run_name"],
                ["tags.`a b`", "run_name"],
                ["end_time", "run_name"],
                ["end_time DESC", "run_name"],
                ["status", "run_name"],
                ["status DESC", "start_time"],
                ["user_id", "run_name"],
                ["`start_time` asc"],
                ["START_TIME"],
                ["start_time  DESC"],
                [" start_time"],
                ["start_time ASC DESC"],
                ["start_time,"],
                ["attribute.start_time", "start_time"],
                ["metrics.m", "metric.m"],
                ["tags.g", "tags.g DESC"],
                ["metrics.`m`", "run_name"],
                ['metrics."m"', "run_name"],
                ["'start_time'"],
                ["inputs.x"],
                ["."],
                ["metrics."],
                [None],
                [["start_time"]],
                {"a": 1},
            ]
        ],
        [
            search(order_by=["run_name"], **more)
            for more in [
                {"max_results": 1},
                {"max_results": 50000},
                {"max_results": 1.5},
                {"max_results": None},
                {"max_results": "50001"},
                {"max_results": True},
                {"run_view_type": "active_only"},
                {"run_view_type": 0},
                {"run_view_type": 1},
                {"run_view_type": 2},
                {"run_view_type": ""},
                {"run_view_type": "DELETED"},
                {"page_token": ""},
                {"page_token": None},
                {"page_token": 3},
                {"page_token": "e30="},
                {"page_token": "eyJvZmZzZXQiOiAtMX0="},
                {"page_token": "eyJvZmZzZXQiOiAiMSJ9"},
                {"page_token": "eyJvZmZzZXQiOiAxMDAwfQ=="},
                {"page_token": "eyJvZmZzZXQiOiAyfQ", "max_results": 2},
            ]
        ],
        {**search(order_by=["run_name"], max_results=2), "capture": {"page": "next_page_token"}},
        # A token of one search sent with another: it is a place in whatever is found.
        search("tags.g = 'one'", order_by=["run_name"], max_results=2, page_token="{page}"),
        search(order_by=["run_name DESC"], max_results=2, page_token="{page}"),
        search(order_by=["run_name"], max_results=3, page_token="{page}"),
        post("/runs/search", {"experiment_ids": ["{exp2}"], "page_token": "{page}"}),
        post("/runs/search", {"experiment_ids": ["{exp}", "x'; --"]}),
        post("/runs/search", {"experiment_ids": ["{exp}", 3]}),
        post("/runs/search", {"experiment_ids": None}),
    )


def experiment_edges():
    prefix = "edge "
    mine = f"name LIKE '{prefix}%' AND "
    ask = "/experiments/search"
    yield script(
        "edges of experiments",
        [
            post(
                "/experiments/create",
                {"name": prefix + n, "tags": tags},
                **{f"e{i}": "experiment_id"},
            )
            for i, (n, tags) in enumerate(zip(NAMES, TAGS))
        ],
        post("/experiments/delete", {"experiment_id": "{e3}"}),
        [
            post(
                ask,
                {
                    "max_results": 20,
                    "order_by": ["name"],
                    "filter": (mine if f.lower().startswith("tag") else "") + f,
                },
            )
            for f in nearly("name", "tags.g")
        ],
        [
            post(ask, {"max_results": 20, "order_by": ["name"], "filter": mine + f})
            for f in [
                "creation_time > 0",
                "creation_time >= 1e3",
                "creation_time = '5'",
                "creation_time IN (5)",
                "last_update_time != 0",
                "last_update_time > -1",
                "experiment_id IN ('{e0}', '{e1}')",
                "experiment_id NOT IN ('{e0}')",
                "experiment_id != '{e0}'",
                "experiment_id LIKE '%'",
                "attributes.name LIKE '%'",
                "attr.name LIKE '%'",
                "lifecycle_stage = 'active'",
                "artifact_location LIKE '%'",
            ]
        ],
        [
            post(ask, {"max_results": 20, "filter": mine + "name LIKE '%'", **more})
            for more in [
                {"order_by": ["name"], "view_type": "ALL"},
                {"order_by": ["name"], "view_type": "DELETED_ONLY"},
                {"order_by": ["name DESC"], "view_type": "ALL"},
                {"order_by": ["last_update_time"]},
                {"order_by": ["creation_time DESC", "name"]},
                {"order_by": ["lifecycle_stage"]},
                {"order_by": ["attribute.name"]},
                {"order_by": ["attributes.name DESC"]},
                {"order_by": ["tags.g"]},
                {"order_by": ["metrics.g"]},
                {"order_by": ["`name`"]},
                {"order_by": [" name "]},
                {"order_by": [3]},
                {"view_type": "x"},
                {"view_type": 9},
                {"max_results": None},
                {"max_results": 1.5},
                {"max_results": 50000},
                {"page_token": "eyJvZmZzZXQiOiAxMDB9"},
                {"page_token": "eyJvZmZzZXQiOiAtMX0="},
                {"page_token": 5},
            ]
        ],
    )


def registered_edges():
    mine = "name LIKE 'edge%' AND "
    ask = "/registered-models/search"
    yield script(
        "edges of registered models",
        [
            post("/registered-models/create", {"name": "edge " + n, "tags": tags})
            for n, tags in zip(NAMES, TAGS)
        ],
        [
            get(ask, filter=(mine if f.lower().startswith("tag") else "") + f)
            for f in nearly("name", "tags.g")
        ],
        [
            get(ask, filter=mine + f)
            for f in [
                "name != 'edge a'",
                "name IN ('edge a', 'edge a b')",
                "name NOT IN ('edge a')",
                "creation_timestamp > 0",
                "last_updated_timestamp > 0",
                "attribute.name = 'edge a'",
                "attributes.name = 'edge a'",
                "description = 'x'",
                "aliases.x = '1'",
            ]
        ],
        [
            get(ask, filter="name LIKE 'edge%'", **more)
            for more in [
                {"order_by": ["name ASC"]},
                {"order_by": ["name DESC"]},
                {"order_by": ["last_updated_timestamp", "name DESC"]},
                {"order_by": ["last_updated_timestamp DESC"]},
                {"order_by": ["creation_timestamp ASC"]},
                {"order_by": ["timestamp ASC", "name"]},
                {"order_by": ["timestamp", "last_updated_timestamp"]},
                {"order_by": ["tags.g"]},
                {"order_by": ["`name`"]},
                {"order_by": ["name  DESC"]},
                {"order_by": ["name DESC, name"]},
                {"order_by": [""]},
                {"max_results": 0},
                {"max_results": -1},
                {"max_results": 1000},
                {"max_results": 1001},
                {"max_results": 2},
                {"page_token": "eyJvZmZzZXQiOiAyfQ=="},
                {"page_token": "eyJvZmZzZXQiOiAtMn0="},
                {"page_token": "e30="},
                {"page_token": "%%%"},
            ]
        ],
    )
