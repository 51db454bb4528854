"""SHA-256 of many messages at once: one lane of a vector register per message.

A group is LANES messages of the same number of 64-byte blocks. The rounds are written once, for one
lane, without a loop; the loop over the lanes is around them, and the compiler turns it into vector
code (one AVX-512 register holds a word of all 16 lanes). That works only while the code inside the
loop is straight and its words stay 32 bits wide: numba widens uint32 + uint32 to 64 bits, so every
sum and every rotation is cut back by u32() at once. int64 words with masks give the same digests at
a third of the speed. This is the only file with unsigned integers. hashlib is the oracle.

Digests are kept as 8 words, uint32[8], the big-endian words of the digest as numbers. A tree keeps
them in heap order in one flat array: node i is words 8*i .. 8*i+7, its children are 2*i and 2*i+1,
its root is node 1. So the 16 words of a node's message lie together, at 16*i.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quorate.compiled import helper, inlined, kernel

LANES = 16
BLOCK_BYTES = 64
BLOCK_WORDS = 16
DIGEST_BYTES = 32
DIGEST_WORDS = 8
# A message ends with one byte 0x80, then zeros, then its length in bits as 8 bytes.
PADDING_BYTES_MIN = 9
NODE_COMPRESSIONS = 2
# The group's block (16 words of 16 lanes), then its digests (8 words of 16 lanes).
STATE = BLOCK_WORDS * LANES
SCRATCH_WORDS = STATE + DIGEST_WORDS * LANES

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Word = np.uint32
Words = tuple[Word, ...]

u32 = np.uint32

INITIAL_WORDS = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip
ROUND_WORDS = (
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
)  # fmt: skip


def rotated(word: int, bits: int) -> int:
    """Rotate a 32-bit word right, over Python integers."""
    return (word >> bits | word << (32 - bits)) & 0xFFFFFFFF


def node_padding_words() -> list[int]:
    """Give the 64 schedule words of the block that pads a 64-byte message: always the same."""
    words = [0x80000000, *[0] * 14, BLOCK_BYTES * 8]
    for i in range(16, 64):
        near, far = words[i - 2], words[i - 15]
        mixed_near = rotated(near, 17) ^ rotated(near, 19) ^ near >> 10
        mixed_far = rotated(far, 7) ^ rotated(far, 18) ^ far >> 3
        words.append((words[i - 16] + mixed_far + words[i - 7] + mixed_near) & 0xFFFFFFFF)
    return words


def quarter(words: list[int], first: int) -> Words:
    """Give 16 of 64 words as the tuple of uint32 that one call of `sixteen` takes."""
    return tuple(u32(word) for word in words[first : first + 16])


INITIAL = tuple(u32(word) for word in INITIAL_WORDS)
K0, K1, K2, K3 = (quarter(list(ROUND_WORDS), first) for first in (0, 16, 32, 48))
PADDED_SUMS = [
    (key + word) & 0xFFFFFFFF for key, word in zip(ROUND_WORDS, node_padding_words(), strict=True)
]
P0, P1, P2, P3 = (quarter(PADDED_SUMS, first) for first in (0, 16, 32, 48))
ZEROS = quarter([0] * 16, 0)


@inlined
def rotate(word: Word, right: int, left: int) -> Word:
    """Rotate a word right by `right` bits; `left` is 32 - right."""
    return u32((word >> u32(right)) | (word << u32(left)))


@inlined
def step(
    a: Word, b: Word, c: Word, d: Word, e: Word, f: Word, g: Word, h: Word, word: Word, key: Word
) -> tuple[Word, Word]:
    """Do one round. Return the two words that change: the new `e` and the new `a`."""
    mixed_e = u32(rotate(e, 6, 26) ^ rotate(e, 11, 21) ^ rotate(e, 25, 7))
    choice = u32(g ^ (e & (f ^ g)))
    sum_h = u32(h + mixed_e + choice + u32(word + key))
    mixed_a = u32(rotate(a, 2, 30) ^ rotate(a, 13, 19) ^ rotate(a, 22, 10))
    majority = u32((a & b) | (c & (a | b)))
    return u32(d + sum_h), u32(sum_h + mixed_a + majority)


@inlined
def sixteen(state: Words, w: Words, k: Words) -> Words:
    """Do sixteen rounds on the 8 words of `state` with message words `w` and round words `k`."""
    a, b, c, d, e, f, g, h = state
    d, h = step(a, b, c, d, e, f, g, h, w[0], k[0])
    c, g = step(h, a, b, c, d, e, f, g, w[1], k[1])
    b, f = step(g, h, a, b, c, d, e, f, w[2], k[2])
    a, e = step(f, g, h, a, b, c, d, e, w[3], k[3])
    h, d = step(e, f, g, h, a, b, c, d, w[4], k[4])
    g, c = step(d, e, f, g, h, a, b, c, w[5], k[5])
    f, b = step(c, d, e, f, g, h, a, b, w[6], k[6])
    e, a = step(b, c, d, e, f, g, h, a, w[7], k[7])
    d, h = step(a, b, c, d, e, f, g, h, w[8], k[8])
    c, g = step(h, a, b, c, d, e, f, g, w[9], k[9])
    b, f = step(g, h, a, b, c, d, e, f, w[10], k[10])
    a, e = step(f, g, h, a, b, c, d, e, w[11], k[11])
    h, d = step(e, f, g, h, a, b, c, d, w[12], k[12])
    g, c = step(d, e, f, g, h, a, b, c, w[13], k[13])
    f, b = step(c, d, e, f, g, h, a, b, w[14], k[14])
    e, a = step(b, c, d, e, f, g, h, a, w[15], k[15])
    return a, b, c, d, e, f, g, h


@inlined
def mixed(w0: Word, w1: Word, w9: Word, w14: Word) -> Word:
    """Give the schedule word that follows w0 by sixteen places."""
    far = u32(rotate(w1, 7, 25) ^ rotate(w1, 18, 14) ^ (w1 >> u32(3)))
    near = u32(rotate(w14, 17, 15) ^ rotate(w14, 19, 13) ^ (w14 >> u32(10)))
    return u32(w0 + far + w9 + near)


@inlined
def scheduled(w: Words) -> Words:
    """Give the next sixteen words of the message schedule."""
    a0 = mixed(w[0], w[1], w[9], w[14])
    a1 = mixed(w[1], w[2], w[10], w[15])
    a2 = mixed(w[2], w[3], w[11], a0)
    a3 = mixed(w[3], w[4], w[12], a1)
    a4 = mixed(w[4], w[5], w[13], a2)
    a5 = mixed(w[5], w[6], w[14], a3)
    a6 = mixed(w[6], w[7], w[15], a4)
    a7 = mixed(w[7], w[8], a0, a5)
    a8 = mixed(w[8], w[9], a1, a6)
    a9 = mixed(w[9], w[10], a2, a7)
    a10 = mixed(w[10], w[11], a3, a8)
    a11 = mixed(w[11], w[12], a4, a9)
    a12 = mixed(w[12], w[13], a5, a10)
    a13 = mixed(w[13], w[14], a6, a11)
    a14 = mixed(w[14], w[15], a7, a12)
    a15 = mixed(w[15], a0, a8, a13)
    return a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15


@inlined
def added(s: Words, t: Words) -> Words:
    """Add two states word by word, as each compression ends."""
    return (
        u32(s[0] + t[0]), u32(s[1] + t[1]), u32(s[2] + t[2]), u32(s[3] + t[3]),
        u32(s[4] + t[4]), u32(s[5] + t[5]), u32(s[6] + t[6]), u32(s[7] + t[7]),
    )  # fmt: skip


@inlined
def compressed(state: Words, w: Words) -> Words:
    """Compress one block of 16 words into a state of 8 words."""
    s = sixteen(state, w, K0)
    w = scheduled(w)
    s = sixteen(s, w, K1)
    w = scheduled(w)
    s = sixteen(s, w, K2)
    w = scheduled(w)
    after: Words = added(state, sixteen(s, w, K3))
    return after


@inlined
def compressed_node_padding(state: Words) -> Words:
    """Compress the padding block of a 64-byte message, whose schedule is known beforehand."""
    s = sixteen(sixteen(state, ZEROS, P0), ZEROS, P1)
    after: Words = added(state, sixteen(sixteen(s, ZEROS, P2), ZEROS, P3))
    return after


@inlined
def block_of(scratch: U32, lane: int) -> Words:
    """Read the 16 block words of one lane."""
    return (
        scratch[lane], scratch[16 + lane], scratch[32 + lane], scratch[48 + lane],
        scratch[64 + lane], scratch[80 + lane], scratch[96 + lane], scratch[112 + lane],
        scratch[128 + lane], scratch[144 + lane], scratch[160 + lane], scratch[176 + lane],
        scratch[192 + lane], scratch[208 + lane], scratch[224 + lane], scratch[240 + lane],
    )  # fmt: skip


@inlined
def state_of(scratch: U32, lane: int) -> Words:
    """Read the 8 state words of one lane."""
    return (
        scratch[256 + lane], scratch[272 + lane], scratch[288 + lane], scratch[304 + lane],
        scratch[320 + lane], scratch[336 + lane], scratch[352 + lane], scratch[368 + lane],
    )  # fmt: skip


@inlined
def keep_state(scratch: U32, lane: int, state: Words) -> None:
    """Write the 8 state words of one lane."""
    scratch[256 + lane] = state[0]
    scratch[272 + lane] = state[1]
    scratch[288 + lane] = state[2]
    scratch[304 + lane] = state[3]
    scratch[320 + lane] = state[4]
    scratch[336 + lane] = state[5]
    scratch[352 + lane] = state[6]
    scratch[368 + lane] = state[7]


@helper
def hash_node_group(nodes: U32, indexes: I64, first: int, count: int, scratch: U32) -> None:
    """Hash up to LANES nodes, indexes[first:first+count], each from its two children.

    nodes uint32[8 * n] in heap order; scratch uint32[SCRATCH_WORDS]. Lanes beyond `count` repeat
    the last node.
    """
    for lane in range(LANES):
        index = indexes[first + lane] if lane < count else indexes[first + count - 1]
        for word in range(BLOCK_WORDS):
            scratch[LANES * word + lane] = nodes[BLOCK_WORDS * index + word]
    for lane in range(LANES):
        state = compressed(INITIAL, block_of(scratch, lane))
        keep_state(scratch, lane, compressed_node_padding(state))
    for lane in range(count):
        index = indexes[first + lane]
        for word in range(DIGEST_WORDS):
            nodes[DIGEST_WORDS * index + word] = scratch[STATE + LANES * word + lane]


@kernel("int64(uint32[::1], int64[::1], int64, uint32[::1])")
def hash_levels(nodes: U32, indexes: I64, levels: int, scratch: U32) -> int:
    """Hash the ancestors of changed nodes, level by level. Return how many nodes were hashed.

    nodes uint32[8 * n] in heap order. indexes int64[k], strictly ascending, all of one level, are
    the changed nodes; the array is overwritten. `levels` is how many levels to go up.
    """
    count = indexes.size
    hashed = 0
    for _ in range(levels):
        parents = 0
        for i in range(count):
            parent = indexes[i] >> 1
            if parents == 0 or indexes[parents - 1] != parent:
                indexes[parents] = parent
                parents += 1
        count = parents
        for first in range(0, count, LANES):
            rest = count - first
            hash_node_group(nodes, indexes, first, rest if rest < LANES else LANES, scratch)
        hashed += count
    return hashed


@helper
def edge_word(
    rows: U8, row: int, pool: U8, tail_first: int, total: int, at: int, last_at: int
) -> Word:
    """Give the message word at byte `at` where it is not wholly inside the row or the tail.

    `total` is the message's length in bytes; `last_at` is where its last word lies, the length in
    bits.
    """
    if at == last_at:
        return u32(total * 8)
    row_bytes = rows.shape[1]
    word = u32(0)
    for place in range(at, at + 4):
        byte = u32(0)
        if place < row_bytes:
            byte = u32(rows[row, place])
        elif place < total:
            byte = u32(pool[tail_first + place - row_bytes])
        elif place == total:
            byte = u32(0x80)
        word = u32((word << u32(8)) | byte)
    return word


@inlined
def joined(b0: int, b1: int, b2: int, b3: int) -> Word:
    """Join four bytes, the first one highest."""
    high = (u32(b0) << u32(24)) | (u32(b1) << u32(16))
    return u32(high | (u32(b2) << u32(8)) | u32(b3))


@helper
def load_leaf_block(
    rows: U8, row: int, pool: U8, tail_first: int, tail_bytes: int,
    start: int, last_at: int, scratch: U32, lane: int,
) -> None:  # fmt: skip
    """Put the 64 bytes of a leaf's message from byte `start` into one lane of `scratch`."""
    row_bytes = rows.shape[1]
    total = row_bytes + tail_bytes
    for i in range(BLOCK_WORDS):
        at = start + 4 * i
        if at + 4 <= row_bytes:
            word = joined(rows[row, at], rows[row, at + 1], rows[row, at + 2], rows[row, at + 3])
        elif at >= row_bytes and at + 4 <= total:
            p = tail_first + at - row_bytes
            word = joined(pool[p], pool[p + 1], pool[p + 2], pool[p + 3])
        else:
            word = edge_word(rows, row, pool, tail_first, total, at, last_at)
        scratch[LANES * i + lane] = word


@inlined
def blocks_of(message_bytes: int) -> int:
    """Give how many 64-byte blocks a message has with its padding."""
    return (message_bytes + PADDING_BYTES_MIN + BLOCK_BYTES - 1) >> 6


@kernel(
    "int64(uint8[:, ::1], int64[::1], int64[::1], uint8[::1], int64[::1], int64[::1],"
    " uint32[::1], int64[::1], uint32[::1])"
)
def hash_leaves(
    rows: U8, slots: I64, order: I64, pool: U8, tail_first: I64, tail_bytes: I64,
    nodes: U32, places: I64, scratch: U32,
) -> int:  # fmt: skip
    """Hash k leaves into digests; return the number of compressions.

    Leaf i is row slots[i] of `rows` followed by pool[tail_first[i] : tail_first[i]+tail_bytes[i]];
    its digest goes to place places[i] of `nodes`. `order` is a permutation of 0..k-1 in which
    leaves with the same number of blocks stand together.
    """
    row_bytes = rows.shape[1]
    first = 0
    compressions = 0
    while first < order.size:
        blocks = blocks_of(row_bytes + tail_bytes[order[first]])
        count = 1
        while count < LANES and first + count < order.size:
            if blocks_of(row_bytes + tail_bytes[order[first + count]]) != blocks:
                break
            count += 1
        for lane in range(LANES):
            keep_state(scratch, lane, INITIAL)
        for block in range(blocks):
            for lane in range(LANES):
                i = order[first + lane] if lane < count else order[first + count - 1]
                load_leaf_block(
                    rows, slots[i], pool, tail_first[i], tail_bytes[i],
                    BLOCK_BYTES * block, BLOCK_BYTES * blocks - 4, scratch, lane,
                )  # fmt: skip
            for lane in range(LANES):
                state = state_of(scratch, lane)
                keep_state(scratch, lane, compressed(state, block_of(scratch, lane)))
        for lane in range(count):
            place = places[order[first + lane]]
            for word in range(DIGEST_WORDS):
                nodes[DIGEST_WORDS * place + word] = scratch[STATE + LANES * word + lane]
        first += count
        compressions += count * blocks
    return compressions


class Tails(NamedTuple):
    """Bytes that follow the rows of k leaves: pool uint8[m]; first, sizes int64[k], in bytes."""

    pool: U8
    first: I64
    sizes: I64


def no_tails(count: int) -> Tails:
    """Give the tails of `count` leaves that have none."""
    nothing = np.zeros(count, dtype=np.int64)
    return Tails(np.zeros(0, dtype=np.uint8), nothing, nothing)


def rehash_ancestors(nodes: U32, changed: I64, levels: int) -> int:
    """Hash every ancestor, up to `levels` levels above, of the `changed` nodes.

    nodes uint32[8 * n] in heap order; changed int64[k], strictly ascending, of one level, kept as
    it is. Returns the number of nodes hashed.
    """
    scratch = np.zeros(SCRATCH_WORDS, dtype=np.uint32)
    # Sums of uint32 wrap by intent; only plain Python would warn of it.
    with np.errstate(over="ignore"):
        return int(hash_levels(nodes, changed.copy(), levels, scratch))


def rehash_leaves(rows: U8, slots: I64, tails: Tails, nodes: U32, places: I64) -> int:
    """Hash the leaves of `slots` into `places` of `nodes`; return the number of compressions.

    rows uint8[n, row_bytes]; slots, places int64[k]; tails of k leaves; nodes uint32[8 * m].
    """
    assert slots.size == places.size == tails.first.size == tails.sizes.size
    if slots.size == 0:
        return 0
    assert 0 <= int(slots.min()) and int(slots.max()) < rows.shape[0]
    assert 0 <= int(tails.first.min()) and 0 <= int(tails.sizes.min())
    assert int((tails.first + tails.sizes).max()) <= tails.pool.size
    assert 0 <= int(places.min()) and DIGEST_WORDS * (int(places.max()) + 1) <= nodes.size
    blocks = (tails.sizes + (rows.shape[1] + PADDING_BYTES_MIN + BLOCK_BYTES - 1)) >> 6
    if int(blocks.min()) == int(blocks.max()):
        order = np.arange(slots.size, dtype=np.int64)
    else:
        order = np.argsort(blocks, kind="stable").astype(np.int64)
    scratch = np.zeros(SCRATCH_WORDS, dtype=np.uint32)
    with np.errstate(over="ignore"):
        return int(hash_leaves(rows, slots, order, *tails, nodes, places, scratch))


def digests_of(rows: U8) -> list[bytes]:
    """Hash each row of uint8[n, row_bytes] as one message; n digests of 32 bytes."""
    count = rows.shape[0]
    nodes = np.zeros(DIGEST_WORDS * count, dtype=np.uint32)
    places = np.arange(count, dtype=np.int64)
    rehash_leaves(rows, places, no_tails(count), nodes, places)
    return [digest_at(nodes, place) for place in range(count)]


def digest_at(nodes: U32, index: int) -> bytes:
    """Give digest `index` of uint32[8 * n] as 32 bytes."""
    words = nodes[DIGEST_WORDS * index : DIGEST_WORDS * (index + 1)]
    return words.astype(">u4").tobytes()


def words_of(digest: bytes) -> U32:
    """Give a digest of 32 bytes as uint32[8]."""
    assert len(digest) == DIGEST_BYTES
    return np.frombuffer(digest, dtype=">u4").astype(np.uint32)
