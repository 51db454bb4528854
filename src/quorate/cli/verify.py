"""`quorate verify`: check a proof by the stand-alone verifier that its format asks for."""

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
        help="A validator's public key, 33 bytes, hex (of CometBFT also 32), and its weight if not "
        "1; give all of them.",
    ),
    chain_id: str | None = typer.Option(
        None, "--chain-id", help="CometBFT's name of the chain, if it is not the one `init` gives."
    ),
    consensus: Path | None = typer.Option(
        None, help="Take all of them from a consensus.json, or CometBFT's genesis.json, that you "
        "trust."
    ),
) -> None:
    """Check a proof."""
    from quorate.commitment import comet_verifier, verifier

    signers = list(signer or ())
    under_comet = is_of_comet(proof, consensus, signers, chain_id)
    if chain_id is not None and not under_comet:
        end(USERS_MISTAKE, f"--chain-id is of CometBFT's chains, and {proof} is no proof of one.")
    if consensus is not None:
        if signers:
            end(USERS_MISTAKE, "--consensus names the signers; leave --signer out.")
        if under_comet:
            of_chain, named, signers = trusted_of_comet(consensus)
            chain_id = chain_id or of_chain
        else:
            named, signers = trusted(consensus)
        genesis_hash = genesis_hash or named
    if genesis_hash is None or not signers:
        missing = "--signer" if genesis_hash else "--genesis-hash"
        end(USERS_MISTAKE, f"Missing option '{missing}'. See quorate verify --help.")
    arguments = [f"--genesis-hash={genesis_hash}", *(f"--signer={key}" for key in signers)]
    if chain_id is not None:
        arguments.append(f"--chain-id={chain_id}")
    main = comet_verifier.main if under_comet else verifier.main
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            code = main([*arguments, "--", str(proof)])
    except SystemExit:
        # The verifier is a program of its own: what it says of its usage is not about this one.
        _, _, sentence = errors.getvalue().rpartition("error: ")
        end(USERS_MISTAKE, f"{sentence.removeprefix('argument ').strip()}.")
    raise typer.Exit(code)


def is_of_comet(
    path: Path, consensus: Path | None, signers: list[str], chain_id: str | None
) -> bool:
    """Say whether a file is a proof under CometBFT. What is no proof is taken for what is trusted.

    Then the verifier of that kind says what is wrong with the file.
    """
    from quorate.commitment import comet_verifier, verifier

    try:
        with path.open("rb") as file:
            found = verifier.parsed(file.read(verifier.FILE_BYTES_MAX + 1))
    except (OSError, verifier.Refused):
        found = {}
    if found.get("format") in (verifier.FORMAT, comet_verifier.FORMAT):
        return bool(found["format"] == comet_verifier.FORMAT)
    if consensus is not None:
        return b'"app_state"' in consensus.read_bytes() if consensus.is_file() else False
    ed25519 = any(len(key.partition(":")[0].removeprefix("0x")) == 64 for key in signers)
    return chain_id is not None or ed25519


def trusted(path: Path) -> tuple[str, list[str]]:
    """Read whom a consensus genesis names: the genesis hash, and each key with its weight."""
    with errors_named():
        from quorate.runtime.home import read_consensus

        consensus, _ = read_consensus(path)
    signers = [f"{it.consensus_key.hex()}:{it.weight}" for it in consensus.validators]
    return consensus.app_genesis.hex(), signers


def trusted_of_comet(path: Path) -> tuple[str, str, list[str]]:
    """Read whom CometBFT's genesis names: its chain, the genesis hash, each key with its power."""
    with errors_named():
        from quorate.runtime.cometbft.trusted import trusted_in

        found = trusted_in(path)
    return found.chain_id, found.genesis_hash, list(found.signers)
