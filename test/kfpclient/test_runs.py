from __future__ import annotations

import os
import subprocess
import sys

import kfp_server_api
import pipelines
import pytest
from conftest import RUN_TIMEOUT_S, equals, refusal


def wait(client, run_id):
    return client.wait_for_run_completion(run_id, RUN_TIMEOUT_S, sleep_duration=1)


def tasks_of(run):
    return {t.display_name: t for t in run.run_details.task_details}


def experiment_of(client, name):
    return client.create_experiment(name).experiment_id


def test_a_pipeline_function_runs_to_its_end(client, name):
    result = client.create_run_from_pipeline_func(
        pipelines.add_pipeline, arguments={"a": 3, "b": 4}, run_name=name, enable_caching=False
    )
    run = result.wait_for_run_completion(RUN_TIMEOUT_S)
    assert run.run_id == result.run_id
    assert run.state == "SUCCEEDED"
    assert run.error is None
    assert run.display_name == name
    assert run.runtime_config.parameters == {"a": 3, "b": 4}
    assert run.pipeline_spec["pipelineInfo"]["name"] == "add-numbers"
    assert run.created_at <= run.finished_at
    assert [h.state for h in run.state_history][-1] == "SUCCEEDED"
    tasks = tasks_of(run)
    assert {t.state for t in tasks.values()} == {"SUCCEEDED"}
    assert set(tasks) >= {"add", "second sum"}
    assert all(t.run_id == run.run_id and t.create_time and t.end_time for t in tasks.values())


def test_data_conditions_and_loops_run(client, name, packages):
    result = client.create_run_from_pipeline_package(packages["data"], run_name=name)
    run = wait(client, result.run_id)
    assert run.state == "SUCCEEDED", run.error
    details = run.run_details.task_details
    by_id = {t.task_id: t for t in details}
    nested = [t for t in details if t.parent_task_id]
    assert nested
    for task in nested:
        parent = by_id[task.parent_task_id]
        assert task.task_id in [c.task_id for c in parent.child_tasks]
    assert len([t for t in details if t.display_name == "check"]) == 2
    assert all(t.state in ("SUCCEEDED", "SKIPPED") for t in details)
    # The file that one step wrote reached the next: its three lines decided the conditions.
    tasks = tasks_of(run)
    assert tasks["say"].state == "SUCCEEDED"
    assert "never" not in tasks or tasks["never"].state == "SKIPPED"


def test_a_run_goes_to_the_experiment_it_names(client, name, packages):
    result = client.create_run_from_pipeline_package(
        packages["add"], run_name=name, experiment_name=name
    )
    experiment = client.get_experiment(experiment_name=name)
    assert client.get_run(result.run_id).experiment_id == experiment.experiment_id
    runs = client.list_runs(experiment_id=experiment.experiment_id)
    assert [r.run_id for r in runs.runs] == [result.run_id]
    assert runs.total_size == 1
    wait(client, result.run_id)


def test_an_uploaded_version_runs(client, name, uploaded):
    pipeline, version = uploaded
    run = client.run_pipeline(
        experiment_of(client, name),
        name,
        pipeline_id=pipeline.pipeline_id,
        version_id=version.pipeline_version_id,
        params={"a": 10.5},
        service_account="someone",
    )
    assert run.pipeline_spec is None
    assert run.pipeline_version_reference.pipeline_id == pipeline.pipeline_id
    assert run.pipeline_version_reference.pipeline_version_id == version.pipeline_version_id
    assert run.service_account == "someone"
    run = wait(client, run.run_id)
    assert run.state == "SUCCEEDED"
    assert run.runtime_config.parameters == {"a": 10.5, "b": 2}


def test_a_second_run_takes_its_results_from_the_first(client, name, packages):
    arguments = {"a": 1234.5, "b": 1 + int(name[-8:], 16)}  # not 0: then both steps were the same
    states = []
    for caching in (True, True, False):
        result = client.create_run_from_pipeline_package(
            packages["add"], arguments=arguments, run_name=name, enable_caching=caching
        )
        run = wait(client, result.run_id)
        assert run.state == "SUCCEEDED"
        states.append({t.state for t in tasks_of(run).values()})
    assert states == [{"SUCCEEDED"}, {"SKIPPED"}, {"SUCCEEDED"}]


def test_a_failing_step_fails_the_run_and_says_why(client, name, packages):
    result = client.create_run_from_pipeline_package(
        packages["failing"], arguments={"message": "no luck today"}, run_name=name
    )
    run = wait(client, result.run_id)
    assert run.state == "FAILED"
    assert "fail" in run.error.message
    tasks = tasks_of(run)
    assert tasks["fail"].state == "FAILED"
    assert tasks["fail"].error.code == 2
    assert len(tasks["fail"].error.message) > 10
    assert "say" not in tasks or tasks["say"].state == "SKIPPED"
    failed = client.list_runs(filter=equals("state", "FAILED"), sort_by="created_at desc")
    assert run.run_id in [r.run_id for r in failed.runs]


def test_a_terminated_run_is_cancelled_and_the_client_waits_in_vain(client, name, packages):
    result = client.create_run_from_pipeline_package(packages["waiting"], run_name=name)
    client.terminate_run(result.run_id)
    # The client's list of final states lacks CANCELED, so it waits until its timeout.
    with pytest.raises(TimeoutError):
        client.wait_for_run_completion(result.run_id, 15, sleep_duration=1)
    run = client.get_run(result.run_id)
    assert run.state == "CANCELED"
    assert run.finished_at
    assert [h.state for h in run.state_history][-1] == "CANCELED"
    status, error = refusal(lambda: client.terminate_run(result.run_id))
    assert (status, error["code"]) == (409, 6)


def test_a_run_is_archived_restored_and_deleted(client, name, packages):
    run_id = client.create_run_from_pipeline_package(packages["add"], run_name=name).run_id
    wait(client, run_id)
    client.archive_run(run_id)
    assert client.get_run(run_id).storage_state == "ARCHIVED"
    found = client.list_runs(filter=equals("storage_state", "ARCHIVED"), page_size=200)
    assert run_id in [r.run_id for r in found.runs]
    client.unarchive_run(run_id)
    assert client.get_run(run_id).storage_state == "AVAILABLE"
    client.delete_run(run_id)
    gone = [client.get_run, client.delete_run, client.terminate_run, client.archive_run]
    assert [refusal(lambda call=call: call(run_id))[0] for call in gone] == [404] * len(gone)


def test_a_run_comes_back_after_its_experiment(client, name, packages):
    experiment = experiment_of(client, name)
    run_id = client.run_pipeline(experiment, name, packages["add"]).run_id
    wait(client, run_id)
    client.archive_experiment(experiment)
    assert client.get_run(run_id).storage_state == "ARCHIVED"
    status, error = refusal(lambda: client.unarchive_run(run_id))
    assert (status, error["code"]) == (409, 6)
    client.unarchive_experiment(experiment)
    client.unarchive_run(run_id)
    assert client.get_run(run_id).storage_state == "AVAILABLE"


def test_runs_are_listed_in_pages(client, name, packages):
    experiment = experiment_of(client, name)
    wanted = []
    for i in range(3):
        run = client.run_pipeline(experiment, f"{name} {i}", packages["add"])
        wanted.append(run.run_id)
    seen, token = [], ""
    while True:
        page = client.list_runs(
            page_token=token, page_size=2, experiment_id=experiment, sort_by="created_at desc"
        )
        seen += [r.run_id for r in page.runs]
        token = page.next_page_token
        if not token:
            break
    assert seen == wanted[::-1]
    for run_id in wanted:
        wait(client, run_id)


def test_a_listed_run_shows_everything_but_its_tasks(client, finished):
    listed = client.list_runs(filter=equals("run_id", finished.run_id)).runs[0]
    assert listed.run_details is None
    assert finished.run_details.task_details
    listed.run_details = finished.run_details
    assert listed == finished


def test_a_run_that_cannot_work_is_refused_before_it_starts(client, name, packages):
    experiment = experiment_of(client, name)

    def start(package, params, **kwargs):
        return lambda: client.run_pipeline(
            kwargs.pop("experiment", experiment), name, packages[package], params, **kwargs
        )

    cases = [
        (start("required", {}), 400, "must"),
        (start("required", {"must": "x", "extra": 1}), 400, "extra"),
        (start("add", {"a": "text"}), 400, "a"),
        (start("add", {}, experiment="no-such-id"), 404, "no-such-id"),
    ]
    for call, status, word in cases:
        got, error = refusal(call)
        assert got == status, error
        assert word in error["message"]
    assert client.list_runs(experiment_id=experiment).runs is None


def test_an_unknown_version_cannot_run(client, name, uploaded):
    pipeline, _ = uploaded
    experiment = experiment_of(client, name)
    calls = [
        lambda: client.run_pipeline(experiment, name, pipeline_id="no-such-id", version_id="v"),
        lambda: client.run_pipeline(
            experiment, name, pipeline_id=pipeline.pipeline_id, version_id="no-such-id"
        ),
    ]
    assert [refusal(call)[0] for call in calls] == [404, 404]


def test_a_retried_run_does_what_did_not_succeed(client, name, packages):
    run_id = client.create_run_from_pipeline_package(packages["mending"], run_name=name).run_id
    failed = wait(client, run_id)
    assert failed.state == "FAILED"
    before = tasks_of(failed)
    client._run_api.run_service_retry_run(run_id)
    run = wait(client, run_id)
    assert run.state == "SUCCEEDED", run.error
    assert run.error is None
    assert [h.state for h in run.state_history][-3:] == ["FAILED", "RUNNING", "SUCCEEDED"]
    after = tasks_of(run)
    assert {t.state for t in after.values()} == {"SUCCEEDED"}
    assert after["add"] == before["add"], "a task that had succeeded was done again"
    assert after["tell"].end_time > before["tell"].end_time, "the exit handler was not run again"


def test_a_run_that_succeeded_or_still_runs_is_not_retried(client, name, finished, packages):
    retry = client._run_api.run_service_retry_run
    status, error = refusal(lambda: retry(finished.run_id))
    assert (status, error["code"]) == (409, 6)
    assert "nothing to retry" in error["message"]
    run_id = client.create_run_from_pipeline_package(packages["waiting"], run_name=name).run_id
    assert refusal(lambda: retry(run_id))[0] == 409
    client.terminate_run(run_id)
    assert refusal(lambda: retry("no-such-id"))[0] == 404


def test_macros_in_parameters_are_filled_in(client, name, packages):
    arguments = {"must": "[[RunUUID]] [[CurrentTime.2006]] [[ScheduledTime]] [[Index]]"}
    result = client.create_run_from_pipeline_package(
        packages["required"], arguments=arguments, run_name=name
    )
    run = wait(client, result.run_id)
    year = run.created_at.year
    wanted = f"{run.run_id} {year} [[ScheduledTime]] [[Index]]"
    assert run.runtime_config.parameters["must"] == wanted


def test_a_misspelt_field_is_named(client):
    class Misspelt(kfp_server_api.V2beta1Run):
        attribute_map = {**kfp_server_api.V2beta1Run.attribute_map, "description": "descripton"}

    api = client._run_api
    create = getattr(api, "run_service_create_run", None) or api.create_run
    status, error = refusal(lambda: create(Misspelt(display_name="x", description="y")))
    assert status == 400
    assert "descripton" in error["message"]


def test_the_command_line_of_the_sdk_shows_a_run(finished):
    main = "from kfp.cli.__main__ import main; main()"
    command = ["--endpoint", os.environ["LEVADA_URL"], "run", "get", finished.run_id]
    done = subprocess.run(
        [sys.executable, "-c", main, *command], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert finished.run_id in done.stdout
    assert "SUCCEEDED" in done.stdout
