"""The process that starts all other processes of a lab, by fork: ``python -m blackstart.lab.nursery FD [MODULE…]``.

It is single-threaded and imports MODULEs once, so a Python part costs a fork and shares its memory with its
siblings. It adopts orphans (Linux), so nothing that a part leaves behind escapes its tree. When the other end of
FD is closed it leaves the killing to the warden, who sees that tree whole, and does it itself only if nobody comes.

Messages are pickles behind a 4-byte big-endian length, between processes of one lab only:
requests are ``Order``; answers are ``("ready",)``, ``("started", ticket, pid)`` and ``("exited", pid, code)``,
where a code below zero is minus the signal.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import logging
import os
import pickle
import select
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.clock import SystemClock
from blackstart.errors import LabError

LENGTH = struct.Struct(">I")
WARDEN_SECONDS = 15.0
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(frozen=True)
class Order:
    """Start one process: a program (``argv``) or a Python part (``module`` and its pickled ``spec``).

    ``user`` is a uid to become (its group is the user's own), None to stay who we are. ``log`` takes both outputs.
    """

    ticket: int
    name: str
    log: str
    cwd: str
    argv: tuple[str, ...] = ()
    env: dict[str, str] | None = None
    user: int | None = None
    module: str = ""
    spec: bytes = b""


def send(channel: socket.socket, message: object) -> None:
    """Write one message whole."""
    data = pickle.dumps(message)
    channel.sendall(LENGTH.pack(len(data)) + data)


def receive(channel: socket.socket) -> object | None:
    """Read one message; None when the other end is closed."""
    head = _exactly(channel, LENGTH.size)
    body = _exactly(channel, LENGTH.unpack(head)[0]) if head else b""
    return pickle.loads(body) if body else None


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        try:
            piece = channel.recv(size - len(data))
        except ConnectionResetError:
            return b""
        if not piece:
            return b""
        data += piece
    return data


def run(channel: socket.socket, modules: Sequence[str]) -> None:
    """Serve requests until the other end is closed, then wait to be ended by the warden.

    Also returns, or raises, in every new process, when what that had to do is done.
    """
    wakeup, alarm = os.pipe()
    for end in (wakeup, alarm):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # the collector then never writes to pages that children share
    children: set[int] = set()
    send(channel, ("ready",))
    while True:
        ready, _, _ = select.select([channel.fileno(), wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 4096)
            _reap(channel, children)
        if channel.fileno() in ready:
            order = receive(channel)
            if not isinstance(order, Order):
                break
            pid = _fork(order, channel, (wakeup, alarm))
            if pid == 0:
                return
            children.add(pid)
    signal.set_wakeup_fd(-1)
    SystemClock().sleep(WARDEN_SECONDS)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _reap(channel: socket.socket, children: set[int]) -> None:
    """Tell of every child that has ended; orphans that were adopted end silently."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid in children:
            children.discard(pid)
            try:
                send(channel, ("exited", pid, os.waitstatus_to_exitcode(status)))
            except BrokenPipeError:
                return


def _fork(order: Order, channel: socket.socket, pipes: tuple[int, int]) -> int:
    """Start what ``order`` says; the new pid, or 0 in the new process when all that it had to do is done."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        send(channel, ("started", order.ticket, pid))
        return pid
    channel.close()
    signal.set_wakeup_fd(-1)
    for end in pipes:
        os.close(end)
    _settle(order, parent)
    _become(order)
    return 0


def _settle(order: Order, parent: int) -> None:
    """Session, outputs, folder, account and the death signal of the new process."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir(order.cwd)
    if order.user is not None and order.user != os.geteuid():
        _become_user(order.user)
    # after the change of account, which clears it
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise LabError(f"start {order.name}", "the lab has ended meanwhile")


def _become_user(uid: int) -> None:
    import pwd

    group = pwd.getpwuid(uid).pw_gid
    os.setgroups([])
    os.setgid(group)
    os.setuid(uid)


def _become(order: Order) -> None:
    if order.argv:
        os.execvpe(order.argv[0], list(order.argv), os.environ if order.env is None else order.env)
    if order.env:
        os.environ.update(order.env)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    module = importlib.import_module(order.module)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(module.serve(pickle.loads(order.spec)))


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    os.setsid() if os.getpgrp() != os.getpid() else None
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    # under its importable name, so that Order unpickles as what the other end sent
    importlib.import_module("blackstart.lab.nursery").run(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
