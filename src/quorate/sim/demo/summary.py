"""What the demo found, in figures and sentences, and how the end of the show is printed."""

from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quorate.types.codes import SENTENCES, Reject


@dataclass
class Crash:
    """The kill and what came after. Heights of blocks; seconds of wall time."""

    acknowledged_height: int = 0
    seen_height: int = 0
    recovered_height: int = 0
    root_before: str = ""
    root_after: str = ""
    in_flight: int = 0
    acknowledged_bundles: int = 0
    executed_before: int = 0
    recovery_s: float = 0.0
    down_s: float = 0.0


@dataclass
class Proof:
    """The exported proof and what the verifier said of it, and (`forged`) of two changed copies."""

    account: str = ""
    bytes: int = 0
    verified: bool = False
    words: list[str] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    forged_refused: bool = False


@dataclass
class Cleared:
    """What the clearing house did: marks that it set; traders liquidated, in how many steps."""

    marks: int = 0
    traders: int = 0
    steps: int = 0


@dataclass
class Result:
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
    latency_p50_ms: float = 0.0
    latency_p99_ms: float = 0.0
    state_root: str = ""
    conservation_delta_e6: int = 0
    lots_delta: int = 0
    lost: int = 0
    doubled: int = 0
    log_bytes: int = 0
    audit_s: float = 0.0
    crash: Crash = field(default_factory=Crash)
    cleared: Cleared = field(default_factory=Cleared)
    proof: Proof = field(default_factory=Proof)
    receipt: Proof = field(default_factory=Proof)
    home: str = ""

    def tree(self) -> dict[str, Any]:
        """Give everything for a machine."""
        return asdict(self)


def clearing_fact(cleared: Cleared) -> tuple[str, str]:
    """Write what the clearing house did."""
    whom = f"{cleared.traders} trader{'s' if cleared.traders != 1 else ''}"
    return (
        "clearing",
        f"{cleared.marks:,} marks from votes on the index; {whom} liquidated in {cleared.steps} "
        "steps",
    )


def facts(result: Result) -> list[tuple[str, str]]:
    """Write the summary as pairs: what, and how much of it."""
    crash = result.crash
    same = "the same" if crash.root_before == crash.root_after else "DIFFERENT"
    return [
        ("blocks", f"{result.blocks:,}"),
        ("bundles executed", f"{result.bundles:,}, each signed, of {result.accounts} accounts"),
        ("commands", f"{result.commands:,}"),
        (
            "commands/s",
            f"{result.commands_per_s:,.0f} while the node was up: the pace of this market, "
            "not the most it can do (quorate bench)",
        ),
        ("fills", f"{result.fills:,}"),
        (
            "latency",
            f"p50 {result.latency_p50_ms:.1f} ms, p99 {result.latency_p99_ms:.1f} ms, from "
            "sending a bundle to reading its executed receipt, synced and signed; measured in "
            "this process, which also runs all traders and the screen",
        ),
        ("state root", result.state_root),
        (
            "conservation",
            f"delta {result.conservation_delta_e6}: money of all accounts, fees, insurance and "
            f"funding pools - deposits; lots long - short: {result.lots_delta}",
        ),
        clearing_fact(result.cleared),
        (
            "kill -9",
            f"recovered in {crash.recovery_s:.2f} s, down for {crash.down_s:.1f} s with the "
            f"start of Python; root of height {crash.seen_height} {same} after it",
        ),
        (
            "acknowledged",
            f"{result.lost} of {result.bundles:,} bundles lost, {result.doubled} executed twice",
        ),
        (
            "the log",
            f"{result.log_bytes:,} bytes; executed once more from genesis in "
            f"{result.audit_s:.1f} s, every root compared with the signed one",
        ),
    ]


def rejects_table(rejects: dict[str, int]) -> RenderableType:
    """List rejects by code, with the sentence that their senders read."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rejects", justify="right", style="yellow")
    table.add_column("code", no_wrap=True)
    table.add_column("what the sender is told", style="bright_black")
    for name, count in rejects.items():
        table.add_row(f"{count:,}", name, SENTENCES[Reject[name]])
    return table


def condensed(words: list[str]) -> list[str]:
    """Write each row that the verifier showed in one line, without what is zero."""
    lines: list[str] = []
    fields: list[list[str]] = []
    for word in words:
        if not word.startswith(" "):
            lines.append(word)
            fields.append([])
        elif word.split(": ")[1].strip("0."):
            fields[-1].append(word.strip().replace(": ", " "))
    return [
        f"{line}: {', '.join(found)}" if found else line
        for line, found in zip(lines, fields, strict=True)
    ]


def proof_lines(proof: Proof) -> RenderableType:
    """Write what the verifier said, to the proof and to its forgeries."""
    lines = [Text(f"$ python -I verifier.py account.proof   ({proof.bytes:,} bytes)", "bold")]
    lines += [
        Text(f"  {line}", style="green" if number == 0 else "")
        for number, line in enumerate(condensed(proof.words))
    ]
    for line in proof.forged:
        lines.append(Text(f"  {line}", style="yellow"))
    return Group(*lines)


def receipt_lines(proof: Proof) -> RenderableType:
    """Write what the verifier said to the receipt of a liquidation."""
    lines = [Text(f"$ python -I verifier.py liquidation.proof   ({proof.bytes:,} bytes)", "bold")]
    lines += [
        Text(f"  {line}", style="green" if number == 0 else "")
        for number, line in enumerate(condensed(proof.words))
    ]
    return Group(*lines)


def summary(result: Result) -> RenderableType:
    """Draw the end of the show."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts(result):
        table.add_row(name, value)
    verdict: list[Text] = [
        Text(f"FOUND WRONG: {finding}", style="bold red") for finding in result.findings
    ]
    if result.ok:
        verdict = [
            Text(
                "All right: same root after kill -9, nothing acknowledged lost or executed twice, "
                "money conserved, proof verified.",
                style="bold green",
            )
        ]
    parts = [Text(""), table, Text(""), rejects_table(result.rejects), proof_lines(result.proof)]
    return Group(*parts, receipt_lines(result.receipt), Text(""), *verdict)
