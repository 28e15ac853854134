"""Runs the kfp executor, with local artifact paths for kfp versions before 2.5.

Those versions give an artifact a path only when its URI is in an object store. Later ones take any other URI as a path,
which is what Levada gives to steps.
"""

import importlib.util
import runpy
import sys


def patch() -> None:
    """Let Artifact.path be the URI where kfp has no path for it."""
    try:
        from kfp.dsl.types import artifact_types
    except ImportError:  # kfp 2.0 has it elsewhere
        from kfp.components.types import artifact_types

    original = getattr(artifact_types.Artifact, "_get_path", None)
    if original is None or artifact_types.Artifact(uri="/x")._get_path() is not None:
        return

    def path_or_uri(self: artifact_types.Artifact) -> str:
        path = original(self)
        return self.uri if path is None else path

    artifact_types.Artifact._get_path = path_or_uri


if __name__ == "__main__":
    # "python script.py" puts the script's directory first on the path; "python -m" puts the working directory there.
    sys.path[0] = ""
    patch()
    main = "kfp.dsl.executor_main"
    if importlib.util.find_spec(main) is None:
        main = "kfp.components.executor_main"  # kfp 2.0
    sys.modules.pop(main, None)
    runpy.run_module(main, run_name="__main__", alter_sys=True)
