"""Exit handlers and their status, ignore_upstream_failure, and retries."""

from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component(base_image="python:3.11")
def say(text: str) -> str:
    return text


@dsl.component(base_image="python:3.11")
def fail(message: str) -> str:
    raise RuntimeError(message)


@dsl.component(base_image="python:3.11")
def report(text: str, status: PipelineTaskFinalStatus) -> str:
    assert status.pipeline_job_resource_name.split("-")[0], status
    message = (status.error_message or "").strip().splitlines()
    where = message[0].split("\n")[0] if message else ""
    return f"{text}: {status.pipeline_task_name} {status.state} code={status.error_code} {where}"


@dsl.component(base_image="python:3.11")
def flaky(succeed_at: int) -> str:
    import os

    attempt = int(os.environ["KFP_RETRY_INDEX"]) + 1
    if attempt < succeed_at:
        raise RuntimeError(f"attempt {attempt} fails on purpose")
    return f"attempt {attempt}"


@dsl.component(base_image="python:3.11")
def fail_first_time(name: str, marker: str) -> str:
    import os

    path = f"{marker}-{name}"
    if not os.path.exists(path):
        open(path, "w").close()
        raise RuntimeError(f"{name} fails the first time")
    return name


@dsl.pipeline(name="exit-status")
def exit_status(message: str = "this went wrong"):
    """An exit handler runs after a failure and is told what failed and why; what came after the failure is skipped."""
    handler = report(text="told")
    with dsl.ExitHandler(handler, name="the work"):
        before = say(text="before")
        failed = fail(message=message).after(before)
        say(text=failed.output)


@dsl.pipeline(name="exit-success")
def exit_success():
    """An exit handler runs after success too, with no error."""
    with dsl.ExitHandler(report(text="fine")):
        say(text="work")


@dsl.pipeline(name="exit-several")
def several():
    """Exit handlers side by side, each with its own work; tasks outside are not touched."""
    say(text="outside")
    with dsl.ExitHandler(report(text="first"), name="one"):
        say(text="good")
    with dsl.ExitHandler(report(text="second"), name="two"):
        fail(message="bad")
    with dsl.ExitHandler(say(text="no status"), name="three"):
        with dsl.ParallelFor([1, 2]):
            say(text="in a loop")


@dsl.pipeline(name="exit-work")
def exit_work(text: str = "cleanup"):
    first = say(text=text)
    say(text=first.output)


@dsl.pipeline(name="exit-pipeline")
def exit_pipeline():
    """The exit task is a whole pipeline."""
    with dsl.ExitHandler(exit_work(text="cleaned up")):
        fail(message="needs cleanup")


@dsl.component(base_image="python:3.11")
def carry_on(text: str = "default") -> str:
    return f"got {text}"


@dsl.pipeline(name="ignore-upstream")
def ignore_upstream():
    """A task that ignores upstream failure runs, with defaults for what is missing; the run still fails."""
    failed = fail(message="upstream fails")
    carry_on(text=failed.output).ignore_upstream_failure()
    say(text="after").after(failed).ignore_upstream_failure()
    say(text="skipped").after(failed)


@dsl.pipeline(name="retry-tasks")
def retry_tasks():
    """A task is tried until it succeeds, with growing pauses, and given up after its last try."""
    flaky(succeed_at=3).set_retry(
        num_retries=3, backoff_duration="1s", backoff_factor=2, backoff_max_duration="1s"
    )
    flaky(succeed_at=1).set_retry(num_retries=3)
    flaky(succeed_at=5).set_retry(num_retries=1, backoff_duration="0s")


@dsl.pipeline(name="retry-inner")
def retry_inner(name: str, marker: str) -> str:
    first = say(text=name)
    return fail_first_time(name=first.output, marker=marker).output


@dsl.pipeline(name="retry-groups")
def retry_groups(marker: str):
    """A nested pipeline is tried again whole, inside a loop too, and so is a task inside a loop."""
    again = retry_inner(name="outside", marker=marker).set_retry(
        num_retries=1, backoff_duration="0s"
    )
    say(text=again.output)
    with dsl.ParallelFor(["a", "b"]) as name:
        retry_inner(name=name, marker=marker).set_retry(num_retries=2, backoff_duration="0s")
        again = flaky(succeed_at=2).set_retry(num_retries=1, backoff_duration="0s")
        again.set_caching_options(False)


ALL = [
    exit_status,
    exit_success,
    several,
    exit_pipeline,
    ignore_upstream,
    retry_tasks,
    retry_groups,
]
