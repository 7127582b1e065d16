/** The small files at the top of a disk: read at the start, written when it joins a pool, its generation kept. Format: docs/formats.md#disk-identity. */
import { done, fail, ok, type Result } from '../result.ts'
import { DIRECT_BYTES, type Disk, type DiskFault, isOfPlace } from './disk.ts'
import {
  type DiskIdentity,
  decodeGeneration,
  decodeIdentity,
  encodeGeneration,
  encodeIdentity,
  GENERATION_BYTES,
  GENERATION_FILES,
  type Generation,
  IDENTITY_FILE,
} from './identity.ts'
import type { FoundDisk } from './pool-start.ts'
import { describeFault } from './pool-words.ts'

type Slot = 0 | 1
/** Longer than any of these files. */
const FILE_BYTES_MAX = 1024 * 1024

/** What a disk shows of itself. The error: it was written by a newer software. */
export async function readFoundDisk(disk: Disk): Promise<Result<FoundDisk, 'newer-version'>> {
  const content = await readAround(disk, IDENTITY_FILE)
  if (!content.ok) return ok({ disk, why: content.error === 'not-found' ? 'it has no identity file' : describeFault(content.error) })
  const identity = decodeIdentity(content.value)
  if (!identity.ok) return identity.error === 'newer-version' ? fail(identity.error) : ok({ disk, why: 'its identity file is damaged' })
  const generations = await readGenerations(disk)
  if (!generations.ok) return generations
  const generation = newest(generations.value)?.generation
  return ok({ disk, identity: identity.value, ...(generation === undefined ? { why: 'its generation is damaged' } : { generation }) })
}

/**
 * Reads back the files of a disk that is in. Its identity is written again in place where it is not as it should be, since its inode tells that the disk is
 * the same; of the generation it only says whether it is the one given.
 */
export async function checkDiskFiles(
  disk: Disk,
  identity: DiskIdentity,
  number: number,
): Promise<Result<{ readonly identity: 'whole' | 'mended'; readonly generation: 'whole' | 'bad' }, DiskFault>> {
  const expected = encodeIdentity(identity)
  const found = await readAround(disk, IDENTITY_FILE)
  if (!found.ok && !isOfPlace(found.error, disk)) return found
  const isWhole = found.ok && Buffer.compare(found.value.subarray(0, expected.length), expected) === 0
  // A page that cannot be read must be written as a whole.
  const again = found.ok ? expected : Buffer.concat([expected, Buffer.alloc(DIRECT_BYTES - expected.length, ' ')])
  const mended = isWhole ? done : await writeInPlace(disk, IDENTITY_FILE, again)
  if (!mended.ok) return mended
  const generations = await readGenerations(disk)
  const isNewest = generations.ok && newest(generations.value)?.generation.number === number
  return ok({ identity: isWhole ? 'whole' : 'mended', generation: isNewest ? 'whole' : 'bad' })
}

/** One that is gone, as the repair of a file system leaves it, is made again. */
async function writeInPlace(disk: Disk, name: string, content: Uint8Array): Promise<Result<void, DiskFault>> {
  const file = await disk.open(name, { mode: 'write', lane: 'journal', dsync: true })
  if (!file.ok) return file.error === 'not-found' ? makeAgain(disk, name, content) : file
  const written = await file.value.write(0, [content])
  file.value.close()
  return written
}

/** Unless the whole disk is gone, and its mount point is what is left. */
async function makeAgain(disk: Disk, name: string, content: Uint8Array): Promise<Result<void, DiskFault>> {
  const alive = await disk.check()
  return alive.ok ? disk.writeFile(name, content) : alive
}

/** Keeps the generation of one disk: in turn into two files of fixed size, in place, so that it needs no space and a torn write costs nothing. */
export class GenerationFiles {
  readonly #disk: Disk
  #next: Slot

  private constructor(disk: Disk, next: Slot) {
    this.#disk = disk
    this.#next = next
  }

  static async open(disk: Disk): Promise<GenerationFiles> {
    const generations = await readGenerations(disk)
    const kept = generations.ok ? newest(generations.value)?.slot : undefined
    return new GenerationFiles(disk, kept === 0 ? 1 : 0)
  }

  /** Gives a disk that joins a pool its files, identity last: without it, it belongs to nobody. */
  static async lay(disk: Disk, identity: DiskIdentity): Promise<Result<GenerationFiles, DiskFault>> {
    for (const file of GENERATION_FILES) {
      const laid = await disk.writeFile(file, new Uint8Array(GENERATION_BYTES).fill(0x0a))
      if (!laid.ok) return laid
    }
    const written = await disk.writeFile(IDENTITY_FILE, encodeIdentity(identity))
    return written.ok ? ok(new GenerationFiles(disk, 0)) : written
  }

  /** Durable when it answers. */
  async write(generation: Generation): Promise<Result<void, DiskFault>> {
    const written = await writeInPlace(this.#disk, GENERATION_FILES[this.#next], encodeGeneration(generation))
    if (!written.ok) return written
    this.#next = this.#next === 0 ? 1 : 0
    return done
  }
}

/** A bad sector in one of these files is not the end of the disk: they are written again. */
async function readAround(disk: Disk, name: string): Promise<Result<Uint8Array, DiskFault>> {
  const file = await disk.open(name, { mode: 'read', lane: 'data', forgiving: true })
  if (!file.ok) return file
  const size = await file.value.size()
  const content = size.ok ? await file.value.read(0, Math.min(size.value, FILE_BYTES_MAX)) : size
  file.value.close()
  return content
}

type Kept = { readonly slot: Slot; readonly generation: Generation }

async function readGenerations(disk: Disk): Promise<Result<Kept[], 'newer-version'>> {
  const kept: Kept[] = []
  for (const slot of [0, 1] as const) {
    const content = await readAround(disk, GENERATION_FILES[slot])
    const generation = content.ok ? decodeGeneration(content.value) : undefined
    if (generation?.ok === true) kept.push({ slot, generation: generation.value })
    else if (generation?.error === 'newer-version') return fail('newer-version')
  }
  return ok(kept)
}

function newest(kept: readonly Kept[]): Kept | undefined {
  const [a, b] = kept
  if (a === undefined || b === undefined) return a ?? b
  return a.generation.number > b.generation.number ? a : b
}

/** Whether nothing is on the disk but, at most, what an interrupted `lay` leaves. The error, for people: what is there instead. */
export async function isVacant(disk: Disk, allowed: 'with-identity' | 'without-identity'): Promise<Result<void, string>> {
  const names = await disk.list('')
  if (!names.ok) return fail(describeFault(names.error))
  if (allowed === 'without-identity' && names.value.includes(IDENTITY_FILE)) return fail('it belongs to a pool already')
  const ours: readonly string[] = [...GENERATION_FILES, IDENTITY_FILE]
  const others = names.value.filter((name) => !ours.includes(name))
  return others.length === 0 ? done : fail(`it is not empty (${others.slice(0, 3).join(', ')})`)
}
