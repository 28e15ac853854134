from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys

import pytest
from conftest import equals, refusal, until

START, END = "2026-01-01T00:00:00Z", "2026-01-01T03:30:00Z"


def utc(hour: int, minute: int = 0) -> datetime.datetime:
    return datetime.datetime(2026, 1, 1, hour, minute, tzinfo=datetime.timezone.utc)


@pytest.fixture
def experiment(client, name) -> str:
    return client.create_experiment(name).experiment_id


def create(client, experiment, name, packages, **kwargs):
    given = {
        "pipeline_package_path": packages["required"],
        "params": {"must": "x"},
        "start_time": START,
        "end_time": END,
        **kwargs,
    }
    return client.create_recurring_run(experiment, name, **given)


def runs_of(client, recurring):
    """Its runs, in the order of the times they are for."""
    found = client.list_runs(
        filter=equals("recurring_run_id", recurring.recurring_run_id), sort_by="scheduled_at"
    )
    return found.runs or []


def wait_for_runs(client, recurring, number):
    """Its runs, once there are that many and all have ended."""

    def ended():
        found = runs_of(client, recurring)
        over = all(r.state in ("SUCCEEDED", "FAILED", "CANCELED") for r in found)
        return found if len(found) >= number and over else None

    return until(ended)


def test_a_recurring_run_comes_back_as_it_was_made(client, experiment, name, packages):
    made = create(
        client,
        experiment,
        name,
        packages,
        description="about",
        cron_expression="0 0 9 ? * 2-6",
        max_concurrency=3,
        no_catchup=True,
        enabled=False,
        service_account="robot",
        pipeline_root="levada://root",
    )
    assert made.display_name == name
    assert made.description == "about"
    assert made.experiment_id == experiment
    assert made.trigger.cron_schedule.cron == "0 0 9 ? * 2-6"
    assert made.trigger.cron_schedule.start_time == utc(0)
    assert made.trigger.cron_schedule.end_time == utc(3, 30)
    assert made.trigger.periodic_schedule is None
    assert made.max_concurrency == "3"
    assert made.no_catchup is True
    assert (made.mode, made.status) == ("DISABLE", "DISABLED")
    assert made.service_account == "robot"
    assert made.runtime_config.parameters == {"must": "x"}
    assert made.runtime_config.pipeline_root == "levada://root"
    assert made.pipeline_spec["pipelineInfo"]["name"] == "optional-inputs"
    assert made.created_at == made.updated_at
    assert client.get_recurring_run(made.recurring_run_id) == made
    assert client.get_recurring_run(recurring_run_id=made.recurring_run_id) == made


def test_times_that_passed_are_caught_up(client, experiment, name, packages):
    made = create(
        client,
        experiment,
        name,
        packages,
        interval_second=3600,
        params={"must": "[[Index]]: [[ScheduledTime.15-04]] [[ScheduledTime]] [[RunUUID]]"},
    )
    assert made.trigger.periodic_schedule.interval_second == "3600"
    runs = wait_for_runs(client, made, 3)
    assert [r.scheduled_at for r in runs] == [utc(1), utc(2), utc(3)]
    for i, run in enumerate(runs, start=1):
        assert run.state == "SUCCEEDED", run.error
        assert run.recurring_run_id == made.recurring_run_id
        assert run.experiment_id == experiment
        wanted = f"{i}: 0{i}-00 202601010{i}0000 {run.run_id}"
        assert run.runtime_config.parameters["must"] == wanted
        assert run.display_name.startswith(name)
    assert client.get_run(runs[0].run_id).recurring_run_id == made.recurring_run_id


def test_without_catching_up_only_the_newest_time_runs(client, experiment, name, packages):
    made = create(
        client, experiment, name, packages, cron_expression="0 15 * * * *", no_catchup=True
    )
    runs = wait_for_runs(client, made, 1)
    assert [r.scheduled_at for r in runs] == [utc(3, 15)]


def test_a_recurring_run_runs_again_and_again(client, experiment, name, packages):
    made = create(
        client, experiment, name, packages, interval_second=1, start_time=None, end_time=None
    )
    runs = until(lambda: runs_of(client, made)[:3] if len(runs_of(client, made)) >= 3 else None)
    client.disable_recurring_run(made.recurring_run_id)
    steps = [(b.scheduled_at - a.scheduled_at).total_seconds() for a, b in zip(runs, runs[1:])]
    assert steps == [1.0, 1.0]
    client.delete_recurring_run(made.recurring_run_id)
    assert len(runs_of(client, made)) >= 3, "the runs went with their recurring run"


def test_no_more_runs_are_active_than_allowed(client, experiment, name, packages):
    made = create(
        client,
        experiment,
        name,
        packages,
        pipeline_package_path=packages["waiting"],
        params={},
        interval_second=3600,
        max_concurrency=2,
    )
    first, second = until(lambda: runs_of(client, made) if len(runs_of(client, made)) == 2 else [])
    client.terminate_run(first.run_id)
    third = until(lambda: runs_of(client, made)[2:])[0]
    assert third.scheduled_at == utc(3)
    for run in (second, third):
        client.terminate_run(run.run_id)


def test_a_recurring_run_takes_the_newest_version_unless_it_names_one(
    client, experiment, name, packages, uploaded
):
    pipeline, version = uploaded
    pinned = create(
        client,
        experiment,
        name,
        packages,
        interval_second=3600,
        pipeline_package_path=None,
        params={"a": 5.0},
        pipeline_id=pipeline.pipeline_id,
        version_id=version.pipeline_version_id,
        enabled=False,
    )
    assert pinned.pipeline_version_reference.pipeline_version_id == version.pipeline_version_id
    # The API, not the client, knows recurring runs of the newest version.
    body = client.get_recurring_run(pinned.recurring_run_id)
    body.recurring_run_id, body.pipeline_version_reference.pipeline_version_id = None, None
    newest = client._recurring_run_api.recurring_run_service_create_recurring_run(body)
    second = client.upload_pipeline_version(
        packages["add"], "second", pipeline_id=pipeline.pipeline_id
    )
    for recurring, wanted in ((pinned, version), (newest, second)):
        client.enable_recurring_run(recurring.recurring_run_id)
        for run in wait_for_runs(client, recurring, 3):
            got = run.pipeline_version_reference.pipeline_version_id
            assert got == wanted.pipeline_version_id
            assert run.state == "SUCCEEDED"


def test_a_recurring_run_is_disabled_enabled_and_deleted(client, experiment, name, packages):
    made = create(client, experiment, name, packages, interval_second=3600, enabled=False)
    key = made.recurring_run_id
    assert runs_of(client, made) == []
    client.enable_recurring_run(key)
    assert client.get_recurring_run(key).status == "ENABLED"
    wait_for_runs(client, made, 3)
    client.disable_recurring_run(key)
    disabled = client.get_recurring_run(key)
    assert (disabled.status, disabled.mode) == ("DISABLED", "DISABLE")
    assert disabled.updated_at > disabled.created_at
    client.delete_recurring_run(key)
    gone = [
        client.get_recurring_run,
        client.delete_recurring_run,
        client.enable_recurring_run,
        client.disable_recurring_run,
    ]
    assert [refusal(lambda call=call: call(key))[0] for call in gone] == [404] * len(gone)


@pytest.mark.filterwarnings("ignore:.*is deprecated.*")
def test_the_old_names_of_the_calls_work(client, experiment, name, packages):
    made = create(client, experiment, name, packages, interval_second=3600, enabled=False)
    client.enable_job(made.recurring_run_id)
    assert client.get_recurring_run(made.recurring_run_id).status == "ENABLED"
    client.disable_job(made.recurring_run_id)
    assert client.get_recurring_run(made.recurring_run_id).status == "DISABLED"
    client.delete_job(made.recurring_run_id)
    assert refusal(lambda: client.get_recurring_run(made.recurring_run_id))[0] == 404


def test_recurring_runs_are_listed_in_pages(client, experiment, name, packages):
    made = [
        create(client, experiment, f"{name} {i}", packages, cron_expression="@daily", enabled=False)
        for i in range(3)
    ]
    wanted = [r.recurring_run_id for r in made]
    seen, token = [], ""
    while True:
        page = client.list_recurring_runs(
            page_token=token, page_size=2, experiment_id=experiment, sort_by="display_name desc"
        )
        assert page.total_size == 3
        seen += [r.recurring_run_id for r in page.recurring_runs]
        token = page.next_page_token
        if not token:
            break
    assert seen == wanted[::-1]
    found = client.list_recurring_runs(filter=equals("display_name", f"{name} 1"))
    assert [r.recurring_run_id for r in found.recurring_runs] == [wanted[1]]
    later = json.dumps(
        {
            "predicates": [
                {
                    "operation": "GREATER_THAN",
                    "key": "created_at",
                    "timestampValue": made[0].created_at.isoformat(),
                },
                {"operation": 9, "key": "name", "stringValue": name},
            ]
        }
    )
    found = client.list_recurring_runs(filter=later, sort_by="created_at")
    assert [r.recurring_run_id for r in found.recurring_runs] == wanted[1:]


def test_the_command_line_of_the_sdk_makes_and_shows_a_recurring_run(client, name, packages):
    def kfp(*arguments):
        main = "from kfp.cli.__main__ import main; main()"
        command = ["--endpoint", os.environ["LEVADA_URL"], "recurring-run", *arguments]
        done = subprocess.run(
            [sys.executable, "-c", main, *command], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = kfp(
        "create",
        "--pipeline-package-path",
        packages["add"],
        "--cron-expression",
        "0 0 2 * * *",
        "--start-time",
        "2050-01-01T00:00:00Z",
        "--experiment-name",
        name,
        "--job-name",
        name,
    )
    assert name in made
    found = client.list_recurring_runs(filter=equals("display_name", name)).recurring_runs
    assert len(found) == 1
    assert name in kfp("list", "--max-size", "200")
    assert name in kfp("get", found[0].recurring_run_id)
    kfp("disable", found[0].recurring_run_id)
    assert client.get_recurring_run(found[0].recurring_run_id).status == "DISABLED"


def test_an_archived_experiment_disables_its_recurring_runs(client, experiment, name, packages):
    made = create(client, experiment, name, packages, cron_expression="@yearly", end_time=None)
    assert client.get_recurring_run(made.recurring_run_id).status == "ENABLED"
    client.archive_experiment(experiment)
    assert client.get_recurring_run(made.recurring_run_id).status == "DISABLED"


def test_a_recurring_run_that_cannot_work_is_refused(client, experiment, name, packages):
    def start(**kwargs):
        given = {"interval_second": 60, **kwargs}
        return lambda: create(client, given.pop("experiment", experiment), name, packages, **given)

    cases = [
        (start(interval_second=None, cron_expression="0 0 25 * * *"), 400, "hour"),
        (start(interval_second=None, cron_expression="* * *"), 400, "6 fields"),
        (start(interval_second=-1), 400, "interval"),
        (start(max_concurrency=11), 400, "at most 10"),
        (start(max_concurrency=0), 400, "at least 1"),
        (start(params={}), 400, "must"),
        (start(params={"must": "x", "extra": 1}), 400, "extra"),
        (start(end_time="2025-01-01T00:00:00Z"), 400, "before it starts"),
        (start(start_time="soon"), 400, "start_time"),
        (start(experiment="no-such-id"), 404, "no-such-id"),
        (start(pipeline_package_path=None, pipeline_id="p", version_id="no-such-id"), 404, "no-su"),
    ]
    for call, status, word in cases:
        got, error = refusal(call)
        assert got == status, error
        assert word in error["message"], error
    assert client.list_recurring_runs(experiment_id=experiment).recurring_runs is None
