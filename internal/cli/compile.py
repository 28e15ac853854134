"""Compile the KFP pipeline of a Python file. Arguments: the file, the wanted pipeline or "", where to write the
package, where to write the answer. The answer is JSON with a status and the names of the pipelines that were found.
The exit status is 77 when this interpreter has no kfp, so that another can be tried."""

import json
import os
import sys


def main(source: str, wanted: str, package: str, answer: str) -> int:
    try:
        from kfp import compiler
        from kfp.dsl.graph_component import GraphComponent
    except ImportError:
        return 77

    import importlib.util

    def reply(status: str, names: list) -> int:
        with open(answer, "w", encoding="utf-8") as f:
            json.dump({"status": status, "pipelines": names}, f)
        return 0

    folder = os.path.dirname(os.path.abspath(source))
    sys.path[0] = folder
    sys.argv = [source]
    # Not __main__, so that a block which compiles or submits by itself is left out.
    name = os.path.splitext(os.path.basename(source))[0]
    spec = importlib.util.spec_from_file_location(name, source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)

    # A pipeline that was imported from elsewhere counts only when the file has none of its own.
    found = {k: v for k, v in vars(module).items() if isinstance(v, GraphComponent)}
    own = {k: v for k, v in found.items() if getattr(v.pipeline_func, "__module__", name) == name}
    pipelines = {}
    for variable, component in (own or found).items():
        if component not in pipelines.values():
            pipelines[variable] = component

    if wanted:
        chosen = [v for k, v in pipelines.items() if wanted in (k, v.name)]
    else:
        chosen = list(pipelines.values())
    names = sorted(pipelines)
    if len(chosen) != 1:
        return reply("unknown" if wanted else "several" if names else "none", names)
    compiler.Compiler().compile(chosen[0], package_path=package)
    return reply("compiled", names)


if __name__ == "__main__":
    # Whatever the file prints belongs to the messages.
    sys.stdout = sys.stderr
    sys.exit(main(*sys.argv[1:]))
