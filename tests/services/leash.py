"""Become another program that dies with the process that started it.

Run as `python -I leash.py SIGNAL PARENT UID GID program ...`. It runs before the program so that
no Python code has to run between fork and exec in a parent with threads, and so that `nobody`
need not be able to read this interpreter.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(death_signal: int, parent: int, uid: int, gid: int, program: list[str]) -> None:
    """Drop privileges, ask the kernel for the signal, and turn into the program."""
    os.setsid()
    if os.getuid() == 0 and uid != 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After setuid, which clears it; then the check, as the parent may be gone already.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit(f"the process {parent} that asked for {program[0]} is gone")
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # A test run started in the background ignores Ctrl-C, and what it starts would inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(program[0], program)


if __name__ == "__main__":
    numbers = [int(number) for number in sys.argv[1:5]]
    main(numbers[0], numbers[1], numbers[2], numbers[3], sys.argv[5:])
