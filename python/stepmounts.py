"""Gives a process mounts of its own, as internal/adapter/runner/view.go planned them."""

import contextlib
import os
import struct

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_MOVE, MS_REC, MS_SLAVE = 2, 4, 4096, 8192, 16384, 1 << 19
MNT_DETACH = 2


class Kernel:
    """The system calls of isolate. os.unshare came with Python 3.12, and mount is in no version."""

    def __init__(self) -> None:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        text, flags = ctypes.c_char_p, ctypes.c_ulong
        self.errno = ctypes.get_errno
        self.calls = {}
        for name, types in {
            "unshare": [ctypes.c_int],
            "mount": [text, text, text, flags, text],
            "pivot_root": [text, text],
            "umount2": [text, ctypes.c_int],
            "capset": [text, text],
        }.items():
            self.calls[name] = getattr(libc, name)
            self.calls[name].argtypes = types

    def __call__(self, name: str, *args: object) -> None:
        plain = [os.fsencode(a) if isinstance(a, str) else a for a in args]
        if self.calls[name](*plain) != 0:
            e = self.errno()
            raise OSError(e, f"{name} {args}: {os.strerror(e)}")


kernel = None  # a Kernel once prepare was called, where there is ctypes


def prepare() -> None:
    """Load what isolate needs; without ctypes there is no kernel."""
    global kernel
    with contextlib.suppress(ImportError, OSError, AttributeError):
        kernel = Kernel()


def make(kind: str, source: str, target: str, size: int) -> None:
    """Make one part of a view; the kinds are explained in internal/adapter/runner/view.go."""
    if kind == "bind":
        kernel("mount", source, target, None, MS_BIND | MS_REC, None)
    elif kind == "memory":
        kernel("mount", "tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=1777,size={size}")
    elif kind == "frame":
        kernel("mount", "tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    elif kind == "dir":
        os.makedirs(target, exist_ok=True)
    elif kind == "link":
        os.symlink(source, target)
    elif kind == "file":
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w"):
            pass
    else:
        raise ValueError(f"there is no kind of mount {kind!r}")


def isolate(view: dict) -> None:
    """Give this process mounts of its own: the view that internal/adapter/runner/view.go planned."""
    uid, gid = os.geteuid(), os.getegid()
    user = view.get("user", False)
    kernel("unshare", CLONE_NEWNS | (CLONE_NEWUSER if user else 0))
    if user:
        # Its own numbers stay what they are; others have no name in there.
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open("/proc/self/" + name, "w") as f:
                f.write(text)
    kernel("mount", None, "/", None, MS_REC | MS_SLAVE, None)
    for m in view["mounts"]:
        make(m["kind"], m.get("source"), m["target"], m.get("memory", 0))
    if view.get("root"):
        os.chdir(view["root"])
        try:
            kernel("pivot_root", ".", ".")
        except OSError:
            # The root of an initial RAM disk cannot be put aside, but it can be covered.
            kernel("mount", ".", "/", None, MS_MOVE, None)
            os.chroot(".")
        else:
            kernel("umount2", ".", MNT_DETACH)
    if user:
        # As a program that is started would: without the rights over its own namespace.
        version_3 = struct.pack("=Ii", 0x20080522, 0)
        kernel("capset", version_3, bytes(24))
