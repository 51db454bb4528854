"""`quorate verify`: check a proof by the stand-alone verifier."""

import sys
from pathlib import Path

import typer


def command(
    proof: Path = typer.Argument(..., metavar="FILE", help="The file that `prove` has written."),
    genesis_hash: str = typer.Option(..., "--genesis-hash", help="32 bytes, hex."),
    signer: list[str] = typer.Option(
        ..., "--signer", help="A validator's public key, 33 bytes, hex; give all of them."
    ),
) -> None:
    """Check a proof."""
    from quorate.commitment import verifier

    arguments = [str(proof), "--genesis-hash", genesis_hash]
    for key in signer:
        arguments += ["--signer", key]
    sys.exit(verifier.main(arguments))
