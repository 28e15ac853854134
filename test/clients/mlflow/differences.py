"""Where Levada answers otherwise than MLflow on purpose, each with the reason."""

import re

# Parts of messages that are not compared: lists that Python prints in any order, and words of the database.
REWRITES = [
    (re.compile(r"Valid keys are .*"), "Valid keys are <list>"),
    (re.compile(r"not one of .*"), "not one of <list>"),
    (re.compile(r"Expected one of \(.*"), "Expected one of <list>"),
    (re.compile(r"Invalid clause\(s\) in filter string: .*"), "Invalid clause(s) in filter string: <clauses>"),
    (re.compile(r"already exists\. Error: .*", re.DOTALL), "already exists."),
    (re.compile(r"mandatory fields: \{.*\}"), "mandatory fields: {<fields>}"),
    (re.compile(r"already exists\.$"), "already exists."),
    (re.compile(r"Registered Model \(name=([^)]*)\) already exists\.?.*", re.DOTALL), r"Registered Model (name=\1) already exists."),
]


def message(text):
    """Returns the part of a message that must be equal."""
    for pattern, replacement in REWRITES:
        text = pattern.sub(replacement, text)
    return text


# name: (which steps, reason)
ON_PURPOSE = {}
_used = set()


def on_purpose(name, why):
    """Declares a difference; the function says whether a step is meant."""

    def declare(matches):
        ON_PURPOSE[name] = (matches, why)
        return matches

    return declare


def reason(script, step, want, got):
    """Returns why a step may differ, or nothing."""
    for name, (matches, why) in ON_PURPOSE.items():
        if matches(script, step, want, got):
            _used.add(name)
            return why
    return None


def unused():
    """Returns the differences that no step showed."""
    return sorted(set(ON_PURPOSE) - _used)
