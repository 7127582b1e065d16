#!/usr/bin/env python3
"""Makes shards.json from docs/formats.md#extent alone, apart from our code. Run once. `matrix` comes from ../erasure/make.py's construction."""
import hashlib, json, os, struct

M64 = 2**64 - 1
P1, P2, P3, P4, P5 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
rotl = lambda x, r: ((x << r) | (x >> (64 - r))) & M64
rnd = lambda acc, lane: (rotl((acc + lane * P2) & M64, 31) * P1) & M64

def xxh64(data, seed):
    n, at = len(data), 0
    if n >= 32:
        v = [(seed + P1 + P2) & M64, (seed + P2) & M64, seed, (seed - P1) & M64]
        while at + 32 <= n:
            lanes = struct.unpack_from('<4Q', data, at)
            v = [rnd(a, b) for a, b in zip(v, lanes)]
            at += 32
        h = (rotl(v[0], 1) + rotl(v[1], 7) + rotl(v[2], 12) + rotl(v[3], 18)) & M64
        for a in v: h = ((h ^ rnd(0, a)) * P1 + P4) & M64
    else:
        h = (seed + P5) & M64
    h = (h + n) & M64
    while at + 8 <= n:
        h = (rotl(h ^ rnd(0, struct.unpack_from('<Q', data, at)[0]), 27) * P1 + P4) & M64
        at += 8
    if at + 4 <= n:
        h = (rotl(h ^ (struct.unpack_from('<I', data, at)[0] * P1) & M64, 23) * P2 + P3) & M64
        at += 4
    while at < n:
        h = (rotl(h ^ (data[at] * P5) & M64, 11) * P1) & M64
        at += 1
    h = ((h ^ (h >> 33)) * P2) & M64
    h = ((h ^ (h >> 29)) * P3) & M64
    return h ^ (h >> 32)

assert xxh64(b'', 0) == 0xEF46DB3751D8E999 and xxh64(b'abc', 0) == 0x44BC2CF5AD770999

def mul(a, b):
    p = 0
    while b:
        if b & 1: p ^= a
        a <<= 1
        if a & 256: a ^= 0x11D
        b >>= 1
    return p

MATRIX = json.load(open(os.path.join(os.path.dirname(__file__), '../erasure/vandermonde.json')))
UNIT = 131072
POOL = bytes.fromhex('00112233445566778899aabbccddeeff')

def shards(k, m, start, counter, content):
    rows = [bytes.fromhex(r) for v in MATRIX if (v['dataShards'], v['parityShards']) == (k, m) for r in v['matrix']]
    tables = [[bytes(mul(c, x) for x in range(256)) for c in row] for row in rows]
    headers = []
    for s in range(k + m):
        h = b'HFEX' + bytes([1, k, m, s]) + POOL + struct.pack('<QQIH', start, counter, UNIT, 0) + bytes(10)
        headers.append(h + struct.pack('<Q', xxh64(h, 0)))
    files = headers[:]
    for stripe, at in enumerate(range(0, len(content), k * UNIT)):
        part = content[at:at + k * UNIT]
        u = UNIT if len(part) == k * UNIT else (-(-len(part) // k) + 63) // 64 * 64
        data = [part[i * u:(i + 1) * u] for i in range(k)]
        long = len(data[0])
        padded = [d + bytes(long - len(d)) for d in data]
        parity = []
        for row in tables:
            acc = 0
            for t, d in zip(row, padded): acc ^= int.from_bytes(d.translate(t), 'little')
            parity.append(acc.to_bytes(long, 'little'))
        for s, unit in enumerate(data + parity):
            if not unit: continue
            seed = (struct.unpack('<Q', headers[s][56:])[0] + stripe) & M64
            record = unit + bytes(24)
            files[s] += record + struct.pack('<Q', xxh64(record, seed))
    name = lambda s: f'extents/{start:x}/{counter // 4096:x}/{counter:x}.{s}'
    return [{'file': name(s), 'bytes': len(f), 'head': f[:64].hex(), 'sha256': hashlib.sha256(f).hexdigest()} for s, f in enumerate(files)]

vectors = []
for k, m, counter, size in [(2, 1, 0, 0), (2, 1, 1, 100), (2, 1, 2, 2 * 2 * UNIT + 1000), (1, 1, 0xABCDE, 65), (4, 2, 7, UNIT * 5 + 3)]:
    content = bytes((i * 7 + (i >> 8) * 13) & 255 for i in range(size))
    vectors.append({'dataShards': k, 'parityShards': m, 'start': 26, 'counter': counter, 'bytes': size, 'shards': shards(k, m, 26, counter, content)})
with open(os.path.join(os.path.dirname(__file__), 'shards.json'), 'w') as f:
    json.dump(vectors, f, indent=2)
    f.write('\n')
