/** One volume of a bundle on its media: which copies there are, and what its rows must hash to. */
import type { BundleHead } from './bundle-head.ts'
import { documentBytesMax, parseDocument } from './document.ts'
import { Stop } from './fault.ts'
import { DIGEST_BYTES, documentType, ROW_BYTES, trailerName } from './format.ts'
import { leafAt, leavesRoot, type NamedVolume, readLeaves, readTrailer, rowBytes, rowCount, type VolumeRecord } from './manifest.ts'
import { type FoundFile, type InputFile, openInput, readSmall, shown } from './media.ts'
import { leafHash } from './merkle.ts'
import { verify } from './signature.ts'

export type TrailerState = 'good' | 'missing' | 'damaged'

/** Memory: 48 bytes per MiB of the volume from the first use to `close`. */
export class LocatedVolume {
  readonly name: string
  readonly record: VolumeRecord
  readonly rows: number
  readonly copies: readonly FoundFile[]
  readonly trailer: TrailerState
  readonly #trailers: readonly FoundFile[]
  #leaves: Promise<Buffer | undefined> | undefined
  #open: Promise<readonly InputFile[]> | undefined

  constructor({ name, record }: NamedVolume, copies: readonly FoundFile[], trailers: readonly FoundFile[], trailer: TrailerState) {
    this.name = name
    this.record = record
    this.rows = rowCount(record.bytes)
    this.copies = copies
    this.#trailers = trailers
    this.trailer = trailer
  }

  /** The hash that row `row` must have; undefined if neither a trailer nor the volume as a whole gives the signed root. */
  async leaf(row: number): Promise<Buffer | undefined> {
    this.#leaves ??= this.#findLeaves()
    const leaves = await this.#leaves
    return leaves && leafAt(leaves, row)
  }

  async #findLeaves(): Promise<Buffer | undefined> {
    for (const file of this.#trailers) {
      const bytes = await readTrailerFile(file, this.record)
      const parsed = bytes && parseDocument('trailer', bytes)
      const leaves = parsed?.ok === true ? readLeaves(this.record, parsed.value.rest) : undefined
      if (leaves !== undefined) return leaves
    }
    for (const file of await this.#files()) {
      const leaves = await scan(file, this.record)
      if (leaves !== undefined && leavesRoot(leaves) === this.record.root) return leaves
    }
    return undefined
  }

  /** Row `row`, just as it was signed, from any copy; undefined if none has it. Behind the end of the volume rows are empty. */
  async row(row: number): Promise<Buffer | undefined> {
    const bytes = rowBytes(this.record.bytes, row)
    if (bytes === 0) return Buffer.alloc(0)
    const leaf = this.copies.length === 0 ? undefined : await this.leaf(row)
    if (leaf === undefined) return undefined
    for (const file of await this.#files()) {
      const content = await file.read(row * ROW_BYTES, bytes)
      if (content?.length === bytes && leafHash(content).equals(leaf)) return content
    }
    return undefined
  }

  /** The root over what lies in a copy, whatever it is; for finding out what a file is. Undefined if it is shorter than signed. */
  async rootFound(): Promise<string | undefined> {
    const [file] = await this.#files()
    const leaves = file && (await scan(file, this.record))
    return leaves && leavesRoot(leaves)
  }

  #files(): Promise<readonly InputFile[]> {
    this.#open ??= Promise.all(this.copies.map((copy) => openInput(copy.path))).then((files) => files.filter((file) => file !== undefined))
    return this.#open
  }

  /** Gives back files and memory; they are found again when they are needed. */
  async close(): Promise<void> {
    const files = await this.#open
    this.#open = undefined
    this.#leaves = undefined
    for (const file of files ?? []) await file.close()
  }
}

async function scan(file: InputFile, record: VolumeRecord): Promise<Buffer | undefined> {
  const leaves: Buffer[] = []
  for (let row = 0; row < rowCount(record.bytes); row++) {
    const bytes = rowBytes(record.bytes, row)
    const content = await file.read(row * ROW_BYTES, bytes)
    if (content?.length !== bytes) return undefined
    leaves.push(leafHash(content))
  }
  return Buffer.concat(leaves)
}

export const trailerBytesMax = (record: VolumeRecord): number => documentBytesMax('trailer') + rowCount(record.bytes) * DIGEST_BYTES

const readTrailerFile = (file: FoundFile, record: VolumeRecord): Promise<Buffer | undefined> =>
  readSmall(file.path, trailerBytesMax(record))

/** Finds the copies of a volume and its trailer. Refuses files longer than signed, and trailers of other volumes. */
export async function locateVolume(head: BundleHead, volume: NamedVolume): Promise<LocatedVolume> {
  const copies = head.files.byName.get(volume.name) ?? []
  for (const copy of copies)
    if (copy.bytes > volume.record.bytes)
      throw new Stop('oversized', `${shown(copy.path)} has ${copy.bytes} bytes; ${volume.record.bytes} are signed. It was changed.`)
  const trailers = head.files.byName.get(trailerName(volume.name)) ?? []
  let state: TrailerState = trailers.length === 0 ? 'missing' : 'damaged'
  for (const copy of trailers) {
    const bytes = await readTrailerFile(copy, volume.record)
    if (bytes !== undefined && checkTrailer(head, volume, bytes)) state = 'good'
  }
  return new LocatedVolume(volume, copies, trailers, state)
}

/** Whether this is the trailer of the volume, whole and signed. Its leaf hashes may serve without that, if they give the root in the manifest. */
function checkTrailer(head: BundleHead, volume: NamedVolume, bytes: Uint8Array): boolean {
  const parsed = parseDocument('trailer', bytes)
  if (!parsed.ok) return false
  const { body, signatures, rest } = parsed.value
  const leaves = readLeaves(volume.record, rest)
  const signed = signatures.some(
    ({ signer, signature }) => signer === head.sender.siteId && verify(head.sender, documentType('trailer'), body, signature),
  )
  if (leaves !== undefined) return signed
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
  return false
}
