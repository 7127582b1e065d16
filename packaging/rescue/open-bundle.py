#!/usr/bin/env python3
"""Opens a Holdfast bundle without Holdfast: python3 open-bundle.py KEYS.json OUT FOLDER...

KEYS.json is the private key file of the receiving site (SITE/keys). OUT is a new folder for what comes out: statement, operations/N, content/DIGEST.
Needs Python 3.11 and its package "cryptography" 48 or newer, nothing else. Format: docs/formats.md#bundle. Damaged bundles need Holdfast itself (parity).
"""
import base64, hashlib, hmac, io, json, struct, sys, tarfile
from pathlib import Path
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, mlkem
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MIB = 1 << 20
KINDS = {1: "identity", 2: "preamble", 3: "trailer", 4: "manifest"}


def sha384(data):
    return hashlib.sha384(data).digest()


def hkdf(key, salt, info, length):
    secret = hmac.digest(salt or bytes(48), key, "sha384")
    return hmac.digest(secret, info + b"\x01", "sha384")[:length]


def document(data, kind):
    """The body and the signatures of a signed document."""
    magic, version, number, suite, body_bytes, count = struct.unpack_from("<8sHBBIH", data)
    assert (magic, version, KINDS.get(number), suite) == (b"HOLDFAST", 1, kind, 1), f"no {kind} of version 1, suite hybrid-1"
    end = 64 + body_bytes
    records = [data[end + 4739 * i : end + 4739 * (i + 1)] for i in range(count)]
    return data[64:end], [(record[:16].hex(), record[16:]) for record in records]


def verify(identity, kind, body, signatures):
    """Raises InvalidSignature unless the first signature is this identity's."""
    signer, signature = signatures[0]
    assert signer == identity["site"], "signed by somebody else"
    media_type = f"application/vnd.holdfast.{kind}.v1+json".encode()
    message = b"DSSEv1 %d %s %d " % (len(media_type), media_type, len(body)) + body
    mldsa.MLDSA87PublicKey.from_public_bytes(identity["mldsa"]).verify(signature[:4627], message)
    r, s = (int.from_bytes(signature[at : at + 48], "big") for at in (4627, 4675))
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), identity["p384"])
    point.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA384()))


def read_identity(data):
    body, signatures = document(data, "identity")
    fields = json.loads(body)
    identity = {
        "site": fields["site"],
        "mldsa": base64.b64decode(fields["signing"]["mldsa87"]),
        "p384": base64.b64decode(fields["signing"]["p384"]),
        "encryption": [base64.b64decode(key["mlkem1024p384"]) for key in fields["encryption"]],
    }
    identity["digest"] = sha384(identity["mldsa"] + identity["p384"])
    assert identity["digest"][:16].hex() == identity["site"], "the site id is not that of the keys"
    verify(identity, "identity", body, signatures)
    return identity


def fingerprint(identity):
    keys = identity["mldsa"] + identity["p384"] + b"".join(identity["encryption"])
    number = int.from_bytes(sha384(bytes.fromhex(identity["site"]) + keys)[:20], "big")
    text = "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number >> (155 - 5 * i) & 31] for i in range(32))
    return "-".join(text[at : at + 4] for at in range(0, 32, 4))


def bundle_key(preamble, sender, keys):
    for recipient in preamble["recipients"]:
        for key in keys["encryption"] if recipient["site"] == keys["site"] else []:
            full = hashlib.shake_256(base64.b64decode(key["seed"])).digest(112)
            kem = mlkem.MLKEM1024PrivateKey.from_seed_bytes(full[:64])
            curve = ec.derive_private_key(int.from_bytes(full[64:], "big"), ec.SECP384R1())
            info = sha384(
                b"holdfast-bundle-key\0" + struct.pack("<HH", 1, 1) + bytes.fromhex(preamble["bundle"])
                + bytes.fromhex(sender["site"]) + struct.pack("<Q", preamble["sender"]["epoch"]) + sender["digest"]
                + bytes.fromhex(recipient["site"]) + bytes.fromhex(recipient["key"])
            )  # fmt: skip
            suite = hpke.Suite(hpke.KEM.MLKEM1024_P384, hpke.KDF.HKDF_SHA384, hpke.AEAD.AES_256_GCM)
            sealed = base64.b64decode(recipient["encapsulated"]) + base64.b64decode(recipient["wrapped"])
            return suite.decrypt(sealed, hpke.MLKEM1024P384PrivateKey(kem, curve), info)
    sys.exit("This bundle is not sealed to this site.")


def tree_root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha384(b"\1" + tree_root(leaves[:split]) + tree_root(leaves[split:]))


def open_volume(data, key, bundle, index, root):
    """The archive in a volume. The whole volume is in memory: this is a script for rescue, not for speed."""
    rows = [data[at : at + MIB] for at in range(0, len(data), MIB)]
    assert tree_root([sha384(b"\0" + row) for row in rows]).hex() == root, f"volume {index} is damaged"
    cipher = AESGCM(hkdf(key, rows[0][:32], b"volume" + struct.pack("<I", index), 32))
    rows[0] = rows[0][32:]
    nonce = lambda number: number.to_bytes(11, "big") + bytes([number == len(rows) - 1])
    return b"".join(cipher.decrypt(nonce(i), row, bundle + struct.pack("<I", index)) for i, row in enumerate(rows))


def main(keys_file, out, folders):
    find = lambda name: next(Path(folder, name) for folder in folders if Path(folder, name).exists()).read_bytes()
    keys = json.loads(Path(keys_file).read_text())
    body, signatures = document(find("preamble"), "preamble")
    line, commitment = body.decode().splitlines(keepends=True)
    preamble = json.loads(line)
    sender = read_identity(base64.b64decode(preamble["sender"]["identity"]))
    verify(sender, "preamble", body, signatures)
    print(f"Signed by site {sender['site']}, fingerprint {fingerprint(sender)}. Compare it before you trust what comes out.")
    key = bundle_key(preamble, sender, keys)
    assert hkdf(key, b"", b"commit" + sha384(line.encode()), 32).hex() == commitment.strip(), "sender or recipients were changed"
    manifest_body, signatures = document(find("manifest"), "manifest")
    verify(sender, "manifest", manifest_body, signatures)
    manifest = json.loads(manifest_body)
    assert (manifest["bundle"], manifest["preamble"]) == (preamble["bundle"], sha384(body).hex()), "parts of two bundles"
    Path(out).mkdir()
    volumes = [volume for group in manifest["groups"] for volume in group["volumes"]]
    for index, volume in enumerate(volumes, 1):
        archive = open_volume(find(f"volume-{index:05}.tar.sealed"), key, bytes.fromhex(preamble["bundle"]), index, volume["root"])
        for member in tarfile.open(fileobj=io.BytesIO(archive), mode="r:"):
            target = Path(out, member.name).parent
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("ab") as file:
                file.write(archive[member.offset_data : member.offset_data + member.size])
    print(f"Bundle {preamble['bundle']}: {len(volumes)} volumes are in {out}.")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
