"""Artifacts: types, metadata, lists, importers, directories, and Collected and OneOf of them."""

from typing import List, Optional

from kfp import dsl
from kfp.dsl import (
    HTML,
    Artifact,
    ClassificationMetrics,
    Dataset,
    Input,
    Markdown,
    Metrics,
    Model,
    Output,
    SlicedClassificationMetrics,
)


@dsl.component(base_image="python:3.11")
def write(text: str, out: Output[Dataset]):
    with open(out.path, "w") as f:
        f.write(text)
    out.metadata["length"] = len(text)


@dsl.component(base_image="python:3.11")
def pair(a: str, b: str) -> str:
    return a + b


@dsl.component(base_image="python:3.11")
def read(data: Input[Artifact]) -> str:
    with open(data.path) as f:
        return f"{f.read()} {sorted(data.metadata.items())}"


@dsl.component(base_image="python:3.11")
def read_all(many: Input[List[Dataset]]) -> str:
    return ",".join(open(a.path).read() for a in many) + f" {[a.metadata['length'] for a in many]}"


@dsl.component(base_image="python:3.11")
def all_types(
    artifact: Output[Artifact],
    model: Output[Model],
    metrics: Output[Metrics],
    classes: Output[ClassificationMetrics],
    sliced: Output[SlicedClassificationMetrics],
    page: Output[HTML],
    text: Output[Markdown],
):
    model.framework = "none"
    model.metadata["nested"] = {"layers": [1, 2], "ok": True, "none": None}
    with open(model.path, "w") as f:
        f.write("weights")
    metrics.log_metric("accuracy", 0.5)
    metrics.log_metric("count", 3)
    classes.log_confusion_matrix(["cat", "dog"], [[1, 2], [3, 4]])
    classes.log_roc_curve([0.0, 1.0], [0.0, 1.0], [1.0, 0.0])
    sliced.metadata["evaluationSlices"] = [{"slice": "a"}]
    with open(page.path, "w") as f:
        f.write("<b>hi</b>")
    with open(text.path, "w") as f:
        f.write("# hi")


@dsl.component(base_image="python:3.11")
def use_types(model: Input[Model], metrics: Input[Metrics], page: Input[HTML]) -> str:
    return f"{model.framework} {model.metadata['nested']['layers'][1]} {metrics.metadata['accuracy']} {open(page.path).read()}"


@dsl.component(base_image="python:3.11")
def directory(out: Output[Dataset]):
    import os

    os.makedirs(os.path.join(out.path, "deep", "er"))
    for name in ("a.txt", "deep/b.txt", "deep/er/c.txt"):
        with open(os.path.join(out.path, name), "w") as f:
            f.write(name)


@dsl.component(base_image="python:3.11")
def list_directory(data: Input[Dataset]) -> List[str]:
    import os

    found = []
    for base, _, names in os.walk(data.path):
        found += [os.path.relpath(os.path.join(base, n), data.path) for n in names]
    return sorted(found)


@dsl.component(base_image="python:3.11")
def returned(text: str) -> Dataset:
    return text


@dsl.component(base_image="python:3.11")
def old_style(data: dsl.InputPath("Dataset"), out: dsl.OutputPath("Dataset")):
    with open(data) as src, open(out, "w") as dst:
        dst.write(src.read() + " again")


@dsl.component(base_image="python:3.11")
def maybe(
    a: Input[Dataset], b: Optional[Input[Dataset]] = None, c: Optional[Input[Dataset]] = None
) -> str:
    return f"{a is not None} {b is not None} {c is not None}"


@dsl.component(base_image="python:3.11")
def describe(data: Input[Artifact]) -> str:
    return f"{type(data).__name__} {data.uri} {sorted(data.metadata.items())}"


@dsl.component(base_image="python:3.11")
def address(base: str) -> str:
    return f"gs://{base}/made"


@dsl.pipeline(name="artifact-types")
def types():
    """Every type of artifact with its metadata."""
    made = all_types()
    use_types(
        model=made.outputs["model"], metrics=made.outputs["metrics"], page=made.outputs["page"]
    )
    old_style(data=returned(text="returned").output)


@dsl.pipeline(name="artifact-trees")
def trees():
    """Directories and optional artifacts."""
    made = directory()
    list_directory(data=made.outputs["out"])
    one = write(text="one")
    maybe(a=one.outputs["out"])
    maybe(a=one.outputs["out"], c=made.outputs["out"])


@dsl.pipeline(name="inner-list")
def inner_list(many: Input[List[Dataset]]) -> str:
    return read_all(many=many).output


@dsl.pipeline(name="artifact-collected")
def collected():
    """Artifacts collected from a loop, from loops in loops, from nothing, and passed into a nested pipeline."""
    with dsl.ParallelFor(["a", "b"]) as outer:
        one = write(text=outer)
        with dsl.ParallelFor(["1", "2"]) as inner:
            deep = write(text=pair(a=outer, b=inner).output)
        read_all(many=dsl.Collected(deep.outputs["out"]))
    read_all(many=dsl.Collected(one.outputs["out"]))
    read_all(many=dsl.Collected(deep.outputs["out"]))
    inner_list(many=dsl.Collected(one.outputs["out"]))
    with dsl.ParallelFor(["x", "y", "z"]) as name:
        with dsl.If(name != "y"):
            kept = write(text=name)
        with dsl.Else():
            other = write(text="instead")
        read(data=dsl.OneOf(kept.outputs["out"], other.outputs["out"]))


@dsl.pipeline(name="inner-loop")
def inner_loop(many: Input[List[Dataset]]):
    with dsl.ParallelFor(many, parallelism=1) as one:
        said = read(data=one)
        with dsl.If(said.output != "", "not empty"):
            read(data=one)
        write(text=said.output)


@dsl.pipeline(name="artifact-loop")
def loop():
    """A loop over a list of artifacts, which KFP's own backend does not run."""
    with dsl.ParallelFor(["a", "b"]) as text:
        written = write(text=text)
    inner_loop(many=dsl.Collected(written.outputs["out"]))


@dsl.pipeline(name="artifact-importers")
def importers(uri: str = "gs://bucket/given", version: str = "v7", number: int = 3):
    """Importers of a constant, an input, an output; metadata with values of the run; in loops and conditions."""
    fixed = dsl.importer(
        artifact_uri="gs://bucket/fixed",
        artifact_class=Model,
        reimport=True,
        metadata={"a": 1, "b": [True, "x"]},
    )
    describe(data=fixed.output)
    given = dsl.importer(
        artifact_uri=uri,
        artifact_class=Dataset,
        reimport=False,
        metadata={
            "version": version,
            "number": number,
            "text": f"{version}-{number}",
            "nested": {version: [version, "x"]},
        },
    )
    describe(data=given.output)
    made = address(base="bucket")
    later = dsl.importer(
        artifact_uri=made.output, artifact_class=Artifact, metadata={"from": made.output}
    )
    describe(data=later.output)
    with dsl.ParallelFor(["one", "two"]) as name:
        each = dsl.importer(artifact_uri=f"gs://bucket/{name}", artifact_class=Dataset)
        describe(data=each.output)


ALL = [types, trees, collected, loop, importers]
