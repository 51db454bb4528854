"""The logs of a cluster's homes after the demo, held against one another and against its clients.

Three readings, none of which trusts another: the roots that each validator signed, height by
height; one log executed anew as the solo engine would, signatures and certificates included; and
another log's bundles against what the clients were told.
"""

from dataclasses import dataclass, field

from quorate.execution.machine import genesis_image
from quorate.replica.records import checkpoint_read
from quorate.runtime.certified import agreement
from quorate.runtime.files import follow_segments
from quorate.runtime.home import Home
from quorate.runtime.recover import executor_of
from quorate.runtime.replay_chain import Compared, replayed_chain
from quorate.sim.demo.audit import Audit, audited, disagreements
from quorate.sim.demo.ledger import Ledger
from quorate.storage.log import Kind
from quorate.types.limits import INT64_MAX


@dataclass
class Roots:
    """compared: heights that all validators signed. different: heights with more than one root."""

    compared: int = 0
    different: list[int] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def signed_roots(home: Home) -> dict[int, bytes]:
    """Read the roots that a validator signed, by height. Raises as `follow_segments`."""
    found: dict[int, bytes] = {}
    for scan in follow_segments(home.path, home.identity):
        for record in scan.records:
            if record.kind == Kind.CHECKPOINT:
                own = checkpoint_read(record.payload, home.identity)
                found[own.height] = own.state_root
    return found


def compared_roots(logs: list[dict[int, bytes]]) -> Roots:
    """Hold the roots of several validators against one another, height by height."""
    result = Roots()
    most = max((height for log in logs for height in log), default=0)
    for index, log in enumerate(logs):
        last = max(log, default=0)
        missing = [height for height in range(1, last + 1) if height not in log]
        if missing:
            result.findings.append(
                f"validator {index} signed no root of height {missing[0]} and {len(missing)} in all"
            )
    for height in range(1, most + 1):
        roots = [log[height] for log in logs if height in log]
        if any(root != roots[0] for root in roots):
            result.different.append(height)
        result.compared += len(roots) == len(logs)
    if result.different:
        height, count = result.different[0], len(result.different)
        result.findings.append(f"validators differ in {count} roots, first at height {height}")
    if not result.compared:
        result.findings.append("there is no height that all validators signed")
    return result


@dataclass
class Findings:
    """What all readings came to."""

    roots: Roots
    audit: Audit
    chain: Compared
    view_changes: int
    sentences: list[str]


def whole_audit(
    homes: list[Home], ledger: Ledger, roots_seen: dict[int, str], replayed: int
) -> Findings:
    """Read all logs. replayed: whose log the solo engine executes; the next one's is audited.

    Raises ReplayRefused, AuditFailed, and as `follow_segments`.
    """
    logs = [signed_roots(home) for home in homes]
    roots = compared_roots(logs)
    chain = replayed_chain(homes[replayed])
    other = homes[(replayed + 1) % len(homes)]
    executor = executor_of(other, genesis_image(other.genesis))
    scans = follow_segments(other.path, other.identity)
    audit = audited(executor, other.identity, scans, INT64_MAX)
    sentences = [*roots.findings, *chain.differences, *disagreements(audit, ledger, roots_seen)]
    if not chain.certified:
        sentences.append("no height has a certificate of a quorum")
    if chain.heights == audit.height and chain.root != audit.root:
        sentences.append(f"two logs lead to two roots at height {audit.height}")
    final = agreement(other)
    return Findings(roots, audit, chain, final.view - final.signed, sentences)
