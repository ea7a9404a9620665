"""The block of ports that a lab holds."""

from __future__ import annotations

import socket

import pytest

from blackstart.errors import LabError
from blackstart.lab import ports
from blackstart.lab.ports import Ports


def test_two_labs_get_different_blocks() -> None:
    one, other = Ports.claim(), Ports.claim()
    try:
        assert abs(one.start - other.start) >= ports.BLOCK
    finally:
        one.release()
        other.release()


def test_a_released_block_can_be_claimed_again() -> None:
    one = Ports.claim()
    start = one.start
    one.release()
    again = Ports.claim()
    again.release()
    assert again.start == start


def test_a_port_that_somebody_listens_on_is_passed_over() -> None:
    block = Ports.claim()
    try:
        with socket.create_server(("127.0.0.1", block.start + 1)):
            assert block.take() == block.start + 2
    finally:
        block.release()


def test_ports_go_round_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "BLOCK", 4)
    monkeypatch.setattr(ports, "FIRST", ports.LAST - 400)  # away from where labs begin
    block = Ports.claim()
    try:
        assert [block.take() - block.start for _ in range(4)] == [1, 2, 3, 1]
    finally:
        block.release()


def test_when_every_block_is_held_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    block = Ports.claim()
    monkeypatch.setattr(ports, "FIRST", block.start)
    monkeypatch.setattr(ports, "LAST", block.start + 1)
    try:
        with pytest.raises(LabError, match="lab down"):
            Ports.claim()
    finally:
        block.release()
