"""The work as Prefect flows, in a module of its own because the processes of a pool import it."""

from __future__ import annotations

from typing import Any

import body
from prefect import flow, task
from prefect.cache_policies import INPUTS, NO_CACHE
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

# Results of tasks are kept in memory only, except where they are cached.
# https://docs.prefect.io/v3/advanced/results and https://docs.prefect.io/v3/concepts/caching


@task(cache_policy=NO_CACHE, persist_result=False)
def step(kind: str, number: int) -> int:
    """One step."""
    body.do(kind)
    return number


@task(cache_policy=INPUTS, persist_result=True)
def cached_step(kind: str, number: int) -> int:
    """One step whose result is kept."""
    body.do(kind)
    return number


@task(cache_policy=NO_CACHE, persist_result=False)
def count(numbers: list[int]) -> int:
    """Waits for all."""
    return len(numbers)


@task(cache_policy=INPUTS, persist_result=True)
def cached_count(numbers: list[int]) -> int:
    """Waits for all; its result is kept."""
    return len(numbers)


@flow
def call_chain(kind: str, steps: int) -> int:
    """Tasks that are called like functions, one after the other."""
    done = 0
    for number in range(steps):
        step(kind, number)
        done += 1
    return done


@flow
def submit_chain(kind: str, steps: int) -> int:
    """Tasks that are handed to the task runner, each after the one before."""
    futures: list[Any] = []
    for number in range(steps):
        futures.append(step.submit(kind, number, wait_for=futures[-1:]))
    return sum(f.result() >= 0 for f in futures)


@flow
def fanout(kind: str, start: int, steps: int, cache: bool) -> int:
    """Tasks that wait for nothing, and one that waits for all of them."""
    one, last = (cached_step, cached_count) if cache else (step, count)
    futures = one.map(kind, list(range(start, start + steps)))
    return last.submit(futures).result() + 1


def threads(workers: int) -> TaskRunner[Any]:
    """Tasks run in threads of the flow's process."""
    return ThreadPoolTaskRunner(max_workers=workers)


def processes(workers: int) -> TaskRunner[Any]:
    """Tasks run in a pool of processes that serve one task after the other."""
    return ProcessPoolTaskRunner(max_workers=workers)
