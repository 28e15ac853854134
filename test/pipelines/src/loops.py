"""ParallelFor over everything that can be looped over, loops in loops, limits, and what Collected makes of them."""

from typing import Dict, List

from kfp import dsl


@dsl.component(base_image="python:3.11")
def double(n: int) -> int:
    return 2 * n


@dsl.component(base_image="python:3.11")
def join(words: List[str]) -> str:
    return ",".join(words)


@dsl.component(base_image="python:3.11")
def total(numbers: List[int]) -> int:
    return sum(numbers)


@dsl.component(base_image="python:3.11")
def show(value: str) -> str:
    return f"<{value}>"


@dsl.component(base_image="python:3.11")
def pair(a: str, b: str) -> str:
    return f"{a}{b}"


@dsl.component(base_image="python:3.11")
def rows_of(table: List[List[str]]) -> str:
    return ";".join(",".join(row) for row in table)


@dsl.component(base_image="python:3.11")
def make_numbers(upto: int) -> List[int]:
    return list(range(upto))


@dsl.component(base_image="python:3.11")
def make_records() -> List[Dict[str, str]]:
    return [{"kind": "oak", "leaf": "lobed"}, {"kind": "elm", "leaf": "oval"}]


@dsl.component(base_image="python:3.11")
def make_struct() -> Dict[str, List[str]]:
    return {"left": ["a", "b"], "right": ["c"]}


@dsl.pipeline(name="loop-static")
def static():
    """Lists of numbers, strings and structs, written in the pipeline."""
    with dsl.ParallelFor([1, 2, 3]) as n:
        doubled = double(n=n)
    total(numbers=dsl.Collected(doubled.output))
    with dsl.ParallelFor(["a", 'b "quoted"', "c'c", "ünï — 漢"]) as word:
        shown = show(value=word)
    join(words=dsl.Collected(shown.output))
    with dsl.ParallelFor([{"a": "1", "b": "2"}, {"a": "10", "b": "20"}]) as item:
        paired = pair(a=item.a, b=item.b)
    join(words=dsl.Collected(paired.output))


@dsl.pipeline(name="loop-inputs")
def inputs(
    words: List[str] = ["p", "q"],
    records: List[Dict[str, str]] = [{"k": "v1"}, {"k": "v2"}],
    upto: int = 3,
):
    """Loops over the pipeline's inputs, whose items are structs too, and over what a task returns."""
    with dsl.ParallelFor(words) as word:
        show(value=word)
    with dsl.ParallelFor(records) as record:
        show(value=record.k)
    numbers = make_numbers(upto=upto)
    with dsl.ParallelFor(numbers.output) as n:
        doubled = double(n=n)
    total(numbers=dsl.Collected(doubled.output))
    with dsl.ParallelFor(make_records().output) as tree:
        pair(a=tree.kind, b=tree.leaf)


@dsl.pipeline(name="loop-nested")
def nested():
    """Loops in loops, over independent lists and over a part of the outer item; Collected at two depths."""
    with dsl.ParallelFor(["a", "b"]) as outer:
        with dsl.ParallelFor(["1", "2"]) as inner:
            paired = pair(a=outer, b=inner)
        row = join(words=dsl.Collected(paired.output))
    join(words=dsl.Collected(row.output))
    rows_of(table=dsl.Collected(paired.output))
    with dsl.ParallelFor([{"rows": ["r1", "r2"]}, {"rows": []}, {"rows": ["r3"]}]) as block:
        with dsl.ParallelFor(block.rows) as cell:
            shown = show(value=cell)
        join(words=dsl.Collected(shown.output))


@dsl.pipeline(name="loop-limits")
def limits():
    """Limits on how many iterations run at once, in nested loops too, and a display name on the loop."""
    with dsl.ParallelFor([1, 2, 3, 4], parallelism=1) as n:
        double(n=n)
    with dsl.ParallelFor(["a", "b"], name="letters", parallelism=2) as outer:
        with dsl.ParallelFor(["1", "2", "3"], parallelism=1) as inner:
            pair(a=outer, b=inner)


@dsl.pipeline(name="loop-empty")
def empty(words: List[str] = [], upto: int = 0):
    """Loops without iterations succeed, and Collected gives an empty list."""
    with dsl.ParallelFor(words) as word:
        shown = show(value=word)
    join(words=dsl.Collected(shown.output))
    with dsl.ParallelFor(make_numbers(upto=upto).output) as n:
        doubled = double(n=n)
    total(numbers=dsl.Collected(doubled.output))


@dsl.pipeline(name="loop-chain")
def chain():
    """Tasks inside an iteration depend on one another, and the loop on a task outside it; a later task waits for the loop."""
    first = show(value="first")
    with dsl.ParallelFor(["a", "b"]) as word:
        one = show(value=word).after(first)
        two = pair(a=one.output, b=first.output)
        show(value=two.output)
    with dsl.ParallelFor(["c"]) as word:
        last = show(value=word)
    show(value="last").after(last)


ALL = [static, inputs, nested, limits, empty, chain]
