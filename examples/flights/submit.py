"""Send the flights pipeline to a server and watch it run.

Everything here goes through the ordinary KFP client, so it works with any KFP v2 backend.

    python submit.py
    python submit.py --host http://127.0.0.1:8080 --param lead_minutes=60 --param max_iter=100
"""

import argparse
import json
import sys
import time
from datetime import datetime, timezone
from typing import Any, get_type_hints

import kfp
import kfp_server_api
import urllib3
from pipeline import flights_late_departure

FINAL_STATES = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}
# How long the server may be out of reach before watching is given up.
PATIENCE_SECONDS = 30.0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Submit the flights pipeline and wait for it.")
    parser.add_argument("--host", default="http://127.0.0.1:8080", help="address of the server")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set a pipeline parameter; may be given more than once",
    )
    parser.add_argument("--no-cache", action="store_true", help="run every step again")
    parser.add_argument("--summary-json", metavar="FILE", help="write run id, state and seconds")
    arguments = parser.parse_args()
    try:
        arguments.param = dict(typed_parameter(text) for text in arguments.param)
    except ValueError as error:
        parser.error(str(error))
    return arguments


def typed_parameter(text: str) -> tuple[str, Any]:
    """Split ``key=value`` and turn the value into the type that the pipeline declares.

    The server refuses the text "20" where it expects the number 20.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--param needs KEY=VALUE, not {text!r}")
    declared = get_type_hints(flights_late_departure.pipeline_func)
    if key not in declared:
        raise ValueError(f"no parameter {key!r}; there are: {', '.join(sorted(declared))}")
    kind = declared[key]  # int, float or str: each can read a text
    try:
        return key, kind(value)
    except ValueError:
        raise ValueError(f"{key} must be of type {kind.__name__}, not {value!r}") from None


def seconds_of(task: kfp_server_api.V2beta1PipelineTaskDetail) -> str:
    """How long the task ran, if both ends are known. Unset times may be empty or very old."""
    start, end = task.start_time, task.end_time
    if not start or not end or start.year < 2000 or end < start:
        return ""
    return f"  ({(end - start).total_seconds():.1f} s)"


def watch(client: kfp.Client, run_id: str) -> kfp_server_api.V2beta1Run:
    """Print one line whenever the state of a task changes; return the finished run."""
    began = time.monotonic()
    last_answer = began
    seen: dict[str, str] = {}
    while True:
        try:
            run = client.get_run(run_id)
        except (kfp_server_api.ApiException, urllib3.exceptions.HTTPError) as error:
            # A short break in the connection does not mean that the run has failed.
            refused = getattr(error, "status", None)
            if refused in (401, 403, 404) or time.monotonic() - last_answer > PATIENCE_SECONDS:
                raise
            time.sleep(1)
            continue
        last_answer = time.monotonic()

        details = run.run_details.task_details if run.run_details else None
        never = datetime.max.replace(tzinfo=timezone.utc)
        for task in sorted(details or [], key=lambda task: task.start_time or never):
            name = task.display_name or task.task_id
            # Some servers list their own helper tasks as well.
            if name.endswith("-driver"):
                continue
            if task.state in (None, "", "PENDING", seen.get(task.task_id)):
                continue
            seen[task.task_id] = task.state
            took = seconds_of(task) if task.state in FINAL_STATES else ""
            elapsed = last_answer - began
            word = task.state.lower()
            if task.state == "SKIPPED":  # KFP has one word for both
                word, took = "skipped: result reused, or condition false", ""
            print(f"{elapsed:7.1f} s  {name:<28} {word}{took}", flush=True)

        if run.state in FINAL_STATES:
            return run
        time.sleep(1)


def print_errors(run: kfp_server_api.V2beta1Run) -> None:
    """Say why the run failed, as far as the server tells."""
    if run.error and run.error.message:
        print(f"run: {run.error.message}", file=sys.stderr)
    for task in (run.run_details.task_details if run.run_details else None) or []:
        if task.state == "FAILED" and task.error and task.error.message:
            print(f"{task.display_name or task.task_id}: {task.error.message}", file=sys.stderr)


def main() -> int:
    arguments = parse_arguments()
    host = arguments.host.rstrip("/")
    began = time.monotonic()
    try:
        client = kfp.Client(host=host)
    except urllib3.exceptions.HTTPError:
        print(f"cannot reach {host}: is the server running?", file=sys.stderr)
        return 1
    submitted = client.create_run_from_pipeline_func(
        flights_late_departure,
        arguments=arguments.param,
        experiment_name="flights",
        # None leaves the choice to the pipeline, which allows caching.
        enable_caching=False if arguments.no_cache else None,
    )
    print(f"run {submitted.run_id}")
    print(f"url {host}/runs/{submitted.run_id}", flush=True)

    run = watch(client, submitted.run_id)
    seconds = time.monotonic() - began
    print(f"{run.state.lower()} after {seconds:.1f} s")
    if run.state != "SUCCEEDED":
        print_errors(run)
    if arguments.summary_json:
        with open(arguments.summary_json, "w") as file:
            summary = {"run_id": run.run_id, "state": run.state, "seconds": round(seconds, 1)}
            json.dump(summary, file)
            file.write("\n")
    return 0 if run.state == "SUCCEEDED" else 1


if __name__ == "__main__":
    sys.exit(main())
