/** Entries from the members of a bundle's archives: pieces put together, order and digests checked. */
import { ok, type Result } from '../result.ts'
import type { ArchiveReader } from './archive-reader.ts'
import { type BundleFault, Stop, stopped } from './fault.ts'
import { OPERATIONS_BYTES_MAX, STATEMENT_BYTES_MAX } from './format.ts'
import { type Json, parseJson } from './json.ts'
import { ContentDigest } from './merkle.ts'
import type { Member } from './tar.ts'

export type ReadEntry =
  | { readonly kind: 'operations'; readonly lines: Uint8Array }
  /**
   * `read` may be called once, before the next entry is asked for; then the content is passed over. Its bytes are authentic as they come; that all of them
   * have this digest is known when it has ended without a fault.
   */
  | { readonly kind: 'content'; readonly digest: string; readonly bytes: number; read(): AsyncIterable<Result<Uint8Array, BundleFault>> }

export class EntryReader {
  readonly #archives: ArchiveReader
  #piece: Member | undefined
  /** Number of the last operations entry. */
  #number = 0

  constructor(archives: ArchiveReader) {
    this.#archives = archives
  }

  /** The statement: always the first. Throws Stop. */
  async statement(): Promise<Json> {
    const member = await this.#archives.next()
    if (member?.whole.kind !== 'statement' || member.offset !== 0 || member.total > STATEMENT_BYTES_MAX) throw malformed()
    this.#piece = member
    const text = await this.#whole()
    const parsed = parseJson(Buffer.concat([Buffer.from('{"statement":'), text, Buffer.from('}')]), (fields) => fields.json('statement'))
    if (parsed === undefined) throw malformed()
    return parsed
  }

  /** The next entry, undefined behind the last one. */
  next(): Promise<Result<ReadEntry | undefined, BundleFault>> {
    return stopped(async () => {
      await this.#passOver()
      const member = await this.#archives.next()
      if (member === undefined) return undefined
      if (member.offset !== 0) throw malformed()
      this.#piece = member
      const { whole, total } = member
      switch (whole.kind) {
        case 'statement':
          throw malformed()
        case 'operations': {
          if (whole.number <= this.#number || total > OPERATIONS_BYTES_MAX) throw malformed()
          this.#number = whole.number
          return { kind: 'operations', lines: await this.#whole() }
        }
        case 'content':
          return { kind: 'content', digest: whole.digest, bytes: total, read: () => this.#content(member, whole.digest) }
      }
    })
  }

  async #whole(): Promise<Buffer> {
    const pieces: Buffer[] = []
    for (;;) {
      const part = await this.#take()
      if (part === undefined) return Buffer.concat(pieces)
      pieces.push(part)
    }
  }

  /** More of the whole under way, from piece to piece; undefined at its end. */
  async #take(): Promise<Buffer | undefined> {
    const piece = this.#piece
    if (piece === undefined) return undefined
    if (this.#taken < piece.bytes) {
      const part = await this.#archives.take(piece.bytes - this.#taken)
      this.#taken += part.length
      return part
    }
    this.#taken = 0
    this.#piece = undefined
    const offset = piece.offset + piece.bytes
    if (offset === piece.total) return undefined
    const next = await this.#archives.next()
    const goesOn = next !== undefined && next.offset === offset && next.total === piece.total && next.bytes > 0
    if (!goesOn || JSON.stringify(next.whole) !== JSON.stringify(piece.whole)) throw malformed()
    this.#piece = next
    return this.#take()
  }
  #taken = 0

  async #passOver(): Promise<void> {
    while ((await this.#take()) !== undefined);
  }

  async *#content(member: Member, digest: string): AsyncGenerator<Result<Uint8Array, BundleFault>> {
    if (this.#piece !== member || this.#taken > 0) throw new Error('the content of an entry is read once, before the next entry')
    const found = new ContentDigest()
    for (;;) {
      const part = await stopped(() => this.#take())
      if (!part.ok) {
        yield part
        return
      }
      if (part.value === undefined) break
      found.update(part.value)
      yield ok(part.value)
    }
    if (found.digest() === digest) return
    yield {
      ok: false,
      error: new Stop('wrong-digest', `The content ${digest} has another digest: its sender must make the bundle anew.`).fault,
    }
  }
}

const malformed = (): Stop =>
  new Stop('malformed', 'The entries of this bundle are signed but malformed: its sender must make the bundle anew.')
