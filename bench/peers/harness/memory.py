"""The memory of processes and all below them, from /proc. PSS counts a page that n processes share as 1/n in
each, so that the sum over processes that were forked from one another is what they take from the machine; RSS
counts it n times.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
# How often the watch looks, in seconds: reading PSS walks page tables, so not too often.
INTERVAL = 0.1


def family(roots: Iterable[int]) -> set[int]:
    """The processes and all their descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue  # it has ended
        # The name, in brackets, may hold anything; the parent is the second field after it.
        parent = int(stat[stat.rindex(")") + 2 :].split()[1])
        children[parent].append(int(entry.name))
    found: set[int] = set()
    ahead = list(roots)
    while ahead:
        pid = ahead.pop()
        if pid not in found:
            found.add(pid)
            ahead += children[pid]
    return found


def total(roots: Iterable[int], inside: bool) -> tuple[float, float]:
    """PSS and RSS of the processes and all below them, in MiB; without this process unless the peer is inside it."""
    pss = rss = 0
    for pid in family(roots) - (set() if inside else {os.getpid()}):
        try:
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue  # it has ended
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                pss += int(line.split()[1])
            elif line.startswith("Rss:"):
                rss += int(line.split()[1])
    return pss / 1024, rss / 1024


class Watch:
    """Remembers the largest total while it is open."""

    def __init__(self, roots: list[int], inside: bool) -> None:
        self.roots, self.inside = roots, inside
        self.pss = self.rss = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        over = False
        while not over:
            over = self._over.wait(INTERVAL)
            pss, rss = total(self.roots, self.inside)
            self.pss, self.rss = max(self.pss, pss), max(self.rss, rss)
