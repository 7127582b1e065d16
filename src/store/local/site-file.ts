/** SITE/site.json: what a site is, and which starts it has seen. Format: docs/formats.md#site, version 1. */
import type { Disk } from '../../disks/disk.ts'
import { isObject, seal, unseal } from '../../disks/sealed-json.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import { movedAlong } from './site-disks.ts'

export const SITE_FILE = 'site.json'
export const INDEX_FOLDER = 'index'
const FORMAT = 'holdfast-site'
const VERSION = 1
const BYTES_MAX = 1024 * 1024
/** Unclean starts that are remembered; beyond, the oldest are forgotten (their leftovers stay). */
const UNCLEAN_MAX = 1000

/** What an operator decided and the next start acts upon: these disks are lost, and the history ends as the others have it. */
export type PendingRetirement = { readonly disks: readonly string[]; readonly sequence: number; readonly chain: string }

export type SiteRecord = {
  readonly site: SiteId
  readonly name: string
  readonly createdMs: number
  readonly epoch: number
  /** The newest start of the process. */
  readonly start: number
  /** Starts that did not end cleanly, as far as known. The one under way is among them. */
  readonly unclean: readonly number[]
  /** Where the site's directory was when it was last written to: disks below it move with it. */
  readonly home: string
  /** The directories given at the beginning, where the pool's own list is lost. */
  readonly disks: readonly string[]
  readonly pendingRetirement?: PendingRetirement
}

export type SiteFileFault = 'not-a-site' | 'damaged' | 'newer-version' | 'unreachable'

export const encodeSite = (record: SiteRecord): Uint8Array =>
  seal(FORMAT, VERSION, { ...record, unclean: record.unclean.slice(-UNCLEAN_MAX) })!

/** Bytes from outside: undefined fields and wrong types are 'damaged', as a wrong digest is. */
export function decodeSite(bytes: Uint8Array): Result<SiteRecord, 'damaged' | 'newer-version'> {
  const body = unseal(FORMAT, VERSION, bytes, BYTES_MAX)
  if (!body.ok) return fail(body.error === 'newer-version' ? 'newer-version' : 'damaged')
  const { site, name, createdMs, epoch, start, unclean, home, disks, pendingRetirement } = body.value
  const shaped =
    typeof site === 'string' &&
    /^[0-9a-f]{32}$/.test(site) &&
    typeof name === 'string' &&
    isCount(createdMs) &&
    isCount(epoch) &&
    isCount(start) &&
    Array.isArray(unclean) &&
    unclean.every(isCount) &&
    typeof home === 'string' &&
    Array.isArray(disks) &&
    disks.every((disk) => typeof disk === 'string')
  if (!shaped || (pendingRetirement !== undefined && !isPendingRetirement(pendingRetirement))) return fail('damaged')
  return ok({
    site: site as SiteId,
    name,
    createdMs,
    epoch,
    start,
    unclean,
    home,
    disks,
    ...(pendingRetirement === undefined ? {} : { pendingRetirement }),
  })
}

function isPendingRetirement(value: unknown): value is PendingRetirement {
  if (!isObject(value)) return false
  const { disks, sequence, chain } = value
  const isId = (disk: unknown): boolean => typeof disk === 'string' && /^[0-9a-f]{32}$/.test(disk)
  return Array.isArray(disks) && disks.every(isId) && isCount(sequence) && typeof chain === 'string' && /^([0-9a-f]{16})?$/.test(chain)
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** The site's file, changed one step after the other. */
export class SiteFile {
  readonly #folder: Disk
  #record: SiteRecord
  #writing: Promise<unknown> = Promise.resolve()

  private constructor(folder: Disk, record: SiteRecord) {
    this.#folder = folder
    this.#record = record
  }

  static async read(folder: Disk): Promise<Result<SiteFile, SiteFileFault>> {
    const content = await folder.readFile(SITE_FILE)
    if (!content.ok) return fail(content.error === 'not-found' ? 'not-a-site' : 'unreachable')
    const record = decodeSite(content.value)
    return record.ok ? ok(new SiteFile(folder, record.value)) : record
  }

  static async create(folder: Disk, record: SiteRecord): Promise<Result<SiteFile, 'unreachable'>> {
    const written = await folder.writeFile(SITE_FILE, encodeSite(record))
    return written.ok ? ok(new SiteFile(folder, record)) : fail('unreachable')
  }

  get record(): SiteRecord {
    return this.#record
  }

  /** Where the site's directory is. Its disks below it have moved along. */
  noteHome(home: string): Promise<Result<void, 'unreachable'>> {
    return this.change((record) => ({ ...record, home, disks: record.disks.map((disk) => movedAlong(disk, record.home, home)) }))
  }

  /** An epoch has begun. */
  noteEpoch(epoch: number): Promise<Result<void, 'unreachable'>> {
    return this.change((record) => ({ ...record, epoch: Math.max(record.epoch, epoch) }))
  }

  /** Nothing is left of a start that was unclean, or was under way. */
  forgetStart(start: number): Promise<Result<void, 'unreachable'>> {
    return this.change((record) => ({ ...record, unclean: record.unclean.filter((each) => each !== start) }))
  }

  /** Undefined forgets it. */
  savePendingRetirement(pendingRetirement: PendingRetirement | undefined): Promise<Result<void, 'unreachable'>> {
    return this.change(({ pendingRetirement: _, ...record }) => (pendingRetirement ? { ...record, pendingRetirement } : record))
  }

  /** Durable when it answers ok. */
  change(edit: (record: SiteRecord) => SiteRecord): Promise<Result<void, 'unreachable'>> {
    const step = this.#writing.then(async (): Promise<Result<void, 'unreachable'>> => {
      const record = edit(this.#record)
      const written = await this.#folder.writeFile(SITE_FILE, encodeSite(record))
      if (!written.ok) return fail('unreachable')
      this.#record = record
      return ok(undefined)
    })
    this.#writing = step
    return step
  }
}
