/**
 * Text beyond US-ASCII in headers: encoded words. Values are header bytes, a character each. Amazon decodes what it gets, whoever encoded it, and
 * encodes what it sends as Java's mail library does: "Q" where most is readable, else "B", in words of at most 75 characters with a blank between.
 * Sources: RFC 2047; Amazon S3 User Guide, "Working with object metadata"; replies of Amazon S3 recorded in LocalStack's tests.
 */
import { isUtf8 } from 'node:buffer'

const WORD = /=\?([^?\s]{1,40})\?([BbQq])\?([^?]*)\?=/g
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const CHARSETS: ReadonlyMap<string, BufferEncoding> = new Map([
  ['utf-8', 'utf8'],
  ['us-ascii', 'latin1'],
  ['iso-8859-1', 'latin1'],
])

/** Words that are malformed or of another charset stay as they are. */
export function decodeEncodedWords(value: string): string {
  if (!value.includes('=?')) return value
  // What separates two encoded words is not part of the text: RFC 2047, 6.2.
  const joined = value.replace(/\?=[ \t]+(?==\?)/g, '?=')
  return joined.replace(WORD, (word, charset: string, encoding: string, text: string) => {
    const form = CHARSETS.get(charset.toLowerCase())
    const bytes = encoding === 'B' || encoding === 'b' ? fromBase64(text) : fromQuoted(text)
    return form === undefined || bytes === undefined ? word : Buffer.from(bytes.toString(form)).toString('latin1')
  })
}

const fromBase64 = (text: string): Buffer | undefined => (BASE64.test(text) ? Buffer.from(text, 'base64') : undefined)

function fromQuoted(text: string): Buffer | undefined {
  if (/=(?![0-9A-Fa-f]{2})/.test(text)) return undefined
  const plain = text.replaceAll('_', ' ').replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(plain, 'latin1')
}

const PRINTABLE = /^[\t\x20-\x7e]*$/

/** A value as a reply may show it. Bytes that are UTF-8 are the text they spell, others latin1. */
export function toEncodedWords(value: string): string {
  if (PRINTABLE.test(value)) return value
  const bytes = Buffer.from(value, 'latin1')
  const text = isUtf8(bytes) ? bytes.toString('utf8') : value
  return words(text, mostlyReadable(text) ? 'Q' : 'B').join(' ')
}

function mostlyReadable(text: string): boolean {
  let readable = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if ((code >= 0x20 && code < 0x7f) || code === 9 || code === 10 || code === 13) readable++
  }
  return readable > text.length - readable
}

/** Of the 75 characters of a word, those between "=?UTF-8?Q?" and "?=". */
const ENCODED_MAX = 63

function words(text: string, encoding: 'B' | 'Q'): readonly string[] {
  const bytes = Buffer.from(text)
  const encoded = encoding === 'B' ? bytes.toString('base64') : toQuoted(bytes)
  if (encoded.length <= ENCODED_MAX || text.length <= 1) return [`=?UTF-8?${encoding}?${encoded}?=`]
  let middle = Math.floor(text.length / 2)
  if (/[\ud800-\udbff]/.test(text[middle - 1]!)) middle = middle > 1 ? middle - 1 : middle + 1
  if (middle >= text.length) return [`=?UTF-8?${encoding}?${encoded}?=`]
  return [...words(text.slice(0, middle), encoding), ...words(text.slice(middle), encoding)]
}

function toQuoted(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) {
    const char = String.fromCharCode(byte)
    if (char === ' ') text += '_'
    else if (byte < 0x20 || byte >= 0x7f || '=?_'.includes(char)) text += `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
    else text += char
  }
  return text
}
