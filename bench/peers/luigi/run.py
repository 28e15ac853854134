"""Luigi: `in-process` runs tasks in the worker's process (one worker), `isolated` forks a process for each
task (as many workers as cores); both with the local scheduler, which lives in the worker. `isolated-central`
does so with the scheduler in a server, luigid, as its documentation wants it for production
(https://luigi.readthedocs.io/en/stable/central_scheduler.html). Tasks are started by luigi.build in a process
that has luigi loaded (https://luigi.readthedocs.io/en/stable/running_luigi.html), so that no start of Python
is in the times.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import body
import luigi
import measure
from luigi.execution_summary import LuigiRunResult
from measure import Peer, Work


class Step(luigi.Task):
    """One step. Its target is an empty file, since a target is how Luigi knows that a task is done."""

    folder = luigi.Parameter()
    body = luigi.Parameter()
    number = luigi.IntParameter()
    chained = luigi.BoolParameter()

    def requires(self) -> list[luigi.Task]:
        if self.chained and self.number > 0:
            return [self.clone(number=self.number - 1)]
        return []

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"{self.folder}/{self.number}")

    def run(self) -> None:
        body.do(self.body)
        Path(self.output().path).touch()


class FanIn(luigi.Task):
    """Waits for all steps of a fan-out."""

    folder = luigi.Parameter()
    body = luigi.Parameter()
    steps = luigi.IntParameter()

    def requires(self) -> list[luigi.Task]:
        return [
            Step(folder=self.folder, body=self.body, number=n, chained=False)
            for n in range(self.steps)
        ]

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"{self.folder}/in")

    def run(self) -> None:
        Path(self.output().path).touch()


class Luigi(Peer):
    """Luigi with the scheduler in the worker or in luigid."""

    name: ClassVar[str] = "Luigi"
    package: ClassVar[str] = "luigi"
    modes: ClassVar[tuple[str, ...]] = ("in-process", "isolated", "isolated-central")

    def __init__(self, mode: str, folder: Path) -> None:
        super().__init__(mode, folder)
        self.runs = 0
        self.server: Any = None
        self.scheduler: dict[str, Any] = {"local_scheduler": True}
        config = luigi.configuration.get_config()
        # The completeness of a task is looked up once; the summary of a run needs no history of tasks.
        # https://luigi.readthedocs.io/en/stable/configuration.html#worker
        config.set("worker", "cache_task_completion", "true")
        # How long a worker sleeps when no task is ready: the default of a second would show in every result.
        config.set("worker", "wait_interval", "0.001")
        config.set("worker", "wait_jitter", "0")
        if mode != "in-process":
            config.set("worker", "force_multiprocessing", "true")

    def start(self) -> None:
        if self.mode != "isolated-central":
            raise measure.NotOfferedError("the scheduler is in the worker")
        port = measure.free_port()
        state = self.folder / "state.pickle"
        self.server = measure.spawn(
            [
                measure.script("luigid"),
                "--address",
                "127.0.0.1",
                "--port",
                str(port),
                "--state-path",
                str(state),
            ],
            self.folder / "luigid.log",
        )
        url = f"http://127.0.0.1:{port}/api/task_list?data=%7B%7D"
        measure.wait_until(
            lambda: measure.answer(url), measure.READY_WITHIN, "start luigid", self.server
        )
        self.scheduler = {"scheduler_host": "127.0.0.1", "scheduler_port": port}

    def stop(self) -> None:
        if self.server:
            measure.end([self.server])

    def run(self, work: Work) -> Any:
        self.runs += 1
        targets = self.folder / "targets" / str(self.runs)
        targets.mkdir(parents=True)
        return self.build(work, targets)

    def again(self, work: Work, first: Any) -> Any:
        return self.build(work, first)

    def build(self, work: Work, targets: Path) -> Path:
        """Runs what has no target yet."""
        if work.shape == "chain":
            last: luigi.Task = Step(
                folder=str(targets), body=work.body, number=work.steps - 1, chained=True
            )
        else:
            last = FanIn(folder=str(targets), body=work.body, steps=work.steps)
        result: LuigiRunResult = luigi.build(
            [last],
            workers=1 if self.mode == "in-process" else os.cpu_count() or 1,
            **self.scheduler,
            detailed_summary=True,
            log_level="ERROR",
        )
        if not result.scheduling_succeeded or result.status.name != "SUCCESS":
            raise RuntimeError(result.summary_text)
        return targets

    def succeeded(self, handle: Any) -> int:
        return len(os.listdir(handle))

    def processes(self) -> list[int]:
        # luigid before the first run; then also the worker, of which it is a child here.
        return [self.server.pid] if self.server and not self.runs else [os.getpid()]


if __name__ == "__main__":
    measure.main(Luigi)
