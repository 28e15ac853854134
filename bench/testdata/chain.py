"""Compiles the benchmark's pipelines: chains of steps that do nothing, each after the one before.

The compiled files lie beside this one. To make them again: pip install kfp==2.17.0 && python chain.py
"""

from pathlib import Path

from kfp import compiler, dsl


@dsl.component(base_image="python:3.11")
def no_op(number: int) -> int:
    """Hands its input on."""
    return number + 1


def compile_chain(steps: int, target: Path) -> None:
    """Writes a pipeline of so many steps; each takes the output of the one before."""

    @dsl.pipeline(name=f"chain-{steps}")
    def chain(start: int = 0) -> None:
        number = start
        for _ in range(steps):
            number = no_op(number=number).output

    compiler.Compiler().compile(chain, str(target))


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    for length in (10, 40):
        compile_chain(length, here / f"chain-{length}.yaml")
