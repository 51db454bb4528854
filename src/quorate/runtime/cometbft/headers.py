"""CometBFT's headers held against our own roots: header h + 1 carries the root of h."""

from collections.abc import Mapping

from quorate.runtime.cometbft.rpc import Rpc, asked_once
from quorate.runtime.endpoint import Endpoint


def header_differences(endpoint: Endpoint, roots: Mapping[int, bytes]) -> tuple[int, list[str]]:
    """Compare with the headers that a running CometBFT has; give how many, and what differs.

    roots: by height, that of genesis at 0, without a gap. Raises RpcFailed.
    """
    async def asked(rpc: Rpc) -> list[bytes]:
        last = min((await rpc.status()).height_last, max(roots) + 1)
        return await rpc.app_hashes(1, last)

    hashes = asked_once(endpoint, asked)
    differences = [
        f"height {height}: CometBFT's next header has the app hash {found.hex()[:16]}, "
        f"not {roots[height].hex()[:16]}"
        for height, found in enumerate(hashes)
        if found != roots[height]
    ]
    return len(hashes), differences
