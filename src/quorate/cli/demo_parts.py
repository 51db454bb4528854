"""What the demo of one node and that of four validators share: waiting, money, the proofs."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.commitment import verifier
from quorate.runtime.certified import agreement
from quorate.runtime.client import AsyncClient
from quorate.runtime.config import CONFIG_TEXT
from quorate.runtime.home import Home
from quorate.runtime.proving import prove
from quorate.sim.demo.audit import Audit
from quorate.sim.demo.forge import flipped, redigested
from quorate.sim.demo.market import LEVERAGE, SLIDE_PPM, Market
from quorate.sim.demo.summary import Cleared, Proof

# No snapshots, so that the log stays whole and can be executed again from genesis.
DEMO_CONFIG: Final = CONFIG_TEXT.replace("every_blocks = 10000", "every_blocks = 0")
assert DEMO_CONFIG != CONFIG_TEXT
PATIENCE_S: Final = 60.0
PROOF_NAME: Final = "account.proof"
RECEIPT_NAME: Final = "liquidation.proof"
LIQUIDATION_S_MAX: Final = 30.0  # after the market's time, to see a liquidation


class DemoFailed(Exception):
    """The show cannot go on. The sentence says why, and it is a finding."""


@dataclass(frozen=True, slots=True)
class Money:
    """What there is. delta_e6: all of it less deposits; lots_delta: long - short.

    All of it: cash and isolated margin, fees, insurance funds, funding pools.
    """

    accounts: int
    delta_e6: int
    lots_delta: int


async def counted_money(client: AsyncClient, market: Market) -> Money:
    """Add up all money and all positions as a node shows them. Raises NodeGone."""
    status = await client.ask("status")
    asset = (await client.ask("assets"))["assets"][0]
    money = status["fees_e6"] + (await client.ask("clearing"))["insurance_e6"]
    for listed in (await client.ask("markets"))["markets"]:
        if "risk" in listed:
            money += listed["risk"]["insurance_e6"] + listed["risk"]["funding_pool_e6"]
    lots = dict.fromkeys((venue.number for venue in market.venues), 0)
    for number in range(1, status["accounts"] + 1):
        account = await client.ask("account", account=number)
        money += account["cash_e6"]
        for position in account["positions"]:
            money += position["isolated_e6"]
            lots[position["key"]] += position["size"]
    delta_e6 = money - (asset["deposited"] - asset["withdrawn"])
    return Money(status["accounts"], delta_e6, sum(abs(total) for total in lots.values()))


def cleared(audit: Audit) -> Cleared:
    """Sum up what the clearing house did by the log."""
    return Cleared(audit.marks, len(audit.traders_liquidated), len(audit.liquidated))


async def liquidation_seen(client: AsyncClient) -> bool:
    """Say whether a liquidation has left its traces. Raises NodeGone."""
    risks = [listed.get("risk", {}) for listed in (await client.ask("markets"))["markets"]]
    if any(risk.get("insurance_e6") for risk in risks):
        return True
    vault = (await client.ask("clearing"))["vault"]
    return bool((await client.ask("account", account=vault))["positions"])


def liquidation_words(market: Market) -> str:
    """Write what has led to the liquidation."""
    name = market.venues[0].spec.name
    return (
        f"{name} slid by {SLIDE_PPM / 10_000:.1f} %: who held it with {LEVERAGE} times its money "
        "is liquidated"
    )


async def receipt_judged(
    proof: Proof, audit: Audit, homes: Sequence[Home], path: Path, signers: Sequence[bytes]
) -> list[str]:
    """Export the event of a liquidation and have the stand-alone verifier check it.

    Of validators' homes, the first event at whose height one of them holds a quorum's certificate.
    Fills `proof` in; gives what was found wrong, in sentences.
    """
    if not audit.liquidated:
        return ["nobody was liquidated"]
    return await event_judged(proof, audit.liquidated, "liquidated", homes, path, signers)


async def event_judged(
    proof: Proof,
    events: Sequence[tuple[int, int]],
    kind: str,
    homes: Sequence[Home],
    path: Path,
    signers: Sequence[bytes],
) -> list[str]:
    """Export one of the events of a kind, as (height, index), and have the verifier check it.

    Fills `proof` in; gives what was found wrong, in sentences.
    """
    text = await asyncio.to_thread(receipt, homes, events)
    if not text:
        return [f"no event of the kind {kind} is at a height that a quorum certified"]
    path.write_text(text, encoding="ascii")
    proof.bytes = len(text)
    code, proof.words = await verdict(path, homes[0].genesis_hash, signers)
    proof.verified = code == 0
    if proof.verified and f"  kind: {kind}" in proof.words:
        return []
    return [f"the receipt of the kind {kind} was not verified: {' '.join(proof.words)}"]


def receipt(homes: Sequence[Home], events: Sequence[tuple[int, int]]) -> str:
    """Prove the first of the events that a home has a signed height for; none: an empty text."""
    for home in homes:
        certified = None if home.consensus is None else set(agreement(home).heights)
        for height, index in events:
            if certified is None or height in certified:
                return prove(home, {"event": (height, index)})
    return ""


async def judged(
    proof: Proof, path: Path, genesis_hash: bytes, signers: Sequence[bytes]
) -> list[str]:
    """Have the stand-alone verifier check a proof's file, and two forgeries of it.

    Fills `proof` in; gives what was found wrong, in sentences.
    """
    text = path.read_text(encoding="ascii")
    proof.bytes = len(text)
    code, proof.words = await verdict(path, genesis_hash, signers)
    proof.verified = code == 0
    changed = flipped(text, json.loads(text)["preimage"])
    forgeries = (
        ("one digit of the account's row changed", changed),
        ("the same, and the file's digest made anew", redigested(changed)),
    )
    refused = []
    for what, forged in forgeries:
        path.with_suffix(".forged").write_text(forged, encoding="ascii")
        code, lines = await verdict(path.with_suffix(".forged"), genesis_hash, signers)
        refused.append(code == 1)
        proof.forged.append(f"{what}: {' '.join(lines)}")
    proof.forged_refused = all(refused)
    findings = []
    if not proof.verified:
        findings.append(f"the proof was not verified: {' '.join(proof.words)}")
    if not proof.forged_refused:
        findings.append("the verifier accepted a forged proof")
    return findings


async def verdict(
    path: Path, genesis_hash: bytes, signers: Sequence[bytes]
) -> tuple[int, list[str]]:
    """Run the verifier alone, in an isolated interpreter: its exit code and its words."""
    keys = [part for key in signers for part in ("--signer", key.hex())]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", verifier.__file__, str(path),
        "--genesis-hash", genesis_hash.hex(), *keys,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode().splitlines()
