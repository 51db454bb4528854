"""The client's side of admission: commands -> signed item, ready to send."""

from typing import Final

from quorate.admission.judge import Chain, item_digest
from quorate.codec.bundle import encode_unsigned
from quorate.codec.layout import OWNER_OPS
from quorate.crypto import sign_recoverable
from quorate.types.blocks import Item
from quorate.types.codes import Kind, Op
from quorate.types.limits import COMMAND_BYTES

# Plain integers: an enum member makes a call of a kernel twenty times as slow.
NATIVE: Final = int(Kind.NATIVE)
EIP712: Final = int(Kind.EIP712)


def sign_bundle(
    key: bytes, chain: Chain, account: int, nonce: int, commands: bytes, expiry_ms: int = 0
) -> Item:
    """Sign 1 to 1024 commands (64 bytes each, codec/commands.py) as a native bundle.

    `nonce` is the present unix time in milliseconds; `expiry_ms` 0 means none.
    """
    unsigned = encode_unsigned(chain.chain_id, account, nonce, commands, expiry_ms)
    digest = item_digest(NATIVE, unsigned, chain)
    return Item(NATIVE, unsigned + sign_recoverable(key, digest))


def sign_owner(
    key: bytes, chain: Chain, account: int, nonce: int, command: bytes, expiry_ms: int = 0
) -> Item:
    """Sign one owner command as a wallet does, by its EIP-712 message."""
    assert len(command) == COMMAND_BYTES and Op(command[0]) in OWNER_OPS
    unsigned = encode_unsigned(chain.chain_id, account, nonce, command, expiry_ms)
    digest = item_digest(EIP712, unsigned, chain)
    return Item(EIP712, unsigned + sign_recoverable(key, digest))
