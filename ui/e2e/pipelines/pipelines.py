"""The pipelines that the browser test runs. Compile them again with: python pipelines.py (kfp 2.17)."""

from typing import Optional

from kfp import dsl
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output


@dsl.component(base_image="python:3.11")
def load(rows: int, data: Output[Dataset]) -> int:
    with open(data.path, "w") as f:
        f.write("carrier,hour,delay\n")
        for i in range(rows):
            f.write(f"{['UA', 'AA', 'DL'][i % 3]},{i % 24},{(i * 7) % 60 - 8}\n")
    data.metadata["rows"] = rows
    print("wrote", rows, "rows")
    return rows


@dsl.component(base_image="python:3.11")
def fit(data: Input[Dataset], depth: int, pause: float) -> float:
    import sys
    import time

    for i in range(20):
        print(f"[{i}] depth {depth} loss {1 / (i + 1):.4f}", flush=True)
        time.sleep(pause)
    print("\x1b[33mUserWarning\x1b[0m: depth is small", file=sys.stderr)
    return 0.8 + depth / 100


@dsl.component(base_image="python:3.11")
def train(data: Input[Dataset], model: Output[Model]) -> str:
    import json
    from pathlib import Path

    folder = Path(model.path)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.txt").write_text("tree\n" * 30)
    (folder / "config.json").write_text(json.dumps({"depth": 5}))
    model.metadata["framework"] = "none"
    return "ok"


@dsl.component(base_image="python:3.11")
def evaluate(
    model: Input[Model],
    metrics: Output[Metrics],
    curves: Output[ClassificationMetrics],
    report: Output[Markdown],
    page: Output[HTML],
) -> float:
    from pathlib import Path

    metrics.log_metric("auc", 0.8713)
    metrics.log_metric("log_loss", 0.3342)
    fpr = [i / 30 for i in range(31)]
    curves.log_roc_curve(fpr, [x**0.3 for x in fpr], [1 - x for x in fpr])
    curves.log_confusion_matrix(["on time", "late"], [[70412, 4120], [10930, 12742]])
    Path(report.path).write_text("# Report\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<b>raw</b>\n")
    Path(page.path).write_text("<h1>Page</h1><script>document.body.append('ran')</script>")
    return 0.8713


@dsl.component(base_image="python:3.11")
def register(auc: float) -> None:
    print("registered", auc)


@dsl.component(base_image="python:3.11")
def broken() -> None:
    raise ValueError("Input X contains NaN.")


@dsl.component(base_image="python:3.11")
def after(x: str) -> None:
    print(x)


@dsl.component(base_image="python:3.11")
def prepare(
    raw: Input[Dataset],
    parquet: str,
    table: Output[Dataset],
    data: Output[Dataset],
    lines: Output[Dataset],
) -> None:
    """Writes a table in each format; a file of Parquet is handed in as base64."""
    import base64
    import json
    from pathlib import Path

    Path(table.path).write_bytes(base64.b64decode(parquet))
    rows = [
        (
            ["UA", "AA", "DL", "<img src=x onerror=document.title='ran'>"][i % 4],
            i % 24,
            (i * 7) % 60 - 8,
        )
        for i in range(2000)
    ]
    data.path += ".csv"
    Path(data.path).write_text(
        "carrier,hour,delay\n" + "".join(f"{c},{h},{d}\n" for c, h, d in rows)
    )
    data.metadata["source"] = raw.uri
    lines.path += ".jsonl"
    Path(lines.path).write_text(
        "".join(
            json.dumps({"carrier": c, "delay": d, "at": "2013-01-01T05:00:00Z", "tags": [h]}) + "\n"
            for c, h, d in rows[:50]
        )
    )


@dsl.component(base_image="python:3.11")
def fit_model(data: Input[Dataset], model: Output[Model]) -> None:
    """Writes a model as MLflow does, beside files of other kinds."""
    from pathlib import Path

    folder = Path(model.path)
    (folder / "code").mkdir(parents=True, exist_ok=True)
    (folder / "MLmodel").write_text(
        "artifact_path: model\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
        "    python_version: 3.11.2\n"
        "  sklearn:\n    sklearn_version: 1.5.0\nmlflow_version: 3.1.0\nsignature:\n"
        """  inputs: '[{"type": "string", "name": "carrier", "required": true},"""
        """ {"type": "long", "name": "hour", "required": false}]'\n"""
        """  outputs: '[{"type": "double", "required": true}]'\n"""
        "utc_time_created: '2026-01-02 03:04:05'\n"
    )
    (folder / "code" / "train.py").write_text(
        'def train(data):\n    """Fits\n    a model."""\n    return sum(data) * 0.5  # half\n'
    )
    (folder / "code" / "<b>name<b>.log").write_text(
        "2026-01-02 03:04:05 ERROR it failed\n\x1b[31mred\x1b[0m \u202eturned\n"
        + "x" * 1_000_000
        + "\n"
    )
    (folder / "params.yaml").write_text("depth: 5  # levels\nname: 'trees'\n")
    (folder / "params.json").write_text('{"depth": 5, "names": ["a", null, true]}')


@dsl.component(base_image="python:3.11")
def register_model(model: Input[Model], name: str) -> None:
    """Logs the data and the model and registers it, as MLflow's client does."""
    import contextlib
    import json
    import os
    import urllib.parse
    import urllib.request
    from pathlib import Path

    base, run = os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_RUN_ID"]

    def call(path: str, body: bytes | dict, method: str = "POST") -> dict:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            base + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"{}")

    def api(path: str, body: dict) -> dict:
        return call("/api/2.0/mlflow/" + path, body)

    source = json.dumps({"url": "https://example.org/flights.csv"})
    api(
        "runs/log-inputs",
        {
            "run_id": run,
            "datasets": [
                {
                    "tags": [{"key": "mlflow.data.context", "value": "training"}],
                    "dataset": {
                        "name": "flights-2013",
                        "digest": "3fa9c1d2",
                        "source_type": "http",
                        "source": source,
                    },
                }
            ],
        },
    )
    with urllib.request.urlopen(f"{base}/api/2.0/mlflow/runs/get?run_id={run}") as answer:
        info = json.load(answer)["run"]["info"]
    logged = api(
        "logged-models",
        {"experiment_id": info["experiment_id"], "name": "delays", "source_run_id": run},
    )["model"]["info"]
    root = logged["artifact_uri"].replace("mlflow-artifacts:", "").lstrip("/")
    call(
        "/api/2.0/mlflow-artifacts/artifacts/" + urllib.parse.quote(f"{root}/MLmodel"),
        Path(model.path, "MLmodel").read_bytes(),
        "PUT",
    )
    api("runs/outputs", {"run_id": run, "models": [{"model_id": logged["model_id"], "step": 0}]})
    with contextlib.suppress(OSError):  # it is there
        api("registered-models/create", {"name": name})
    version = api(
        "model-versions/create",
        {
            "name": name,
            "source": f"models:/{logged['model_id']}",
            "run_id": run,
            "model_id": logged["model_id"],
        },
    )
    number = version["model_version"]["version"]
    api("registered-models/alias", {"name": name, "alias": "champion", "version": number})
    print("registered", name, number)


@dsl.pipeline(name="browser-artifacts")
def artifacts(parquet: str, model: str = "delays") -> None:
    raw = dsl.importer(
        artifact_uri="https://example.org/flights-2013.csv", artifact_class=Dataset, reimport=False
    )
    p = prepare(raw=raw.output, parquet=parquet)
    t = fit_model(data=p.outputs["data"])
    register_model(model=t.outputs["model"], name=model)


@dsl.pipeline(name="browser-succeeding")
def succeeding(rows: int = 500, pause: float = 0.1) -> None:
    d = load(rows=rows)
    with dsl.ParallelFor([3, 4, 5, 6], name="tune") as depth:
        fit(data=d.outputs["data"], depth=depth, pause=pause)
    t = train(data=d.outputs["data"])
    e = evaluate(model=t.outputs["model"])
    with dsl.If(e.outputs["Output"] > 0.8, name="if better"):
        register(auc=e.outputs["Output"])
    with dsl.Else(name="else"):
        after(x="not better")


@dsl.pipeline(name="browser-failing")
def failing() -> None:
    b = broken().set_retry(num_retries=1)
    after(x="never").after(b)


@dsl.component(base_image="python:3.11")
def show(
    what: str,
    times: int,
    ratio: float,
    loud: bool,
    words: list[str],
    settings: dict,
    note: Optional[str] = None,
) -> str:
    for _ in range(times):
        print(what.upper() if loud else what, ratio, words, settings, note)
    return what


def _newer():  # noqa: ANN202
    @dsl.component(base_image="python:3.12", packages_to_install=["six==1.17.0"])
    def show(
        what: str,
        times: int,
        ratio: float,
        loud: bool,
        words: list[str],
        settings: dict,
        note: Optional[str] = None,
    ) -> str:
        import six

        for _ in range(times):
            print(six.text_type(what).upper(), ratio, words, settings, note)
        return what

    return show


@dsl.component(base_image="python:3.11")
def clean_up() -> None:
    print("clean")


@dsl.pipeline(name="inner")
def inner(what: str) -> None:
    first = after(x=what)
    after(x="<b>second</b>").after(first)


def _typed(step, last):  # noqa: ANN001, ANN202
    @dsl.pipeline(
        name="browser-typed", description="Every kind of input. <img src=x onerror=alert(1)>"
    )
    def typed(
        what: str,
        optimizer: str = "adam",
        depth: int = 4,
        times: int = 2,
        ratio: float = 0.25,
        loud: bool = False,
        words: list[str] = ["a", "b"],  # noqa: B006
        settings: dict = {"deep": {"er": 1}},  # noqa: B006
        note: Optional[str] = None,
    ) -> None:
        """Shows its inputs.

        Args:
            what: What is shown. <script>alert(1)</script>
            depth: How deep a tree may be.
        """
        with dsl.ExitHandler(clean_up(), name="at the end"):
            shown = step(
                what=what,
                times=times,
                ratio=ratio,
                loud=loud,
                words=words,
                settings=settings,
                note=note,
            )
            shown.set_display_name("show it")
            with dsl.ParallelFor(words, name="each word", parallelism=2) as word:
                inner(what=word)
            with dsl.If(shown.output == "x", name="if it is x"):
                after(x=optimizer)
            if last:
                register(auc=ratio).after(shown).set_caching_options(False).set_retry(num_retries=2)

    return typed


typed = _typed(show, last=False)
typed_2 = _typed(_newer(), last=True)


def _add_literals(file: str) -> None:
    """Says which values two inputs may have: the format has a field for it, and the SDK no way to fill it."""
    with open(file) as f:
        head, root = f.read().split("\nroot:\n")
    root = root.replace(
        "defaultValue: adam\n", "defaultValue: adam\n        literals: [adam, sgd]\n", 1
    )
    root = root.replace(
        "defaultValue: 4.0\n", "defaultValue: 4.0\n        literals: [2.0, 4.0, 8.0]\n", 1
    )
    with open(file, "w") as f:
        f.write(head + "\nroot:\n" + root)


if __name__ == "__main__":
    from kfp import compiler

    compiler.Compiler().compile(succeeding, "succeeding.yaml")
    compiler.Compiler().compile(failing, "failing.yaml")
    for pipeline, file in (typed, "typed.yaml"), (typed_2, "typed-2.yaml"):
        compiler.Compiler().compile(pipeline, file)
        _add_literals(file)
    compiler.Compiler().compile(artifacts, "artifacts.yaml")
