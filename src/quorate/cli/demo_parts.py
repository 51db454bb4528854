"""What the demo of one node and that of four validators share: waiting, money, the proof."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.commitment import verifier
from quorate.runtime.client import AsyncClient
from quorate.runtime.config import CONFIG_TEXT
from quorate.sim.demo.forge import flipped, redigested
from quorate.sim.demo.market import Market
from quorate.sim.demo.summary import Proof

# No snapshots, so that the log stays whole and can be executed again from genesis.
DEMO_CONFIG: Final = CONFIG_TEXT.replace("every_blocks = 10000", "every_blocks = 0")
assert DEMO_CONFIG != CONFIG_TEXT
PATIENCE_S: Final = 60.0
PROOF_NAME: Final = "account.proof"


class DemoFailed(Exception):
    """The show cannot go on. The sentence says why, and it is a finding."""


@dataclass(frozen=True, slots=True)
class Money:
    """What the accounts hold. delta_e6: cash and fees less deposits; lots_delta: long - short."""

    accounts: int
    delta_e6: int
    lots_delta: int


async def counted_money(client: AsyncClient, market: Market) -> Money:
    """Add up all cash and all positions as a node shows them. Raises NodeGone."""
    status = await client.ask("status")
    asset = (await client.ask("assets"))["assets"][0]
    cash, lots = 0, dict.fromkeys((venue.number for venue in market.venues), 0)
    for number in range(1, status["accounts"] + 1):
        account = await client.ask("account", account=number)
        cash += account["cash_e6"]
        for position in account["positions"]:
            lots[position["key"]] += position["size"]
    delta_e6 = cash + status["fees_e6"] - (asset["deposited"] - asset["withdrawn"])
    return Money(status["accounts"], delta_e6, sum(abs(total) for total in lots.values()))


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
