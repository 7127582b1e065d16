#!/usr/bin/env python3
"""Makes vandermonde.json, apart from our code and in another way: the matrix product and inversion of Backblaze's JavaReedSolomon. Run once."""
import hashlib, json, os

def mul(a, b):
    p = 0
    while b:
        if b & 1: p ^= a
        a <<= 1
        if a & 256: a ^= 0x11D
        b >>= 1
    return p

def power(a, n):
    r = 1
    for _ in range(n): r = mul(r, a)
    return r

INVERSE = {a: next(b for b in range(1, 256) if mul(a, b) == 1) for a in range(1, 256)}

def product(a, b):
    out = []
    for row in a:
        acc = [0] * len(b[0])
        for c, brow in zip(row, b):
            acc = [x ^ mul(c, y) for x, y in zip(acc, brow)]
        out.append(acc)
    return out

def inverse(m):
    n = len(m)
    w = [row[:] + [int(i == j) for j in range(n)] for i, row in enumerate(m)]
    for c in range(n):
        p = next(r for r in range(c, n) if w[r][c])
        w[c], w[p] = w[p], w[c]
        f = INVERSE[w[c][c]]
        w[c] = [mul(f, x) for x in w[c]]
        for r in range(n):
            if r != c and w[r][c]:
                g = w[r][c]
                w[r] = [x ^ mul(g, y) for x, y in zip(w[r], w[c])]
    return [row[n:] for row in w]

vectors = []
for k, m in [(1, 1), (2, 1), (2, 2), (3, 3), (4, 2), (5, 5), (6, 3), (10, 4), (17, 3), (28, 4)]:
    vandermonde = [[power(r, c) for c in range(k)] for r in range(k + m)]
    parity = product(vandermonde[k:], inverse(vandermonde[:k]))
    data = [list(hashlib.shake_128(f'{k}+{m} shard {i}'.encode()).digest(70)) for i in range(k)]
    shards = [bytes(x).hex() for x in data + product(parity, data)]
    vectors.append({'dataShards': k, 'parityShards': m, 'matrix': [bytes(row).hex() for row in parity], 'shards': shards})
with open(os.path.join(os.path.dirname(__file__), 'vandermonde.json'), 'w') as f:
    json.dump(vectors, f, indent=1)
    f.write('\n')
