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

SUITE = """
columns:
  age:
    - not_null
    - between: [0, 120]
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


ALL = [data_pipeline, gate_pipeline]
