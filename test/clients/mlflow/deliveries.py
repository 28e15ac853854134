"""Makes changes in a model registry through MLflow's client and looks at what a webhook is sent of them.

record URL FILE writes down what a server sends, check FILE URL compares another one with that. Each delivery is
checked as MLflow's documentation tells receivers to: signature, age, identity.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import queue
import re
import sys
import threading
import time

import mlflow
from mlflow.entities.webhook import WebhookEvent

SECRET = "a secret that is shared"
EVENTS = [
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
]


class Receiver(http.server.BaseHTTPRequestHandler):
    """Accepts what is signed with the secret and not older than five minutes."""

    received = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        delivery, at = self.headers["X-MLflow-Delivery-Id"], self.headers["X-MLflow-Timestamp"]
        signed = f"{delivery}.{at}.{body.decode()}".encode()
        want = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        version, _, signature = self.headers["X-MLflow-Signature"].partition(",")
        valid = (
            version == "v1"
            and hmac.compare_digest(want, signature)
            and abs(time.time() - int(at)) < 300
        )
        self.received.put((dict(self.headers.items()), json.loads(body), valid))
        self.send_response(200 if valid else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def changes(client):
    """Changes of all kinds, one after the other."""
    yield lambda: client.create_registered_model("m", {"team": "a"}, "a model")
    yield lambda: client.create_registered_model("bare")
    yield lambda: client.create_model_version(
        "m", "s3://bucket/model", tags={"k": "v"}, description="first"
    )
    yield lambda: client.create_model_version("m", "s3://bucket/other")
    yield lambda: client.set_registered_model_tag("m", "stage", "x")
    yield lambda: client.delete_registered_model_tag("m", "stage")
    yield lambda: client.set_model_version_tag("m", "1", "ok", "yes")
    yield lambda: client.delete_model_version_tag("m", "1", "ok")
    yield lambda: client.delete_model_version_tag("m", "1", "never there")
    yield lambda: client.set_registered_model_alias("m", "champion", "1")
    yield lambda: client.set_registered_model_alias("m", "champion", "2")
    yield lambda: client.delete_registered_model_alias("m", "champion")
    yield lambda: client.delete_registered_model_alias("m", "champion")
    yield lambda: client.update_registered_model("m", "another description")
    yield lambda: client.rename_registered_model("m", "renamed")
    yield lambda: client.transition_model_version_stage("renamed", "1", "Staging")
    yield lambda: client.delete_model_version("renamed", "2")
    yield lambda: client.delete_registered_model("renamed")
    yield lambda: client.create_prompt("p", "a prompt", {"team": "a"})
    yield lambda: client.register_prompt("p", "Hello {{name}}", commit_message="c", tags={"t": "1"})
    yield lambda: client.register_prompt("new", "Hé {{name}} \N{GRINNING FACE}")
    yield lambda: client.set_prompt_tag("p", "k", "v")
    yield lambda: client.delete_prompt_tag("p", "k")
    yield lambda: client.set_prompt_version_tag("p", "1", "k", "v")
    yield lambda: client.delete_prompt_version_tag("p", "1", "k")
    yield lambda: client.set_prompt_alias("p", "live", 1)
    yield lambda: client.delete_prompt_alias("p", "live")


def told(body):
    """Replaces the time of an event by its form."""
    body["timestamp"] = re.sub(r"\d", "0", body["timestamp"])
    return body


def deliveries(url, expected=None):
    """Returns what is sent for each change. Without numbers of deliveries to expect, it waits until it is quiet."""
    os.environ["MLFLOW_TRACKING_URI"] = url
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client, out, seen = mlflow.MlflowClient(url), [], set()
    hook = client.create_webhook(
        "all",
        f"http://127.0.0.1:{server.server_port}/hook",
        [WebhookEvent.from_str(e) for e in EVENTS],
        secret=SECRET,
    )
    assert hook.secret is None and SECRET not in str(client.list_webhooks())
    result = client.test_webhook(hook.webhook_id)
    assert result.success and result.response_status == 200, result
    got = [Receiver.received.get(timeout=30)]
    for number, change in enumerate([None, *changes(client)]):
        if change is not None:
            change()
            got = []
            count = None if expected is None else len(expected[number])
            while count is None or len(got) < count:
                try:
                    got.append(Receiver.received.get(timeout=3 if count is None else 30))
                except queue.Empty:
                    break
        for headers, _, valid in got:
            assert valid, headers
            assert headers["Content-Type"] == "application/json", headers
            assert headers["X-MLflow-Delivery-Id"] not in seen, "a delivery came twice"
            seen.add(headers["X-MLflow-Delivery-Id"])
        out.append(
            sorted(
                (
                    [sorted(h for h in headers if h.startswith("X-")), told(body)]
                    for headers, body, _ in got
                ),
                key=str,
            )
        )
    assert Receiver.received.empty(), "there are deliveries that nothing has caused"
    # What a server tells of the latest delivery besides what MLflow knows does not trouble the client.
    assert [h.webhook_id for h in client.list_webhooks()] == [hook.webhook_id]
    client.delete_webhook(hook.webhook_id)
    return out


def record(url, file):
    with open(file, "w", encoding="utf-8") as out:
        json.dump(deliveries(url), out, indent=1, sort_keys=True)
    return 0


def check(file, url):
    with open(file, encoding="utf-8") as recording:
        want = json.load(recording)
    got = json.loads(json.dumps(deliveries(url, want)))
    for number, (w, g) in enumerate(zip(want, got)):
        if w != g:
            print(f"DIFFERS change {number}\n  mlflow {w}\n  levada {g}")
    print(f"{sum(map(len, got))} deliveries for {len(got)} changes")
    return want != got


if __name__ == "__main__":
    sys.exit({"record": record, "check": check}[sys.argv[1]](*sys.argv[2:]))
