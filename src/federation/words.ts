/** Positions and JSON as bundles and documents spell them. Format: docs/formats.md#bundle, "Operations". */
import type { Position, SiteId } from '../store/terms.ts'

/** A position as text: what identifies a bucket at every site. */
export type BucketOrigin = string & { readonly brand: 'BucketOrigin' }

export const positionText = ({ clock, site, sequence }: Position): BucketOrigin => `${clock}/${site}/${sequence}` as BucketOrigin

const POSITION = /^(0|[1-9][0-9]{0,15})\/([0-9a-f]{32})\/(0|[1-9][0-9]{0,15})$/

/** Undefined if it is no position's text. */
export function parsePosition(text: unknown): Position | undefined {
  const match = typeof text === 'string' ? POSITION.exec(text) : null
  if (match === null) return undefined
  const [clock, sequence] = [Number(match[1]), Number(match[3])]
  return Number.isSafeInteger(clock) && Number.isSafeInteger(sequence) ? { clock, site: match[2] as SiteId, sequence } : undefined
}

/** JSON in the one form that is signed: no white space, names sorted. Source: RFC 8785. `value`: JSON values only, texts well-formed. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  // The default order compares UTF-16 code units, as RFC 8785 section 3.2.3 asks.
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  fields.sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`
}

/** "1 operation", "2 operations". */
export const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? '' : 's'}`
