"""The command line of another release than this one.

    python -m tests.live.release JSON COMMAND ...

versions: the rules that it can execute. skipped, activations: what it says in replica/versions.py.
poison: the nonce of a bundle at which its engine fails, unless the bundle has expired.
"""

import json
import sys
from typing import Any

from quorate.types import limits


def installed(release: dict[str, Any]) -> None:
    """Make this process that release; before anything else of the package is imported."""
    limits.PROTOCOL_VERSIONS = tuple(release["versions"])  # type: ignore[misc]
    from quorate.execution.machine import KernelMachine
    from quorate.replica import versions
    from quorate.storage.log import Identity

    skipped = {
        int(version): tuple(bytes.fromhex(digest) for digest in digests)
        for version, digests in release.get("skipped", {}).items()
    }
    activations = tuple(
        versions.Activation(Identity(chain_id, bytes.fromhex(genesis)), height, version)
        for chain_id, genesis, height, version in release.get("activations", [])
    )
    versions.RELEASE = versions.Release(skipped, activations)  # type: ignore[misc]
    poison = release.get("poison")
    healthy = KernelMachine.run

    def run(self: KernelMachine, height: int, time_ms: int, bundles: Any, commands: Any) -> Any:
        if ((bundles["nonce"] == poison) & (bundles["expiry_ms"] >= 0)).any():
            raise AssertionError("a bug of ours")
        return healthy(self, height, time_ms, bundles, commands)

    if poison is not None:
        KernelMachine.run = run  # type: ignore[method-assign]


if __name__ == "__main__":
    installed(json.loads(sys.argv[1]))
    from quorate.cli.main import main

    sys.argv = ["quorate", *sys.argv[2:]]
    main()
