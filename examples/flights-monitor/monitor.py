r"""Watch a model in use, month by month: check the new data, look for drift, judge, retrain, promote.

    newest month --> check ----------> judge the champion --> retrain? --> challenger --> better? --> champion
                 \-> drift against what the champion learned from -^

The pipeline runs once for each month. It is written in the ordinary Kubeflow Pipelines (KFP) v2
language; ``examples/flights/pipeline.py`` explains how such a file is read. The first steps are
those of that example, so their results are reused from it and from the months before.

The *champion* is the version of the registered model ``flights-late`` to which the alias
``champion`` points. It is kept in the server's registry with the ordinary MLflow client.

Run ``python monitor.py`` to compile both pipelines to YAML.
"""

import sys
from pathlib import Path
from typing import NamedTuple

from kfp import compiler, components, dsl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "flights"))

from pipeline import BASE_IMAGE, PACKAGES, build_features, ingest, train_model  # noqa: E402

REGISTRY_PACKAGES = [*PACKAGES, "mlflow-skinny==3.17.2"]
MODEL = "flights-late"

data_check = components.load_component_from_file(
    str(HERE.parent.parent / "components" / "data" / "check.yaml")
)
data_drift = components.load_component_from_file(
    str(HERE.parent.parent / "components" / "data" / "drift.yaml")
)


@dsl.component(base_image=BASE_IMAGE, packages_to_install=REGISTRY_PACKAGES)
def find_champion(name: str) -> NamedTuple("Outputs", [("version", str), ("learned_until", str)]):
    """Look up which version is the champion, and until which day it has learned.

    Never cached: the answer changes when another version is promoted.
    """
    from mlflow import MlflowClient

    version = MlflowClient().get_model_version_by_alias(name, "champion")
    learned_until = version.tags["learned_until"]
    print(f"{name} version {version.version} learned until {learned_until}")
    return (version.version, learned_until)


@dsl.component(base_image=BASE_IMAGE, packages_to_install=PACKAGES)
def cut(
    features: dsl.Input[dsl.Dataset],
    month: str,
    learned_until: str,
    reference: dsl.Output[dsl.Dataset],
    current: dsl.Output[dsl.Dataset],
    fit: dsl.Output[dsl.Dataset],
    choose: dsl.Output[dsl.Dataset],
    held_out: dsl.Output[dsl.Dataset],
) -> NamedTuple("Outputs", [("known_until", str)]):
    """Cut the table by days (New York) into what each of the later steps may see.

    * reference: what the champion has learned from;
    * current: the month;
    * fit, choose: what a challenger may learn from, all days before the last third of the month;
      the newest tenth of them chooses the number of trees;
    * held_out: the last third of the month. Neither model has seen it.
    """
    import pandas as pd

    table = pd.read_parquet(features.path)
    day = table["scheduled_at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d")
    days = sorted(day[day.str.startswith(month)].unique())
    if not days:
        raise ValueError(f"there is no flight in {month}")
    known = sorted(day[day < days[len(days) * 2 // 3]].unique())
    choose_from = known[len(known) * 9 // 10]
    parts = {
        "reference": (reference, day <= learned_until),
        "current": (current, day.str.startswith(month)),
        "fit": (fit, day < choose_from),
        "choose": (choose, (day >= choose_from) & (day <= known[-1])),
        "held out": (held_out, day.str.startswith(month) & (day > known[-1])),
    }
    for name, (output, rows) in parts.items():
        part = table[rows]
        part.to_parquet(output.path, index=False)
        output.metadata["rows"] = len(part)
        print(f"{name:<10} {len(part):>8,} flights, {part['late'].mean():.1%} late")
    return (known[-1],)


@dsl.component(base_image=BASE_IMAGE, packages_to_install=REGISTRY_PACKAGES)
def judge(
    current: dsl.Input[dsl.Dataset],
    name: str,
    version: str,
    categorical: list[str],
    numeric: list[str],
    tolerance: float,
    seed: int,
    metrics: dsl.Output[dsl.Metrics],
) -> NamedTuple("Outputs", [("retrain", str), ("reason", str)]):
    """Compare what the champion said of the month with what happened.

    Flights of one day are late together, so days are drawn again, not flights. The champion is to
    be trained anew when it was off by more than the tolerance on average, and the 95 % interval
    of that does not hold 0: then it is not chance.
    """
    import os

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see train_model

    import mlflow.sklearn
    import numpy as np
    import pandas as pd
    from sklearn.metrics import log_loss, roc_auc_score

    table = pd.read_parquet(current.path)
    model = mlflow.sklearn.load_model(f"models:/{name}/{version}")
    predicted = model.predict_proba(table[categorical + numeric])[:, 1]
    late = table["late"].to_numpy()

    day = table["scheduled_at"].dt.tz_convert("America/New_York").dt.date
    by_day = pd.Series(late - predicted).groupby(day.to_numpy()).agg(["sum", "size"]).to_numpy()
    drawn = np.random.default_rng(seed).integers(0, len(by_day), (2000, len(by_day)))
    sums = by_day[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    gap = float((late - predicted).mean())
    off = abs(gap) > tolerance and (low > 0 or high < 0)

    for key, value in {
        "late_share": late.mean(),
        "predicted_share": predicted.mean(),
        "gap": gap,
        "gap_low": low,
        "gap_high": high,
        "roc_auc": roc_auc_score(late, predicted),
        "log_loss": log_loss(late, predicted),
    }.items():
        metrics.log_metric(key, float(value))
    reason = f"off by {gap:+.1%} (95 % interval {low:+.1%} to {high:+.1%})"
    print(f"{len(table):,} flights, {late.mean():.1%} late, predicted {predicted.mean():.1%}")
    print(f"{'retrain' if off else 'keep'}: {reason}")
    return ("yes" if off else "no", reason)


@dsl.component(base_image=BASE_IMAGE, packages_to_install=REGISTRY_PACKAGES)
def register(
    model: dsl.Input[dsl.Model],
    name: str,
    learned_until: str,
    promote: bool,
) -> NamedTuple("Outputs", [("version", str)]):
    """Make the model a version in the registry, and the champion if it is to be."""
    import joblib
    import mlflow
    from mlflow import MlflowClient

    with (
        mlflow.start_run()
    ):  # that of this step, so that lineage leads from the version to its data
        mlflow.sklearn.log_model(
            joblib.load(model.path),
            name="model",
            registered_model_name=name,
            serialization_format="cloudpickle",
        )
    client = MlflowClient()
    newest = max(int(v.version) for v in client.search_model_versions(f"name = '{name}'"))
    client.set_model_version_tag(name, str(newest), "learned_until", learned_until)
    if promote:
        client.set_registered_model_alias(name, "champion", str(newest))
    print(f"{name} version {newest}{' is the champion' if promote else ''}")
    return (str(newest),)


@dsl.component(base_image=BASE_IMAGE, packages_to_install=REGISTRY_PACKAGES)
def challenge(
    challenger: dsl.Input[dsl.Model],
    held_out: dsl.Input[dsl.Dataset],
    name: str,
    version: str,
    categorical: list[str],
    numeric: list[str],
    seed: int,
    metrics: dsl.Output[dsl.Metrics],
) -> NamedTuple("Outputs", [("better", bool)]):
    """Compare challenger and champion on days that neither has seen.

    Better means that the log loss is lower with a confidence of 97.5 %: days are drawn again, and
    the lower end of the 95 % interval of the gain is above 0.
    """
    import os

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see train_model

    import joblib
    import mlflow.sklearn
    import numpy as np
    import pandas as pd

    table = pd.read_parquet(held_out.path)
    late = table["late"].to_numpy()

    def losses(model) -> np.ndarray:
        p = model.predict_proba(table[categorical + numeric])[:, 1]
        return -np.where(late == 1, np.log(p), np.log1p(-p))

    champion = mlflow.sklearn.load_model(f"models:/{name}/{version}")
    gains = losses(champion) - losses(joblib.load(challenger.path))
    day = table["scheduled_at"].dt.tz_convert("America/New_York").dt.date
    by_day = pd.Series(gains).groupby(day.to_numpy()).agg(["sum", "size"]).to_numpy()
    drawn = np.random.default_rng(seed).integers(0, len(by_day), (2000, len(by_day)))
    sums = by_day[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    for key, value in {"gain": gains.mean(), "gain_low": low, "gain_high": high}.items():
        metrics.log_metric(key, float(value))
    better = bool(low > 0)
    print(f"log loss lower by {gains.mean():+.4f} (95 % interval {low:+.4f} to {high:+.4f})")
    print("the challenger is better" if better else "the champion stays")
    return (better,)


@dsl.pipeline(name="flights-first-champion")
def first_champion(month: str = "2013-03", name: str = MODEL, seed: int = 2013):
    """Train the first champion from all months up to one.

    Args:
        month: The last month to learn from, as in 2013-03.
        name: Name of the registered model.
        seed: Makes the random choices repeatable.
    """
    data = ingest()
    features = build_features(flights=data.outputs["flights"], weather=data.outputs["weather"])
    parts = cut(features=features.outputs["features"], month=month, learned_until=month)
    trained = train_model(
        train=parts.outputs["fit"],
        validation=parts.outputs["choose"],
        categorical=features.outputs["categorical"],
        numeric=features.outputs["numeric"],
        seed=seed,
    ).set_display_name("train model")
    register(
        model=trained.outputs["model"],
        name=name,
        learned_until=parts.outputs["known_until"],
        promote=True,
    ).set_caching_options(False)


@dsl.pipeline(name="flights-monitor")
def monitor(
    month: str,
    suite: str,
    name: str = MODEL,
    tolerance: float = 0.02,
    seed: int = 2013,
):
    """Look at one month and act.

    Args:
        month: The month, as in 2013-04.
        suite: Expectations that the month's data must meet, as YAML.
        name: Name of the registered model.
        tolerance: How far the predicted share of late flights may be off before a retraining.
        seed: Makes the random choices repeatable.
    """
    data = ingest()
    features = build_features(flights=data.outputs["flights"], weather=data.outputs["weather"])
    champion = find_champion(name=name).set_caching_options(False).set_display_name("find champion")
    parts = cut(
        features=features.outputs["features"],
        month=month,
        learned_until=champion.outputs["learned_until"],
    )
    checked = data_check(data=parts.outputs["current"], suite=suite).set_display_name("check")
    data_drift(
        reference=parts.outputs["reference"],
        current=parts.outputs["current"],
        ignore="scheduled_at,cutoff,flight",
        target="late",
    ).set_display_name("drift")
    verdict = (
        judge(
            current=parts.outputs["current"],
            name=name,
            version=champion.outputs["version"],
            categorical=features.outputs["categorical"],
            numeric=features.outputs["numeric"],
            tolerance=tolerance,
            seed=seed,
        )
        .after(checked)
        .set_display_name("judge champion")
    )
    with dsl.If(verdict.outputs["retrain"] == "yes", name="retrain"):
        challenger = train_model(
            train=parts.outputs["fit"],
            validation=parts.outputs["choose"],
            categorical=features.outputs["categorical"],
            numeric=features.outputs["numeric"],
            seed=seed,
        ).set_display_name("train challenger")
        duel = challenge(
            challenger=challenger.outputs["model"],
            held_out=parts.outputs["held_out"],
            name=name,
            version=champion.outputs["version"],
            categorical=features.outputs["categorical"],
            numeric=features.outputs["numeric"],
            seed=seed,
        )
        register(
            model=challenger.outputs["model"],
            name=name,
            learned_until=parts.outputs["known_until"],
            promote=duel.outputs["better"],
        ).set_caching_options(False).set_display_name("register challenger")


if __name__ == "__main__":
    for pipeline in (first_champion, monitor):
        compiler.Compiler().compile(pipeline, f"{pipeline.name}.yaml")
        print("wrote", f"{pipeline.name}.yaml")
