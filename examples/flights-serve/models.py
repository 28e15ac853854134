"""Make the versions that compete for the traffic, and the traffic.

    flights until June --> champion   learned January to March
                       --> challenger learned January to June
                       --> broken     the challenger, but it is given distances in the wrong unit
                       --> slow       the challenger, but it takes a quarter of a second
    flights of July and August --> the requests, in their order, with what happened in the end

It is written in the ordinary Kubeflow Pipelines (KFP) v2 language; ``examples/flights/pipeline.py``
explains how such a file is read. The first steps are those of that example, so their results are
reused from it. The versions go to the registry with the ordinary MLflow client.

Run ``python models.py`` to compile the pipeline to YAML.
"""

import sys
from pathlib import Path

from kfp import compiler, dsl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "flights"))

from pipeline import BASE_IMAGE, PACKAGES, build_features, ingest, train_model

REGISTRY_PACKAGES = [*PACKAGES, "mlflow-skinny==3.17.2"]
MODEL = "flights-serve"


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def cut(
    features: dsl.Input[dsl.Dataset],
    fit: dsl.Output[dsl.Dataset],
    choose: dsl.Output[dsl.Dataset],
    learned_from: str,
    learned_until: str,
):
    """Cut out the days that a model learns from; the newest tenth of them chooses its trees."""
    import pandas as pd

    table = pd.read_parquet(features.path)
    day = table["scheduled_at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d")
    days = sorted(day[(day >= learned_from) & (day <= learned_until)].unique())
    choose_from = days[len(days) * 9 // 10]
    for output, rows in (
        (fit, (day >= days[0]) & (day < choose_from)),
        (choose, (day >= choose_from) & (day <= days[-1])),
    ):
        part = table[rows]
        part.to_parquet(output.path, index=False)
        output.metadata["rows"] = len(part)
    print(f"{days[0]} to {days[-1]}, the trees are chosen from {choose_from} on")


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def replay(
    features: dsl.Input[dsl.Dataset],
    first_day: str,
    last_day: str,
    categorical: list[str],
    numeric: list[str],
    traffic: dsl.Output[dsl.Dataset],
):
    """Write the flights of some days as requests, one a line, in the order of their cutoff."""
    import json

    import pandas as pd

    table = pd.read_parquet(features.path)
    day = table["scheduled_at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d")
    part = table[(day >= first_day) & (day <= last_day)].sort_values("cutoff", kind="stable")
    columns = categorical + numeric
    with open(traffic.path, "w") as file:
        for row in part[[*columns, "late"]].itertuples(index=False):
            values = [None if pd.isna(v) else v for v in row]
            file.write(json.dumps({"row": values[:-1], "late": int(values[-1])}) + "\n")
    traffic.metadata["rows"] = len(part)
    traffic.metadata["columns"] = columns
    print(f"{len(part):,} flights, {part['late'].mean():.1%} late")


@dsl.component(base_image=BASE_IMAGE, packages_to_install=REGISTRY_PACKAGES)
def register(
    model: dsl.Input[dsl.Model],
    sample: dsl.Input[dsl.Dataset],
    name: str,
    kind: str,
    categorical: list[str],
    numeric: list[str],
):
    """Make a model a version in the registry, with an alias that says what it is.

    A champion or challenger is registered as it is. The other two kinds are accidents as they
    happen: a feature that is computed in another unit, and code that waits for something.
    """
    import joblib
    import mlflow
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.models import infer_signature

    trained = joblib.load(model.path)
    columns = categorical + numeric
    rows = pd.read_parquet(sample.path)[columns].head(5)

    class Accident(mlflow.pyfunc.PythonModel):
        """What stands around the model, and goes wrong."""

        def __init__(self, trained, kind):
            self.trained = trained
            self.kind = kind

        def predict(self, context, model_input, params=None):
            import time

            if self.kind == "slow":
                time.sleep(0.25)
            if self.kind == "broken":
                # Miles are taken for metres, and hours for seconds.
                model_input = model_input.copy()
                for column in model_input.select_dtypes("number").columns:
                    model_input[column] = model_input[column] * 3600
            return self.trained.predict_proba(model_input)

    signature = infer_signature(rows, trained.predict_proba(rows))
    common = {"name": "model", "registered_model_name": name, "signature": signature}
    requirements = ["pandas==3.1.1", "numpy==2.4.6", "scikit-learn==1.9.1"]
    with mlflow.start_run():
        if kind in ("champion", "challenger"):
            mlflow.sklearn.log_model(
                trained,
                pyfunc_predict_fn="predict_proba",
                serialization_format="cloudpickle",
                pip_requirements=requirements,
                **common,
            )
        else:
            mlflow.pyfunc.log_model(
                python_model=Accident(trained, kind), pip_requirements=requirements, **common
            )
    client = MlflowClient()
    newest = max(int(v.version) for v in client.search_model_versions(f"name = '{name}'"))
    client.set_registered_model_alias(name, kind, str(newest))
    print(f"{name} version {newest} is the {kind}")


@dsl.pipeline(name="flights-serve-models")
def models(name: str = MODEL, seed: int = 2013):
    """Train a champion and a challenger, and register them with two versions that will fail.

    Args:
        name: Name of the registered model.
        seed: Makes the random choices repeatable.
    """
    data = ingest()
    features = build_features(flights=data.outputs["flights"], weather=data.outputs["weather"])
    columns = {k: features.outputs[k] for k in ("categorical", "numeric")}
    replay(
        features=features.outputs["features"],
        first_day="2013-07-01",
        last_day="2013-08-31",
        **columns,
    ).set_display_name("traffic")
    before = None
    trained = {}
    for kind, last_day in (("champion", "2013-03-31"), ("challenger", "2013-06-30")):
        parts = cut(
            features=features.outputs["features"],
            learned_from="2013-01-01",
            learned_until=last_day,
        ).set_display_name(f"days of the {kind}")
        trained[kind] = train_model(
            train=parts.outputs["fit"],
            validation=parts.outputs["choose"],
            seed=seed,
            **columns,
        ).set_display_name(f"train {kind}")
    for kind in ("champion", "challenger", "broken", "slow"):
        made = register(
            model=trained.get(kind, trained["challenger"]).outputs["model"],
            sample=features.outputs["features"],
            name=name,
            kind=kind,
            **columns,
        )
        made.set_caching_options(False).set_display_name(f"register {kind}")
        if before:  # one after the other, so that the newest version is the one just made
            made.after(before)
        before = made


if __name__ == "__main__":
    compiler.Compiler().compile(models, "models.yaml")
    print("wrote models.yaml")
