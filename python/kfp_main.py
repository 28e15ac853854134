"""The module that kfp starts as the main program, made ready in the host so that each fork need only call it."""

import argparse
import importlib.util
import sys
import types

NAME = "kfp.dsl.executor_main"


class Main:
    """kfp's main module. It is run once as far as it does nothing: its imports and definitions."""

    def __init__(self) -> None:
        self.spec = importlib.util.find_spec(NAME)
        self.code = self.spec.loader.get_code(NAME)
        self.module = None
        if {"argparse", "executor_main"} <= set(self.code.co_names):
            module = self.make(NAME)
            exec(self.code, module.__dict__)  # noqa: S102
            module.__name__ = "__main__"
            module.argparse = types.SimpleNamespace(**vars(argparse))
            module.argparse.ArgumentParser = PlainParser
            self.module = module

    def make(self, name: str) -> types.ModuleType:
        module = types.ModuleType(name)
        module.__dict__.update(
            __file__=self.spec.origin,
            __cached__=self.spec.cached,
            __loader__=self.spec.loader,
            __package__=self.spec.parent,
            __spec__=self.spec,
        )
        return module

    def run(self) -> None:
        """Do what `python -m` does."""
        module = self.module or self.make("__main__")
        sys.modules["__main__"] = module
        sys.argv[0] = self.spec.origin
        if self.module:
            module.executor_main()
        else:
            exec(self.code, module.__dict__)  # noqa: S102


class PlainParser:
    """argparse.ArgumentParser as kfp's main module uses it.

    It reads arguments as the server writes them: names, each with its value. argparse itself takes a third of the
    time of a step that does nothing. It reads whatever is not so plain.
    """

    def __init__(self, **settings: object) -> None:
        self.settings = settings
        self.arguments = []

    def add_argument(self, *names: str, **settings: object) -> None:
        self.arguments.append((names, settings))

    def parse_known_args(self) -> tuple:
        values = self.plain(sys.argv[1:])
        if values is not None:
            return argparse.Namespace(**values), []
        parser = argparse.ArgumentParser(**self.settings)
        for names, settings in self.arguments:
            parser.add_argument(*names, **settings)
        return parser.parse_known_args()

    def plain(self, words: list) -> "dict | None":
        """Return the values of plain arguments, None when some are not."""
        required = {}
        for names, settings in self.arguments:
            if len(names) != 1 or not names[0].startswith("--"):
                return None
            known = settings.keys() <= {"type", "required", "help"}
            if settings.get("type") is not str or not known:
                return None
            required[names[0]] = settings.get("required", False)
        given = dict(zip(words[::2], words[1::2]))
        if len(words) != 2 * len(given) or not given.keys() <= required.keys():
            return None
        if any(value.startswith("-") for value in given.values()):
            return None
        if any(must and name not in given for name, must in required.items()):
            return None
        return {name[2:].replace("-", "_"): given.get(name) for name in required}
