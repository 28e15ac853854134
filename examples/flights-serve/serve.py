"""Serve the flights model, and let three other versions try to take its place.

The flights of July and August come as requests, one for each flight, in their order. What really
happened to a flight is told a little later, as the log loss of the answer. Everything here goes
through the ordinary KFP client, MLflow's scoring protocol and Levada's own API.

    python serve.py
    python serve.py --host http://127.0.0.1:8080 --rate 100
"""

import argparse
import contextlib
import http.client
import io
import itertools
import json
import math
import queue
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kfp
import urllib3
from models import MODEL, models

HERE = Path(__file__).resolve().parent
ENDPOINT = "flights"
FINAL_STATES = {"SUCCEEDED", "FAILED", "CANCELED"}
SENDERS = 8
# What happened is known this long after the answer. In truth it is hours.
LABEL_DELAY = 2.0
# A proxy that the environment names is not for a server on this machine.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class DemoError(Exception):
    """The example cannot go on; the message says why."""


class Server:
    """Levada's own API."""

    def __init__(self, host: str) -> None:
        self.host = host

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(
            self.host + "/api/v1" + path, data=data, headers=headers, method=method
        )
        try:
            with DIRECT.open(request, timeout=1800) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            problem = error.read().decode(errors="replace")
            raise DemoError(f"{method} {path}: {error.code} {problem}") from error
        return json.loads(text) if text else None

    def artifact(self, run_id: str, task: str, name: str) -> tuple[dict[str, Any], bytes]:
        for artifact in self.call("GET", f"/runs/{run_id}/artifacts")["artifacts"]:
            if (artifact["task_name"], artifact["name"]) == (task, name):
                path = "/api/v1/artifacts/" + urllib.parse.quote(artifact["id"]) + "/content"
                with DIRECT.open(self.host + path, timeout=60) as answer:
                    return artifact.get("metadata") or {}, answer.read()
        raise DemoError(f"run {run_id} has no artifact {name} of {task}")


def train(host: str) -> str:
    """Run the pipeline that makes the versions, and return the run's id."""
    client = kfp.Client(host=host)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints links
        run_id = client.create_run_from_pipeline_func(
            models, arguments={}, run_name="models", experiment_name="flights-serve"
        ).run_id
    while (state := client.get_run(run_id).state) not in FINAL_STATES:
        time.sleep(0.5)
    if state != "SUCCEEDED":
        raise DemoError(f"the run that trains the models: {state.lower()}; {host}/runs/{run_id}")
    return run_id


@dataclass
class Counted:
    """What became of the requests so far."""

    answered: dict[str, int] = field(default_factory=dict)  # by version
    failed: dict[str, int] = field(default_factory=dict)  # by what was wrong
    slow: dict[str, int] = field(default_factory=dict)  # over 200 ms, by version


class Traffic:
    """Sends the flights at a steady rate, and reports what happened to them."""

    def __init__(
        self, server: Server, columns: list[str], flights: list[dict[str, Any]], rate: float
    ) -> None:
        self.server = server
        self.columns = columns
        self.flights = itertools.cycle(flights)
        self.rate = rate
        self.counted = Counted()
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.due: queue.Queue[dict[str, Any] | None] = queue.Queue(maxsize=SENDERS)
        self.labels: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        # As daemons: an error elsewhere must not wait for them.
        self.threads = [
            threading.Thread(target=target, daemon=True)
            for target in [self.clock, self.report, *[self.send] * SENDERS]
        ]

    def __enter__(self) -> "Traffic":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)

    def clock(self) -> None:
        """Hand out one flight after the other; when nobody is free, it waits."""
        at = time.monotonic()
        while not self.stopped.is_set():
            self.due.put(next(self.flights))
            at = max(at + 1 / self.rate, time.monotonic() - 1)
            time.sleep(max(0.0, at - time.monotonic()))
        for _ in range(SENDERS):
            self.due.put(None)

    def send(self) -> None:
        url = urllib.parse.urlsplit(self.server.host)
        connection = http.client.HTTPConnection(url.hostname or "127.0.0.1", url.port, timeout=60)
        while (flight := self.due.get()) is not None:
            body = {"dataframe_split": {"columns": self.columns, "data": [flight["row"]]}}
            began = time.monotonic()
            try:
                path = f"/serving-endpoints/{ENDPOINT}/invocations"
                headers = {"Content-Type": "application/json"}
                connection.request("POST", path, json.dumps(body), headers)
                answer = connection.getresponse()
                text = answer.read()
            except OSError as error:
                self.fail(type(error).__name__)
                connection.close()
                continue
            if answer.status != 200:
                self.fail(f"{answer.status} {text[:200].decode(errors='replace')}")
                continue
            version = answer.headers["x-amzn-invoked-production-variant"]
            took = time.monotonic() - began
            with self.lock:
                for count, is_so in (
                    (self.counted.answered, True),
                    (self.counted.slow, took > 0.2),
                ):
                    count[version] = count.get(version, 0) + is_so
            late = json.loads(text)["predictions"][0][1]
            chance = min(max(late if flight["late"] else 1 - late, 1e-6), 1.0)
            value = {"version": version, "metric": "loss", "value": -math.log(chance)}
            self.labels.put((time.monotonic() + LABEL_DELAY, value))
        connection.close()

    def fail(self, why: str) -> None:
        with self.lock:
            self.counted.failed[why] = self.counted.failed.get(why, 0) + 1

    def report(self) -> None:
        """Tell what happened, once a second, of the flights of which it is known."""
        known: list[dict[str, Any]] = []
        while not self.stopped.wait(1.0):
            while not self.labels.empty() and self.labels.queue[0][0] <= time.monotonic():
                known.append(self.labels.get()[1])
            if known:
                try:
                    self.server.call("POST", f"/endpoints/{ENDPOINT}/values", {"values": known})
                except DemoError as error:
                    print(error, file=sys.stderr)
                known = []

    def snapshot(self) -> Counted:
        with self.lock:
            c = self.counted
            return Counted(dict(c.answered), dict(c.failed), dict(c.slow))


def moment(text: str) -> float:
    """Seconds of a time of the API, whose fractions may have nine digits."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone
    return seconds + float("0." + (fraction or "0"))


def roll_out(server: Server, traffic: Traffic, kind: str, version: str) -> dict[str, Any]:
    """Let a version try to take the traffic, and tell how it went."""
    print(f"\n{kind}: version {version} begins", flush=True)
    before = traffic.snapshot()
    plan = (HERE / "plan.yaml").read_text()
    wanted = {"plan": plan, "candidates": ["@" + kind], "alias": "production", "by": "serve.py"}
    started = server.call("POST", f"/endpoints/{ENDPOINT}/rollout", wanted)
    seen = 0
    while True:
        found = server.call("GET", f"/rollouts/{started['id']}")
        for event in found["events"][seen:]:
            print("  " + told(event), flush=True)
        seen = len(found["events"])
        if found.get("outcome") and found["settled"]:
            break
        time.sleep(0.5)
    time.sleep(2)  # what is still on its way
    after = traffic.snapshot()
    # From the first stage in which the version answers clients, a shadow does not.
    exposed = [
        e["at"]
        for e in found["events"]
        if e["type"] == "rollout_stage_started" and e["stage"]["phase"] != "shadow"
    ]
    ended = [e["at"] for e in found["events"] if e["type"] == "rollout_rolled_back"]
    return {
        "kind": kind,
        "version": version,
        "outcome": found["outcome"],
        "reason": found.get("reason", ""),
        "seconds": moment(found["finished_at"]) - moment(found["started_at"]),
        "detected_after": moment(ended[0]) - moment(exposed[0]) if ended and exposed else None,
        "answered": after.answered.get(version, 0) - before.answered.get(version, 0),
        "slow": after.slow.get(version, 0) - before.slow.get(version, 0),
        "all": sum(after.answered.values()) - sum(before.answered.values()),
        "failed": sum(after.failed.values()) - sum(before.failed.values()),
    }


def told(event: dict[str, Any]) -> str:
    """An event in a line."""
    at = event["at"][11:19]
    what = event["type"].removeprefix("rollout_").replace("_", " ")
    stage = event.get("stage")
    parts = [f"{stage['phase']} {stage['step'] + 1}" if stage else "", event.get("verdict", "")]
    text = ", ".join(p for p in parts if p)
    reason = event.get("reason", "")
    return f"{at} {what}{': ' + text if text else ''}{': ' + reason if reason else ''}"


def summary(rows: list[dict[str, Any]], counted: Counted) -> str:
    lines = [
        f"\n{'version':<14} {'outcome':<12} {'after':>8} {'answered by it':>15} {'of':>8} "
        f"{'over 200 ms':>12} {'failed':>7}"
    ]
    for r in rows:
        after = r["detected_after"] if r["detected_after"] is not None else r["seconds"]
        lines.append(
            f"{r['kind'] + ' (' + r['version'] + ')':<14} {r['outcome'].replace('_', ' '):<12} "
            f"{after:>6.1f} s {r['answered']:>15,} {r['all']:>8,} {r['slow']:>12,} "
            f"{r['failed']:>7,}"
        )
    total = sum(counted.answered.values())
    failed = sum(counted.failed.values())
    lines.append(f"\n{total:,} requests were answered, {failed:,} failed.")
    lines += [f"  {count} times: {why}" for why, count in counted.failed.items()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Serve the flights model and try its successors.")
    parser.add_argument("--host", default="http://127.0.0.1:8080", help="address of the server")
    parser.add_argument("--rate", type=float, default=80, help="requests a second")
    parser.add_argument("--summary-json", metavar="FILE", help="write the figures")
    options = parser.parse_args()
    server = Server(options.host.rstrip("/"))
    try:
        rows, counted = play(server, options.rate)
    except urllib3.exceptions.HTTPError:
        print(f"cannot reach {server.host}: is the server running?", file=sys.stderr)
        return 1
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    print(summary(rows, counted))
    print(f"\nlook at it: {server.host}/models/{MODEL}, levada rollout events {ENDPOINT}")
    if options.summary_json:
        Path(options.summary_json).write_text(json.dumps({"rollouts": rows}) + "\n")
    wanted = {"challenger": "promoted", "broken": "rolled_back", "slow": "rolled_back"}
    wrong = [r["kind"] for r in rows if r["outcome"] != wanted[r["kind"]]]
    if wrong:
        print(f"not what was expected of: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong or counted.failed else 0


def play(server: Server, rate: float) -> tuple[list[dict[str, Any]], Counted]:
    print("training the models, on January to June", flush=True)
    run_id = train(server.host)
    metadata, text = server.artifact(run_id, "replay", "traffic")
    flights = [json.loads(line) for line in text.splitlines()]
    aliases = server.call("GET", f"/models/{MODEL}")["model"]["aliases"]
    versions = {a["name"]: str(a["version"]) for a in aliases}
    print(f"deploying version {versions['champion']}", flush=True)
    server.call("POST", f"/endpoints/{ENDPOINT}/deploy", {"model": f"models:/{MODEL}@champion"})
    while (status := server.call("GET", f"/endpoints/{ENDPOINT}"))["state"] != "READY":
        if status["state"] == "FAILED":
            raise DemoError(f"the model cannot be served: {status.get('trouble')}")
        time.sleep(0.5)
    rows = []
    with Traffic(server, metadata["columns"], flights, rate) as traffic:
        time.sleep(5)
        for kind in ("challenger", "broken", "slow"):
            rows.append(roll_out(server, traffic, kind, versions[kind]))
    return rows, traffic.snapshot()


if __name__ == "__main__":
    sys.exit(main())
