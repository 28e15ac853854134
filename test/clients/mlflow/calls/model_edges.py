"""Searches at the edges, as in edges.py, for versions of registered models and for logged models."""

from calls.edges import TAGS, nearly
from calls.writing import delete, experiment, get, patch, post, run, script


def model_edges():
    yield from version_edges()
    yield from logged_model_edges()


def version_edges():
    mine = "name = 'edges' AND "
    ask = "/model-versions/search"
    yield script(
        "edges of model versions",
        post("/registered-models/create", {"name": "edges"}),
        [
            post(
                "/model-versions/create",
                {"name": "edges", "source": f"s3://bucket/{i}", "run_id": "", "tags": tags},
            )
            for i, tags in enumerate(TAGS)
        ],
        [
            get(ask, filter=mine + f, order_by=["version_number ASC"])
            for f in nearly("source_path", "tags.g")
        ],
        [
            get(ask, filter=mine + f, order_by=["version_number ASC"])
            for f in [
                "version_number >= 2",
                "version_number != 2",
                "version_number = '2'",
                "version_number IN (1, 2)",
                "version_number > 1.5",
                "version_number LIKE '1'",
                "version = 1",
                "run_id = ''",
                "run_id IN ('')",
                "run_id IN ('x', 'y')",
                "run_id NOT IN ('x')",
                "run_id != 'x'",
                "run_id LIKE '%'",
                "name IN ('edges')",
                "name NOT IN ('edges')",
                "current_stage = 'None'",
                "status = 'READY'",
                "creation_timestamp > 0",
                "attributes.version_number = 1",
            ]
        ],
        [
            get(ask, filter="name = 'edges'", **more)
            for more in [
                {"order_by": ["version_number DESC"]},
                {"order_by": ["name", "version_number ASC"]},
                {"order_by": ["version_number", "version_number DESC"]},
                {"order_by": ["version"]},
                {"order_by": ["run_id"]},
                {"order_by": ["tags.g"]},
                {"order_by": ["version_number"], "max_results": 2},
                {
                    "order_by": ["version_number"],
                    "max_results": 2,
                    "page_token": "eyJvZmZzZXQiOiAyfQ==",
                },
                {"max_results": -1},
                {"max_results": 200000, "order_by": ["version_number"]},
                {"page_token": "x"},
            ]
        ],
    )


def logged_model_edges():
    m = "/logged-models"
    setup = [experiment("exp"), run("r")]
    for i, (name, tags) in enumerate(zip(["a", "b", "a-c", "d-e"], TAGS)):
        setup.append(
            post(
                m,
                {
                    "experiment_id": "{exp}",
                    "name": name,
                    "source_run_id": "{r}",
                    "tags": tags,
                    "params": [{"key": "p", "value": str(i)}] if i else [],
                },
                **{f"m{i}": "model.info.model_id"},
            )
        )
    logs = [
        ("{m0}", "acc", 0.5, "d1", "x"),
        ("{m1}", "acc", 0.9, "d1", "x"),
        ("{m1}", "acc", 0.1, "d2", "y"),
        ("{m2}", "acc", "NaN", "d1", "x"),
        ("{m2}", "f1", 0.5, "", ""),
    ]
    for step, (model, key, value, name, digest) in enumerate(logs):
        setup.append(
            post(
                "/runs/log-metric",
                {
                    "run_id": "{r}",
                    "key": key,
                    "value": value,
                    "timestamp": 10 + step,
                    "step": step,
                    "model_id": model,
                    **({"dataset_name": name, "dataset_digest": digest} if name else {}),
                },
            )
        )
    setup.append(patch(m + "/{m3}", {"model_id": "{m3}", "status": "LOGGED_MODEL_UPLOAD_FAILED"}))
    by_name = [{"field_name": "name"}]
    dataset = {"dataset_name": "d1", "dataset_digest": "x"}
    yield script(
        "edges of logged models",
        setup,
        [
            post(m + "/search", {"experiment_ids": ["{exp}"], "order_by": by_name, "filter": f})
            for f in nearly("name", "tags.g")
        ],
        [
            post(m + "/search", {"experiment_ids": ["{exp}"], "order_by": by_name, **more})
            for more in [
                {"filter": "metrics.acc > 0.4"},
                {"filter": "metrics.acc < 0.4"},
                {"filter": "metrics.acc != 0.5"},
                {"filter": "metrics.acc = 0"},
                {"filter": "metrics.none > 0"},
                {"filter": "metrics.acc > 'x'"},
                {"filter": "metrics.acc IS NULL"},
                {"filter": "metrics.acc > 0.4", "datasets": [dataset]},
                {"filter": "metrics.acc < 0.4", "datasets": [dataset]},
                {
                    "filter": "metrics.acc < 0.4",
                    "datasets": [dataset, {"dataset_name": "d2", "dataset_digest": "y"}],
                },
                {
                    "filter": "metrics.acc > 0",
                    "datasets": [{"dataset_name": "zz", "dataset_digest": "x"}],
                },
                {"filter": "name = 'a'", "datasets": [dataset]},
                {"datasets": []},
                {"datasets": [{"dataset_digest": "x"}]},
                {"filter": "params.p > '1'"},
                {"filter": "params.p != '1'"},
                {"filter": "params.p IN ('1', '2')"},
                {"filter": "params.p LIKE '_'"},
                {"filter": "params.p IS NULL"},
                {"filter": "status = 'LOGGED_MODEL_UPLOAD_FAILED'"},
                {"filter": "status != 'PENDING'"},
                {"filter": "status IN ('PENDING')"},
                {"filter": "attributes.name = 'a'"},
                {"filter": "attribute.name = 'a'"},
                {"filter": "creation_timestamp > 0 AND last_updated_timestamp > 0"},
                {"filter": "creation_timestamp > '0'"},
                {"filter": "source_run_id = ''"},
                {"filter": "experiment_id = '{exp}'"},
                {"filter": "model_id NOT IN ('{m0}')"},
                {"filter": "model_id IN ('{m0}')"},
                {"order_by": [{"field_name": "metrics.acc", **dataset}, *by_name]},
                {
                    "order_by": [
                        {"field_name": "metrics.acc", "ascending": False, **dataset},
                        *by_name,
                    ]
                },
                {"order_by": [{"field_name": "metrics.f1"}, *by_name]},
                {"order_by": [{"field_name": "metrics.acc", "dataset_name": "d1"}, *by_name]},
                {"order_by": [{"field_name": "name", "dataset_name": "d1"}]},
                {"order_by": [{"field_name": "attributes.name", "ascending": False}]},
                {"order_by": [{"field_name": "tags.g"}]},
                {"order_by": [{"field_name": "status"}, *by_name]},
                {"order_by": [{"field_name": "model_type"}, *by_name]},
                {"order_by": [{"field_name": "last_updated_time"}]},
                {"order_by": [{"field_name": "name"}, {"field_name": "name", "ascending": False}]},
                {"order_by": [{}]},
                {"order_by": ["name"]},
                {"max_results": 0},
                {"max_results": -1},
                {"max_results": 51},
                {"max_results": 1.5},
                {"page_token": "x"},
                {"page_token": "e30="},
                {"experiment_ids": ["{exp}", "{exp}"]},
                {"experiment_ids": ["777"]},
            ]
        ],
        post(
            m + "/search",
            {"experiment_ids": ["{exp}"], "order_by": by_name, "max_results": 2},
            page="next_page_token",
        ),
        # A token goes with the search that it came from.
        post(
            m + "/search",
            {
                "experiment_ids": ["{exp}"],
                "order_by": by_name,
                "filter": "name != 'zz'",
                "page_token": "{page}",
            },
        ),
        post(m + "/search", {"experiment_ids": ["777"], "page_token": "{page}"}),
        post(
            m + "/search",
            {"experiment_ids": ["{exp}"], "order_by": [], "page_token": "{page}"},
        ),
        delete(m + "/{m1}"),
        post(m + "/search", {"experiment_ids": ["{exp}"], "order_by": by_name}),
    )
