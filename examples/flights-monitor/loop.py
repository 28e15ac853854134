"""Feed the months of 2013 to the monitor one by one and print what it did.

Everything here goes through the ordinary KFP client and Levada's own API.

    python loop.py
    python loop.py --host http://127.0.0.1:8080 --until 2013-06
    python loop.py --folder /data/incoming    # runs are started by a trigger, for each file that comes
"""

import argparse
import contextlib
import io
import json
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import kfp
import urllib3
from monitor import first_champion, monitor

SUITE = Path(__file__).resolve().parent / "suite.yaml"
FINAL_STATES = {"SUCCEEDED", "FAILED", "CANCELED"}
# A proxy that the environment names is not for a server on this machine.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RunFailedError(Exception):
    """A run did not succeed; the message says which and why."""


def wait(client: kfp.Client, host: str, run_id: str, title: str) -> str:
    """Wait for the end of a run and return its id."""
    while True:
        state = client.get_run(run_id)
        if state.state in FINAL_STATES:
            break
        time.sleep(0.5)
    if state.state != "SUCCEEDED":
        failed = [
            f"{t.display_name}: {t.error.message}"
            for t in (state.run_details.task_details if state.run_details else None) or []
            if t.state == "FAILED" and t.error
        ]
        where = f"{host}/runs/{run_id}"
        raise RunFailedError("\n".join([f"{title}: {state.state.lower()}; see {where}", *failed]))
    return run_id


def run(client: kfp.Client, host: str, pipeline: Any, arguments: dict[str, Any], title: str) -> str:
    """Run a pipeline to its end and return the run's id."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints links
        submitted = client.create_run_from_pipeline_func(
            pipeline, arguments=arguments, run_name=title, experiment_name="flights-monitor"
        )
    return wait(client, host, submitted.run_id, title)


def ask(host: str, path: str, body: Any = None, method: str | None = None) -> Any:
    """Ask the server, with a JSON document where there is one; the answer is one or nothing."""
    request = urllib.request.Request(
        host + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with DIRECT.open(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Folder:
    """A folder in which months arrive as files, and the trigger that starts a run for each.

    The flights themselves come from the packages that the pipeline reads, so the file says no more
    than which month has been delivered: 2013-04.json.
    """

    def __init__(self, client: kfp.Client, host: str, path: Path) -> None:
        self.client, self.host, self.path = client, host, path
        path.mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stdout(io.StringIO()):
            found = client.get_pipeline_id("flights-monitor")
            upload = {"pipeline_func": monitor}
            if found:
                name = f"flights-monitor {time.time_ns()}"
                client.upload_pipeline_version_from_pipeline_func(
                    pipeline_version_name=name, pipeline_id=found, **upload
                )
            else:
                found = client.upload_pipeline_from_pipeline_func(
                    pipeline_name="flights-monitor", **upload
                ).pipeline_id
        self.trigger = ask(
            host,
            "/api/v1/triggers",
            {
                "display_name": f"months in {path}",
                "pipeline_id": found,
                "experiment": "flights-monitor",
                "on": {"file": {"path": str(path / "*.json"), "poll_seconds": 1}},
                "parameters": {"suite": SUITE.read_text()},
                "parameters_from": {"month": "event.stem"},
                "max_concurrency": 1,
                "cache": True,
            },
        )["id"]

    def deliver(self, month: str) -> str:
        """Put a month into the folder and return the run that the trigger has started for it."""
        notice = {"month": month, "delivered_at": time.time()}
        (self.path / f"{month}.json").write_text(json.dumps(notice))
        while True:
            for firing in ask(self.host, f"/api/v1/triggers/{self.trigger}/firings")["firings"]:
                if firing["event"]["data"]["stem"] != month:
                    continue
                if firing["state"] == "FAILED":
                    raise RunFailedError(f"no run was started for {month}: {firing['reason']}")
                if firing.get("run_id"):
                    return wait(self.client, self.host, firing["run_id"], f"monitor {month}")
            time.sleep(0.5)

    def close(self) -> None:
        """Delete the trigger; the runs that it has started stay."""
        ask(self.host, f"/api/v1/triggers/{self.trigger}", method="DELETE")


def outcome(host: str, run_id: str) -> dict[str, Any]:
    """Gather the metrics of a run, and what its drift report says."""
    found: dict[str, Any] = {}
    for artifact in ask(host, f"/api/v1/runs/{run_id}/artifacts")["artifacts"]:
        if artifact["schema_title"] == "system.Metrics":
            found.update(artifact.get("metadata") or {})
        if (artifact["task_name"], artifact["name"]) == ("compare-data", "report"):
            path = urllib.parse.quote(artifact["id"])
            found["drift"] = ask(host, f"/api/v1/artifacts/{path}/content")
    return found


HEADER = (
    f"{'month':<8} {'late':>6} {'predicted':>9}  {'off by (95 % interval)':<25} {'AUC':>5}  "
    f"{'drifted columns':<44} what was done"
)


def line(month: str, found: dict[str, Any]) -> str:
    """One line of the table."""
    ranked = [c for c in found["drift"]["columns"] if c["drifted"]]
    names = ", ".join(c["name"] for c in ranked[:2])
    drifted = f"{len(ranked)} of {len(found['drift']['columns'])}: {names}"
    off = f"{found['gap']:+.1%} ({found['gap_low']:+.1%} to {found['gap_high']:+.1%})"
    done = "kept"
    if "gain" in found:
        gain = f"{found['gain']:+.4f} ({found['gain_low']:+.4f} to {found['gain_high']:+.4f})"
        done = (
            "retrained, promoted: " if found["gain_low"] > 0 else "retrained, not better: "
        ) + gain
    return (
        f"{month:<8} {found['late_share']:>6.1%} {found['predicted_share']:>9.1%}  {off:<25} "
        f"{found['roc_auc']:>5.3f}  {drifted:<44} {done}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Feed 2013 to the monitor, month by month.")
    parser.add_argument("--host", default="http://127.0.0.1:8080", help="address of the server")
    parser.add_argument("--until", default="2013-12", metavar="MONTH", help="the last month")
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="put each month into a folder of the server's machine; a trigger starts the runs",
    )
    parser.add_argument("--summary-json", metavar="FILE", help="write the figures of each month")
    options = parser.parse_args()
    host = options.host.rstrip("/")
    try:
        client = kfp.Client(host=host)
    except urllib3.exceptions.HTTPError:
        print(f"cannot reach {host}: is the server running?", file=sys.stderr)
        return 1
    months = [f"2013-{m:02}" for m in range(4, 13)]
    table: dict[str, dict[str, Any]] = {}
    folder: Folder | None = None
    try:
        print("training the first champion, on January to March", flush=True)
        run(client, host, first_champion, {"month": "2013-03"}, "first champion")
        if options.folder:
            folder = Folder(client, host, options.folder.resolve())
        print(f"\n{HEADER}", flush=True)
        for month in [m for m in months if m <= options.until]:
            if folder:
                run_id = folder.deliver(month)
            else:
                arguments = {"month": month, "suite": SUITE.read_text()}
                run_id = run(client, host, monitor, arguments, f"monitor {month}")
            table[month] = outcome(host, run_id) | {"run_id": run_id}
            print(line(month, table[month]), flush=True)
    except RunFailedError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if folder:
            folder.close()
    print(f"\nlook at it: {host}/models/flights-late and {host}/runs")
    if options.summary_json:
        Path(options.summary_json).write_text(json.dumps(table) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
