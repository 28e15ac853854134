"""The work as Dagster jobs, in a module of its own because step processes import it. A job is an attribute of
the module, made when it is asked for: noop_chain_40, noop_fanout_1000.
"""

from __future__ import annotations

from functools import cache

import body
from dagster import (
    DependencyDefinition,
    GraphDefinition,
    In,
    JobDefinition,
    MultiDependencyDefinition,
    NodeInvocation,
    Nothing,
    OpDefinition,
    Out,
    multi_or_in_process_executor,
    op,
)


def step(kind: str, after: bool) -> OpDefinition:
    """A step that hands nothing on (Nothing), so that no input or output is stored: https://docs.dagster.io/api/dagster/types"""

    @op(
        name=f"{kind}_after" if after else kind,
        ins={"start": In(Nothing)} if after else {},
        out=Out(Nothing),
    )
    def compute() -> None:
        body.do(kind)

    return compute


@cache
def make(kind: str, shape: str, steps: int) -> JobDefinition:
    """Builds the job."""
    first, after = step(kind, False), step(kind, True)
    if shape == "chain":
        nodes = {NodeInvocation(first.name, alias="s0"): {}} | {
            NodeInvocation(after.name, alias=f"s{n}"): {"start": DependencyDefinition(f"s{n - 1}")}
            for n in range(1, steps)
        }
    else:
        nodes = {NodeInvocation(first.name, alias=f"s{n}"): {} for n in range(steps)}
        every = MultiDependencyDefinition([DependencyDefinition(f"s{n}") for n in range(steps)])
        nodes[NodeInvocation(after.name, alias="all")] = {"start": every}
    name = f"{kind}_{shape}_{steps}"
    # A definition that no node uses would become a node.
    used = [first] if name.endswith("_chain_1") else [first, after]
    graph = GraphDefinition(name=name, node_defs=used, dependencies=nodes)
    return graph.to_job(name=name, executor_def=multi_or_in_process_executor)


def __getattr__(name: str) -> JobDefinition:
    kind, shape, steps = [*name.split("_"), "", ""][:3]
    if not steps.isdigit():
        raise AttributeError(name)
    return make(kind, shape, int(steps))
