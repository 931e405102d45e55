"""Becomes a program of Postgres: the last Python in a child process before it is `postgres`.

- Postgres refuses to run as root. As root the child becomes `nobody`, and keeps one capability,
  CAP_DAC_OVERRIDE: a data directory below /root, or a virtual environment there, is closed to
  `nobody`, and opening such directories to everybody would be worse. A container has it by default.
  Without capabilities (not Linux) the directories must be open to `nobody`.
- Ctrl-C in a terminal is told to the whole process group, and would end Postgres before those who
  still write to it. On Linux it leaves the group, with a terminal or without one: a script's
  `kill -INT -- -PGID` does the same.
- When the process that started it dies, Postgres is told to stop at once (Linux), so that killing
  only a supervisor leaves no orphan. Whoever starts it must do so from a thread that lives as long
  as Postgres shall (PR_SET_PDEATHSIG follows the thread).
- A large batch would leave its backend large: glibc's `malloc` keeps up to 64 MB of what was freed
  once it has seen large pieces come and go. With its threshold set it gives them back.

Imports nothing of ours: it runs in an isolated interpreter, for speed.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 4
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522

MALLOC_TRIM_THRESHOLD = "131072"
# In bytes: glibc's own before it has seen a large piece freed.

NOBODY_UID = 65534
# Postgres and initdb look the name of their user up; every Linux has this one.


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def launch(arguments: Sequence[str]) -> None:
    """Replace this process: the parent's pid, the uid and gid to become, then the command.

    A uid of -1 stays who it is.
    """
    parent, uid, gid = (int(argument) for argument in arguments[:3])
    command = arguments[3:]
    if uid >= 0:
        _become(uid, gid)
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            sys.exit("the process that wanted this Postgres has died")
        _leave_the_group()
    os.umask(0o077)
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", MALLOC_TRIM_THRESHOLD)
    os.execv(command[0], list(command))


def _leave_the_group() -> None:
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)


def _become(uid: int, gid: int) -> None:
    if sys.platform != "linux":
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    _prctl(PR_SET_KEEPCAPS, 1)
    # initdb asks access(2) whether it may run postgres, which looks at capabilities of a user that
    # is not root only with this bit. Without the right to set it the directories must be open.
    zero = ctypes.c_ulong(0)
    libc.prctl(PR_SET_SECUREBITS, ctypes.c_ulong(SECBIT_NO_SETUID_FIXUP), zero, zero, zero)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    # A container may have taken the capability away; then the directories must be open to nobody,
    # and with the bit set nothing else takes the other capabilities from us.
    if _keep_capabilities(libc, 1 << CAP_DAC_OVERRIDE):
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)
    elif not _keep_capabilities(libc, 0):
        sys.exit("the capabilities of root cannot be given up")


def _keep_capabilities(libc: ctypes.CDLL, bits: int) -> bool:
    header = _CapHeader(LINUX_CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)(_CapData(bits, bits, bits), _CapData(0, 0, 0))
    return bool(libc.capset(ctypes.byref(header), ctypes.byref(data)) == 0)


def _prctl(option: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *padded) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")
