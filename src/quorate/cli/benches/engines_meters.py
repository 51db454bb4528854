"""What processes take of this machine, asked of the Linux kernel: processor time, bytes sent.

Engines count their own traffic in ways that cannot be compared, before encryption or after, with
heads or without. So the bytes are the kernel's: of every TCP connection with one of the validators'
ports at an end, what was sent and acknowledged. Both ends are on this machine, so each byte is
counted once, at its sender. Source: the manual pages sock_diag(7), proc_pid_stat(5).
"""

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
REQUEST_DUMP: Final = 0x301
DUMP_ERROR, DUMP_DONE = 2, 3
TCP_INFO_WANTED: Final = 1 << 1  # INET_DIAG_INFO is the second of the extensions
TCP_INFO: Final = 2
ESTABLISHED: Final = 1 << 1
MESSAGE_HEAD: Final = struct.Struct("=IHHII")
QUESTION: Final = struct.Struct("=BBBBI48x")
ATTRIBUTE: Final = struct.Struct("=HH")
PORTS: Final = struct.Struct(">HH")
PORTS_AT, COOKIE_AT, ATTRIBUTES_AT = 4, 44, 72
ACKNOWLEDGED_AT: Final = 120  # tcpi_bytes_acked
ANSWER_BYTES: Final = 1 << 18

Sent = dict[tuple[int, int, bytes], int]


class NoCounts(OSError):
    """This system does not tell what its connections carried."""


def aligned(length: int) -> int:
    """Round up to four bytes, as netlink does."""
    return (length + 3) & ~3


def answers() -> Iterator[bytes]:
    """Ask the kernel for its TCP connections over IPv4; give the body about each.

    Raises OSError, NoCounts where this is no Linux.
    """
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        raise NoCounts("this system has no sock_diag")
    body = QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, TCP_INFO_WANTED, 0, ESTABLISHED)
    size = MESSAGE_HEAD.size + len(body)
    with socket.socket(family, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as asked:
        asked.send(MESSAGE_HEAD.pack(size, SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0) + body)
        while True:
            found, at = asked.recv(ANSWER_BYTES), 0
            while at < len(found):
                length, kind, *_ = MESSAGE_HEAD.unpack_from(found, at)
                if kind == DUMP_DONE:
                    return
                if kind == DUMP_ERROR:
                    raise NoCounts("the kernel does not tell of its connections")
                yield found[at + MESSAGE_HEAD.size : at + length]
                at += aligned(length)


def acknowledged(body: bytes) -> int:
    """Read how many bytes a connection sent that were acknowledged; 0 where it is not told."""
    at = ATTRIBUTES_AT
    while at + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, at)
        if kind == TCP_INFO and length >= ACKNOWLEDGED_AT + 12:
            return int(struct.unpack_from("=Q", body, at + ATTRIBUTE.size + ACKNOWLEDGED_AT)[0])
        at += max(aligned(length), ATTRIBUTE.size)
    return 0


def bytes_sent(ports: Iterable[int]) -> Sent:
    """Say what each connection with one of these ports at an end has sent. Raises OSError."""
    wanted = dict.fromkeys(ports)
    found: Sent = {}
    for body in answers():
        here, there = PORTS.unpack_from(body, PORTS_AT)
        if here in wanted or there in wanted:
            cookie = body[COOKIE_AT : COOKIE_AT + 8]
            found[here, there, cookie] = acknowledged(body)
    return found


def bytes_between(before: Sent, after: Sent) -> int:
    """Add up what was sent between two looks; a connection that ended between them is left out."""
    return sum(sent - before.get(link, 0) for link, sent in after.items())


def cpu_s(pids: Iterable[int]) -> float:
    """Add up the processor time of processes and their ended children, user and system, seconds.

    Raises OSError where a process is gone.
    """
    ticks = 0
    for pid in pids:
        # The name stands in parentheses and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")
