"""`quorate verify`: check a proof by the stand-alone verifier."""

import contextlib
import io
from pathlib import Path

import typer

from quorate.cli.console import USERS_MISTAKE, end


def command(
    proof: Path = typer.Argument(..., metavar="FILE", help="The file that `prove` has written."),
    genesis_hash: str = typer.Option(..., "--genesis-hash", help="32 bytes, hex."),
    signer: list[str] = typer.Option(
        ..., "--signer", help="A validator's public key, 33 bytes, hex; give all of them."
    ),
) -> None:
    """Check a proof."""
    from quorate.commitment import verifier

    arguments = [f"--genesis-hash={genesis_hash}", *(f"--signer={key}" for key in signer)]
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            code = verifier.main([*arguments, "--", str(proof)])
    except SystemExit:
        # The verifier is a program of its own: what it says of its usage is not about this one.
        _, _, sentence = errors.getvalue().rpartition("error: ")
        end(USERS_MISTAKE, f"{sentence.removeprefix('argument ').strip()}.")
    raise typer.Exit(code)
