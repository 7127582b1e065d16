/** Trailers, which vouch for one volume, and the manifest, which closes a bundle and vouches for all. Format: docs/formats.md#bundle. */
import { hash } from 'node:crypto'
import { signDocument } from './document.ts'
import {
  DIGEST_BYTES,
  FORMAT_VERSION,
  GROUP_PARITY_MAX,
  GROUP_VOLUMES_MAX,
  parityName,
  ROW_BYTES,
  VOLUME_BYTES_MAX,
  VOLUMES_MAX,
  volumeName,
} from './format.ts'
import type { PrivateIdentity } from './identity.ts'
import { parseJson } from './json.ts'
import { TreeRoot } from './merkle.ts'

/** Length of a volume or parity volume in bytes, and the root of the tree over its rows: 96 hexadecimal digits. */
export type VolumeRecord = { readonly bytes: number; readonly root: string }
export type Group = { readonly volumes: readonly VolumeRecord[]; readonly parity: readonly VolumeRecord[] }
export type Manifest = {
  readonly bundleId: string
  /** SHA-384 of the preamble's body. */
  readonly preamble: string
  readonly groups: readonly Group[]
  /** SHA-384 of the manifest's body: stands for the whole bundle. */
  readonly digest: string
}

export const rowCount = (bytes: number): number => Math.ceil(bytes / ROW_BYTES)
/** Length of row `row` of a volume of `bytes` bytes; 0 behind its end. */
export const rowBytes = (bytes: number, row: number): number => Math.max(0, Math.min(ROW_BYTES, bytes - row * ROW_BYTES))

export type NamedVolume = { readonly name: string; readonly record: VolumeRecord }

/** The files of each group by name: data volumes, then parity volumes. */
export function namedGroups(
  groups: readonly Group[],
): { readonly data: readonly NamedVolume[]; readonly parity: readonly NamedVolume[] }[] {
  let index = 0
  return groups.map((group, at) => ({
    data: group.volumes.map((record) => ({ name: volumeName(++index), record })),
    parity: group.parity.map((record, number) => ({ name: parityName(at + 1, number + 1), record })),
  }))
}

export function writeManifest(signer: PrivateIdentity, bundleId: string, preambleDigest: string, groups: readonly Group[]): Buffer {
  const plain = ({ bytes, root }: VolumeRecord): VolumeRecord => ({ bytes, root })
  const listed = groups.map(({ volumes, parity }) => ({ volumes: volumes.map(plain), parity: parity.map(plain) }))
  const body = Buffer.from(JSON.stringify({ format: FORMAT_VERSION, bundle: bundleId, preamble: preambleDigest, groups: listed }))
  return signDocument('manifest', bundleId, body, signer)
}

/** Undefined if it is malformed, or describes what the writer would not have written. */
export function readManifest(body: Uint8Array): Manifest | undefined {
  const record = { bytes: 0, root: '' }
  const readRecords = (fields: Parameters<Parameters<typeof parseJson>[1]>[0], name: string, min: number, max: number): (typeof record)[] =>
    fields.list(name, min, max, (volume) => ({
      bytes: volume.integer('bytes', 1, VOLUME_BYTES_MAX),
      root: volume.hex('root', DIGEST_BYTES),
    }))
  const read = parseJson(body, (fields) => {
    fields.is('format', FORMAT_VERSION)
    return {
      bundleId: fields.hex('bundle', 16),
      preamble: fields.hex('preamble', DIGEST_BYTES),
      groups: fields.list('groups', 1, VOLUMES_MAX, (group) => ({
        volumes: readRecords(group, 'volumes', 1, GROUP_VOLUMES_MAX),
        parity: readRecords(group, 'parity', 0, GROUP_PARITY_MAX),
      })),
    }
  })
  if (read === undefined) return undefined
  const volumeCount = read.groups.reduce((sum, group) => sum + group.volumes.length, 0)
  const sound = read.groups.every(({ volumes, parity }) => {
    const longest = Math.max(...volumes.map((volume) => volume.bytes))
    return parity.every((volume) => volume.bytes === longest)
  })
  return sound && volumeCount <= VOLUMES_MAX ? { ...read, digest: hash('sha384', body, 'hex') } : undefined
}

/** The whole file: signed document, then the leaf hashes. */
export function writeTrailer(
  signer: PrivateIdentity,
  bundleId: string,
  name: string,
  record: VolumeRecord,
  leaves: readonly Uint8Array[],
): Buffer {
  const { bytes, root } = record
  const body = Buffer.from(JSON.stringify({ format: FORMAT_VERSION, bundle: bundleId, name, bytes, root }))
  return Buffer.concat([signDocument('trailer', bundleId, body, signer), ...leaves])
}

export function readTrailer(
  body: Uint8Array,
): { readonly bundleId: string; readonly name: string; readonly record: VolumeRecord } | undefined {
  return parseJson(body, (fields) => {
    fields.is('format', FORMAT_VERSION)
    return {
      bundleId: fields.hex('bundle', 16),
      name: fields.text('name', 64),
      record: { bytes: fields.integer('bytes', 1, VOLUME_BYTES_MAX), root: fields.hex('root', DIGEST_BYTES) },
    }
  })
}

/** The leaf hashes of a volume from what follows its trailer, one behind the other; undefined unless they give the signed root. */
export function readLeaves(record: VolumeRecord, bytes: Uint8Array): Buffer | undefined {
  if (bytes.length !== rowCount(record.bytes) * DIGEST_BYTES) return undefined
  const leaves = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return leavesRoot(leaves) === record.root ? leaves : undefined
}

/** Leaf hash `row` of those one behind the other. */
export const leafAt = (leaves: Buffer, row: number): Buffer => leaves.subarray(row * DIGEST_BYTES, (row + 1) * DIGEST_BYTES)

/** The root over leaf hashes that lie one behind the other: 96 hexadecimal digits. */
export function leavesRoot(leaves: Buffer): string {
  const tree = new TreeRoot()
  for (let row = 0; row * DIGEST_BYTES < leaves.length; row++) tree.add(leafAt(leaves, row))
  return tree.root().toString('hex')
}
