/** One volume of a bundle on its media: which copies there are, and what its rows must hash to. */
import type { BundleHead } from './bundle-head.ts'
import { documentBytesMax, parseDocument } from './document.ts'
import { Stop } from './fault.ts'
import { DIGEST_BYTES, documentType, ROW_BYTES, trailerName } from './format.ts'
import { type NamedVolume, readLeaves, readTrailer, rowBytes, rowCount, type VolumeRecord } from './manifest.ts'
import { type FoundFile, type InputFile, openInput, readSmall, shown } from './media.ts'
import { leafHash, treeRoot } from './merkle.ts'
import { verify } from './signature.ts'

export type TrailerState = 'good' | 'missing' | 'damaged'

export class LocatedVolume {
  readonly name: string
  readonly record: VolumeRecord
  readonly rows: number
  readonly copies: readonly FoundFile[]
  readonly trailer: TrailerState
  #leaves: readonly Buffer[] | undefined
  #scanned = false
  #open: Promise<readonly InputFile[]> | undefined

  constructor({ name, record }: NamedVolume, copies: readonly FoundFile[], trailer: TrailerState, leaves: readonly Buffer[] | undefined) {
    this.name = name
    this.record = record
    this.rows = rowCount(record.bytes)
    this.copies = copies
    this.trailer = trailer
    this.#leaves = leaves
  }

  /** The leaf hashes that give the signed root: from the trailer, or else from the volume itself if it is whole. */
  async leaves(): Promise<readonly Buffer[] | undefined> {
    if (this.#leaves === undefined && !this.#scanned) {
      this.#scanned = true
      for (const file of await this.#files()) {
        const leaves = await scan(file, this.record)
        if (leaves !== undefined && treeRoot(leaves).toString('hex') === this.record.root) this.#leaves = leaves
      }
    }
    return this.#leaves
  }

  /** Row `row`, just as it was signed, from any copy; undefined if none has it. Behind the end of the volume rows are empty. */
  async row(row: number): Promise<Buffer | undefined> {
    const bytes = rowBytes(this.record.bytes, row)
    if (bytes === 0) return Buffer.alloc(0)
    const leaf = (await this.leaves())?.[row]
    if (leaf === undefined) return undefined
    for (const file of await this.#files()) {
      const content = await file.read(row * ROW_BYTES, bytes)
      if (content?.length === bytes && leafHash(content).equals(leaf)) return content
    }
    return undefined
  }

  /** The hash of what lies at row `row` of a copy, whatever it is; for finding out what a file is. */
  async hashesOfFirstCopy(): Promise<readonly Buffer[] | undefined> {
    const [file] = await this.#files()
    return file && scan(file, this.record)
  }

  #files(): Promise<readonly InputFile[]> {
    this.#open ??= Promise.all(this.copies.map((copy) => openInput(copy.path))).then((files) => files.filter((file) => file !== undefined))
    return this.#open
  }

  async close(): Promise<void> {
    const files = await this.#open
    this.#open = undefined
    for (const file of files ?? []) await file.close()
  }
}

async function scan(file: InputFile, record: VolumeRecord): Promise<Buffer[] | undefined> {
  const leaves: Buffer[] = []
  for (let row = 0; row < rowCount(record.bytes); row++) {
    const bytes = rowBytes(record.bytes, row)
    const content = await file.read(row * ROW_BYTES, bytes)
    if (content?.length !== bytes) return undefined
    leaves.push(leafHash(content))
  }
  return leaves
}

/** Finds the copies of a volume and its trailer. Refuses files longer than signed, and trailers of other volumes. */
export async function locateVolume(head: BundleHead, volume: NamedVolume): Promise<LocatedVolume> {
  const copies = head.files.byName.get(volume.name) ?? []
  for (const copy of copies)
    if (copy.bytes > volume.record.bytes)
      throw new Stop('oversized', `${shown(copy.path)} has ${copy.bytes} bytes; ${volume.record.bytes} are signed. It was changed.`)
  const trailers = head.files.byName.get(trailerName(volume.name)) ?? []
  let state: TrailerState = trailers.length === 0 ? 'missing' : 'damaged'
  let leaves: Buffer[] | undefined
  for (const copy of trailers) {
    const bytes = await readSmall(copy.path, documentBytesMax('trailer') + rowCount(volume.record.bytes) * DIGEST_BYTES)
    const found = bytes && checkTrailer(head, volume, bytes)
    leaves ??= found?.leaves
    if (found?.good === true) state = 'good'
  }
  return new LocatedVolume(volume, copies, state, leaves)
}

/** The leaf hashes, if they give the root in the manifest; that is signed too, so that a damaged signature here does no harm. */
function checkTrailer(
  head: BundleHead,
  volume: NamedVolume,
  bytes: Uint8Array,
): { readonly leaves: Buffer[]; readonly good: boolean } | undefined {
  const parsed = parseDocument('trailer', bytes)
  if (!parsed.ok) return undefined
  const { body, signatures, rest } = parsed.value
  const leaves = readLeaves(volume.record, rest)
  const signed = signatures.some(
    ({ signer, signature }) => signer === head.sender.siteId && verify(head.sender, documentType('trailer'), body, signature),
  )
  if (leaves !== undefined) return { leaves, good: signed }
  const trailer = signed ? readTrailer(body) : undefined
  if (trailer !== undefined && trailer.bundleId !== head.preamble.bundleId)
    throw new Stop(
      'mixed-up',
      `${trailerName(volume.name)} and its volume belong to bundle ${trailer.bundleId}, not to ${head.preamble.bundleId}: media were mixed up.`,
    )
  if (trailer !== undefined && trailer.name !== volume.name)
    throw new Stop('mixed-up', `${trailerName(volume.name)} is that of ${trailer.name}: files were renamed or swapped.`)
  if (trailer !== undefined && trailer.record.root !== volume.record.root)
    throw new Stop('mixed-up', `${volume.name} was written at another attempt than the one that the manifest closes.`)
  return undefined
}
