#!/usr/bin/env python3
"""Makes photos.digest and photos.json from docs/formats.md#bucket-digest alone, apart from our code. Run once."""
import hashlib, base64, json
def canon(v): return json.dumps(v, sort_keys=True, separators=(',', ':'), ensure_ascii=False)
def leaf(key, texts):
    return hashlib.sha384(b'\0' + (json.dumps(key, ensure_ascii=False) + '\n' + ''.join(t + '\n' for t in texts)).encode()).digest()
def node(a, b): return hashlib.sha384(b'\1' + a + b).digest()
def root(l):
    if len(l) == 1: return l[0]
    k = 1
    while k * 2 < len(l): k *= 2
    return node(root(l[:k]), root(l[k:]))
S = 'aa' * 16
pos = lambda n: f'{1763900000000000 + n}/{S}/{n}'
obj = lambda n, **more: canon({'bytes': 3, 'checksum': None, 'digest': None, 'etag': '900150983cd24fb0d6963f7d28e17f72', 'headers': {}, 'kind': 'object', 'metadata': [], 'parts': [], 'position': pos(n), 'tags': [], 'version': 'null', **more})
marker = lambda n: canon({'kind': 'delete-marker', 'position': pos(n), 'version': f'v{n}'})
keys = [('a', [obj(2, headers={'contentType': 'text/plain'}, metadata=[['by', 'hand']], tags=[['colour', 'blue']])]),
        ('a/"b"', [marker(5), obj(4, version='v4', checksum={'algorithm': 'SHA256', 'type': 'FULL_OBJECT', 'value': 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='})]),
        ('z', [obj(6, bytes=5, etag='e' * 32 + '-2', parts=[[1, 3, 'a' * 32, 1763900000000], [2, 2, 'b' * 32, 1763900000001, 'CRC32', 'FULL_OBJECT', 'AAAAAA==']])]),
        ('ä', [obj(7)]), ('\U0001f600', [obj(8)])]
keys.sort(key=lambda k: k[0].encode())
leaves = [('', 0, leaf('', [canon({'configuration': {'tagging': '[]'}, 'versioning': 'enabled'})]))] + [(k, len(t), leaf(k, t)) for k, t in keys]
lines = canon({'bucket': pos(1), 'content': 0, 'format': 1, 'holds': {f'{S}/1': [[1, 8]]}, 'kind': 'bucket-digest', 'made': '2026-11-23T12:00:00.000Z', 'name': 'photos', 'site': S}) + '\n'
for k, n, l in leaves: lines += f'{base64.b64encode(l).decode()} {n} {json.dumps(k, ensure_ascii=False)}\n'
digest = root([l for _, _, l in leaves]).hex()
lines += canon({'digest': digest, 'keys': len(keys), 'lines': hashlib.sha384(lines.encode()).hexdigest()}) + '\n'
open('photos.digest', 'w').write(lines)
json.dump({'digest': digest, 'versions': {k: t for k, t in keys}, 'bucket': {'configuration': {'tagging': '[]'}, 'versioning': 'enabled'}}, open('photos.json', 'w'), indent=1, ensure_ascii=False)
