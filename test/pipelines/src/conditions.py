"""If, Elif, Else, their nesting with loops, and OneOf for parameters and artifacts."""

from typing import List

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output


@dsl.component(base_image="python:3.11")
def say(text: str) -> str:
    return text


@dsl.component(base_image="python:3.11")
def number(n: int) -> int:
    return n


@dsl.component(base_image="python:3.11")
def ratio(x: float) -> float:
    return x


@dsl.component(base_image="python:3.11")
def truth(b: bool) -> bool:
    return b


@dsl.component(base_image="python:3.11")
def write(text: str, out: Output[Dataset]):
    with open(out.path, "w") as f:
        f.write(text)
    out.metadata["text"] = text


@dsl.component(base_image="python:3.11")
def read(data: Input[Artifact]) -> str:
    with open(data.path) as f:
        return f.read() + "/" + data.metadata["text"]


@dsl.component(base_image="python:3.11")
def join(words: List[str]) -> str:
    return ",".join(words)


@dsl.pipeline(name="condition-operators")
def operators(n: int = 5, x: float = 0.5, word: str = 'say "so"', flag: bool = True):
    """Every operator, over every type of value, from inputs and from outputs."""
    with dsl.If(n == 5, "eq"):
        say(text="eq")
    with dsl.If(number(n=n).output != 5, "ne"):
        say(text="never")
    with dsl.If(number(n=n).output > 4, "gt"):
        say(text="gt")
    with dsl.If(ratio(x=x).output >= 0.5, "ge"):
        say(text="ge")
    with dsl.If(n < 5, "lt"):
        say(text="never")
    with dsl.If(x <= 0.4, "le"):
        say(text="never")
    with dsl.If(word == 'say "so"', "text"):
        say(text="quotes")
    with dsl.If(flag == True, "bool"):  # noqa: E712
        say(text="bool")
    with dsl.If(truth(b=False).output == True, "false"):  # noqa: E712
        say(text="never")
    with dsl.If(number(n=3).output == number(n=3).output, "both"):
        say(text="two outputs")


@dsl.pipeline(name="condition-elif")
def elif_else(n: int = 2):
    """The first branch that holds runs, the others are skipped, and so is what needs them."""
    got = number(n=n)
    with dsl.If(got.output == 1):
        say(text="one")
    with dsl.Elif(got.output == 2):
        two = say(text="two")
        with dsl.If(n > 100):
            say(text="never")
        with dsl.Else():
            say(text="small").after(two)
    with dsl.Elif(got.output == 2):
        say(text="two again")
    with dsl.Else():
        say(text="many")


@dsl.pipeline(name="condition-oneof")
def one_of(n: int = 2) -> str:
    """OneOf takes the output of the branch that ran: parameters, artifacts, two levels deep."""
    got = number(n=n)
    with dsl.If(got.output == 1):
        one, file_one = say(text="one"), write(text="file one")
    with dsl.Elif(got.output == 2):
        two, file_two = say(text="two"), write(text="file two")
    with dsl.Else():
        many, file_many = say(text="many"), write(text="file many")
    chosen = dsl.OneOf(one.output, two.output, many.output)
    said = say(text=chosen)
    read(data=dsl.OneOf(file_one.output, file_two.output, file_many.output))
    return said.output


@dsl.pipeline(name="condition-oneof-return")
def one_of_return(n: int = 7) -> str:
    """A pipeline returns what OneOf chose, and nested branches choose again."""
    with dsl.If(n > 5):
        big = say(text="big")
    with dsl.Else():
        small = say(text="small")
    return dsl.OneOf(big.output, small.output)


@dsl.pipeline(name="condition-oneof-nested")
def one_of_nested(n: int = 7):
    inner = one_of_return(n=n)
    say(text=inner.output)
    other = one_of_return(n=1)
    with dsl.If(other.output == "small"):
        say(text=f"both {inner.output} and {other.output}")


@dsl.pipeline(name="condition-loops")
def loops():
    """Conditions in loops, loops in conditions, and Collected over a branch that only some iterations take."""
    with dsl.ParallelFor([1, 2, 3, 4]) as n:
        got = number(n=n)
        with dsl.If(got.output > 2):
            high = say(text="high")
            with dsl.ParallelFor(["a", "b"]) as letter:
                say(text=letter)
        with dsl.Else():
            low = say(text="low")
        say(text=dsl.OneOf(high.output, low.output))
    with dsl.If(number(n=1).output == 1):
        with dsl.ParallelFor([1, 2]) as m:
            with dsl.If(m == 2):
                say(text="second")


@dsl.pipeline(name="condition-collected")
def collected():
    with dsl.ParallelFor([1, 2, 3]) as n:
        with dsl.If(n > 1):
            high = say(text="high")
        with dsl.Else():
            low = say(text="low")
        either = say(text=dsl.OneOf(high.output, low.output))
    join(words=dsl.Collected(either.output))


@dsl.pipeline(name="condition-importer")
def importers(wanted: bool = False):
    """Conditions around importers: one runs, one does not."""
    with dsl.If(wanted == True):  # noqa: E712
        dsl.importer(artifact_uri="gs://bucket/never", artifact_class=Dataset)
    with dsl.Else():
        dsl.importer(
            artifact_uri="gs://bucket/yes", artifact_class=Dataset, metadata={"why": "else"}
        )


ALL = [operators, elif_else, one_of, one_of_return, one_of_nested, loops, collected, importers]
