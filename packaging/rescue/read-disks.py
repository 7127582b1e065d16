#!/usr/bin/env python3
"""Reads objects off the disks of a Holdfast site, without Holdfast and without writing to them: read-disks.py DISK... [--into FOLDER] [--only TEXT]

Prints each version as a line of JSON, newest first within a key. With --into the current objects go to FOLDER/BUCKET/KEY; older versions, and keys that no
file can have, go to FOLDER/_others; "file" says where. Of each set as many disks as it has parity may be missing. Ends with 3 if something is lost.
Needs Python 3.9, nothing else, and the two files beside it. Formats: docs/formats.md, from "Disk identity" to "Record metadata".
"""
import argparse, base64, datetime, json, struct, sys
from pathlib import Path

sys.dont_write_bytecode = True  # The scripts may lie on a medium that is read-only.
from holdfast_codes import cbor
from holdfast_disks import Disks, Lost

KINDS = {"put-object": 5, "put-marker": 6, "delete-version": 7, "put-tags": 8}


def ordered(position):
    return position["clock"], position["site"], position["sequence"]


def id_of(clock, site, sequence):
    return base64.urlsafe_b64encode(struct.pack(">Q16sQ", clock, bytes.fromhex(site), sequence)).decode().rstrip("=")


class Site:
    def __init__(self, folders):
        self.disks = Disks(folders)
        self.buckets, self.versions, self.gone, self.tags, self.parts, self.manifests = {}, {}, set(), {}, {}, {}
        records = sorted(self.disks.records(), key=lambda record: record[0])
        self.id = next((fields["origin"]["site"] for _, kind, _, fields, *_ in records if kind == 1), "0" * 32)
        for sequence, kind, clock, fields, body, *_ in records:
            self.apply(sequence, kind, (clock, self.id, sequence), fields, body)

    def apply(self, sequence, kind, position, fields, body):
        """What a record does. A bucket that was deleted and still has versions was brought back by a merge."""
        if kind == 16:  # A change of another site. Its bucket was adopted, perhaps under another name.
            if fields.get("twin"):  # It has another number since its site began a new epoch; nothing else is new.
                return
            kind, position = KINDS.get(fields["change"]["kind"]), ordered(fields["position"])
            fields = {**fields, **fields["change"], "isNull": fields["change"].get("versionId") == "null"}
        elif kind == 20:  # What another site had removed, brought back in its old place.
            kind, position = 6 if fields["isMarker"] else 5, ordered(fields["position"])
        bucket, of_key = fields.get("bucket"), (fields.get("bucket"), fields.get("key"))
        if kind in (1, 15) and not fields.get("merged"):
            self.buckets[bucket] = fields["name"]
        elif kind in (5, 6, 11):
            if fields.get("replaces"):
                self.remove(of_key, ordered(fields["replaces"]))
            slices = [] if kind == 6 else self.slices(kind, fields, body)
            self.manifests[sequence] = slices
            if (of_key, position) not in self.gone and slices is not None:
                self.versions.setdefault(of_key, {})[position] = (kind == 6, fields, slices)
        elif kind == 7:
            self.remove(of_key, ordered(fields["target"]))
        elif kind == 8:
            target = (of_key, ordered(fields["target"]))
            self.tags[target] = max(self.tags.get(target, ((0,),)), (position, fields["tags"]))
        elif kind == 10:
            self.parts[sequence] = self.slices(kind, fields, body)

    def remove(self, of_key, position):
        self.versions.get(of_key, {}).pop(position, None)
        self.gone.add((of_key, position))  # A merge may bring it later: it stays away then.

    def slices(self, kind, fields, body):
        if kind == 11:
            return [slice for part in fields["parts"] for slice in self.parts.get(part["owner"], [[0, 0, part["bytes"]]])]
        content = fields.get("content") or {"kind": "gone"}
        if content["kind"] == "extent":
            place = content["place"]
            return [[2, 0, place["bytes"], *(place[name] for name in ("set", "start", "counter", "bytes", "dataShards", "parityShards"))]]
        return {"gone": None, "none": [], "body": [body]}.get(content["kind"], content.get("slices"))

    def read(self, slices, start, end):
        for kind, first, last, *where in slices:
            low, high = first + max(start, 0), min(first + end, last)
            start, end = start - (last - first), end - (last - first)
            if low >= high:
                continue
            if kind == 1:
                yield self.disks.body(*where)[low:high]
            elif kind == 2:
                yield from self.disks.extent(where, low, high)
            elif kind == 3 and self.manifests.get(where[0]):
                yield from self.read(self.manifests[where[0]], low, high)
            else:
                raise Lost

    def listing(self):
        name = lambda each: self.buckets.get(each[0], f"bucket {each[0]}")
        for of_key in sorted(self.versions, key=lambda each: (name(each), each[1].encode(errors="surrogateescape"))):
            held = sorted(self.versions[of_key].items(), reverse=True)
            null = next((position for position, (_, fields, _) in held if fields["isNull"]), None)
            for position, (is_marker, fields, slices) in held:
                named = "null" if position == null else fields.get("versionId", "null")
                modified = datetime.datetime.fromtimestamp(position[0] // 1000 / 1000, datetime.timezone.utc).isoformat()
                entry = {"bucket": name(of_key), "key": of_key[1], "version": named if position == null or named not in ("", "null") else id_of(*position),
                         "latest": position == held[0][0], "modified": modified}
                if not is_marker:
                    packed = fields["attributes"] if isinstance(fields["attributes"], dict) else cbor(fields["attributes"])[0]
                    tags = self.tags.get((of_key, position), (0, packed.get("t", packed.get("tags", []))))[1]
                    entry.update(bytes=fields["bytes"], etag=fields.get("etag", packed.get("etag")), headers=packed.get("h", packed.get("headers", {})),
                                 metadata=packed.get("m", packed.get("userMetadata", [])), tags=tags)
                yield entry, None if is_marker else slices


def save(site, into, entry, slices, number):
    target = into / entry["bucket"] / entry["key"]
    try:
        if not entry["latest"] or {"", ".", ".."} & {*f"{entry['bucket']}/{entry['key']}".split("/")}:
            raise OSError
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    except OSError:  # A name too long, or another key lies below this one.
        target = into / "_others" / str(number)
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    try:
        with file:
            size = sum(file.write(piece) for piece in site.read(slices, 0, entry["bytes"]))
        if size == entry["bytes"]:
            return str(target.relative_to(into))
    except Lost:
        pass
    target.unlink()
    site.disks.report(f"{entry['bucket']}/{entry['key']}, version {entry['version']}, cannot be read from these disks.")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("disks", nargs="+", metavar="DISK", help="the directory of a disk")
    arguments.add_argument("--into", type=Path, metavar="FOLDER", help="a new folder for the objects")
    arguments.add_argument("--only", default="", metavar="TEXT", help="only what BUCKET/KEY begins with")
    given = arguments.parse_args()
    site = Site(given.disks)
    if given.into:
        given.into.mkdir()
    for number, (entry, slices) in enumerate(site.listing(), 1):
        if f"{entry['bucket']}/{entry['key']}".startswith(given.only):
            if given.into and slices is not None:
                entry["file"] = save(site, given.into, entry, slices, number)
            print(json.dumps(entry))
    sys.exit(3 if site.disks.losses else 0)


main()
