"""The ready-made components that look at data (components/data), as gates and as branches."""

import os

from kfp import components, dsl

HERE = os.path.dirname(os.path.abspath(__file__))
COMPONENTS = os.path.join(HERE, "..", "..", "..", "components", "data")


def load(name: str):
    return components.load_component_from_file(os.path.join(COMPONENTS, f"{name}.yaml"))


check_data = load("check")
compare_data = load("drift")
profile_data = load("profile")
gate_data = load("gate")
find_leakage = load("leakage")

SUITE = """
columns:
  age:
    - not_null
    - between: [0, 120]
"""

SCHEMA = """
environments: [training, serving]
features:
  - {name: age, type: int, skew: {jensen_shannon: 0.1}, drift: {jensen_shannon: 0.1}}
  - {name: price, type: int, not_in: [serving]}
"""


@dsl.component
def people(first: int, table: dsl.Output[dsl.Dataset]):
    """One column of a hundred numbers."""
    with open(table.path, "w") as f:
        f.write("age\n")
        f.writelines(f"{first + i}\n" for i in range(100))


@dsl.component
def note(text: str) -> str:
    return text


@dsl.pipeline(name="data-components")
def data_pipeline():
    """A table that passes, one that does not and is let through, and what has changed between them."""
    young = people(first=10).set_display_name("young")
    old = people(first=60).set_display_name("old")
    profile_data(data=young.outputs["table"])
    good = check_data(data=young.outputs["table"], suite=SUITE)
    bad = check_data(data=old.outputs["table"], suite=SUITE, on_failure="warn")
    drift = compare_data(reference=young.outputs["table"], current=old.outputs["table"])
    gate_data(why=good.outputs["why"])
    with dsl.If(good.outputs["passed"] == True):  # noqa: E712
        note(text="good data")
    with dsl.If(bad.outputs["passed"] == True):  # noqa: E712
        note(text="never")
    with dsl.If(drift.outputs["passed"] == False):  # noqa: E712
        note(text="drift")


@dsl.pipeline(name="data-gate")
def gate_pipeline():
    """A table that fails its check ends the run, and nothing is made of it."""
    old = people(first=60)
    bad = check_data(data=old.outputs["table"], suite=SUITE)
    note(text="never").after(bad)


@dsl.pipeline(name="data-skew")
def skew_pipeline():
    """What is served is held against what was learned from: it is as a schema says in itself, and skewed beside the training data."""
    train = people(first=10).set_display_name("train")
    served = people(first=60).set_display_name("served")
    alone = check_data(data=served.outputs["table"], schema=SCHEMA, environment="serving")
    same = check_data(
        data=train.outputs["table"],
        schema=SCHEMA,
        environment="serving",
        training=train.outputs["table"],
        previous=train.outputs["table"],
    )
    drifted = check_data(
        data=served.outputs["table"],
        schema=SCHEMA,
        environment="serving",
        previous=train.outputs["table"],
        on_failure="warn",
    )
    with dsl.If(drifted.outputs["passed"] == False):  # noqa: E712
        note(text="drift")
    skewed = check_data(
        data=served.outputs["table"],
        schema=SCHEMA,
        environment="serving",
        training=train.outputs["table"],
    ).after(alone, same)
    note(text="never").after(skewed)


@dsl.component
def split(shared: int, train: dsl.Output[dsl.Dataset], test: dsl.Output[dsl.Dataset]):
    """A hundred rows to learn from and fifty to ask; so many of these are among those."""
    for table, first, rows in (train, 0, 100), (test, 100 - shared, 50):
        with open(table.path, "w") as f:
            f.write("id,length,width\n")
            f.writelines(f"{i},{1000 + 37 * i},{i * i % 101}\n" for i in range(first, first + rows))


@dsl.pipeline(name="data-leakage")
def leakage_pipeline():
    """A split that shares no rows lets the pipeline go on."""
    clean = split(shared=0)
    found = find_leakage(
        train=clean.outputs["train"], test=clean.outputs["test"], ignore="id", target="width"
    )
    with dsl.If(found.outputs["passed"] == True):  # noqa: E712
        note(text="no leak")


@dsl.pipeline(name="data-leakage-gate")
def leakage_gate_pipeline():
    """A split that shares rows ends the run, and no model is made of it."""
    leaking = split(shared=10)
    told = find_leakage(
        train=leaking.outputs["train"],
        test=leaking.outputs["test"],
        ignore="id",
        on_failure="warn",
    )
    bad = find_leakage(
        train=leaking.outputs["train"], test=leaking.outputs["test"], ignore="id"
    ).after(told)
    note(text="never").after(bad)


ALL = [data_pipeline, gate_pipeline, skew_pipeline, leakage_pipeline, leakage_gate_pipeline]
