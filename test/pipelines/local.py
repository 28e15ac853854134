"""Runs pipelines of src/ with kfp.local and compares each task's output parameters with what golden/ says Levada gives.

    python local.py [PIPELINE ...]

It needs kfp 2.17 or later, with pip in the same environment. Ids and times differ by nature and
are masked. What kfp.local cannot run, or does otherwise, is in docs/kfp.md.
"""

import collections
import importlib
import json
import logging
import os
import re
import sys
import tempfile
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))


def main() -> int:
    warnings.simplefilter("ignore")
    sys.path.insert(0, os.path.join(HERE, "src"))
    from kfp import local
    from kfp.local.orchestrator import dag_orchestrator, enhanced_dag_orchestrator, task_executor

    logging.disable(logging.CRITICAL)
    seen = []
    original = task_executor.execute_single_task

    def execute_single_task(*args, **kwargs):
        outputs, status = original(*args, **kwargs)
        name = kwargs.get("task_name", args[0] if args else "")
        seen.append((name, outputs))
        return outputs, status

    task_executor.execute_single_task = execute_single_task
    for module in (dag_orchestrator, enhanced_dag_orchestrator):
        if hasattr(module, "execute_single_task"):
            module.execute_single_task = execute_single_task
    bad = 0
    for pipeline in pipelines(sys.argv[1:]):
        seen.clear()
        with tempfile.TemporaryDirectory() as root:
            local.init(
                local.SubprocessRunner(use_venv=False), pipeline_root=root, raise_on_error=False
            )
            try:
                with open(os.devnull, "w") as null:
                    sys.stdout, keep = null, sys.stdout
                    try:
                        pipeline()
                    finally:
                        sys.stdout = keep
            except Exception as e:
                print(
                    f"{pipeline.name}: kfp.local cannot run it: {type(e).__name__}: {str(e)[:150]}"
                )
                continue
        theirs = collections.Counter(line(name, out) for name, out in seen)
        ours = expected(pipeline.name)
        if theirs == ours:
            print(f"{pipeline.name}: the same {sum(ours.values())} tasks", flush=True)
            continue
        bad += 1
        print(f"{pipeline.name}: differs")
        for text in theirs - ours:
            print(f"  kfp.local {text[:300]}")
        for text in ours - theirs:
            print(f"  levada    {text[:300]}")
    return 1 if bad else 0


def pipelines(names: list) -> list:
    found = []
    for file in sorted(os.listdir(os.path.join(HERE, "src"))):
        if file.endswith(".py"):
            found += importlib.import_module(file[:-3]).ALL
    return [p for p in found if not names or p.name in names]


def line(name: str, outputs: dict) -> str:
    """A task's name and its output parameters."""
    values = {
        k: v for k, v in outputs.items() if isinstance(v, (str, int, float, bool, list, dict))
    }
    if any(type(v).__module__.startswith("kfp.") for v in values.values()):
        values = {}
    return f"{name} {mask(json.dumps(values, sort_keys=True, ensure_ascii=False))}"


def mask(text: str) -> str:
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    return re.sub(r"\b(\d+)\.0\b", r"\1", text)


def expected(name: str) -> collections.Counter:
    """The same, read from a golden file."""
    found = collections.Counter()
    with open(os.path.join(HERE, "golden", f"{name}.txt")) as f:
        blocks = f.read().split("\n\n")[1:]
    for block in blocks:
        head, *rest = block.splitlines()
        m = re.match(r"(\S+) \((container|importer)\) SUCCEEDED", head)
        if not m:
            continue
        values = {}
        for text in rest:
            p = re.match(r"  out (\S+) = (.*)", text)
            if p:
                values[p[1]] = json.loads(p[2])
        found[line(m[1].rpartition("/")[2], values)] += 1
    return found


if __name__ == "__main__":
    sys.exit(main())
