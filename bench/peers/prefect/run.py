"""Prefect: `in-process` runs tasks in the flow's process (a chain by calling them, a fan-out on the
ThreadPoolTaskRunner), `isolated` on the ProcessPoolTaskRunner, whose processes serve one task after the other
(weaker isolation than a process for each step). The flow is called in a process that has Prefect loaded, with
a `prefect server start` beside it on PostgreSQL where that is installed
(https://docs.prefect.io/v3/how-to-guides/self-hosted/server-cli), else on SQLite. For speed, results stay in
memory except in the cached run (https://docs.prefect.io/v3/advanced/results), no logs go to the server, and
there is no telemetry.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import measure
import postgres
from measure import Peer, Work

# Threads of a fan-out: they share the lock of the interpreter, so a few suffice.
THREADS = 8


class Prefect(Peer):
    """Prefect with a server of its own."""

    name: ClassVar[str] = "Prefect"
    package: ClassVar[str] = "prefect"
    modes: ClassVar[tuple[str, ...]] = ("in-process", "isolated")

    def __init__(self, mode: str, folder: Path) -> None:
        super().__init__(mode, folder)
        self.database: postgres.Postgres | None = None
        self.server: Any = None
        self.runs = 0
        # Read when prefect is imported, here and in what this starts.
        self.port = measure.free_port()
        os.environ |= {
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_ENABLED": "true",
            "DO_NOT_TRACK": "1",
        }
        here = str(Path(__file__).parent)
        os.environ["PYTHONPATH"] = here + os.pathsep + os.environ.get("PYTHONPATH", "")

    def prepare(self, works: list[Work]) -> None:
        if postgres.programs():
            self.database = postgres.Postgres(self.folder)
            url = self.database.url("postgresql+asyncpg")
            os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = url
        # Makes the tables, as an installation would.
        upgrade = measure.spawn(
            [measure.script("prefect"), "server", "database", "upgrade", "-y"],
            self.folder / "upgrade.log",
        )
        if upgrade.wait():
            raise RuntimeError((self.folder / "upgrade.log").read_text()[-500:])

    def start(self) -> None:
        command = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        self.server = measure.spawn(
            [measure.script("prefect"), *command], self.folder / "server.log"
        )
        url = f"http://127.0.0.1:{self.port}/api/health"
        measure.wait_until(
            lambda: measure.answer(url), measure.READY_WITHIN, "start prefect server", self.server
        )

    def stop(self) -> None:
        if self.server:
            measure.end([self.server])
        if self.database:
            self.database.stop()

    def run(self, work: Work) -> int:
        self.runs += 1
        return self.call(work)

    def again(self, work: Work, first: Any) -> int:
        return self.call(work)

    def call(self, work: Work) -> int:
        """Calls the flow, which returns how many tasks gave a result."""
        import flows  # here, because prefect reads its settings when it is imported

        isolated = self.mode == "isolated"
        runner = flows.processes(os.cpu_count() or 1) if isolated else flows.threads(THREADS)
        if work.shape == "fanout":
            start = self.runs * 10_000
            return int(
                flows.fanout.with_options(task_runner=runner)(
                    work.body, start, work.steps, work.cache
                )
            )
        chain = flows.submit_chain if isolated else flows.call_chain
        return int(chain.with_options(task_runner=runner)(work.body, work.steps))

    def succeeded(self, handle: int) -> int:
        return handle

    def processes(self) -> list[int]:
        if self.runs:
            return [os.getpid()]  # the server and the database are below it
        return [p.pid for p in (self.server, self.database and self.database.process) if p]


if __name__ == "__main__":
    measure.main(Prefect)
