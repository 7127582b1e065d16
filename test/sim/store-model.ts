/**
 * What a store must hold: every key's versions, exactly, newest first. Each key is worked on by one client at a time, so its
 * history is known; a change whose answer never came, or said "unavailable", leaves two possibilities until somebody looks.
 */
import { hash } from 'node:crypto'
import type { Position, Versioning } from '../../src/store/terms.ts'
import { Chance } from './chance.ts'

export const BUCKETS = ['plain', 'kept', 'paused'] as const
export type ModelBucket = (typeof BUCKETS)[number]
export const KEYS_PER_BUCKET = 6

/** A version that was or may have been made. */
export type Fact =
  | {
      readonly kind: 'object'
      /** Undefined as long as nobody was told. */
      readonly versionId: string | undefined
      readonly etag: string
      readonly content: Content
      readonly tags: string
    }
  | { readonly kind: 'delete-marker'; readonly versionId: string | undefined }
/** Newest first. */
export type KeyState = readonly Fact[]

export type ModelKey = {
  readonly bucket: ModelBucket
  readonly key: string
  state: KeyState
  /** What it is instead if the last change did take effect. */
  doubt: KeyState | undefined
  busy: boolean
}

export class StoreModel {
  /** `paused` is enabled at times. */
  readonly versioning: Record<ModelBucket, Versioning> = { plain: 'unversioned', kept: 'enabled', paused: 'enabled' }
  readonly keys: ModelKey[] = BUCKETS.flatMap((bucket) =>
    Array.from(
      { length: KEYS_PER_BUCKET },
      (_, i): ModelKey => ({ bucket, key: `${i % 2 === 0 ? 'a' : 'b/ü'}${i}`, state: [], doubt: undefined, busy: false }),
    ),
  )

  /** How many operations the peer made. */
  peerOperations = 0
  /** What versions were that it removed or may have removed, by their places. */
  readonly removed = new Map<string, Fact>()
  /** Places of those that must be hidden now. */
  readonly hidden = new Set<string>()

  of(bucket: ModelBucket): ModelKey[] {
    return this.keys.filter((key) => key.bucket === bucket)
  }

  /** The processes of all clients ended. */
  release(): void {
    for (const key of this.keys) key.busy = false
  }
}

export const placeOf = ({ clock, site, sequence }: Position): string => `${clock}/${site}/${sequence}`

export const current = (state: KeyState): Fact | undefined => state[0]

const isNull = (fact: Fact): boolean => fact.versionId === 'null'

/** The state after a new version or marker. Source: Amazon S3 User Guide, "Working with objects in a versioning-enabled / -suspended bucket". */
export function afterMaking(versioning: Versioning, state: KeyState, fact: Fact): KeyState {
  if (versioning === 'enabled') return [fact, ...state]
  return [{ ...fact, versionId: 'null' }, ...state.filter((other) => !isNull(other))]
}

/** The state after a DELETE without a version id. */
export function afterDelete(versioning: Versioning, state: KeyState): KeyState {
  return versioning === 'unversioned' ? [] : afterMaking(versioning, state, { kind: 'delete-marker', versionId: undefined })
}

export const afterRemoving = (state: KeyState, versionId: string): KeyState => state.filter((fact) => fact.versionId !== versionId)

/** What the maker was told of its newest version. */
export const told = (state: KeyState, versionId: string): KeyState => [{ ...state[0]!, versionId }, ...state.slice(1)]

/** Shown states are what a store answered: every version with its id. */
export function matches(expected: KeyState, shown: KeyState): boolean {
  return (
    expected.length === shown.length &&
    expected.every((fact, i) => {
      const other = shown[i]!
      if (fact.versionId !== undefined && fact.versionId !== other.versionId) return false
      if (fact.kind === 'delete-marker' || other.kind === 'delete-marker') return fact.kind === other.kind
      return fact.etag === other.etag && fact.content.bytes === other.content.bytes && fact.tags === other.tags
    })
  )
}

export const describeState = (state: KeyState): string =>
  state
    .map((fact) => `${fact.kind === 'object' ? `${fact.etag.slice(0, 6)}(${fact.content.bytes})` : 'marker'}@${fact.versionId ?? '?'}`)
    .join(', ') || 'nothing'

// ---- Contents that can be made again ----

export type Piece = { readonly seed: number; readonly bytes: number }
export type Content = { readonly pieces: readonly Piece[]; readonly bytes: number }

const NOISE = new Chance(4711).bytes(1024 * 1024)
const PIECE_BYTES_MAX = NOISE.length - 4096

export function contentOf(pieces: readonly Piece[]): Content {
  return { pieces, bytes: pieces.reduce((sum, piece) => sum + piece.bytes, 0) }
}

/** Pieces of different seeds differ. */
export function pieceBytes({ seed, bytes }: Piece): Uint8Array {
  if (bytes > PIECE_BYTES_MAX) throw new Error(`no piece of ${bytes} bytes`)
  const from = (seed * 64) % 4096
  const made = NOISE.slice(from, from + bytes)
  for (let at = 0; at < Math.min(8, bytes); at++) made[at] = Math.floor(seed / 256 ** at) % 256
  return made
}

export const contentBytes = (content: Content): Uint8Array =>
  content.pieces.length === 1 ? pieceBytes(content.pieces[0]!) : Buffer.concat(content.pieces.map(pieceBytes))

export const md5 = (bytes: Uint8Array): string => hash('md5', bytes)
