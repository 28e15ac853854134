"""The work as kfp pipelines. kfp.local runs them here; compiled, they are what Levada gets (levada/*.yaml):

python pipelines.py ../levada
"""

import sys
from pathlib import Path
from typing import Any, Callable

from kfp import compiler, dsl

# The steps wait for one another by an output that is handed on, as in pipelines that users write. kfp is in
# the environment of kfp.local already: without install_kfp_package=False every step would call pip first
# (https://kubeflow-pipelines.readthedocs.io/en/stable/source/dsl.html#kfp.dsl.component). For Levada it
# stays as users have it.
component: Callable[..., Any] = dsl.component(
    base_image="python:3.11", install_kfp_package=__name__ == "__main__"
)


@component
def noop(number: int) -> int:
    """Counts on, so that no step of a chain has the inputs, and so the cached result, of another."""
    return number + 1


@component
def work(number: int) -> int:
    """Takes about 10 ms; body.fibonacci, since a component carries its source with it."""

    def fibonacci(n: int) -> int:
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    fibonacci(25)
    return number + 1


@component
def mark(number: int, marks: str) -> int:
    """Notes when it began; body.do."""
    import time

    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    with open(marks, "a") as file:
        file.write(f"{now}\n")
    return number + 1


@component
def collect(numbers: list) -> int:
    """Waits for all."""
    return len(numbers)


def chain(body: str, steps: int) -> Any:
    """A chain; `start` makes one run differ from the next for a cache."""

    @dsl.pipeline(name=f"{body}-chain-{steps}")
    def pipeline(start: int = 0, marks: str = "") -> None:
        number = start
        for _ in range(steps):
            if body == "mark":
                number = mark(number=number, marks=marks).output
            else:
                number = {"noop": noop, "work": work}[body](number=number).output

    return pipeline


def fanout() -> Any:
    """A loop over the given numbers, and one step that gets all of its results."""

    @dsl.pipeline(name="fanout")
    def pipeline(numbers: list) -> int:
        with dsl.ParallelFor(numbers) as number:
            step = noop(number=number)
        return collect(numbers=dsl.Collected(step.output)).output

    return pipeline


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for name, length in (
        ("noop", 3),
        ("noop", 10),
        ("noop", 40),
        ("work", 10),
        ("work", 40),
        ("mark", 1),
    ):
        compiler.Compiler().compile(
            chain(name, length), str(target / f"{name}-chain-{length}.yaml")
        )
    compiler.Compiler().compile(fanout(), str(target / "fanout.yaml"))
