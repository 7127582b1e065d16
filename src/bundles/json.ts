/** Reads JSON from outside strictly: valid UTF-8, every field expected and of its type, none besides. Faults are thrown as Malformed inside a `parseJson` only. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

class Malformed extends Error {}

/** Below what JSON.stringify and the like can walk without running out of stack. */
const DEPTH_MAX = 64

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What `read` makes of the object in `bytes`, or undefined if anything is not as it should be. */
export function parseJson<T>(bytes: Uint8Array, read: (fields: Fields) => T): T | undefined {
  try {
    const fields = new Fields(JSON.parse(utf8.decode(bytes)))
    const value = read(fields)
    fields.end()
    return value
  } catch (error) {
    // SyntaxError: not JSON. TypeError: not UTF-8. RangeError: nested beyond the stack.
    if (error instanceof Malformed || error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError)
      return undefined
    throw error
  }
}

/** The fields of one object; each is taken once. */
export class Fields {
  readonly #values: Map<string, unknown>

  constructor(value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Malformed()
    this.#values = new Map(Object.entries(value))
  }

  #take(name: string): unknown {
    const value = this.#values.get(name)
    if (value === undefined) throw new Malformed()
    this.#values.delete(name)
    return value
  }

  end(): void {
    if (this.#values.size > 0) throw new Malformed()
  }

  integer(name: string, min: number, max: number): number {
    const value = this.#take(name)
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) throw new Malformed()
    return value
  }

  text(name: string, charactersMax: number): string {
    const value = this.#take(name)
    if (typeof value !== 'string' || value.length > charactersMax) throw new Malformed()
    return value
  }

  is(name: string, expected: string | number): void {
    if (this.#take(name) !== expected) throw new Malformed()
  }

  hex(name: string, bytes: number): string {
    const value = this.text(name, bytes * 2)
    if (value.length !== bytes * 2 || !/^[0-9a-f]*$/.test(value)) throw new Malformed()
    return value
  }

  /** Between `min` and `max` bytes, in base64 with padding. */
  base64(name: string, min: number, max: number): Buffer {
    const value = this.text(name, Math.ceil(max / 3) * 4)
    const bytes = Buffer.from(value, 'base64')
    if (bytes.toString('base64') !== value || bytes.length < min || bytes.length > max) throw new Malformed()
    return bytes
  }

  /** Milliseconds since 1970, of a time as toISOString writes it. */
  time(name: string): number {
    const value = this.text(name, 24)
    const ms = Date.parse(value)
    if (Number.isNaN(ms) || new Date(ms).toISOString() !== value) throw new Malformed()
    return ms
  }

  /** Undefined for null. */
  optional<T>(name: string, read: (name: string) => T): T | undefined {
    if (this.#values.get(name) !== null) return read(name)
    this.#values.delete(name)
    return undefined
  }

  /** Undefined if the field is missing: earlier documents did not have it. */
  ifThere<T>(name: string, read: (name: string) => T): T | undefined {
    return this.#values.get(name) === undefined ? undefined : read(name)
  }

  object<T>(name: string, read: (fields: Fields) => T): T {
    return readObject(this.#take(name), read)
  }

  list<T>(name: string, min: number, max: number, read: (fields: Fields) => T): T[] {
    const value = this.#take(name)
    if (!Array.isArray(value) || value.length < min || value.length > max) throw new Malformed()
    return value.map((item: unknown) => readObject(item, read))
  }

  /** A list of lists of objects. */
  lists<T>(name: string, max: number, read: (items: readonly Fields[]) => T): T[] {
    const value = this.#take(name)
    if (!Array.isArray(value) || value.length > max) throw new Malformed()
    return value.map((list: unknown) => {
      if (!Array.isArray(list) || list.length > max) throw new Malformed()
      const items = list.map((item: unknown) => new Fields(item))
      const result = read(items)
      for (const item of items) item.end()
      return result
    })
  }

  /** Any JSON, nested no deeper than people nest it. */
  json(name: string): Json {
    const value = this.#take(name)
    let level: unknown[] = [value]
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > DEPTH_MAX) throw new Malformed()
      level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []))
    }
    return value as Json
  }

  /** For what only the reader can see to be wrong. */
  malformed(): never {
    throw new Malformed()
  }
}

function readObject<T>(value: unknown, read: (fields: Fields) => T): T {
  const fields = new Fields(value)
  const result = read(fields)
  fields.end()
  return result
}
