"""Dagster: `in-process` is execute_in_process, on its own ephemeral instance, in memory; `isolated` is the
multiprocess executor, which runs each step in a process, on an instance with its default storage, SQLite. For
speed the processes come from a forkserver that has the job's module loaded, as the documentation advises
(https://docs.dagster.io/concepts/ops-jobs-graphs/job-execution). Runs are started from Python, in a process that has
Dagster loaded, without its web server and daemon, which would first start a process for the run; those are
what `ready` and the idle memory are about: `dagster dev`,
https://docs.dagster.io/guides/deploy/deployment-options/running-dagster-locally.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import jobs
import measure
from dagster import DagsterInstance, execute_job
from dagster._core.definitions.reconstruct import ReconstructableJob
from measure import Peer, Work

# The number of processes at a time is by default that of the cores.
FORKSERVER = {
    "execution": {
        "config": {"multiprocess": {"start_method": {"forkserver": {"preload_modules": ["jobs"]}}}}
    }
}


class Dagster(Peer):
    """Dagster's two local executors."""

    name: ClassVar[str] = "Dagster"
    package: ClassVar[str] = "dagster"
    modes: ClassVar[tuple[str, ...]] = ("in-process", "isolated")
    through_server: ClassVar[bool] = False

    def __init__(self, mode: str, folder: Path) -> None:
        super().__init__(mode, folder)
        self.server: Any = None
        self.instance: Any = None
        home = folder / "home"
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        os.environ["DAGSTER_HOME"] = str(home)
        here = str(Path(__file__).parent)
        os.environ["PYTHONPATH"] = here + os.pathsep + os.environ.get("PYTHONPATH", "")

    def prepare(self, works: list[Work]) -> None:
        # The module that the web server loads has to name its jobs.
        names = {attribute(w) for w in works}
        text = "from dagster import Definitions\nimport jobs\n\n"
        text += f"defs = Definitions(jobs=[getattr(jobs, name) for name in {sorted(names)!r}])\n"
        (self.folder / "definitions.py").write_text(text)
        self.instance = DagsterInstance.get()

    def start(self) -> None:
        if self.mode != "isolated":
            raise measure.NotOfferedError("no server in this mode")
        port = measure.free_port()
        definitions = str(self.folder / "definitions.py")
        self.server = measure.spawn(
            [
                measure.script("dagster"),
                "dev",
                "-f",
                definitions,
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ],
            self.folder / "dagster.log",
        )
        url = f"http://127.0.0.1:{port}/graphql?query=%7BrepositoriesOrError%7B__typename%7D%7D"
        measure.wait_until(
            lambda: "RepositoryConnection" in str(measure.answer(url)),
            measure.READY_WITHIN,
            "start dagster dev",
            self.server,
        )

    def stop(self) -> None:
        if self.server:
            measure.end([self.server])
            self.server = None

    def run(self, work: Work) -> int:
        if self.mode == "in-process":
            job = getattr(jobs, attribute(work))
            result = job.execute_in_process()
            return sum(e.is_step_success for e in result.all_node_events)
        job = ReconstructableJob.for_module("jobs", attribute(work))
        with execute_job(
            job, instance=self.instance, run_config=FORKSERVER, raise_on_error=True
        ) as result:
            return len([e for e in result.all_events if e.is_step_success])

    def again(self, work: Work, first: Any) -> Any:
        raise measure.NotOfferedError(
            "no cache: code and data versions tell what is stale, a run that is asked for runs"
        )

    def succeeded(self, handle: int) -> int:
        return handle

    def processes(self) -> list[int]:
        return [self.server.pid] if self.server else [os.getpid()]


def attribute(work: Work) -> str:
    """The name of the job in jobs.py."""
    return f"{work.body}_{work.shape}_{work.steps}"


if __name__ == "__main__":
    measure.main(Dagster)
