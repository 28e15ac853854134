"""Sends the same requests to an MLflow server and to Levada and compares the answers.

A script is a list of steps; a step is a method, a path and a body. "{name}" in it stands for a value that an
earlier step captured from the answer of the same server. Statuses and JSON must be equal after what differs
between any two servers was replaced: ids, times, random names. Differences on purpose are listed in
differences.py, each with its reason.
"""

import gzip
import hashlib
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import calls
import differences


class Server:
    """One of the two servers, with the values that were captured from its answers."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.captured = {}

    def fill(self, value):
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda m: str(self.captured.get(m[1], m[0])), value)
        if isinstance(value, list):
            return [self.fill(v) for v in value]
        if isinstance(value, dict):
            return {self.fill(k): self.fill(v) for k, v in value.items()}
        return value

    def send(self, step):
        path, body, headers = (
            self.fill(step["path"]),
            step.get("body"),
            self.fill(step.get("headers", {})),
        )
        data = None
        if isinstance(body, bytes):
            data = body
        elif isinstance(body, str):
            data = body.encode()
        elif body is not None:
            data = json.dumps(self.fill(body)).encode()
            headers.setdefault("Content-Type", "application/json")
        query = step.get("query")
        if query:
            path += "?" + urllib.parse.urlencode(self.fill(query), doseq=True)
        request = urllib.request.Request(
            self.url + path, data=data, headers=headers, method=step["method"]
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            answer = json.loads(text) if text else None
        except ValueError:
            answer = {"text": text.decode(errors="replace")[:200]} if status < 400 else None
        for name, where in step.get("capture", {}).items():
            value = answer
            for part in where.split("."):
                value = value[int(part)] if isinstance(value, list) else (value or {}).get(part)
                if value is None:
                    break
            if value is not None:
                self.captured[name] = value
        return status, answer


SORTED = {
    "tags": ("key", "name"),
    "params": ("key",),
    "metrics": ("key", "timestamp", "step"),
    "aliases": ("alias",),
    "files": ("path",),
    "dataset_summaries": ("name", "digest", "context"),
    "latest_versions": ("version",),
    "assessments": ("assessment_name",),
    "request_metadata": ("key",),
}
TIMES = {
    "creation_time",
    "last_update_time",
    "creation_timestamp",
    "last_updated_timestamp",
    "creation_timestamp_ms",
    "last_updated_timestamp_ms",
}
SECRETS = {"sqlstate", "error_class"}


class Normaliser:
    """Replaces what differs between any two servers by names that say what was there."""

    def __init__(self, server):
        self.names = {
            str(v): f"<{k}>"
            for k, v in server.captured.items()
            if isinstance(v, (str, int)) and len(str(v)) > 3
        }
        self.order = sorted(self.names, key=len, reverse=True)

    def text(self, s):
        for value in self.order:
            s = s.replace(value, self.names[value])
        s = re.sub(r"\bm-[0-9a-f]{32}\b", "<model>", s)
        s = re.sub(r"\b[0-9a-f]{32}\b", "<id>", s)
        s = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>", s)
        s = re.sub(r"\b[1-9]\d{17}\b", "<experiment>", s)
        return re.sub(r"\b[a-z]+-[a-z]+-\d{1,4}\b", "<name>", s)

    def value(self, v, key=""):
        if isinstance(v, dict):
            return {k: self.value(x, k) for k, x in v.items() if k not in SECRETS}
        if isinstance(v, list):
            items = [self.value(x) for x in v]
            if key in SORTED and all(isinstance(i, dict) for i in items):
                items.sort(
                    key=lambda i: (
                        json.dumps([i.get(f) for f in SORTED[key]]) + json.dumps(i, sort_keys=True)
                    )
                )
            return items
        if key in TIMES and isinstance(v, int):
            return "<time>" if v > 10**12 else v
        if key in ("create_time", "last_update_time") and str(v) > "2020":
            return "<time>"
        if key == "next_page_token":
            return "<token>"
        if key == "message" and isinstance(v, str):
            return differences.message(self.text(v))
        if isinstance(v, str):
            return self.text(v)
        if key.startswith("npmi"):
            return round(v, 12)
        if isinstance(v, int) and str(v) in self.names:
            return self.names[str(v)]
        return v


def answers(url, script):
    """Runs a script against one server and returns status and normalised answer of each step."""
    server, out = Server(url), []
    for step in script["steps"]:
        status, answer = server.send(step)
        out.append([status, Normaliser(server).value(answer)])
    return out


def alike(value, key=""):
    """Replaces the ids of experiments, which are small numbers on one server and large ones on the other."""
    if isinstance(value, dict):
        return {k: alike(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [alike(v, key) for v in value]
    if not isinstance(value, str):
        return value
    if key in ("experiment_id", "experiment_ids") and value != "0":
        return "<experiment>"
    value = re.sub(
        r"mlflow-artifacts:/(?!0/)(\d+|<\w+>)(?=/|$|')", "mlflow-artifacts:/<experiment>", value
    )
    if key == "message":
        value = re.sub(r"(experiment |id |id=)(\d+|<exp\w*>)", r"\1<experiment>", value)
        value = re.sub(r"'(\d+|<exp\w*>)/", "'<experiment>/", value)
        value = differences.message(value)
    return value


def compare(script, want, got):
    """Returns the steps whose answers differ without a reason."""
    found = []
    want, got = alike(want), alike(got)
    for number, step in enumerate(script["steps"]):
        if want[number] == got[number] or differences.reason(
            script["name"], step, want[number], got[number]
        ):
            continue
        name = f"{script['name']}[{number}] {step['method']} {step['path']}"
        found.append((name, step.get("body") or step.get("query"), want[number], got[number]))
    return found


def record(url, file):
    """Writes down what a server answers, so that others can be compared with it later."""
    recorded = {}
    for script in calls.scripts():
        recorded[script["name"]] = {
            "requests": fingerprint(script),
            "answers": answers(url, script),
        }
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=9) as out:
        json.dump(recorded, out, indent=0, sort_keys=True)
    print(f"{sum(len(r['answers']) for r in recorded.values())} answers recorded")
    return 0


def fingerprint(script):
    """Identifies the requests of a script, so that a recording of other requests is not taken for one of these."""
    return hashlib.sha256(repr(script["steps"]).encode()).hexdigest()


def check(file, url, only=""):
    """Compares a server with a recording."""
    with gzip.open(file, "rt", encoding="utf-8") as recording:
        recorded = json.load(recording)
    steps, found = 0, []
    for script in calls.scripts():
        if only and only not in script["name"]:
            continue
        want = recorded.get(script["name"], {})
        if want.get("requests") != fingerprint(script):
            print(f"STALE the recording has other requests for {script['name']!r}: record it again")
            return 1
        steps += len(script["steps"])
        found += compare(script, want["answers"], answers(url, script))
    for name, sent, want, got in found:
        print(f"DIFFERS {name}\n  sent   {str(sent)[:300]}")
        print(f"  mlflow {json.dumps(want)[:600]}\n  levada {json.dumps(got)[:600]}")
    unused = [] if only else differences.unused()
    for name in unused:
        print(f"UNUSED difference {name!r}: remove it from differences.py")
    print(f"{steps} requests, {len(found)} differ")
    return 1 if found or unused else 0


if __name__ == "__main__":
    sys.exit({"record": record, "check": check}[sys.argv[1]](*sys.argv[2:]))
