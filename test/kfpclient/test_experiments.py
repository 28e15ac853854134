from __future__ import annotations

import json

import kfp_server_api
from conftest import equals, refusal


def test_the_client_finds_a_server_for_one_user(client):
    assert client.get_kfp_healthz().multi_user is False
    assert client.get_user_namespace() == ""


def test_an_experiment_is_created_once_and_found_by_id_and_name(client, name):
    created = client.create_experiment(name, description="über – λ 🙂")
    assert created.display_name == name
    assert created.description == "über – λ 🙂"
    assert created.storage_state == "AVAILABLE"
    assert created.created_at.tzinfo is not None
    assert client.create_experiment(name).experiment_id == created.experiment_id
    assert client.get_experiment(experiment_id=created.experiment_id) == created
    assert client.get_experiment(experiment_name=name) == created


def test_a_name_in_use_is_a_conflict(client, name):
    client.create_experiment(name)
    body = kfp_server_api.V2beta1Experiment(display_name=name)
    api = client._experiment_api
    create = getattr(api, "experiment_service_create_experiment", None) or api.create_experiment
    status, error = refusal(lambda: create(body))
    assert (status, error["code"]) == (409, 6)
    assert name in error["message"]


def test_an_unknown_experiment_is_not_found(client):
    status, error = refusal(lambda: client.get_experiment(experiment_id="no-such-id"))
    assert (status, error["code"]) == (404, 5)
    assert "no-such-id" in error["message"]


def test_a_namespace_is_accepted_and_not_kept(client, name):
    created = client.create_experiment(name, namespace="team-a")
    assert created.namespace is None
    assert client.get_experiment(experiment_name=name, namespace="team-b") == created


def test_a_namespace_is_remembered_by_the_client(client, name):
    try:
        client.set_user_namespace("team-a")
        assert client.get_user_namespace() == "team-a"
        assert client.create_experiment(name).display_name == name
        assert client.list_experiments(filter=equals("display_name", name)).total_size == 1
    finally:
        client.set_user_namespace("")


def test_experiments_are_listed_in_pages_in_the_order_asked_for(client, name):
    names = [f"{name} {i}" for i in range(5)]
    for n in names:
        client.create_experiment(n)
    query = {"filter": equals("display_name", name, "IS_SUBSTRING"), "page_size": 2}
    seen, token = [], ""
    while True:
        page = client.list_experiments(page_token=token, sort_by="display_name desc", **query)
        assert page.total_size == 5
        seen += [e.display_name for e in page.experiments]
        token = page.next_page_token
        if not token:
            break
    assert seen == names[::-1]
    oldest_first = client.list_experiments(**{**query, "page_size": 10}).experiments
    assert [e.display_name for e in oldest_first] == names


def test_a_page_token_carries_filter_and_order(client, name):
    for i in range(3):
        client.create_experiment(f"{name} {i}")
    first = client.list_experiments(
        page_size=2, sort_by="name desc", filter=equals("name", name, 9)
    )
    second = client.list_experiments(page_size=2, page_token=first.next_page_token)
    assert [e.display_name for e in second.experiments] == [f"{name} 0"]
    assert second.next_page_token is None


def test_an_experiment_is_archived_restored_and_deleted(client, name):
    experiment = client.create_experiment(name)
    key = experiment.experiment_id
    archived = json.dumps(
        {
            "predicates": [
                {"operation": "EQUALS", "key": "storage_state", "stringValue": "ARCHIVED"},
                {"operation": "EQUALS", "key": "experiment_id", "stringValue": key},
            ]
        }
    )
    assert client.list_experiments(filter=archived).experiments is None
    client.archive_experiment(key)
    assert client.get_experiment(key).storage_state == "ARCHIVED"
    assert [e.experiment_id for e in client.list_experiments(filter=archived).experiments] == [key]
    client.unarchive_experiment(key)
    assert client.get_experiment(key).storage_state == "AVAILABLE"
    client.delete_experiment(key)
    assert refusal(lambda: client.get_experiment(key))[0] == 404
    assert refusal(lambda: client.delete_experiment(key))[0] == 404


def test_a_filter_that_means_nothing_is_refused(client):
    status, error = refusal(lambda: client.list_experiments(filter=equals("colour", "red")))
    assert (status, error["code"]) == (400, 3)
    assert "colour" in error["message"]
    status, error = refusal(lambda: client.list_experiments(sort_by="colour"))
    assert status == 400
    assert "colour" in error["message"]
