"""Requests about logged models."""

from calls.writing import FILES, delete, experiment, get, patch, post, raw, run, script


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
