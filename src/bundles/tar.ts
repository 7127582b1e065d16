/**
 * The members of a volume's archive: POSIX ustar headers with nothing in them but a path and a length. There is one way to write each, and a reader
 * takes no other, so that links, devices, absolute paths and ".." have no form at all. Format: docs/formats.md#bundle, "Archive".
 * Source: IEEE Std 1003.1, pax, "ustar Interchange Format".
 */
import { CONTENT_BYTES_MAX, DIGEST_BYTES, PIECE_BYTES_MAX } from './format.ts'

export const BLOCK_BYTES = 512
/** What ends an archive. */
export const ARCHIVE_END_BYTES = 2 * BLOCK_BYTES

/** What a member belongs to. */
export type Whole =
  | { readonly kind: 'statement' }
  /** `number`: which entry of the bundle it is, from 1. */
  | { readonly kind: 'operations'; readonly number: number }
  /** `digest`: 96 hexadecimal digits. */
  | { readonly kind: 'content'; readonly digest: string }

export type Member = {
  readonly whole: Whole
  /** Where this piece begins in the whole. */
  readonly offset: number
  /** Length of the whole. */
  readonly total: number
  /** Length of this piece. */
  readonly bytes: number
}

export const paddedBytes = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES

function folderOf(whole: Whole): string {
  switch (whole.kind) {
    case 'statement':
      return 'statement'
    case 'operations':
      return `operations/${String(whole.number).padStart(12, '0')}`
    case 'content':
      return `content/${whole.digest}`
  }
}

const FOLDER = new RegExp(`^(?:(?<statement>statement)|operations/(?<number>[0-9]{12})|content/(?<digest>[0-9a-f]{${DIGEST_BYTES * 2}}))$`)

function wholeOf(folder: string): Whole | undefined {
  const groups = FOLDER.exec(folder)?.groups
  if (groups === undefined) return undefined
  if (groups.statement !== undefined) return { kind: 'statement' }
  if (groups.number !== undefined) return { kind: 'operations', number: Number(groups.number) }
  return { kind: 'content', digest: groups.digest! }
}

const digits = (value: number): string => String(value).padStart(15, '0')

/** The header block of a member. */
export function encodeHeader(member: Member): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES)
  header.write(`${digits(member.offset)}-${digits(member.total)}`, 0, 'latin1')
  header.write('0000644\x000000000\x000000000\0', 100, 'latin1')
  header.write(`${member.bytes.toString(8).padStart(11, '0')}\x0000000000000\0`, 124, 'latin1')
  header.write('        0', 148, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  header.write(folderOf(member.whole), 345, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

/** The member that `header` begins, or undefined if `encodeHeader` would not have made this block. */
export function decodeHeader(header: Uint8Array): Member | undefined {
  const block = Buffer.from(header.buffer, header.byteOffset, header.byteLength)
  const name = /^([0-9]{15})-([0-9]{15})$/.exec(textAt(block, 0, 100))
  const size = /^[0-7]{11}$/.exec(textAt(block, 124, 12))
  const whole = wholeOf(textAt(block, 345, 155))
  if (block.length !== BLOCK_BYTES || name === null || size === null || whole === undefined) return undefined
  const member = { whole, offset: Number(name[1]), total: Number(name[2]), bytes: Number.parseInt(size[0], 8) }
  const fits = member.total <= CONTENT_BYTES_MAX && member.bytes <= PIECE_BYTES_MAX && member.offset + member.bytes <= member.total
  return fits && encodeHeader(member).equals(block) ? member : undefined
}

function textAt(block: Buffer, at: number, bytes: number): string {
  const field = block.subarray(at, at + bytes)
  const end = field.indexOf(0)
  return field.toString('latin1', 0, end < 0 ? bytes : end)
}

export const isZeroBlock = (block: Uint8Array): boolean => block.every((byte) => byte === 0)
