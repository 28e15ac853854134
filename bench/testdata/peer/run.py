"""A peer for the tests of the harness: it does what it is asked for in this process, and loses the last step of a
fan-out of 13."""

from __future__ import annotations

from typing import Any, ClassVar

import body
import measure
from measure import Peer, Work


class Honest(Peer):
    """Runs each step; has no server and no cache."""

    name: ClassVar[str] = "Honest"
    modes: ClassVar[tuple[str, ...]] = ("in-process",)

    def version(self) -> str:
        return "1.0"

    def run(self, work: Work) -> int:
        for _ in range(work.total):
            body.do(work.body)
        return work.total - (work.steps == 13)

    def again(self, work: Work, first: Any) -> int:
        raise measure.NotOfferedError("no cache")

    def succeeded(self, handle: int) -> int:
        return handle


if __name__ == "__main__":
    measure.main(Honest)
