"""`quorate signer`: hold a validator's consensus key apart from its node."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from quorate.cli.console import USERS_MISTAKE, end, errors_named

if TYPE_CHECKING:
    from quorate.runtime.guard_file import SignerIdentity


def command(
    key: Path = typer.Argument(..., metavar="HOME|KEYFILE", help="Where the consensus key lies."),
    guard: Path = typer.Option(..., "--guard", help="The file that says what was signed."),
    listen: str = typer.Option("", "--listen", help="Where the node connects: unix:PATH."),
    init: bool = typer.Option(False, "--init", help="Make the guard of a key that never signed."),
    consensus: Path | None = typer.Option(
        None, "--consensus", help="The chain's consensus.json, to make the guard of a KEYFILE."
    ),
    export_to: Path | None = typer.Option(
        None, "--export", help="Write what was signed as JSON, to move the key."
    ),
    import_from: Path | None = typer.Option(
        None, "--import", help="Take in what another guard has exported."
    ),
) -> None:
    """Sign for a validator's node, each vote once and only what its guard allows."""
    with errors_named():
        secret = key_of(key)
        if init:
            make(key, secret, guard, consensus)
        elif export_to is not None or import_from is not None:
            exchange(secret, guard, export_to, import_from)
        else:
            serve(secret, guard, listen)


def key_of(path: Path) -> bytes:
    """Read the key of a home, or a file. Raises HomeRefused."""
    from quorate.crypto import is_key
    from quorate.runtime.home import CONSENSUS_KEY, key_path, no_key, secret_in

    if path.is_dir():
        refuse_cometbft(path)
    found = key_path(path, CONSENSUS_KEY) if path.is_dir() else path
    secret = secret_in(found)
    if not is_key(secret):
        raise no_key(found)
    return secret


def refuse_cometbft(home: Path) -> None:
    """Refuse a home in which CometBFT signs, not we. Raises HomeRefused."""
    from quorate.runtime.config import COMETBFT, read_config
    from quorate.runtime.disk import HomeRefused
    from quorate.runtime.home import CONFIG_NAME

    config = home / CONFIG_NAME
    if config.exists() and read_config(config).cometbft is not None:
        raise HomeRefused(
            f"{home} is of the engine {COMETBFT}, which signs itself; a remote signer for it "
            "connects to priv_validator_laddr of CometBFT's configuration."
        )


def make(key: Path, secret: bytes, guard: Path, consensus: Path | None) -> None:
    """Make the guard file. Raises HomeRefused, StorageFailed."""
    from quorate.crypto import public_key
    from quorate.ordering.guard import GENESIS_PLACE
    from quorate.runtime.disk import HomeRefused
    from quorate.runtime.guard_file import SignerIdentity, guard_made
    from quorate.runtime.home import CONSENSUS_NAME, read_consensus

    if consensus is None and key.is_dir():
        consensus = key / CONSENSUS_NAME
    if consensus is None:
        raise HomeRefused("Name the chain's consensus.json by --consensus FILE.")
    genesis, digest = read_consensus(consensus)
    public = public_key(secret)
    if all(validator.consensus_key != public for validator in genesis.validators):
        raise HomeRefused(f"{key} is the key {public.hex()}, which no validator has.")
    identity = SignerIdentity(genesis.chain_id, genesis.app_genesis, digest, public)
    guard_made(guard, identity, GENESIS_PLACE, 0)
    print(f"Made {guard} for key {public.hex()} of chain {genesis.chain_id}.")


def opened(secret: bytes, guard: Path) -> Any:
    """Open the guard file of a key. Raises as `GuardFile`, HomeRefused."""
    from quorate.crypto import public_key
    from quorate.runtime.disk import HomeRefused
    from quorate.runtime.guard_file import GuardFile

    file = GuardFile(guard)
    if file.identity.key != public_key(secret):
        file.close()
        raise HomeRefused(
            f"{guard} is of key {file.identity.key.hex()}, not of {public_key(secret).hex()}."
        )
    return file


def serve(secret: bytes, guard: Path, listen: str) -> None:
    """Serve until told to stop. Raises CannotListen, StorageFailed."""
    import asyncio

    from quorate.runtime.endpoint import UNIX_PATH_BYTES_MAX, endpoint_read
    from quorate.runtime.signer import Signer, SignerServer

    endpoint = endpoint_read(listen)
    if endpoint is None or not 0 < len(endpoint.path.encode()) <= UNIX_PATH_BYTES_MAX:
        end(
            USERS_MISTAKE,
            f"--listen must be unix:PATH, a path of at most {UNIX_PATH_BYTES_MAX} bytes.",
        )
    file = opened(secret, guard)
    try:
        signer = Signer(secret, file)

        def announce() -> None:
            print(f"{facts(file.identity)} Listening at {endpoint}. Stop with Ctrl-C.", flush=True)

        asyncio.run(SignerServer(signer, Path(endpoint.path)).serve(announce))
    finally:
        file.close()
    told = ", ".join(f"{name} {count}" for name, count in sorted(signer.counts.items()))
    print(f"Stopped. {told or 'Nothing was asked'}.")


def facts(identity: "SignerIdentity") -> str:
    """Say for whom it signs."""
    return f"Signs for key {identity.key.hex()} of chain {identity.chain_id}."


def exchange(
    secret: bytes, guard: Path, export_to: Path | None, import_from: Path | None
) -> None:
    """Write what was signed, or take it in. Raises HomeRefused, StorageFailed."""
    from quorate.runtime.guard_exchange import exported, imported

    file = opened(secret, guard)
    try:
        if import_from is not None:
            count = imported(file, import_from)
            print(f"Took in {count} signatures and the floors of {import_from}.")
        if export_to is not None:
            exported(file, export_to)
            print(f"Wrote {export_to}. Let this guard sign nothing more.")
    finally:
        file.close()
