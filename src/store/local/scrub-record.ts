/** SITE/scrub.json: how far the background scrub is, and what the last whole pass found. Format: docs/formats.md#site, version 1. */
import type { Disk } from '../../disks/disk.ts'
import { seal, unseal } from '../../disks/sealed-json.ts'
import type { ScrubCursor } from './scrub-pass.ts'

export const SCRUB_FILE = 'scrub.json'
const FORMAT = 'holdfast-scrub'
const VERSION = 1
const BYTES_MAX = 64 * 1024

export type ScrubFindings = { readonly repaired: number; readonly remaining: number }
export type ScrubRecord = {
  /** When the newest pass began. */
  readonly begunMs: number
  /** Where it is; undefined when it is over. */
  readonly under?: ScrubFindings & { readonly cursor: ScrubCursor | undefined }
  /** The last pass that came to its end. */
  readonly last?: ScrubFindings & { readonly endedMs: number; readonly bytes: number }
}

/** Where the record is kept. Losing it costs a pass that begins anew. */
export interface ScrubMemory {
  read(): Promise<ScrubRecord | undefined>
  write(record: ScrubRecord): Promise<void>
}

export function scrubMemoryIn(folder: Pick<Disk, 'readFile' | 'writeFile'>): ScrubMemory {
  return {
    async read() {
      const content = await folder.readFile(SCRUB_FILE)
      return content.ok ? decodeScrubRecord(content.value) : undefined
    },
    async write(record) {
      await folder.writeFile(SCRUB_FILE, encodeScrubRecord(record))
    },
  }
}

export function encodeScrubRecord({ begunMs, under, last }: ScrubRecord): Uint8Array {
  const pass = under && { repaired: under.repaired, remaining: under.remaining, ...(under.cursor && { cursor: packCursor(under.cursor) }) }
  return seal(FORMAT, VERSION, { begunMs, ...(pass && { pass }), ...(last && { last }) })!
}

const packCursor = (cursor: ScrubCursor) =>
  cursor.kind === 'segment' ? { segment: cursor.number } : { extent: [cursor.start, cursor.counter] }

/** Undefined if it is damaged, or a newer software's. */
export function decodeScrubRecord(bytes: Uint8Array): ScrubRecord | undefined {
  const body = unseal(FORMAT, VERSION, bytes, BYTES_MAX)
  if (!body.ok || !isCount(body.value.begunMs)) return undefined
  const { begunMs, pass, last } = body.value
  const under = isFindings(pass) ? { repaired: pass.repaired, remaining: pass.remaining, cursor: parseCursor(pass.cursor) } : undefined
  const ended = isFindings(last) && isCount(last.endedMs) && isCount(last.bytes) ? last : undefined
  return { begunMs, ...(under && { under }), ...(ended && { last: parseEnded(ended) }) }
}

const parseEnded = ({ repaired, remaining, endedMs, bytes }: Found): NonNullable<ScrubRecord['last']> => ({
  repaired,
  remaining,
  endedMs: Number(endedMs),
  bytes: Number(bytes),
})

type Found = { readonly repaired: number; readonly remaining: number } & Readonly<Record<string, unknown>>

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isFindings = (value: unknown): value is Found =>
  typeof value === 'object' && value !== null && isCount((value as Found).repaired) && isCount((value as Found).remaining)

function parseCursor(value: unknown): ScrubCursor | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { segment, extent } = value as { readonly segment?: unknown; readonly extent?: unknown }
  if (isCount(segment)) return { kind: 'segment', number: segment }
  if (!Array.isArray(extent) || extent.length !== 2 || !extent.every(isCount) || extent[0]! >= 2 ** 32) return undefined
  return { kind: 'extent', start: extent[0] as number, counter: extent[1] as number }
}
