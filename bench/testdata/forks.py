"""Measures what forking the warm host costs: python forks.py TOOLS SECONDS

TOOLS is the folder with the server's Python files. As the host does, it imports what steps need and freezes the
heap; then it forks processes that end at once, one after the other, and prints how many it made in a second.
"""

import gc
import os
import sys
import time

sys.path.insert(0, sys.argv[1])
import warmhost

warmhost.preimport([])
gc.collect()
gc.freeze()
began = time.monotonic()
made = 0
while time.monotonic() - began < float(sys.argv[2]):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    made += 1
print(made / (time.monotonic() - began))
