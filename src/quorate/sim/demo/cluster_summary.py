"""What the demo of four validators found, in figures and sentences, and how its end is printed."""

from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quorate.sim.demo.summary import (
    Cleared,
    Proof,
    clearing_fact,
    proof_lines,
    receipt_lines,
    rejects_table,
)


@dataclass
class Kill:
    """A validator that was killed. Heights and views are of the moment; pause: without a block."""

    validator: int = 0
    was_leader: bool = False
    view: int = 0
    height: int = 0
    in_flight: int = 0
    pause_ms: float = 0.0
    recovered_height: int = 0
    blocks_missed: int = 0
    serving_s: float = 0.0
    catchup_s: float = 0.0


@dataclass
class Row:
    """A validator at the end. Times are of the blocks that it led since its last start."""

    validator: int
    height: int
    root: str
    blocks_led: int
    finality_p50_ms: int
    finality_p99_ms: int


@dataclass
class ClusterResult:
    """Everything that the summary says. findings: what was found wrong, in sentences."""

    ok: bool = False
    findings: list[str] = field(default_factory=list)
    seed: int = 0
    seconds: float = 0.0
    accounts: int = 0
    blocks: int = 0
    bundles: int = 0
    commands: int = 0
    commands_per_s: float = 0.0
    fills: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    finality_p50_ms: float = 0.0
    finality_p99_ms: float = 0.0
    finality_blocks: int = 0
    latency_p50_ms: float = 0.0
    latency_p99_ms: float = 0.0
    view_changes: int = 0
    heights_compared: int = 0
    roots_different: int = 0
    certificates: int = 0
    conservation_delta_e6: int = 0
    lots_delta: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    resent: int = 0
    executed_before: int = 0
    audit_s: float = 0.0
    kills: list[Kill] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    cleared: Cleared = field(default_factory=Cleared)
    proof: Proof = field(default_factory=Proof)
    receipt: Proof = field(default_factory=Proof)
    home: str = ""

    def tree(self) -> dict[str, Any]:
        """Give everything for a machine."""
        return asdict(self)


def facts(result: ClusterResult) -> list[tuple[str, str]]:
    """Write the summary as pairs: what, and how much of it."""
    roots = "equal" if not result.roots_different else f"DIFFERENT at {result.roots_different}"
    found = [
        ("blocks", f"{result.blocks:,}, with {result.bundles:,} signed bundles"),
        (
            "commands/s",
            f"{result.commands_per_s:,.0f}, {result.commands:,} in all: the pace of this market, "
            "not the most it can do (quorate bench cluster)",
        ),
        (
            "finality",
            f"p50 {result.finality_p50_ms:.0f} ms, p99 {result.finality_p99_ms:.0f} ms, from "
            f"proposing to final on the leader's disk, {result.finality_blocks:,} blocks",
        ),
        (
            "receipts",
            f"p50 {result.latency_p50_ms:.0f} ms, p99 {result.latency_p99_ms:.0f} ms, from sending "
            "a bundle to its executed receipt; validators, traders and screen share this machine",
        ),
        ("view changes", f"{result.view_changes} views ended without a block"),
    ]
    found += [(title(kill), outcome(kill)) for kill in result.kills]
    return found + [
        (
            "roots",
            f"{roots} at every height of {result.heights_compared:,} on all validators, and in "
            f"{result.certificates:,} certificates of the quorum; executed anew by the solo "
            f"engine, {result.audit_s:.1f} s",
        ),
        (
            "conservation",
            f"delta {result.conservation_delta_e6}: money of {result.accounts} accounts, fees, "
            f"insurance, funding pools - deposits; lots long - short: {result.lots_delta}",
        ),
        clearing_fact(result.cleared),
        (
            "acknowledged",
            f"{result.lost} of {result.acknowledged:,} bundles lost, {result.doubled} executed "
            f"twice; {result.resent} were sent again to another validator, of which "
            f"{result.executed_before} had executed",
        ),
    ]


def title(kill: Kill) -> str:
    """Name a kill."""
    return "kill -9, leader" if kill.was_leader else "kill -9"


def outcome(kill: Kill) -> str:
    """Write what a kill led to."""
    return (
        f"validator {kill.validator} at height {kill.height:,}: at most {kill.pause_ms:,.0f} ms "
        f"without a block; back in {kill.serving_s:.1f} s, with the others after "
        f"{kill.catchup_s:.1f} s, {kill.blocks_missed:,} blocks later"
    )


def rows_table(rows: list[Row]) -> RenderableType:
    """List the validators as they stood at the end."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bright_black")
    for name in ("validator", "height", "root", "blocks led", "p50 ms", "p99 ms"):
        justify = "left" if name == "root" else "right"
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(
            str(row.validator), f"{row.height:,}", Text(row.root, style="cyan"),
            f"{row.blocks_led:,}", str(row.finality_p50_ms), str(row.finality_p99_ms),
        )  # fmt: skip
    return table


def summary(result: ClusterResult) -> RenderableType:
    """Draw the end of the show."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts(result):
        table.add_row(name, value)
    verdict = [Text(f"FOUND WRONG: {finding}", style="bold red") for finding in result.findings]
    if result.ok:
        verdict = [
            Text(
                "All right: one root at every height on all validators, nothing acknowledged lost "
                "or executed twice, money conserved, proof verified against a quorum.",
                style="bold green",
            )
        ]
    parts = [Text(""), table, rows_table(result.rows), rejects_table(result.rejects)]
    parts += [proof_lines(result.proof), receipt_lines(result.receipt)]
    return Group(*parts, Text(""), *verdict)
