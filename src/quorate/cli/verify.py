"""`quorate verify`: check a proof by the stand-alone verifier."""

import contextlib
import io
from pathlib import Path

import typer

from quorate.cli.console import USERS_MISTAKE, end, errors_named


def command(
    proof: Path = typer.Argument(..., metavar="FILE", help="The file that `prove` has written."),
    genesis_hash: str | None = typer.Option(None, "--genesis-hash", help="32 bytes, hex."),
    signer: list[str] | None = typer.Option(
        None,
        "--signer",
        metavar="KEY[:WEIGHT]",
        help="A validator's public key, 33 bytes, hex, and its weight if not 1; give all of them.",
    ),
    consensus: Path | None = typer.Option(
        None, help="Take both from a consensus.json that you trust."
    ),
) -> None:
    """Check a proof."""
    from quorate.commitment import verifier

    signers = list(signer or ())
    if consensus is not None:
        if signers:
            end(USERS_MISTAKE, "--consensus names the signers; leave --signer out.")
        named, signers = trusted(consensus)
        genesis_hash = genesis_hash or named
    if genesis_hash is None or not signers:
        missing = "--signer" if genesis_hash else "--genesis-hash"
        end(USERS_MISTAKE, f"Missing option '{missing}'. See quorate verify --help.")
    arguments = [f"--genesis-hash={genesis_hash}", *(f"--signer={key}" for key in signers)]
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            code = verifier.main([*arguments, "--", str(proof)])
    except SystemExit:
        # The verifier is a program of its own: what it says of its usage is not about this one.
        _, _, sentence = errors.getvalue().rpartition("error: ")
        end(USERS_MISTAKE, f"{sentence.removeprefix('argument ').strip()}.")
    raise typer.Exit(code)


def trusted(path: Path) -> tuple[str, list[str]]:
    """Read whom a consensus genesis names: the genesis hash, and each key with its weight."""
    with errors_named():
        from quorate.runtime.home import read_consensus

        consensus, _ = read_consensus(path)
    signers = [f"{it.consensus_key.hex()}:{it.weight}" for it in consensus.validators]
    return consensus.app_genesis.hex(), signers
