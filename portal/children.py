"""Start child processes that end with this process, however it ends, and that Ctrl-C in the terminal does not reach."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# This program runs in the child process, and then replaces itself by the command. It requests the parent-death signal
# only after the change of user, because that change would clear the request. The parent may have ended by then.
_LAUNCHER = """
import ctypes, os, signal, sys
parent, death, uid, gid, *command = sys.argv[1:]
if uid != "-":
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(death), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(command[0], command)
"""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Account:
    """A user account of the operating system."""

    name: str
    uid: int
    gid: int


def spawn(
    command: Sequence[str | Path],
    *,
    at_our_death: signal.Signals,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
    folder: str | Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` (a full path and its arguments) in a process session of its own, as `account` if given.

    On Linux, if this process ends (even by kill -9) without having stopped the child, the kernel sends the child the
    signal `at_our_death`. The kernel sends the signal already when the thread that started the child ends. So only the
    main thread may call this function: raise `RuntimeError` in other threads. `environment` replaces the inherited
    environment variables. `output` receives what the child prints; by default the child prints to this process's
    output. `folder` is the child's working directory.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Start child processes from the main thread: they die with the thread that started them.")
    who = (str(account.uid), str(account.gid)) if account else ("-", "-")
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(int(at_our_death)), *who]
    return subprocess.Popen(  # noqa: S603 (fixed commands of our own)
        [*launcher, *map(str, command)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        cwd=folder,
        start_new_session=True,
    )


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends. On other systems than Linux, do nothing.

    Processes that a library has forked call this, because `spawn` did not start them.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 (costs time, and only Linux needs it)

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def end(process: subprocess.Popen[bytes], signals: Sequence[tuple[signal.Signals, float]]) -> None:
    """End a process that `spawn` started, and its whole process group.

    `signals` are pairs of a signal and a number of seconds. Send the process one signal after the other, and wait so
    many seconds after each, until the process ends. Then kill whatever still runs in its process group, including the
    process itself if no signal has ended it.
    """
    for number, seconds in signals:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
