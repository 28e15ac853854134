"""Levada, measured as its peers are.

`isolated` is the default: a step is a process of its own, forked from a host that has its imports done;
`isolated-exec` starts a Python for each step instead (LEVADA_WARM_PYTHON=false); `reuse` lets steps of a
component share a process, one after the other (LEVADA_PYTHON_MODE=reuse). The pipelines are those of
kfp_local/pipelines.py, compiled by the kfp SDK. A run is submitted and watched over HTTP. LEVADA_BIN names the
program.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import measure
from measure import Peer, Work

RUN_WITHIN = 600.0
JSON = {"Content-Type": "application/json"}


class Levada(Peer):
    """A `levada up` on a folder of its own."""

    name: ClassVar[str] = "Levada"
    package: ClassVar[str] = ""
    modes: ClassVar[tuple[str, ...]] = ("isolated", "isolated-exec", "reuse")
    inside: ClassVar[bool] = False

    def __init__(self, mode: str, folder: Path) -> None:
        super().__init__(mode, folder)
        self.program = os.environ["LEVADA_BIN"]
        self.port = measure.free_port()
        self.server: Any = None
        self.connection: http.client.HTTPConnection | None = None
        self.specs: dict[str, str] = {}
        self.runs = 0

    def version(self) -> str:
        words = subprocess.run(
            [self.program, "version"], check=True, capture_output=True, text=True
        )
        return words.stdout.split()[1]

    def prepare(self, works: list[Work]) -> None:
        here = Path(__file__).parent
        self.specs = {name: (here / f"{name}.yaml").read_text() for name in map(spec_name, works)}
        if self.mode == "reuse":
            env = "        env:\n        - name: LEVADA_PYTHON_MODE\n          value: reuse\n"
            container = "      container:\n"
            self.specs = {n: s.replace(container, container + env) for n, s in self.specs.items()}

    def start(self) -> None:
        address = f"127.0.0.1:{self.port}"
        command = [self.program, "up", "--data", str(self.folder / "data"), "--listen", address]
        warm = "false" if self.mode == "isolated-exec" else "true"
        env = os.environ | {"LEVADA_WARM_PYTHON": warm}
        env.pop("PYTHONPATH", None)
        self.server = measure.spawn(command, self.folder / "server.log", env)
        url = f"http://{address}/healthz"
        measure.wait_until(
            lambda: measure.answer(url), measure.READY_WITHIN, "start levada up", self.server
        )
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def stop(self) -> None:
        if self.server:
            measure.end([self.server])

    def run(self, work: Work) -> dict[str, Any]:
        self.runs += 1
        return self.submit(work, cached=0)

    def again(self, work: Work, first: Any) -> dict[str, Any]:
        return self.submit(work, cached=work.total)

    def submit(self, work: Work, cached: int) -> dict[str, Any]:
        """Submits with numbers that no other run has had, so that no step finds its result in the cache by chance, and
        holds Levada to it."""
        start = self.runs * 10_000
        if work.shape == "fanout":
            parameters: dict[str, Any] = {"numbers": list(range(start, start + work.steps))}
        else:
            parameters = {"start": start, "marks": os.environ[measure.MARKS]}
        run = self.call(
            "POST", "/api/v1/runs", {"spec": self.specs[spec_name(work)], "parameters": parameters}
        )

        def ended() -> Any:
            now = self.call("GET", f"/api/v1/runs/{run['id']}")
            if now["state"] in ("FAILED", "CANCELED", "SKIPPED"):
                raise RuntimeError(f"the run ended as {now['state']}: {now.get('failure')}")
            return now if now["state"] == "SUCCEEDED" else None

        ended_run = dict(measure.wait_until(ended, RUN_WITHIN, "the run", self.server))
        if ended_run.get("cached", 0) != cached:
            raise RuntimeError(
                f"{ended_run.get('cached', 0)} steps had cached results, want {cached}"
            )
        return ended_run

    def call(self, method: str, path: str, content: Any = None) -> Any:
        """One request on the connection that is kept."""
        assert self.connection is not None
        self.connection.request(method, path, json.dumps(content) if content else None, JSON)
        response = self.connection.getresponse()
        text = response.read()
        if response.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {response.status}: {text[:300]!r}")
        return json.loads(text)

    def succeeded(self, handle: dict[str, Any]) -> int:
        outputs = handle["outputs"].get("parameters") or {}
        if "Output" in outputs:
            # The last step of a fan-out says how many results it got.
            return int(outputs["Output"]) + 1
        return int(handle["tasks"]["SUCCEEDED"])

    def processes(self) -> list[int]:
        return [self.server.pid]


def spec_name(work: Work) -> str:
    """The compiled pipeline."""
    return "fanout" if work.shape == "fanout" else f"{work.body}-chain-{work.steps}"


if __name__ == "__main__":
    measure.main(Levada)
