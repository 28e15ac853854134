"""The calls of the API that kfp.Client has no method for, sent through the API client that the SDK brings."""

from __future__ import annotations

import base64
import json
import os
import urllib.request

import pytest
from conftest import RUN_TIMEOUT_S, ApiException, ask, refusal


def spec_of(client, uploaded):
    pipeline, version = uploaded
    found = client.get_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
    return found.pipeline_spec


def test_a_pipeline_is_created_without_a_version_and_gets_one(client, name, uploaded):
    name += " two"  # its fixture has taken the name
    made = ask(client, "POST", "pipelines", body={"display_name": name, "tags": {"team": "a"}})
    assert made["display_name"] == made["name"] == name
    assert client.list_pipeline_versions(made["pipeline_id"]).pipeline_versions is None
    version = ask(
        client,
        "POST",
        f"pipelines/{made['pipeline_id']}/versions",
        body={"display_name": "first", "pipeline_spec": spec_of(client, uploaded)},
    )
    assert version["pipeline_spec"]["pipelineInfo"]["name"] == "add-numbers"
    experiment = client.create_experiment(name).experiment_id
    run = client.run_pipeline(
        experiment,
        name,
        pipeline_id=made["pipeline_id"],
        version_id=version["pipeline_version_id"],
    )
    run = client.wait_for_run_completion(run.run_id, RUN_TIMEOUT_S, sleep_duration=1)
    assert run.state == "SUCCEEDED"


def test_a_pipeline_is_created_with_its_version(client, name, uploaded):
    name += " two"  # its fixture has taken the name
    body = {
        "pipeline": {"name": name, "display_name": "shown"},
        "pipeline_version": {"pipeline_spec": spec_of(client, uploaded)},
    }
    made = ask(client, "POST", "pipelines/create", body=body)
    assert (made["name"], made["display_name"]) == (name, "shown")
    versions = client.list_pipeline_versions(made["pipeline_id"]).pipeline_versions
    assert len(versions) == 1
    by_name = ask(client, "GET", f"pipelines/names/{name.replace(' ', '%20')}")
    assert by_name["pipeline_id"] == made["pipeline_id"]
    status, _ = refusal(lambda: ask(client, "POST", "pipelines/create", body=body))
    assert status == 409


def test_a_pipeline_and_a_version_are_renamed_and_tagged(client, uploaded):
    pipeline, version = uploaded
    path = f"pipelines/{pipeline.pipeline_id}"
    changed = ask(client, "PATCH", path, body={"display_name": "new", "tags": {"a": "b"}})
    assert (changed["display_name"], changed["tags"]) == ("new", {"a": "b"})
    assert changed["name"] == pipeline.display_name
    assert client.get_pipeline(pipeline.pipeline_id).display_name == "new"
    assert "tags" not in ask(client, "PATCH", path, body={"tags": {}})
    path += f"/versions/{version.pipeline_version_id}"
    assert ask(client, "PATCH", path, body={"display_name": "newer"})["display_name"] == "newer"
    status, error = refusal(
        lambda: ask(client, "PATCH", path, body={"tags": {"a" * 64: "too long"}})
    )
    assert status == 400
    assert "63" in error["message"]


def test_an_artifact_and_the_log_of_a_task_are_read(client, name, packages):
    result = client.create_run_from_pipeline_package(packages["lines"], run_name=name)
    run = client.wait_for_run_completion(result.run_id, RUN_TIMEOUT_S, sleep_duration=1)
    task = next(t for t in run.run_details.task_details if t.display_name == "write-lines")
    path = f"runs/{run.run_id}/nodes/{task.task_id}/artifacts/lines:read"
    data = base64.b64decode(ask(client, "GET", path)["data"])
    assert data == b"line 0\nline 1\nline 2\n"
    assert refusal(lambda: ask(client, "GET", path.replace("lines:", "other:")))[0] == 404

    url = f"{os.environ['LEVADA_URL']}/apis/v1alpha1/runs/{run.run_id}/nodes/{task.task_id}/log"
    with urllib.request.urlopen(url) as log:
        assert log.headers["Content-Type"].startswith("text/plain")
        assert b"writing 3 lines" in log.read()


def test_the_one_user_may_see_everything(client):
    query = {"namespace": "kubeflow", "resources": "VIEWERS", "verb": "CREATE"}
    assert ask(client, "GET", "auth", query=query) == {}


def predicate(operation, key, **value):
    return json.dumps({"predicates": [{"operation": operation, "key": key, **value}]})


# Each operation as a word and as its number, with values in both spellings and of each kind.
FILTERS = [
    (predicate("EQUALS", "display_name", string_value="filtered 1"), [1]),
    (predicate(1, "display_name", stringValue="filtered 1"), [1]),
    (predicate("NOT_EQUALS", "display_name", stringValue="filtered 1"), [0, 2]),
    (predicate(2, "name", string_value="filtered 1"), [0, 2]),
    (predicate("GREATER_THAN", "display_name", stringValue="filtered 1"), [2]),
    (predicate(3, "created_at", timestampValue="{middle}"), [2]),
    (predicate("GREATER_THAN_EQUALS", "created_at", timestamp_value="{middle}"), [1, 2]),
    (predicate(5, "created_at", longValue="1000000000"), [0, 1, 2]),
    (predicate("LESS_THAN", "created_at", timestamp_value="{middle}"), [0]),
    (predicate(6, "created_at", intValue=1000000000), []),
    (predicate("LESS_THAN_EQUALS", "created_at", timestampValue="{middle}"), [0, 1]),
    (predicate(7, "created_at", long_value=4000000000), [0, 1, 2]),
    (
        predicate("IN", "display_name", stringValues={"values": ["filtered 0", "filtered 2"]}),
        [0, 2],
    ),
    (predicate(8, "storage_state", string_values={"values": ["AVAILABLE"]}), [0, 1, 2]),
    (predicate(8, "created_at", longValues={"values": ["1", 2]}), []),
    (predicate("IN", "created_at", int_values={"values": [1, 2]}), []),
    (predicate("IS_SUBSTRING", "display_name", stringValue="TERED 2"), [2]),
    (predicate(9, "description", string_value="about 0"), [0]),
]


@pytest.fixture(scope="module")
def listed(client):
    made = []
    for i in range(3):
        made.append(client.create_experiment(f"filtered {i}", description=f"About {i}"))
    return made


@pytest.mark.parametrize(("text", "wanted"), FILTERS)
def test_every_operation_of_a_filter_works(client, listed, text, wanted):
    text = text.replace("{middle}", listed[1].created_at.isoformat())
    ours = {e.experiment_id: i for i, e in enumerate(listed)}
    seen, token = [], ""
    while True:
        page = client.list_experiments(page_token=token, page_size=200, filter=text)
        seen += [ours[e.experiment_id] for e in page.experiments or [] if e.experiment_id in ours]
        token = page.next_page_token
        if not token:
            break
    assert seen == wanted


SORTED = {
    "experiments": ["experiment_id", "display_name", "description", "created_at"],
    "pipelines": ["pipeline_id", "name", "display_name", "description", "created_at"],
    "runs": [
        "run_id",
        "display_name",
        "description",
        "created_at",
        "scheduled_at",
        "experiment_id",
    ],
    "recurringruns": ["recurring_run_id", "display_name", "description", "created_at"],
}


@pytest.mark.parametrize("kind", SORTED)
def test_lists_are_sorted_by_each_field(client, kind, listed, finished):
    for field in SORTED[kind]:
        for order in ("", " asc", " desc"):
            query = {"sort_by": field + order, "page_size": "200"}
            answer = ask(client, "GET", kind, query=query)
            rows = answer.get("recurringRuns" if kind == "recurringruns" else kind, [])
            values = [row.get(field, "") for row in rows]
            assert values == sorted(values, reverse=order == " desc"), (field, order)
    for field in ("state", "storage_state", "finished_at", "recurring_run_id"):
        ask(client, "GET", "runs", query={"sort_by": field})
    ask(client, "GET", "experiments", query={"sort_by": "last_run_created_at desc"})
    ask(client, "GET", "recurringruns", query={"sort_by": "updated_at"})


def test_what_is_not_offered_is_refused_in_words(client):
    calls = {
        "visualizations/ns": {"type": "TABLE"},
        "workflows": {},
        "scheduledworkflows": {},
        "pipelines/create": {
            "pipeline": {"name": "x"},
            "pipeline_version": {"package_url": {"pipeline_url": "https://example.com"}},
        },
    }
    for path, body in calls.items():
        with pytest.raises(ApiException) as raised:
            ask(client, "POST", path, body=body)
        error = json.loads(raised.value.body)
        assert (raised.value.status, error["code"]) == (501, 12)
        assert "not implemented by Levada" in error["message"]
