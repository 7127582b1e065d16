/** The file of a bucket digest, written and read line by line, so that neither its length nor that of the bucket matters. Format: docs/formats.md#bucket-digest. */
import { createHash, type Hash } from 'node:crypto'
import { promises as fs } from 'node:fs'
import { type Fields, type Json, parseJson } from '../bundles/json.ts'
import { TreeRoot } from '../bundles/merkle.ts'
import { type Frontier, type Origin, parseOrigin } from '../store/operation.ts'
import { parseRanges, type Ranges } from '../store/ranges.ts'
import type { SiteId } from '../store/terms.ts'
import { describeSystemFailure } from '../system-failure.ts'
import { RANGES_MAX } from './documents.ts'
import { Refusal } from './site.ts'
import { type BucketOrigin, canonicalJson, parsePosition } from './words.ts'

export type DigestHeader = {
  readonly bucket: BucketOrigin
  readonly name: string
  readonly site: SiteId
  readonly madeMs: number
  /** Whether the bytes of objects were read. */
  readonly content: boolean
  /** The operations that the state comes from. Null: too many ranges to say. */
  readonly holds: Frontier | null
}
export type KeyLeaf = { readonly key: string; readonly versions: number; readonly leaf: Buffer }

const HEADER_BYTES_MAX = 1024 * 1024
const HOLDS_CHARACTERS_MAX = 512 * 1024
const LINE_BYTES_MAX = 8 * 1024
const CHUNK_BYTES = 64 * 1024
const KEY_BYTES_MAX = 1024

export function headerLine({ madeMs, content, holds, ...header }: DigestHeader): string {
  const said = holds !== null && JSON.stringify(holds).length <= HOLDS_CHARACTERS_MAX ? holds : null
  const made = new Date(madeMs).toISOString()
  return `${canonicalJson({ ...header, kind: 'bucket-digest', format: 1, made, content: content ? 1 : 0, holds: said })}\n`
}

export const leafLine = ({ key, versions, leaf }: KeyLeaf): string => `${leaf.toString('base64')} ${versions} ${JSON.stringify(key)}\n`

const lineHash = (): Hash => createHash('sha384')

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const malformed = (): Refusal =>
  new Refusal(5, 'malformed', 'This is no bucket digest, or it was changed or cut short on its way: copy it again.')

/** A file from outside. Everything is read in one pass; what `leaves` gave is to be believed once it has ended without a fault. */
export class DigestFile {
  readonly header: DigestHeader
  readonly #lines: AsyncGenerator<Buffer>
  readonly #hash: Hash
  #digest: string | undefined

  /** `hash`: of the lines so far. */
  private constructor(header: DigestHeader, lines: AsyncGenerator<Buffer>, hash: Hash) {
    this.header = header
    this.#lines = lines
    this.#hash = hash
  }

  /** Throws Refusal. */
  static async open(chunks: AsyncIterable<Uint8Array>): Promise<DigestFile> {
    const lines = linesOf(chunks)
    const first = await lines.next()
    const header = first.done === true ? undefined : parseJson(first.value, readHeader)
    if (header === undefined) {
      await lines.return(undefined)
      throw malformed()
    }
    return new DigestFile(header, lines, lineHash().update(first.value!).update('\n'))
  }

  /** The bucket's leaf, with the empty key, then those of the keys, ascending. */
  async *leaves(): AsyncGenerator<KeyLeaf> {
    const tree = new TreeRoot()
    let before: Buffer | undefined
    try {
      for (;;) {
        const line = await this.#lines.next()
        if (line.done === true) throw malformed()
        if (line.value[0] === 0x7b) {
          const last = parseJson(line.value, (fields) => ({
            digest: fields.hex('digest', 48),
            keys: fields.integer('keys', 0, Number.MAX_SAFE_INTEGER),
            lines: fields.hex('lines', 48),
          }))
          const isWhole =
            last?.keys === tree.count - 1 && last.digest === tree.root().toString('hex') && last.lines === this.#hash.digest('hex')
          if (!isWhole || (await this.#lines.next()).done !== true) throw malformed()
          this.#digest = last.digest
          return
        }
        const leaf = parseLeaf(line.value)
        const key = leaf && Buffer.from(leaf.key)
        if (leaf === undefined || key === undefined || (before === undefined ? key.length > 0 : Buffer.compare(before, key) >= 0))
          throw malformed()
        before = key
        this.#hash.update(line.value).update('\n')
        tree.add(leaf.leaf)
        yield leaf
      }
    } finally {
      await this.#lines.return(undefined)
    }
  }

  /** Once `leaves` has ended. */
  get digest(): string {
    if (this.#digest === undefined) throw new Error('the file was not read to its end')
    return this.#digest
  }
}

function readHeader(fields: Fields): DigestHeader {
  fields.is('kind', 'bucket-digest')
  fields.is('format', 1)
  const bucket = fields.text('bucket', 80)
  if (parsePosition(bucket) === undefined) fields.malformed()
  const holds = fields.json('holds')
  return {
    bucket: bucket as BucketOrigin,
    name: fields.text('name', 63),
    site: fields.hex('site', 16) as SiteId,
    madeMs: fields.time('made'),
    content: fields.integer('content', 0, 1) === 1,
    holds: holds === null ? null : (frontierOf(holds) ?? fields.malformed()),
  }
}

function frontierOf(value: Json): Frontier | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const frontier: Record<Origin, Ranges> = {}
  for (const [name, listed] of Object.entries(value)) {
    const origin = parseOrigin(name)?.origin
    const ranges = parseRanges(listed, RANGES_MAX)
    if (origin === undefined || ranges === undefined) return undefined
    frontier[origin] = ranges
  }
  return frontier
}

const LEAF_LINE = /^([A-Za-z0-9+/]{64}) (0|[1-9][0-9]{0,15}) (".*")$/

function parseLeaf(line: Buffer): KeyLeaf | undefined {
  let key: unknown
  let shaped: RegExpExecArray | null
  try {
    shaped = LEAF_LINE.exec(utf8.decode(line))
    key = shaped === null ? undefined : JSON.parse(shaped[3]!)
  } catch {
    return undefined
  }
  if (shaped === null || typeof key !== 'string' || !key.isWellFormed() || JSON.stringify(key) !== shaped[3]) return undefined
  const versions = Number(shaped[2])
  if (Buffer.byteLength(key) > KEY_BYTES_MAX || key.includes('\0') || !Number.isSafeInteger(versions)) return undefined
  return { key, versions, leaf: Buffer.from(shaped[1]!, 'base64') }
}

/** Lines without their line feed. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  let max = HEADER_BYTES_MAX
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      if (end > max) throw malformed()
      yield rest.subarray(0, end)
      rest = rest.subarray(end + 1)
      max = LINE_BYTES_MAX
    }
    if (rest.length > max) throw malformed()
  }
  if (rest.length > 0) throw malformed()
}

const unusable = (file: string, verb: 'read' | 'written', error: unknown): Refusal =>
  // Where it is read, 6 would say that the buckets differ.
  new Refusal(verb === 'read' ? 5 : 6, 'file-unusable', describeSystemFailure(file, verb, error))

/** Throws Refusal if the file cannot be read. */
export async function* fileChunks(file: string): AsyncGenerator<Uint8Array> {
  let handle: fs.FileHandle | undefined
  try {
    handle = await fs.open(file, 'r')
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } catch (error) {
    throw error instanceof Refusal ? error : unusable(file, 'read', error)
  } finally {
    await handle?.close()
  }
}

/** A file that is there whole or not at all. */
export class DigestWriter {
  readonly #file: string
  readonly #hash = lineHash()
  #handle: fs.FileHandle | undefined
  #text: string[] = []
  #length = 0

  constructor(file: string) {
    this.#file = file
  }

  async write(line: string): Promise<void> {
    this.#hash.update(line)
    this.#text.push(line)
    this.#length += line.length
    if (this.#length >= CHUNK_BYTES) await this.#flush()
  }

  /** Bears out the lines before. */
  async finish({ digest, keys }: { readonly digest: string; readonly keys: number }): Promise<void> {
    const text = canonicalJson({ digest, keys, lines: this.#hash.digest('hex') })
    this.#text.push(`${text}\n`)
    await this.#flush()
    await this.#guarded(async () => {
      await this.#handle!.sync()
      await this.#handle!.close()
      this.#handle = undefined
      await fs.rename(`${this.#file}.partial`, this.#file)
    })
  }

  /** After a fault: nothing remains. */
  async abandon(): Promise<void> {
    await this.#handle?.close().catch(() => undefined)
    await fs.rm(`${this.#file}.partial`, { force: true })
  }

  #flush(): Promise<void> {
    const text = this.#text.join('')
    this.#text = []
    this.#length = 0
    return this.#guarded(async () => {
      // Keys are in it: for the owner alone.
      this.#handle ??= await fs.open(`${this.#file}.partial`, 'w', 0o600)
      await this.#handle.writeFile(text)
    })
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      throw unusable(this.#file, 'written', error)
    }
  }
}
