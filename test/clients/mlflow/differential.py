"""Sends the same requests to an MLflow server and to Levada and compares the answers.

A script is a list of steps; a step is a method, a path and a body. "{name}" in it stands for a value that an earlier step
captured from the answer of the same server. Statuses and JSON must be equal after what differs between any two servers was
replaced: ids, times, random names. Differences on purpose are listed in differences.py, each with its reason.
"""

import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import differences
import requests_data


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
        path, body, headers = self.fill(step["path"]), step.get("body"), dict(step.get("headers", {}))
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
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=step["method"])
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


SORTED = {"tags": ("key", "name"), "params": ("key",), "metrics": ("key", "timestamp", "step"), "aliases": ("alias",), "files": ("path",),
          "dataset_summaries": ("name", "digest", "context"), "latest_versions": ("version",)}
TIMES = {"creation_time", "last_update_time", "creation_timestamp", "last_updated_timestamp", "creation_timestamp_ms",
         "last_updated_timestamp_ms"}
SECRETS = {"sqlstate", "error_class"}


class Normaliser:
    """Replaces what differs between any two servers by names that say what was there."""

    def __init__(self, server):
        self.names = {str(v): f"<{k}>" for k, v in server.captured.items() if isinstance(v, (str, int)) and len(str(v)) > 3}
        self.order = sorted(self.names, key=len, reverse=True)

    def text(self, s):
        for value in self.order:
            s = s.replace(value, self.names[value])
        s = re.sub(r"\bm-[0-9a-f]{32}\b", "<model>", s)
        s = re.sub(r"\b[0-9a-f]{32}\b", "<id>", s)
        s = re.sub(r"\b[1-9]\d{17}\b", "<experiment>", s)
        s = re.sub(r"\b[a-z]+-[a-z]+-\d{1,4}\b", "<name>", s)
        return s

    def value(self, v, key=""):
        if isinstance(v, dict):
            out = {k: self.value(x, k) for k, x in v.items() if k not in SECRETS}
            return out
        if isinstance(v, list):
            items = [self.value(x) for x in v]
            if key in SORTED and all(isinstance(i, dict) for i in items):
                items.sort(key=lambda i: json.dumps([i.get(f) for f in SORTED[key]]) + json.dumps(i, sort_keys=True))
            return items
        if key in TIMES and isinstance(v, int):
            return "<time>" if v > 10**12 else v
        if key == "next_page_token":
            return "<token>"
        if key == "message" and isinstance(v, str):
            return differences.message(self.text(v))
        if isinstance(v, str):
            return self.text(v)
        if isinstance(v, int) and str(v) in self.names:
            return self.names[str(v)]
        return v


def compare(reference, levada, script):
    """Runs a script against both servers and returns how many steps there were and what differed."""
    found = []
    servers = Server(reference), Server(levada)
    for number, step in enumerate(script["steps"]):
        results = []
        for server in servers:
            status, answer = server.send(step)
            results.append((status, Normaliser(server).value(answer)))
        if results[0] == results[1]:
            continue
        name = f"{script['name']}[{number}] {step['method']} {step['path']}"
        reason = differences.reason(script["name"], step, results[0], results[1])
        if reason:
            continue
        found.append((name, step.get("body", step.get("query")), results[0], results[1]))
    return len(script["steps"]), found


def main(reference, levada, only=""):
    steps, found = 0, []
    for script in requests_data.scripts():
        if only and only not in script["name"]:
            continue
        n, differing = compare(reference, levada, script)
        steps += n
        found += differing
    for name, sent, want, got in found:
        print(f"DIFFERS {name}\n  sent   {str(sent)[:300]}\n  mlflow {json.dumps(want)[:600]}\n  levada {json.dumps(got)[:600]}")
    unused = [] if only else differences.unused()
    for name in unused:
        print(f"UNUSED difference {name}: remove it from differences.py")
    print(f"{steps} requests, {len(found)} differ")
    return 1 if found or unused else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
