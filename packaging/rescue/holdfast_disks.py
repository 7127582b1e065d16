"""What lies on the disks of a Holdfast site: records of the journal, and bytes of extents. Formats: docs/formats.md."""
import json, mmap, struct, sys
from pathlib import Path
from holdfast_codes import MASK, cbor, shard_from, xxh64

UNIT = 131072


class Lost(Exception):
    """Bytes cannot be had from any of the disks."""


class Disks:
    def __init__(self, folders):
        self.places, self.segments, self.losses, pools, sets = {}, {}, [], set(), {}
        for folder in map(Path, folders):
            identity = json.loads((folder / "identity.json").read_bytes().splitlines()[0])
            pools.add(identity["pool"])
            sets[identity["set"]] = identity["data"], identity["parity"]
            self.places.setdefault((identity["set"], identity["place"]), []).append(folder)
            for path in (folder / "journal").glob("[0-9a-f]" * 8):
                with path.open("rb") as file:
                    copy = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size > 4096 else b""
                self.segments.setdefault(int(path.name, 16), []).append(copy)
        if len(pools) != 1:
            sys.exit("These are not the disks of one site.")
        self.pool = bytes.fromhex(pools.pop())
        for number, (k, m) in sets.items():
            missing = k + m - sum(number == place[0] for place in self.places)
            if missing > m:
                self.report(f"{missing} disks of set {number} are missing, which has parity for {m}: the newest changes may be missing too.")

    def report(self, sentence):
        self.losses.append(sentence)
        print(sentence, file=sys.stderr)

    def records(self):
        """All records: of the newest segment, and of those before it, each of which is named, with its end, by the next."""
        heads = {}
        for number, copies in self.segments.items():
            for head in (copy[:4096] for copy in copies if copy):
                name, pool, generation, previous, end = struct.unpack_from("<I16sQ16xII", head, 12)
                seed = int.from_bytes(head[4088:], "little")
                if (head[:10], name, pool, xxh64(head[:4088])) == (b"HFSEGMNT\1\1", number, self.pool, seed):
                    heads[number] = max(heads.get(number, (-1,)), (generation, previous, end, seed))
        number, end = max(heads, key=lambda each: (heads[each][0], each), default=0), None
        while number in heads:
            yield from self.segment(number, heads[number][3], end)
            _, number, end, _ = heads[number]
        if number or not heads:
            self.report(f"Segment {number} of the journal is on none of the disks: what it and those before say is missing.")

    def segment(self, number, seed, end):
        at, found = 4096, []
        while at > 0 and (end is None or at < end):
            record = next((record for copy in self.segments[number] if (record := self.record(copy, number, at, seed))), None)
            if record:
                found.append(record)
            later = (copy.find(b"HFRC", at + 1) for copy in self.segments[number])
            at = record[7] if record else min((each for each in later if each > 0), default=0)
        if found and end is None and found[-1][5] + 1 < found[-1][6]:  # The last batch is not whole: it was never acknowledged.
            found = [record for record in found if record[0] < found[-1][0] - found[-1][5]]
        if found and (found[-1][0] - found[0][0] >= len(found) or end not in (None, found[-1][7])):
            self.report(f"Records of the journal's segment {number} are damaged on all disks: what they say is missing.")
        return found

    def record(self, copy, number, at, seed):
        """Sequence, kind, clock, metadata, body as a slice, place in the batch, records in the batch, end. None if it is not whole."""
        head = copy[at : at + 72]
        if head[:5] != b"HFRC\1" or len(head) < 72:
            return None
        kind, index, sequence, clock, size, body, batch, place, checksum, of_body, _, own = struct.unpack("<5xBHQQIIH2xIQQQQ", head)
        metadata = copy[at + 72 : at + 72 + size]
        if place != at or xxh64(head[:64], seed) != own or xxh64(metadata) != checksum:
            return None
        slice = [1, 0, body, number, at + 72 + size, body, of_body >> 32, of_body & 0xFFFFFFFF, sequence]
        return sequence, kind, clock, cbor(metadata)[0], slice, index, batch, at + 72 + size + body + 7 & ~7

    def body(self, number, at, size, high, low, _):
        for copy in self.segments.get(number, []):
            if xxh64(copy[at : at + size]) == high << 32 | low:
                return copy[at : at + size]
        raise Lost

    def extent(self, place, low, high):
        _, _, _, size, k, m = place
        for stripe in range(low // (k * UNIT), -(-high // (k * UNIT))):
            begin, shards = stripe * k * UNIT, {}
            rest = min(size - begin, k * UNIT)
            unit = -(-rest // (64 * k)) * 64
            for shard in range(k + m):
                stored = min(unit, max(0, rest - (unit * shard if shard < k else 0)))
                content = self.unit(place, shard, stripe, stored) if stored else b""
                if content is not None and len(shards) < k:
                    shards[shard] = content.ljust(unit, b"\0")
            if len(shards) < k:
                raise Lost
            yield b"".join(shards.get(s) or shard_from(shards, s) for s in range(k))[max(0, low - begin) : min(high - begin, rest)]

    def unit(self, place, shard, stripe, stored):
        number, start, counter, _, k, m = place
        seed = xxh64(struct.pack("<4s4B16sQQIH10x", b"HFEX", 1, k, m, shard, self.pool, start, counter, UNIT, number)) + stripe & MASK
        for folder in self.places.get((number, (shard + counter) % (k + m)), []):
            try:
                with (folder / f"extents/{start:x}/{counter // 4096:x}/{counter:x}.{shard}").open("rb") as file:
                    file.seek(64 + stripe * (UNIT + 32))
                    record = file.read(stored + 32)
            except OSError:
                continue
            if xxh64(record[:-8], seed) == int.from_bytes(record[-8:], "little") and not any(record[stored:-8]):
                return record[:stored]
        return None
