"""DNS messages: a question in wire format in, an answer in wire format out. Pure, on dnslib."""

from __future__ import annotations

import ipaddress

from dnslib import CLASS, EDNS0, OPCODE, QTYPE, RCODE, RR, DNSError, DNSRecord, EDNSOption

from blackstart.lab.dns_places import place_of
from blackstart.lab.dns_records import Draw, Healthy, Record, Zone, absolute

PLAIN_UDP_BYTES = 512
UDP_BYTES = 1232
# What Route 53 gives every zone: it says how long a "no such name" may be remembered.
_DEFAULT_SOA = "ns-1.{zone} hostmaster.{zone} 1 7200 900 1209600 86400"
_SOA_TTL = 900
_CLIENT_SUBNET = 8  # RFC 7871
_FAMILIES = {1: 4, 2: 16}


def answer(packet: bytes, zone: Zone, healthy: Healthy, draw: Draw, *, udp: bool, client: str = "") -> bytes | None:
    """The answer to ``packet``, authoritative; None if it is no DNS question, which deserves silence.

    ``client``: the address of whoever asks. If he asks on behalf of a subnet, that decides about geolocation.
    """
    try:
        question = DNSRecord.parse(packet)
    except (DNSError, ValueError, IndexError, LookupError):
        return None
    if question.header.qr:
        return None
    reply = question.reply(ra=0, aa=1)
    if question.header.opcode != OPCODE.QUERY or len(question.questions) != 1:
        reply.header.rcode = RCODE.NOTIMP
    elif question.q.qclass != CLASS.IN or not zone.covers(str(question.q.qname)):
        reply.header.aa = 0
        reply.header.rcode = RCODE.REFUSED
    else:
        try:
            _fill(reply, zone, healthy, draw, _asking(question) or client)
        except (DNSError, ValueError, LookupError):
            # The API takes values that are no DNS data.
            reply = question.reply(ra=0, aa=1)
            reply.header.rcode = RCODE.SERVFAIL
    room = _answer_extension(question, reply)
    packed = bytes(reply.pack())
    if udp and len(packed) > room:
        # dnslib's own truncation drops the question too, and clients then take the answer for somebody else's.
        reply.rr, reply.auth, reply.header.tc = [], [], 1
        reply.set_header_qa()
        packed = bytes(reply.pack())
    return packed


def _fill(reply: DNSRecord, zone: Zone, healthy: Healthy, draw: Draw, client: str) -> None:
    name, kind = absolute(str(reply.q.qname)), str(QTYPE[reply.q.qtype])
    for record in zone.find(name, kind, healthy, draw, place_of(client)):
        reply.add_answer(*_wire(record))
    if reply.rr:
        return
    if not zone.has(name):
        reply.header.rcode = RCODE.NXDOMAIN
    soa = zone.find(zone.name, "SOA", healthy, draw)
    start = soa or [Record(zone.name, "SOA", _SOA_TTL, (_DEFAULT_SOA.format(zone=zone.name),))]
    reply.add_auth(*_wire(start[0]))


def _wire(record: Record) -> list[RR]:
    lines = (f"{record.name} {record.ttl} IN {record.type} {value}" for value in record.values)
    return [entry for line in lines for entry in RR.fromZone(line)]


def _answer_extension(question: DNSRecord, reply: DNSRecord) -> int:
    """Answer EDNS with EDNS; the most bytes that whoever asks takes over UDP."""
    for entry in question.ar:
        if entry.rtype == QTYPE.OPT:
            # The answer is good for just the subnet that was asked for: its scope is as long as its prefix.
            subnets = [EDNSOption(_CLIENT_SUBNET, data[:3] + data[2:3] + data[4:]) for data in _subnets(question)]
            reply.add_ar(EDNS0(udp_len=UDP_BYTES, opts=subnets))
            return min(max(int(entry.rclass), PLAIN_UDP_BYTES), UDP_BYTES)
    return PLAIN_UDP_BYTES


def _subnets(question: DNSRecord) -> list[bytes]:
    """The client subnet options of a question: family, length of the prefix, scope, the prefix's bytes."""
    options = (option for entry in question.ar if entry.rtype == QTYPE.OPT for option in entry.rdata)
    return [bytes(option.data) for option in options if option.code == _CLIENT_SUBNET and len(option.data) >= 4]


def _asking(question: DNSRecord) -> str:
    """The first address of the subnet that is asked for; "" if none is told, or not in a way that is known."""
    for data in _subnets(question):
        size = _FAMILIES.get(int.from_bytes(data[:2], "big"), 0)
        if len(data) - 4 <= size and data[2]:
            return str(ipaddress.ip_address(data[4:].ljust(size, b"\0")))
    return ""
