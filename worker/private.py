"""What a process keeps from others of its user: a decoder that a hostile clip has taken over is one of these."""

import ctypes
import sys

PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """Let no process of this user read or write this one's memory (on Linux), where the Redis password is.

    A decoder can open no file, but `process_vm_readv` and `ptrace` take the number of a process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
