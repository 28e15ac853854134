"""The pipelines that the tests run. They are compiled by the SDK under test and executed by the server."""

from kfp import dsl


@dsl.component(base_image="python:3.11")
def add(a: float, b: float) -> float:
    print(f"adding {a} and {b}")
    return a + b


@dsl.component(base_image="python:3.11")
def check(value: float, wanted: float):
    if value != wanted:
        raise ValueError(f"got {value}, wanted {wanted}")


@dsl.component(base_image="python:3.11")
def write_lines(count: int, lines: dsl.Output[dsl.Dataset]):
    print(f"writing {count} lines")
    lines.metadata["count"] = count
    with open(lines.path, "w") as f:
        f.writelines(f"line {i}\n" for i in range(count))


@dsl.component(base_image="python:3.11")
def count_lines(lines: dsl.Input[dsl.Dataset]) -> int:
    assert lines.metadata["count"] == 3, lines.metadata
    with open(lines.path) as f:
        return len(f.readlines())


@dsl.component(base_image="python:3.11")
def fail(message: str):
    raise RuntimeError(message)


@dsl.component(base_image="python:3.11")
def wait_for_ever():
    import time

    time.sleep(3600)


@dsl.component(base_image="python:3.11")
def fail_first(message: str) -> str:
    import os

    if os.environ["KFP_RETRY_INDEX"] == "0":
        raise RuntimeError(message)
    return message


@dsl.component(base_image="python:3.11")
def tell(status: dsl.PipelineTaskFinalStatus) -> str:
    return status.state


@dsl.container_component
def say(word: str):
    return dsl.ContainerSpec(image="python:3.11", command=["sh", "-c", 'echo "$0"'], args=[word])


@dsl.pipeline(name="add-numbers", description="adds two numbers twice")
def add_pipeline(a: float = 1.0, b: float = 2.0) -> float:
    first = add(a=a, b=b)
    second = add(a=first.output, b=b).set_display_name("second sum")
    return second.output


@dsl.pipeline(name="data-flow")
def data_pipeline(count: int = 3):
    written = write_lines(count=count)
    counted = count_lines(lines=written.outputs["lines"])
    with dsl.If(counted.output == 3):
        say(word="three")
    with dsl.If(counted.output == 4):
        say(word="four").set_display_name("never")
    with dsl.ParallelFor([1.0, 2.0]) as item:
        check(value=item, wanted=item)


@dsl.pipeline(name="lines")
def lines_pipeline(count: int = 3):
    write_lines(count=count).set_caching_options(False)


@dsl.pipeline(name="failing")
def failing_pipeline(message: str = "this is meant to fail"):
    failed = fail(message=message)
    say(word="after").after(failed)


@dsl.pipeline(name="mending")
def mending_pipeline():
    with dsl.ExitHandler(tell()):
        first = add(a=1.0, b=2.0).set_caching_options(False)
        failing = fail_first(message="only once").after(first)
        say(word=failing.output)


@dsl.pipeline(name="waiting")
def waiting_pipeline():
    wait_for_ever()


@dsl.pipeline(name="optional-inputs")
def required_pipeline(must: str, may: str = "x"):
    say(word=must)
    say(word=may)


ALL = {
    "add": add_pipeline,
    "data": data_pipeline,
    "lines": lines_pipeline,
    "failing": failing_pipeline,
    "mending": mending_pipeline,
    "waiting": waiting_pipeline,
    "required": required_pipeline,
}
