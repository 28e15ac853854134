"""Pipelines in pipelines, to any depth, with inputs left out, None, and outputs passed up."""

from typing import Dict, List, NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component(base_image="python:3.11")
def describe(
    text: Optional[str] = None,
    count: Optional[int] = None,
    ratio: Optional[float] = None,
    flag: Optional[bool] = None,
    items: Optional[List[str]] = None,
    mapping: Optional[Dict[str, str]] = None,
) -> str:
    return repr((text, count, ratio, flag, items, mapping))


@dsl.component(base_image="python:3.11")
def increment(n: int) -> int:
    return n + 1


@dsl.component(base_image="python:3.11")
def write(text: str, out: Output[Dataset]):
    with open(out.path, "w") as f:
        f.write(text)


@dsl.component(base_image="python:3.11")
def read(data: Input[Dataset]) -> str:
    with open(data.path) as f:
        return f.read()


@dsl.component(base_image="python:3.11")
def maybe_read(data: Optional[Input[Dataset]] = None) -> str:
    return "nothing" if data is None else data.name


@dsl.pipeline(name="level-three")
def three(n: int) -> int:
    return increment(n=n).output


@dsl.pipeline(name="level-two")
def two(n: int = 10) -> int:
    deep = three(n=n)
    return increment(n=deep.output).output


@dsl.pipeline(name="nesting-depth")
def depth(n: int = 1) -> int:
    """Three levels; the value goes down and comes up again."""
    first = two(n=n)
    second = two(n=first.output)
    increment(n=two().output)
    return second.output


@dsl.pipeline(name="inner-optional")
def inner(
    text: Optional[str] = None,
    count: Optional[int] = None,
    ratio: Optional[float] = None,
    flag: Optional[bool] = None,
    items: Optional[List[str]] = None,
    mapping: Optional[Dict[str, str]] = None,
) -> str:
    return describe(
        text=text, count=count, ratio=ratio, flag=flag, items=items, mapping=mapping
    ).output


@dsl.pipeline(name="inner-defaults")
def inner_defaults(text: Optional[str] = "inner default", count: Optional[int] = 3) -> str:
    return describe(text=text, count=count).output


@dsl.pipeline(name="nesting-optional")
def optional(given: Optional[str] = None, defaulted: Optional[str] = "outer default"):
    """Inputs left out, None, and defaults at each level."""
    describe()
    inner()
    inner(text=given, count=0, flag=False, items=[], mapping={})
    inner(text="", ratio=0.5, items=["x"], mapping={"k": "v"})
    inner_defaults()
    inner_defaults(text=given)
    inner_defaults(text=defaulted)
    describe(text=given, count=4)


@dsl.pipeline(name="inner-outputs")
def inner_outputs(text: str) -> NamedTuple("Outputs", [("data", Dataset), ("length", int)]):
    written = write(text=text)
    counted = increment(n=41)
    outputs = NamedTuple("Outputs", [("data", Dataset), ("length", int)])
    return outputs(written.outputs["out"], counted.output)


@dsl.pipeline(name="nesting-outputs")
def outputs(text: str = "passed up") -> str:
    """A nested pipeline gives a parameter and an artifact; both are used outside."""
    both = inner_outputs(text=text)
    increment(n=both.outputs["length"])
    return read(data=both.outputs["data"]).output


@dsl.pipeline(name="inner-artifact")
def inner_artifact(data: Optional[Input[Dataset]] = None) -> str:
    return maybe_read(data=data).output


@dsl.pipeline(name="nesting-artifacts")
def artifacts():
    """An artifact goes down into a nested pipeline, and an optional one is left out."""
    written = write(text="x")
    inner_artifact(data=written.outputs["out"])
    inner_artifact()
    maybe_read()


@dsl.pipeline(name="nesting-loops")
def loops() -> List[int]:
    """Nested pipelines inside loops inside conditions, and their outputs collected."""
    with dsl.ParallelFor([1, 2, 3]) as n:
        with dsl.If(n > 1):
            two(n=n)
        raised = three(n=n)
    return dsl.Collected(raised.output)


ALL = [depth, optional, outputs, artifacts, loops]
