"""A pipeline of the ready-made components that serve models (components/serving)."""

import os

from kfp import components, dsl

HERE = os.path.dirname(os.path.abspath(__file__))


def load(name: str):
    folder = os.path.join(HERE, "..", "..", "components", "serving")
    return components.load_component_from_file(os.path.join(folder, f"{name}.yaml"))


deploy = load("deploy")
roll_out = load("rollout")


@dsl.component
def note(text: str) -> str:
    return text


@dsl.pipeline(name="serve-and-roll-out")
def serve(model: str, endpoint: str, candidate: str, plan: str):
    served = deploy(model=model, endpoint=endpoint)
    rolled = roll_out(endpoint=endpoint, version=candidate, plan=plan).after(served)
    with dsl.If(rolled.outputs["promoted"] == True):  # noqa: E712
        note(text="promoted")
    with dsl.If(rolled.outputs["promoted"] == False):  # noqa: E712
        note(text="rolled back")
