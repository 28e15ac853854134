"""What newer SDKs add: notebooks, embedded artifacts, helper functions, returned artifacts, custom paths, times."""

import os
from typing import List, NamedTuple

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output

ASSETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "assets")


def shout(text: str) -> str:
    return text.upper() + "!"


@dsl.component(base_image="python:3.11", additional_funcs=[shout])
def helped(text: str) -> str:
    return shout(text)


@dsl.component(base_image="python:3.11", embedded_artifact_path=os.path.join(ASSETS, "config"))
def embedded_directory(config: dsl.EmbeddedInput[Dataset]) -> List[str]:
    import os

    out = []
    for base, _, names in os.walk(config.path):
        for name in names:
            with open(os.path.join(base, name)) as f:
                out.append(
                    f"{os.path.relpath(os.path.join(base, name), config.path)}={f.read().strip()}"
                )
    return sorted(out)


@dsl.component(
    base_image="python:3.11", embedded_artifact_path=os.path.join(ASSETS, "config", "settings.ini")
)
def embedded_file(config: dsl.EmbeddedInput[Dataset]) -> str:
    with open(config.path) as f:
        return f.read().strip()


@dsl.component(base_image="python:3.11")
def return_artifact(text: str) -> Dataset:
    made = Dataset(uri=dsl.get_uri(), metadata={"text": text, "n": 1})
    with open(made.path, "w") as f:
        f.write(text)
    return made


@dsl.component(base_image="python:3.11")
def return_several(text: str) -> NamedTuple(
    "Made", [("data", Dataset), ("model", Model), ("n", int)]
):
    data = Dataset(uri=dsl.get_uri("data"), metadata={"k": "data"})
    model = Model(uri=dsl.get_uri("model"), metadata={"k": "model"})
    for a in (data, model):
        with open(a.path, "w") as f:
            f.write(text + a.metadata["k"])
    return NamedTuple("Made", [("data", Dataset), ("model", Model), ("n", int)])(data, model, 2)


@dsl.component(base_image="python:3.11")
def read(data: Input[Artifact]) -> str:
    with open(data.path) as f:
        return f"{f.read()} {sorted(data.metadata.items())}"


@dsl.component(base_image="python:3.11")
def elsewhere(out: Output[Dataset]):
    import os
    import tempfile

    path = os.path.join(tempfile.mkdtemp(), "chosen.txt")
    with open(path, "w") as f:
        f.write("written elsewhere")
    out.custom_path = path


@dsl.component(base_image="python:3.11")
def times(created: str, scheduled: str) -> bool:
    import datetime

    parsed = [
        datetime.datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (created, scheduled)
    ]
    return all(t.utcoffset().total_seconds() == 0 for t in parsed) and parsed[
        1
    ] <= datetime.datetime.now(datetime.timezone.utc)


@dsl.pipeline(name="modern-components")
def components():
    """Helper functions, embedded files and directories, returned artifacts, custom paths."""
    helped(text="hey")
    embedded_directory()
    embedded_file()
    read(data=return_artifact(text="made").output)
    several = return_several(text="several-")
    read(data=several.outputs["data"])
    read(data=several.outputs["model"])
    read(data=elsewhere().outputs["out"])


@dsl.pipeline(name="modern-times")
def run_times():
    times(
        created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        scheduled=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
    )


ALL = [components, run_times]
