"""What read-disks.py needs and Python lacks: XXH64, CBOR (RFC 8949, as much as Holdfast writes), and the Reed-Solomon code of its extents."""
import functools
import struct

MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def turned(value, by):
    value &= MASK
    return (value << by | value >> 64 - by) & MASK


def mixed(lane, word):
    return turned(lane + word * P2, 31) * P1 & MASK


def xxh64(data, seed=0):
    """XXH64 as Yann Collet specifies it."""
    lanes, at = [seed + P1 + P2, seed + P2, seed, seed - P1], len(data) & ~31
    for words in struct.iter_unpack("<4Q", data[:at]):
        lanes = [*map(mixed, lanes, words)]
    total = sum(map(turned, lanes, (1, 7, 12, 18))) if at else seed + P5
    for lane in lanes if at else ():
        total = (total ^ mixed(0, lane)) * P1 + P4 & MASK
    total = total + len(data) & MASK
    while at < len(data):
        size = next(size for size in (8, 4, 1) if size <= len(data) - at)
        word, at = int.from_bytes(data[at : at + size], "little"), at + size
        if size == 8:
            total = turned(total ^ mixed(0, word), 27) * P1 + P4 & MASK
        elif size == 4:
            total = turned(total ^ word * P1 & MASK, 23) * P2 + P3 & MASK
        else:
            total = turned(total ^ word * P5 & MASK, 11) * P1 & MASK
    total = (total ^ total >> 33) * P2 & MASK
    total = (total ^ total >> 29) * P3 & MASK
    return total ^ total >> 32


try:
    from xxhash import xxh64_intdigest as xxh64  # Not needed, but many times faster.
except ImportError:
    pass


def cbor(data, at=0):
    """The value that begins at a place of `data`, and where it ends."""
    kind, number = divmod(data[at], 32)
    at += 1
    if number > 23:
        size = 1 << number - 24
        raw, at = data[at : at + size], at + size
        number = struct.unpack({2: ">e", 4: ">f", 8: ">d"}[size], raw)[0] if kind == 7 and size > 1 else int.from_bytes(raw, "big")
    if kind == 7:  # Floats are whole numbers above 2^32 here.
        return (int(number) if isinstance(number, float) else {20: False, 21: True}.get(number)), at
    if kind in (2, 3):
        content, at = bytes(data[at : at + number]), at + number
        return (content if kind == 2 else content.decode(errors="surrogateescape")), at
    if kind in (4, 5):
        items = []
        for _ in range(number if kind == 4 else 2 * number):
            item, at = cbor(data, at)
            items.append(item)
        return (items if kind == 4 else dict(zip(items[::2], items[1::2]))), at
    return (-1 - number if kind == 1 else number), at


@functools.lru_cache(None)
def times(factor):
    """A table for bytes.translate: multiplies bytes by `factor` in GF(2^8) with the polynomial 0x11D."""
    table = [0]
    for _ in range(8):
        table += [value ^ factor for value in table]
        factor = factor << 1 ^ (0x11D if factor & 128 else 0)
    return bytes(table)


def shard_from(others, wanted):
    """One shard from k others, by number: shard x is the value at x of a polynomial (Lagrange). Subtracting is XOR, dividing a search in times()."""
    total = 0
    for x, content in others.items():
        factor = 1
        for other in others.keys() - {x}:
            factor = times(times(factor)[wanted ^ other])[times(x ^ other).index(1)]
        total ^= int.from_bytes(content.translate(times(factor)), "little")
    return total.to_bytes(len(next(iter(others.values()))), "little")
