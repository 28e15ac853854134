"""Compiles the pipelines in src/ with the installed kfp SDK.

    python compile.py OUT [MODULE ...]

What the SDK is too old for is left out and named.
"""

import contextlib
import importlib
import os
import sys
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))


def main() -> None:
    warnings.simplefilter("ignore")
    sys.path.insert(0, os.path.join(HERE, "src"))
    from kfp import compiler, dsl

    dsl.component, dsl.pipeline = patient(dsl.component), patient(dsl.pipeline)
    out, *names = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    names = names or sorted(
        n[:-3] for n in os.listdir(os.path.join(HERE, "src")) if n.endswith(".py")
    )
    for name in names:
        try:
            module = importlib.import_module(name)
        except (ImportError, AttributeError, TypeError, ValueError) as e:
            print(f"left out: {name}: {type(e).__name__}: {first_line(e)}")
            continue
        for pipeline in filter(None, module.ALL):
            path = os.path.join(out, f"{pipeline.name}.yaml")
            try:
                compiler.Compiler().compile(pipeline, path)
            except Exception as e:  # whatever an old compiler does with what it does not know
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)
                print(f"left out: {pipeline.name}: {type(e).__name__}: {first_line(e)}")


def patient(decorator):
    """Let a decorator give None for what this SDK cannot express: it compiles when a module is imported."""

    def decorate(*args, **kwargs):
        if args:  # used without parentheses
            return attempt(decorator, args[0])
        return lambda func: attempt(lambda f: decorator(**kwargs)(f), func)

    return decorate


def attempt(decorator, func):
    try:
        return decorator(func)
    except Exception as e:
        print(f"left out: {func.__name__}: {type(e).__name__}: {first_line(e)}")


def first_line(e: Exception) -> str:
    return (str(e).splitlines() or [""])[0][:200]


if __name__ == "__main__":
    main()
