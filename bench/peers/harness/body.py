"""What a step does: nothing, about 10 ms of arithmetic, or a note of when it began. The same for every peer.

Components of kfp and Levada carry their source with them and so hold a copy (kfp_local/pipelines.py).
"""

import os
import time

# The environment variable that names the file into which a marking step writes.
MARKS = "LEVADA_BENCH_MARKS"

# fibonacci(N) takes about 10 ms on CPython 3.11 on a server core; the naive recursion is the step of the
# published Windmill comparison. The report says what it took here.
N = 25


def fibonacci(n: int) -> int:
    """The naive recursion."""
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def do(body: str) -> None:
    """Does what the step is for; `body` is one of noop, work and mark."""
    if body == "work":
        fibonacci(N)
    elif body == "mark":
        # CLOCK_MONOTONIC has one origin for all processes of a Linux machine.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        with open(os.environ[MARKS], "a") as marks:
            marks.write(f"{now}\n")
