"""kfp.local: every step is a Python process of its own, so it has one mode, `isolated`. The pipeline is
called like a function in a process that has kfp loaded
(https://kubeflow.org/docs/components/pipelines/user-guides/core-functions/execute-kfp-pipelines-locally). For
speed: SubprocessRunner(use_venv=False), so that no environment is made for each step, and components that do
not install kfp. kfp.local runs at most two steps at once; that is fixed in its code. Its cache of results is
on for that workload alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import measure
import pipelines
from kfp import local
from measure import Peer, Work


class KfpLocal(Peer):
    """kfp.local with subprocesses."""

    name: ClassVar[str] = "kfp.local"
    package: ClassVar[str] = "kfp"
    modes: ClassVar[tuple[str, ...]] = ("isolated",)

    def __init__(self, mode: str, folder: Path) -> None:
        super().__init__(mode, folder)
        self.runs = 0
        self.pipelines: dict[tuple[str, str, int], Any] = {}

    def prepare(self, works: list[Work]) -> None:
        # Defining a pipeline compiles it, which a user's program does once.
        for work in works:
            key = (work.shape, work.body, work.steps)
            shared = (
                pipelines.fanout()
                if work.shape == "fanout"
                else pipelines.chain(work.body, work.steps)
            )
            self.pipelines[key] = shared

    def run(self, work: Work) -> int:
        self.runs += 1
        return self.call(work, self.runs * 1000)

    def again(self, work: Work, first: Any) -> int:
        return self.call(work, self.runs * 1000)

    def call(self, work: Work, start: int) -> int:
        """Calls the pipeline; it raises when a step fails."""
        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(self.folder / "root"),
            workspace_root=str(self.folder / "workspace"),
            enable_caching=work.cache,
        )
        pipeline = self.pipelines[work.shape, work.body, work.steps]
        if work.shape == "chain":
            pipeline(start=start, marks=os.environ[measure.MARKS])
            return work.steps
        numbers = list(range(start, start + work.steps))
        # The last step says how many results it got.
        return int(pipeline(numbers=numbers).output) + 1

    def succeeded(self, handle: int) -> int:
        return handle


if __name__ == "__main__":
    measure.main(KfpLocal)
