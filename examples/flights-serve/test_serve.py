"""Tests of what makes the versions and the traffic, and of how the example tells what became of them.

Run them with ``levada test`` in this folder. Steps that matter for a question are real or have
canned outputs; the rest gets placeholders. Serving itself is what ``make demo-serve`` runs.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import models
import pandas as pd
import pytest
import serve
from levada.testing import placeholders, run


def test_versions_are_registered_one_after_the_other_and_say_what_they_are() -> None:
    result = run(
        models.models,
        replace={"build_features": placeholders(categorical=["carrier"], numeric=["hour"])},
        rest=placeholders(),
    )
    assert result.state() == "SUCCEEDED"
    made = ["register", "register-2", "register-3", "register-4"]
    kinds = [result.task(name).inputs["kind"] for name in made]
    assert kinds == ["champion", "challenger", "broken", "slow"]
    learned = [result.task(name).inputs["learned_until"] for name in ("cut", "cut-2")]
    assert learned == ["2013-03-31", "2013-06-30"]


def test_the_traffic_is_the_flights_of_the_days_in_the_order_of_their_requests(
    tmp_path: Path,
) -> None:
    """One step, for real, in the environment that it asks for."""
    scheduled = pd.to_datetime(
        ["2013-06-30 23:00", "2013-07-02 09:00", "2013-07-01 00:30", "2013-09-01 00:00"]
    ).tz_localize("America/New_York")
    table = pd.DataFrame(
        {
            "scheduled_at": scheduled,
            "cutoff": scheduled - pd.Timedelta(minutes=120),
            "carrier": ["UA", "AA", None, "DL"],
            "distance": [1.0, 2.5, 3.0, 4.0],
            "late": [True, False, True, False],
        }
    )
    table.to_parquet(tmp_path / "features.parquet", index=False)
    result = run(
        models.replay,
        {
            "features": tmp_path / "features.parquet",
            "first_day": "2013-07-01",
            "last_day": "2013-08-31",
            "categorical": ["carrier"],
            "numeric": ["distance"],
        },
    )
    assert result.state() == "SUCCEEDED"
    traffic = result.output("traffic")
    assert traffic.metadata["columns"] == ["carrier", "distance"]
    rows = [json.loads(line) for line in Path(traffic.path).read_text().splitlines()]
    assert rows == [{"row": [None, 3.0], "late": 1}, {"row": ["AA", 2.5], "late": 0}]


class Answers(BaseHTTPRequestHandler):
    """A server that answers a prediction of 0.25, and takes what is reported."""

    reported: ClassVar[list[dict]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/values"):
            self.reported.extend(body["values"])
            text = b"{}"
        else:
            text = b'{"predictions": [[0.75, 0.25]]}'
        self.send_response(503 if body.get("dataframe_split", {}).get("data") == [["bad"]] else 200)
        self.send_header("x-amzn-invoked-production-variant", "7")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


def test_requests_are_counted_and_what_happened_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "LABEL_DELAY", 0.0)
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    flights = [{"row": ["UA"], "late": 1}, {"row": ["bad"], "late": 0}]
    host = f"http://127.0.0.1:{server.server_address[1]}"
    with serve.Traffic(serve.Server(host), ["carrier"], flights, rate=50) as traffic:
        while not Answers.reported:
            traffic.stopped.wait(0.05)
    server.shutdown()
    server.server_close()
    counted = traffic.snapshot()
    assert counted.answered["7"] > 0
    assert set(counted.failed) == {'503 {"predictions": [[0.75, 0.25]]}'}
    first = Answers.reported[0]
    # It was late, and the model gave that a chance of a quarter.
    assert (first["version"], first["metric"]) == ("7", "loss")
    # Names that the server counts by itself, from the truth of logged requests, are refused.
    assert first["metric"] not in ("accuracy", "absolute_error", "squared_error", "log_loss")
    assert (
        f"{{metric: {first['metric']}, " in (Path(serve.__file__).parent / "plan.yaml").read_text()
    )
    assert first["value"] == pytest.approx(1.3862943611)


def test_the_summary_says_how_each_version_ended() -> None:
    row = {
        "kind": "slow",
        "version": "4",
        "outcome": "rolled_back",
        "reason": "latency",
        "seconds": 30.0,
        "detected_after": 4.25,
        "answered": 12,
        "all": 4000,
        "slow": 11,
        "failed": 0,
    }
    text = serve.summary([row], serve.Counted({"1": 3988, "4": 12}))
    assert "slow (4)" in text and "rolled back" in text and "4.2 s" in text
    assert "4,000 requests were answered, 0 failed." in text
    assert serve.moment("2013-07-01T00:00:00.123456789Z") == pytest.approx(1372636800.123456789)
    event = {
        "at": "2026-03-01T12:00:05Z",
        "type": "rollout_judged",
        "stage": {"phase": "canary", "step": 1},
        "verdict": "pass",
    }
    assert serve.told(event) == "12:00:05 judged: canary 2, pass"
