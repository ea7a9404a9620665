"""DNS messages: a question in wire format in, an answer in wire format out. Pure, on dnslib."""

from __future__ import annotations

from dnslib import CLASS, EDNS0, OPCODE, QTYPE, RCODE, RR, DNSError, DNSRecord

from blackstart.lab.dns_records import Draw, Healthy, Record, Zone, absolute

PLAIN_UDP_BYTES = 512
UDP_BYTES = 1232
# What Route 53 gives every zone: it says how long a "no such name" may be remembered.
_DEFAULT_SOA = "ns-1.{zone} hostmaster.{zone} 1 7200 900 1209600 86400"
_SOA_TTL = 900


def answer(packet: bytes, zone: Zone, healthy: Healthy, draw: Draw, *, udp: bool) -> bytes | None:
    """The answer to ``packet``, authoritative; None if it is no DNS question, which deserves silence."""
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
            _fill(reply, zone, healthy, draw)
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


def _fill(reply: DNSRecord, zone: Zone, healthy: Healthy, draw: Draw) -> None:
    name, kind = absolute(str(reply.q.qname)), str(QTYPE[reply.q.qtype])
    for record in zone.find(name, kind, healthy, draw):
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
            reply.add_ar(EDNS0(udp_len=UDP_BYTES))
            return min(max(int(entry.rclass), PLAIN_UDP_BYTES), UDP_BYTES)
    return PLAIN_UDP_BYTES
