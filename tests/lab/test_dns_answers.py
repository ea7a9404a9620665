"""Questions and answers in wire format."""

from __future__ import annotations

import random

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from blackstart.lab.dns_answers import UDP_BYTES, answer
from blackstart.lab.dns_places import NOWHERE, Place
from blackstart.lab.dns_records import Record, Zone

ZONE = Zone(
    "shop.test",
    [
        Record("shop.test.", "SOA", 900, ("ns-1.shop.test. mail.shop.test. 7 7200 900 1209600 86400",)),
        Record("orders.shop.test.", "A", 2, ("127.0.0.11", "127.0.0.12")),
        Record("alias.shop.test.", "CNAME", 30, ("orders.shop.test.",)),
        Record("text.shop.test.", "TXT", 60, ('"a b" "c"',)),
        Record("long.shop.test.", "TXT", 60, tuple(f'"{n}{"x" * 200}"' for n in range(8))),
        Record("broken.shop.test.", "A", 60, ("not an address",)),
        Record("geo.shop.test.", "A", 2, ("127.0.0.1",), place=NOWHERE),
        Record("geo.shop.test.", "A", 2, ("127.0.0.2",), place=Place("EU")),
    ],
)


def ask(question: dns.message.Message, *, udp: bool = True, client: str = "") -> dns.message.Message:
    packet = answer(question.to_wire(), ZONE, lambda id_: True, lambda: 0.0, udp=udp, client=client)
    assert packet
    reply = dns.message.from_wire(packet)
    assert question.is_response(reply)
    return reply


def test_addresses_come_with_their_ttl_and_authority() -> None:
    reply = ask(dns.message.make_query("ORDERS.shop.test", "A"))
    (found,) = reply.answer
    assert (found.ttl, sorted(map(str, found))) == (2, ["127.0.0.11", "127.0.0.12"])
    assert reply.flags & dns.flags.AA


def test_a_cname_brings_its_target_along() -> None:
    reply = ask(dns.message.make_query("alias.shop.test", "A"))
    assert [str(found.name) for found in reply.answer] == ["alias.shop.test.", "orders.shop.test."]


def test_text_is_kept_in_its_pieces() -> None:
    (found,) = ask(dns.message.make_query("text.shop.test", "TXT")).answer
    assert str(found[0]) == '"a b" "c"'


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [("nothing.shop.test", "A", dns.rcode.NXDOMAIN), ("orders.shop.test", "AAAA", dns.rcode.NOERROR)],
)
def test_what_does_not_exist_is_said_with_the_zones_soa(name: str, kind: str, rcode: int) -> None:
    reply = ask(dns.message.make_query(name, kind))
    assert (reply.rcode(), reply.answer) == (rcode, [])
    assert str(reply.authority[0][0]).startswith("ns-1.shop.test. mail.shop.test. 7 ")


def test_a_zone_that_is_not_there_yet_still_says_no_with_an_soa() -> None:
    packet = answer(
        dns.message.make_query("x.shop.test", "A").to_wire(), Zone("shop.test"), lambda _: True, lambda: 0.0, udp=True
    )
    assert packet
    reply = dns.message.from_wire(packet)
    assert (reply.rcode(), len(reply.authority)) == (dns.rcode.NXDOMAIN, 1)


def test_other_zones_classes_and_operations_are_refused() -> None:
    assert ask(dns.message.make_query("example.com", "A")).rcode() == dns.rcode.REFUSED
    assert ask(dns.message.make_query("orders.shop.test", "A", "CH")).rcode() == dns.rcode.REFUSED
    status = dns.message.make_query("orders.shop.test", "A")
    status.set_opcode(dns.opcode.STATUS)
    assert ask(status).rcode() == dns.rcode.NOTIMP


def test_a_record_that_is_no_dns_data_is_a_failure_and_not_silence() -> None:
    assert ask(dns.message.make_query("broken.shop.test", "A")).rcode() == dns.rcode.SERVFAIL


def test_what_does_not_fit_is_truncated_over_udp_and_whole_over_tcp() -> None:
    question = dns.message.make_query("long.shop.test", "TXT")
    cut = ask(question)
    assert cut.flags & dns.flags.TC
    assert not cut.answer
    assert len(ask(question, udp=False).answer[0]) == 8


def test_whoever_takes_more_over_udp_gets_more() -> None:
    wide = dns.message.make_query("long.shop.test", "TXT", use_edns=0, payload=4096)
    reply = ask(wide)
    assert reply.edns == 0
    assert reply.payload == UDP_BYTES
    assert reply.flags & dns.flags.TC  # 8 x 200 bytes are more than a packet should carry
    orders = dns.message.make_query("orders.shop.test", "A", use_edns=0, payload=4096)
    assert not ask(orders).flags & dns.flags.TC


def test_answers_and_noise_are_met_with_silence() -> None:
    question = dns.message.make_query("orders.shop.test", "A")
    response = dns.message.make_response(question)
    assert answer(response.to_wire(), ZONE, lambda _: True, lambda: 0.0, udp=True) is None
    dice = random.Random(20261123)
    wire = question.to_wire()
    for _ in range(3000):
        noise = bytearray(wire[: dice.randrange(len(wire) + 1)]) + dice.randbytes(dice.randrange(4))
        for _ in range(dice.randrange(6)):
            if noise:
                noise[dice.randrange(len(noise))] = dice.randrange(256)
        answer(bytes(noise), ZONE, lambda _: True, lambda: 0.0, udp=True)


@pytest.mark.parametrize(
    ("client", "subnet", "address"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("198.51.100.9", "", "127.0.0.2"),
        ("127.0.0.1", "198.51.100.0", "127.0.0.2"),
        ("198.51.100.9", "203.0.113.0", "127.0.0.1"),
        ("127.0.0.1", "2001:d00::", "127.0.0.1"),
    ],
)
def test_who_asks_is_placed_by_his_address_or_by_the_subnet_that_he_asks_for(
    client: str, subnet: str, address: str
) -> None:
    options: list[dns.edns.Option] = [dns.edns.ECSOption(subnet, 24)] if subnet else []
    reply = ask(dns.message.make_query("geo.shop.test", "A", use_edns=0, options=options), client=client)
    assert [str(value) for found in reply.answer for value in found] == [address]
    assert [(option.address, option.scopelen) for option in reply.options] == ([(subnet, 24)] if subnet else [])
