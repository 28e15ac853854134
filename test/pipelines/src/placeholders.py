"""What containers may put into their command: inputs, outputs, metadata, Concat, IfPresent, the names and times of the run."""

from typing import Dict, List, Optional

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output


@dsl.component(base_image="python:3.11")
def write(text: str, out: Output[Dataset]):
    out.metadata["rows"] = 3
    out.metadata["name"] = 'a "quoted" name'
    with open(out.path, "w") as f:
        f.write(text)


@dsl.component(base_image="python:3.11")
def show(text: str) -> str:
    return text


@dsl.component(base_image="python:3.11")
def read(data: Input[Artifact]) -> str:
    with open(data.path) as f:
        return f.read()


@dsl.component(base_image="python:3.11")
def number() -> int:
    return 7


@dsl.component(base_image="python:3.11")
def word() -> str:
    return 'it\'s "so" $HOME'


@dsl.container_component
def arguments(
    text: str,
    count: int,
    ratio: float,
    flag: bool,
    items: List[int],
    mapping: Dict[str, int],
    seen: dsl.OutputPath(str),
):
    """Writes its arguments, one in each line, as the shell got them."""
    return dsl.ContainerSpec(
        image="alpine",
        command=[
            "sh",
            "-c",
            'out="$0"; mkdir -p "$(dirname "$out")"; for a in "$@"; do printf "[%s]\\n" "$a"; done > "$out"',
            seen,
        ],
        args=[text, count, ratio, flag, items, mapping, f"text={text};count={count}", "--fixed"],
    )


@dsl.container_component
def concatenated(
    text: str, data: Input[Dataset], seen: dsl.OutputPath(str), may: Optional[str] = None
):
    return dsl.ContainerSpec(
        image="alpine",
        command=["sh", "-c", 'printf "%s|" "$@" > "$0"', seen],
        args=[
            dsl.ConcatPlaceholder(["a=", text, ",n=", data.metadata["rows"]]),
            dsl.ConcatPlaceholder(
                [
                    "x",
                    dsl.IfPresentPlaceholder(
                        input_name="may", then=dsl.ConcatPlaceholder(["+", may]), else_="-none"
                    ),
                ]
            ),
            dsl.IfPresentPlaceholder(input_name="may", then=["--may", may], else_=["--may-not"]),
            dsl.IfPresentPlaceholder(
                input_name="text",
                then=[
                    dsl.IfPresentPlaceholder(input_name="may", then="both", else_="only text"),
                    dsl.ConcatPlaceholder([text, "!"]),
                ],
            ),
            dsl.IfPresentPlaceholder(input_name="may", then=["gone"]),
            dsl.IfPresentPlaceholder(input_name="data", then=["data", data.metadata["name"]]),
        ],
    )


@dsl.container_component
def files(data: Input[Dataset], copy: Output[Dataset], seen: dsl.OutputPath(str)):
    """Reads its input by path and writes its output by path; the names are taken from the URIs."""
    return dsl.ContainerSpec(
        image="alpine",
        command=[
            "sh",
            "-ec",
            'mkdir -p "$(dirname "$1")"; cat "$0" > "$1"; printf " copied" >> "$1"; '
            'printf "%s %s %s" "$(basename "$2")" "$(basename "$3")" "$4" > "$5"',
            data.path,
            copy.path,
            data.uri,
            copy.uri,
            data.metadata,
            seen,
        ],
    )


@dsl.container_component
def whole_input(text: str, seen: dsl.OutputPath(str)):
    """Gets everything it is told as JSON."""
    return dsl.ContainerSpec(
        image="python:3.11",
        command=[
            "python3",
            "-c",
            "import json, os, sys\n"
            "told = json.loads(sys.argv[1])\n"
            "path = told['outputs']['parameters']['seen']['outputFile']\n"
            "os.makedirs(os.path.dirname(path), exist_ok=True)\n"
            "open(path, 'w').write(told['inputs']['parameterValues']['text'] + ' ' + str(sorted(told)))",
            dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER,
        ],
    )


@dsl.container_component
def reports(seen: dsl.OutputPath(str), made: Output[Dataset]):
    """Writes the executor output file itself, as a step without the SDK may."""
    return dsl.ContainerSpec(
        image="alpine",
        command=[
            "sh",
            "-ec",
            'mkdir -p "$(dirname "$0")" "$(dirname "$1")"; printf content > "$1"; '
            'printf \'{"parameterValues":{"seen":"from the report"},"artifacts":{"made":{"artifacts":[{"name":"made","uri":"%s","metadata":{"k":1.5}}]}}}\' "$1" > "$0"',
            "{{$.outputs.output_file}}",
            made.path,
        ],
        args=["unused", seen],
    )


@dsl.container_component
def reads_list(many: Input[List[Dataset]], seen: dsl.OutputPath(str)):
    return dsl.ContainerSpec(
        image="python:3.11",
        command=[
            "python3",
            "-c",
            """
import json, os, sys
many, seen = sys.argv[1:]
os.makedirs(os.path.dirname(seen), exist_ok=True)
with open(seen, "w") as f:
    for a in json.loads(many):
        f.write(a["name"] + "=" + open(a["uri"]).read() + str(a["metadata"]["rows"]) + a["type"]["schemaTitle"] + ";")
""",
            many,
            seen,
        ],
    )


@dsl.component(base_image="python:3.11")
def check_run(name: str, resource: str, uuid: str, task: str, task_uuid: str, mixed: str) -> str:
    import re

    assert re.fullmatch(r"[0-9a-f-]{36}", uuid), uuid
    assert re.fullmatch(r"[0-9a-f-]{36}", task_uuid), task_uuid
    assert uuid != task_uuid
    assert resource.startswith("placeholder-run-"), resource
    assert mixed == f"job {name} of {resource}: {uuid}", mixed
    return f"{task} in {name}"


@dsl.pipeline(name="placeholder-arguments")
def arguments_pipeline(text: str = "a  b", count: int = 10**16, ratio: float = 0.1):
    """Every type as an argument of a command."""
    arguments(text=text, count=count, ratio=ratio, flag=True, items=[1, 2], mapping={"k": 1})
    arguments(
        text="$(touch /tmp/never) `id` \"' ; & | > < * ? \\ \n newline — ünï 漢字 {{not a placeholder}} %s",
        count=-5,
        ratio=1e21,
        flag=False,
        items=[],
        mapping={},
    )


@dsl.pipeline(name="placeholder-structures")
def structures():
    data = write(text="hello").outputs["out"]
    concatenated(text="t", data=data)
    concatenated(text='q"t', data=data, may="yes")
    copied = files(data=data)
    read(data=copied.outputs["copy"])
    whole_input(text="told")
    reports()


@dsl.pipeline(name="placeholder-lists")
def lists():
    """A container takes a list of artifacts as JSON."""
    with dsl.ParallelFor(["a", "b"]) as text:
        written = write(text=text)
    reads_list(many=dsl.Collected(written.outputs["out"]))


@dsl.pipeline(name="placeholder-run")
def run_names():
    """The names and ids of run and task, alone and inside other text."""
    check_run(
        name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        resource=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        uuid=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        task_uuid=dsl.PIPELINE_TASK_ID_PLACEHOLDER,
        mixed=f"job {dsl.PIPELINE_JOB_NAME_PLACEHOLDER} of {dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER}: {dsl.PIPELINE_JOB_ID_PLACEHOLDER}",
    ).set_display_name("checks the run")


@dsl.pipeline(name="placeholder-text")
def embedded(name: str = "input", tricky: str = "{{$.inputs.parameters['pipelinechannel--name']}}"):
    """Inputs and outputs inside f-strings, several in one, in loops and in nested values; replaced text is not expanded again."""
    n = number()
    w = word()
    show(text=f"{name}: {n.output} and {w.output} and {n.output} {name}")
    show(text=f"{tricky}|{name}")
    with dsl.ParallelFor(["x", "y"]) as item:
        show(text=f"<{item}> {n.output} {name}")
    with dsl.If(n.output == 7):
        show(text=f"seven {w.output}")
    with dsl.ParallelFor(["outer"]) as outer:
        with dsl.ParallelFor(["inner"]) as item:
            show(text=f"{item}!")
            with dsl.If(item == "inner"):
                show(text=f"{outer} {item} {name}")
    show(text="{} {{}} {0} {name} {{$.nonsense}} {{$ }}")


ALL = [arguments_pipeline, structures, lists, run_names, embedded]
