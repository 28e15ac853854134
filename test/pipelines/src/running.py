"""Caching, resources, environment variables, display names, dependencies and container images."""

from typing import List

from kfp import dsl


@dsl.component(base_image="python:3.11")
def stamp(text: str) -> str:
    import uuid

    return f"{text} {uuid.uuid4()}"


@dsl.component(base_image="python:3.11")
def same(a: str, b: str) -> bool:
    return a == b


@dsl.component(base_image="python:3.11")
def variables() -> str:
    import os

    return f"{os.environ['FIRST']}|{os.environ['SECOND']}|{os.environ.get('LEVADA_SECRET_OF_THE_SERVER')}"


@dsl.component(base_image="python:3.11")
def quantity() -> str:
    return "256Mi"


@dsl.component(base_image="python:3.11")
def cores() -> str:
    return "1"


@dsl.component(base_image="registry.access.redhat.com/ubi9/python-311:latest")
def ubi() -> str:
    return "ubi"


@dsl.component(base_image="python")
def untagged() -> str:
    return "untagged"


@dsl.component
def no_image() -> str:
    return "no image"


@dsl.container_component
def busybox(out: dsl.OutputPath(str)):
    return dsl.ContainerSpec(
        image="busybox:1.36",
        command=["sh"],
        args=["-c", 'mkdir -p "$(dirname "$0")" && echo -n busy > "$0"', out],
    )


@dsl.container_component
def no_shell(out: dsl.OutputPath(str)):
    return dsl.ContainerSpec(
        image="example.com/tools/frobnicate:1", command=["frobnicate", "--out", out]
    )


@dsl.container_component
def no_command():
    return dsl.ContainerSpec(image="hello-world")


@dsl.container_component
def greet(name: str):
    return dsl.ContainerSpec(image="alpine", command=["echo"], args=[f"hello {name}"])


@dsl.pipeline(name="run-caching")
def caching():
    """The second task with the same inputs reuses the first; with caching off, or another cache key, it does not."""
    first = stamp(text="x")
    second = stamp(text="x").after(first)
    same(a=first.output, b=second.output).set_caching_options(False)
    third = stamp(text="x").set_caching_options(False).after(first)
    same(a=first.output, b=third.output).set_caching_options(False)


@dsl.pipeline(name="run-cache-key")
def cache_key() -> List[str]:
    """With a cache key of its own a task is found again whatever its inputs are; without one they count."""
    with dsl.ParallelFor(["one", "two"], parallelism=1) as text:
        keyed = stamp(text=text).set_caching_options(True, cache_key="mine")
        stamp(text=text)
    return dsl.Collected(keyed.output)


@dsl.pipeline(name="run-resources")
def resources(memory: str = "128Mi", cpu: str = "500m"):
    """Requests and limits as numbers, quantities, inputs and outputs; variables; names."""
    stamp_free = (
        variables().set_env_variable("FIRST", "1").set_env_variable("SECOND", "two words, 'quoted'")
    )
    stamp_free.set_cpu_request("0.5").set_cpu_limit("1").set_memory_request(
        "64Mi"
    ).set_memory_limit("1G")
    ubi().set_cpu_limit(cpu).set_memory_limit(memory)
    untagged().set_memory_limit(quantity().output).set_cpu_request(cores().output)
    no_image().set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1).set_display_name(
        "asks for a GPU"
    )


@dsl.pipeline(name="run-images")
def images():
    """Container images whose tools are on the machine run."""
    busybox()
    greet(name="world")


@dsl.pipeline(name="run-image-tool")
def image_tool():
    """A container whose program is only in its image fails, and says so."""
    no_shell()


@dsl.pipeline(name="run-image-default")
def image_default():
    """A container without a command would run what its image says: that is not known here."""
    no_command()


@dsl.pipeline(name="run-order")
def order():
    """after() between tasks, loops and conditions."""
    a = stamp(text="a").set_caching_options(False)
    with dsl.ParallelFor([1, 2]):
        b = stamp(text="b").set_caching_options(False).after(a)
    c = greet(name="c").after(b)
    with dsl.If(a.output != ""):
        greet(name="e").after(greet(name="d").after(c))


ALL = [caching, cache_key, resources, images, image_tool, image_default, order]
