/** Base32 in Crockford's alphabet (no I, L, O, U), for what people read out and type. Source: Douglas Crockford, "Base 32". */

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const VALUES = new Map<string, number>([...ALPHABET].map((character, value) => [character, value]))
for (const [character, same] of [
  ['O', '0'],
  ['I', '1'],
  ['L', '1'],
] as const)
  VALUES.set(character, VALUES.get(same)!)

/** Five bits a character, groups of four joined by '-'. `bytes` has a length that is a multiple of 5. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(held >> bits) & 31]
    }
    held &= (1 << bits) - 1
  }
  return text.match(/.{1,4}/g)?.join('-') ?? ''
}

/** Exactly `count` bytes (a multiple of 5), or undefined. Takes lower case, O for 0, I and L for 1, and blanks and dashes of any kind anywhere. */
export function decodeBase32(text: string, count: number): Uint8Array | undefined {
  const bytes = new Uint8Array(count)
  let at = 0
  let bits = 0
  let held = 0
  if (text.length > count * 4) return undefined
  for (const character of text.toUpperCase()) {
    if (/[\p{Pd}\s]/u.test(character)) continue
    const value = VALUES.get(character)
    if (value === undefined) return undefined
    held = (held << 5) | value
    bits += 5
    if (bits < 8) continue
    bits -= 8
    if (at === count) return undefined
    bytes[at++] = held >> bits
    held &= (1 << bits) - 1
  }
  return at === count && bits === 0 ? bytes : undefined
}
