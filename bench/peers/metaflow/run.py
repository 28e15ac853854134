"""Metaflow: every task is a Python process of its own, so it has one mode, `isolated`. A run is started as
its documentation starts one, `python flow.py run` (https://docs.metaflow.org/metaflow/basics), and so
includes the start of Python. For speed: --no-pylint leaves out the check of the source, --max-workers is the
number of cores, --max-num-splits lifts the limit of 100
(https://docs.metaflow.org/scaling/remote-tasks/controlling-parallelism); metadata and data are local files
(the default).
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import measure
from measure import Peer, Work

# Metaflow wants a `start` and an `end`. In a chain they are its first and last step; a fan-out has them
# besides its own.
CHAIN_MIDDLE = """
    @step
    def s{n}(self):
        body.do("{body}")
        self.next(self.{after})
"""
CHAIN = """
from metaflow import FlowSpec, step

import body


class {name}(FlowSpec):
    @step
    def start(self):
        body.do("{body}")
        self.next(self.{after})
{middle}
    @step
    def end(self):
        body.do("{last}")


if __name__ == "__main__":
    {name}()
"""
FANOUT = """
from metaflow import FlowSpec, step

import body


class {name}(FlowSpec):
    @step
    def start(self):
        self.numbers = list(range({steps}))
        self.next(self.one, foreach="numbers")

    @step
    def one(self):
        body.do("{body}")
        self.next(self.all)

    @step
    def all(self, inputs):
        assert len(list(inputs)) == {steps}
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    {name}()
"""


@dataclass(frozen=True)
class Run:
    """A finished run."""

    flow: str
    number: str
    extra: int  # tasks that the work does not ask for


class Metaflow(Peer):
    """Metaflow with local metadata and a local datastore."""

    name: ClassVar[str] = "Metaflow"
    package: ClassVar[str] = "metaflow"
    modes: ClassVar[tuple[str, ...]] = ("isolated",)
    inside: ClassVar[bool] = False

    def prepare(self, works: list[Work]) -> None:
        for work in works:
            name = flow_name(work)
            after = [f"s{n}" for n in range(1, work.steps - 1)] + ["end"]
            middle = "".join(
                CHAIN_MIDDLE.format(n=n, body=work.body, after=after[n])
                for n in range(1, work.steps - 1)
            )
            text = FANOUT if work.shape == "fanout" else CHAIN
            last = work.body if work.steps > 1 else "noop"
            filled = text.format(
                name=name,
                body=work.body,
                last=last,
                middle=middle,
                after=after[0],
                steps=work.steps,
            )
            (self.folder / f"{name}.py").write_text(filled)

    def run(self, work: Work) -> Run:
        return self.call(work, "run")

    def again(self, work: Work, first: Run) -> Run:
        return self.call(work, "resume", "--origin-run-id", first.number)

    def call(self, work: Work, *command: str) -> Run:
        """Runs one command of a flow and waits for its end."""
        name = flow_name(work)
        number = self.folder / "run-id"
        limits = ["--max-workers", str(os.cpu_count()), "--max-num-splits", str(work.steps)]
        limits += ["--run-id-file", str(number)]
        subprocess.run(
            [sys.executable, f"{name}.py", "--no-pylint", "--quiet", *command, *limits],
            cwd=self.folder,
            env=os.environ | {"USER": "bench", "METAFLOW_HOME": str(self.folder / "home")},
            check=True,
            stdout=sys.stderr,
        )
        extra = 2 if work.shape == "fanout" else max(0, 2 - work.steps)
        return Run(name, number.read_text().strip(), extra)

    def succeeded(self, handle: Run) -> int:
        # A task that is done, cloned or run, has this file in the datastore; _parameters is no step.
        done = Path(self.folder, ".metaflow", handle.flow, handle.number).glob(
            "[!_]*/*/*.DONE.lock"
        )
        return len({d.parent for d in done}) - handle.extra


def flow_name(work: Work) -> str:
    """The class, and so the file, of a flow."""
    return f"{work.shape.capitalize()}{work.body.capitalize()}{work.steps}"


if __name__ == "__main__":
    measure.main(Metaflow)
