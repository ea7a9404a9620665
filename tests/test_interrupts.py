import asyncio
import contextlib
import os
import signal
import threading
import time

import pytest

from blackstart.interrupts import Interrupts, one_passes


class Terminated(Exception):
    """What somebody else's handler of SIGTERM raises."""


def terminated(number, frame):
    raise Terminated


@pytest.fixture(autouse=True)
def interruptible():
    """A process that a shell started in the background ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def interrupts():
    before = signal.signal(signal.SIGTERM, terminated)
    listening = Interrupts()
    listening.listen()
    yield listening
    listening.leave()
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_an_interrupt_is_raised_as_before_and_remembered(interrupts, number, raised):
    assert interrupts.heard == ""
    with pytest.raises(raised):
        os.kill(os.getpid(), number)
    assert interrupts.heard == number.name


def test_it_comes_through_an_event_loop_whose_task_would_swallow_its_cancellation(interrupts):
    async def stubborn():
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.3)

    async def interrupted():
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
        await stubborn()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())
    assert time.monotonic() - began < 10
    assert interrupts.heard == "SIGINT"


def test_a_process_that_ignored_interrupts_can_be_interrupted_while_it_listens():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts = Interrupts()
    interrupts.listen()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    interrupts.leave()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_whoever_listens_leaves_everything_as_before_but_for_what_others_put_there(interrupts):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    interrupts.leave()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_the_first_interrupt_passes_and_the_next_one_interrupts():
    with one_passes():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_afterwards_everything_is_as_before():
    before = signal.getsignal(signal.SIGINT)
    with one_passes():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_leaves_signals_alone():
    seen = []

    def work():
        Interrupts().listen()
        with one_passes():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
