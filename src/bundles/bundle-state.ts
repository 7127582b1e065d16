/**
 * What an export keeps between attempts, so that an interrupted one goes on: plain data for a file of mode 0600 in SITE (it holds the bundle key). Finished
 * volumes stay as they are; whatever was unfinished starts again under a new salt.
 */
import { ok, type Result } from '../result.ts'
import type { SiteId } from '../store/terms.ts'
import { type BundleFault, refuse } from './fault.ts'
import { DIGEST_BYTES, GROUP_PARITY_MAX, GROUP_VOLUMES_MAX, VOLUME_BYTES_MAX, VOLUME_BYTES_MIN, VOLUMES_MAX } from './format.ts'
import { type Fields, parseJson } from './json.ts'
import type { VolumeRecord } from './manifest.ts'
import { BUNDLE_KEY_BYTES, PREAMBLE_FILE_BYTES_MAX, type ReceiptKey } from './preamble.ts'

/** Where a volume ended: the next byte to write is `offset` of the whole number `entry`. 0 is the statement, 1 the caller's first entry. */
export type Place = { readonly entry: number; readonly offset: number }

export type FileState = VolumeRecord & { readonly sha512: string; readonly trailerSha512: string }
/** `next` null: it was the last. */
export type VolumeState = FileState & { readonly next: Place | null }

export type BundleState = {
  readonly bundleId: string
  /** Base64. */
  readonly bundleKey: string
  /** The signed document, in base64. */
  readonly preamble: string
  readonly receiptKeys: readonly ReceiptKey[]
  readonly volumeBytes: number
  readonly groupVolumes: number
  readonly parityVolumes: number
  /** In order, from the first. */
  readonly volumes: readonly VolumeState[]
  /** By group, for groups whose parity volumes are all written. */
  readonly parity: readonly (readonly FileState[])[]
}

export const serializeBundleState = (state: BundleState): string => `${JSON.stringify({ format: 1, ...state })}\n`

export function parseBundleState(text: string): Result<BundleState, BundleFault> {
  const state = parseJson(Buffer.from(text), (fields): BundleState => {
    fields.is('format', 1)
    return {
      bundleId: fields.hex('bundleId', 16),
      bundleKey: fields.base64('bundleKey', BUNDLE_KEY_BYTES, BUNDLE_KEY_BYTES).toString('base64'),
      preamble: fields.base64('preamble', 1, PREAMBLE_FILE_BYTES_MAX).toString('base64'),
      receiptKeys: fields.list('receiptKeys', 1, 64, (key) => ({ site: key.hex('site', 16) as SiteId, key: key.hex('key', 32) })),
      volumeBytes: fields.integer('volumeBytes', VOLUME_BYTES_MIN, VOLUME_BYTES_MAX),
      groupVolumes: fields.integer('groupVolumes', 1, GROUP_VOLUMES_MAX),
      parityVolumes: fields.integer('parityVolumes', 0, GROUP_PARITY_MAX),
      volumes: fields.list('volumes', 0, VOLUMES_MAX, (volume) => ({
        ...readFile(volume),
        next: volume.optional('next', (name) => volume.object(name, readPlace)) ?? null,
      })),
      parity: fields.lists('parity', VOLUMES_MAX, (group) => group.map((file) => readFile(file))),
    }
  })
  if (state === undefined)
    return refuse('state-mismatch', 'The saved state of this export is damaged: start the export again in an empty folder.')
  return ok(state)
}

const readPlace = (fields: Fields): Place => ({
  entry: fields.integer('entry', 0, Number.MAX_SAFE_INTEGER),
  offset: fields.integer('offset', 0, Number.MAX_SAFE_INTEGER),
})

const readFile = (fields: Fields): FileState => ({
  bytes: fields.integer('bytes', 1, VOLUME_BYTES_MAX),
  root: fields.hex('root', DIGEST_BYTES),
  sha512: fields.hex('sha512', 64),
  trailerSha512: fields.hex('trailerSha512', 64),
})
