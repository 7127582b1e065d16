/** What every Disk does, whatever it is made of. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DIRECT_BYTES, type Disk, type DiskFault, type DiskFile } from '../../src/disks/disk.ts'
import { SlabPool } from '../../src/erasure/slabs.ts'
import type { Result } from '../../src/result.ts'

export type DiskUnderTest = {
  readonly disk: Disk
  /** Lets the world go on until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T>
  /** `rm -rf` of its directory. */
  deleteDirectory(): Promise<void>
  /** The same directory, opened anew. */
  reopen(): Promise<Disk>
  end(): Promise<void>
}

export const bytes = (count: number, value = 7): Uint8Array => new Uint8Array(count).fill(value)

export function diskContract(start: () => Promise<DiskUnderTest>): void {
  let under: DiskUnderTest
  let disk: Disk
  beforeEach(async () => {
    under = await start()
    disk = under.disk
  })
  afterEach(() => under.end())

  const run = <T>(promise: Promise<T>): Promise<T> => under.run(promise)
  async function must<T>(promise: Promise<Result<T, DiskFault>>): Promise<T> {
    const result = await run(promise)
    if (!result.ok) throw new Error(`failed: ${result.error}`)
    return result.value
  }
  const fault = async (promise: Promise<Result<unknown, DiskFault>>): Promise<DiskFault | 'none'> => {
    const result = await run(promise)
    return result.ok ? 'none' : result.error
  }
  const create = (file: string): Promise<DiskFile> => must(disk.open(file, { mode: 'create', lane: 'data' }))

  test('what is written in pieces is read back, at any offset', async () => {
    const file = await create('file')
    await must(file.write(3, [bytes(2, 1), bytes(0), bytes(3, 2)]))
    await must(file.write(4, [bytes(1, 9)]))
    expect(await must(file.size())).toBe(8)
    expect(await must(file.read(0, 8))).toEqual(new Uint8Array([0, 0, 0, 1, 9, 2, 2, 2]))
    expect(await must(file.read(4, 2))).toEqual(new Uint8Array([9, 2]))
    expect(await must(file.read(8, 0))).toEqual(bytes(0))
  })

  test('more pieces than one system call takes are written', async () => {
    const file = await create('file')
    const pieces = Array.from({ length: 2500 }, (_, i) => bytes(3, i % 251))
    await must(file.write(10, pieces))
    expect(Buffer.compare(await must(file.read(10, 7500)), Buffer.concat(pieces))).toBe(0)
  })

  test('pages written directly are there like others, also beside buffered writes, and syncing makes them durable', async () => {
    const slab = SlabPool.for(1, 4 * DIRECT_BYTES).take()
    for (let page = 0; page < 4; page++) slab.memory.fill(page + 1, page * DIRECT_BYTES, (page + 1) * DIRECT_BYTES)
    const page = (first: number, count = 1) => slab.memory.subarray(first * DIRECT_BYTES, (first + count) * DIRECT_BYTES)
    const direct = await must(disk.open('file', { mode: 'create', lane: 'data', direct: true }))
    await must(direct.write(0, [page(0, 3)]))
    await must(direct.write(3 * DIRECT_BYTES, [page(3), page(0)]))
    await must(direct.sync())
    direct.close()
    const buffered = await must(disk.open('file', { mode: 'write', lane: 'data' }))
    await must(buffered.write(5 * DIRECT_BYTES, [bytes(100, 5)]))
    const reader = await must(disk.open('file', { mode: 'read', lane: 'data', direct: true }))
    expect(await must(reader.readInto(DIRECT_BYTES, page(0, 2)))).toBe(2 * DIRECT_BYTES)
    expect(Buffer.concat([page(0, 2)])).toEqual(Buffer.concat([bytes(4096, 2), bytes(4096, 3)]))
    expect(await must(reader.readInto(4 * DIRECT_BYTES, page(0, 3)))).toBe(DIRECT_BYTES + 100)
    expect(await must(reader.readInto(6 * DIRECT_BYTES, page(0)))).toBe(0)
    expect(Buffer.concat([page(0), page(1).subarray(0, 100)])).toEqual(Buffer.concat([bytes(4096, 1), bytes(100, 5)]))
    await must(buffered.write(10, [bytes(5, 9)]))
    expect(await must(buffered.read(0, 5 * DIRECT_BYTES))).toEqual(
      new Uint8Array(Buffer.concat([bytes(10, 1), bytes(5, 9), bytes(4081, 1), ...[2, 3, 4, 1].map((value) => bytes(4096, value))])),
    )
    expect(await fault(disk.open('file', { mode: 'create', lane: 'data', direct: true }))).toBe('exists')
    expect(disk.failed).toBeUndefined()
    slab.release()
  })

  test('reading into memory says how far the file went', async () => {
    const file = await create('file')
    await must(file.write(0, [bytes(10, 1), bytes(10, 2)]))
    const target = bytes(12, 0)
    expect(await must(file.readInto(5, target))).toBe(12)
    expect(target).toEqual(new Uint8Array([...bytes(5, 1), ...bytes(7, 2)]))
    expect(await must(file.readInto(18, target))).toBe(2)
    expect(await must(file.readInto(30, target))).toBe(0)
  })

  test('reading beyond the end is short', async () => {
    const file = await create('file')
    await must(file.write(0, [bytes(10)]))
    expect(await fault(file.read(5, 6))).toBe('short')
    expect(await fault(file.read(100, 1))).toBe('short')
    expect(disk.failed).toBeUndefined()
  })

  test('an array that was read is the reader’s own', async () => {
    const file = await create('file')
    await must(file.write(0, [bytes(10)]))
    const first = await must(file.read(0, 10))
    expect(first.buffer.byteLength).toBe(10)
    first.fill(0)
    expect(await must(file.read(0, 10))).toEqual(bytes(10))
  })

  test('a file is made once, and opened only if it is there', async () => {
    await create('file')
    expect(await fault(disk.open('file', { mode: 'create', lane: 'data' }))).toBe('exists')
    expect(await fault(disk.open('other', { mode: 'read', lane: 'data' }))).toBe('not-found')
    expect(await fault(disk.open('other', { mode: 'write', lane: 'journal', dsync: true }))).toBe('not-found')
    expect(await fault(disk.open('folder/file', { mode: 'create', lane: 'data' }))).toBe('not-found')
    expect(disk.failed).toBeUndefined()
  })

  test('both lanes and O_DSYNC write the same file', async () => {
    const data = await create('file')
    const journal = await must(disk.open('file', { mode: 'write', lane: 'journal', dsync: true }))
    await must(data.write(0, [bytes(4, 1)]))
    await must(journal.write(4, [bytes(4, 2)]))
    await must(data.sync())
    expect(await must(data.read(0, 8))).toEqual(new Uint8Array([1, 1, 1, 1, 2, 2, 2, 2]))
  })

  test('a small file is replaced as a whole, and leaves nothing beside it', async () => {
    await must(disk.writeFile('file', bytes(100, 1)))
    await must(disk.writeFile('file', bytes(5, 2)))
    expect(await must(disk.readFile('file'))).toEqual(bytes(5, 2))
    expect(await must(disk.list(''))).toEqual(['file'])
    expect(await fault(disk.readFile('other'))).toBe('not-found')
  })

  test('replacements of one file at the same time leave one of them', async () => {
    const all = await run(Promise.all([1, 2, 3, 4].map((value) => disk.writeFile('file', bytes(1000, value)))))
    expect(all.every((result) => result.ok)).toBe(true)
    const content = await must(disk.readFile('file'))
    expect(content).toEqual(bytes(1000, content[0]!))
  })

  test('readFile refuses a file above its limit and goes on trusting the disk', async () => {
    const file = await create('file')
    await must(file.write(1024 * 1024, [bytes(1)]))
    expect(await fault(disk.readFile('file'))).toBe('io')
    expect(disk.failed).toBeUndefined()
  })

  test('folders are made with those above them, and again without a fault', async () => {
    await must(disk.makeFolder('a/b/c'))
    await must(disk.makeFolder('a/b/c'))
    await must(disk.makeFolder('a/d'))
    await create('a/b/file')
    expect((await must(disk.list('a'))).sort()).toEqual(['b/', 'd/'])
    expect((await must(disk.list('a/b'))).sort()).toEqual(['c/', 'file'])
    await must(disk.syncFolder('a/b'))
    await must(disk.syncFolder(''))
    expect(await fault(disk.list('e'))).toBe('not-found')
    expect(await fault(disk.syncFolder('e'))).toBe('not-found')
  })

  test('removed files and empty folders are gone; a folder with content stays', async () => {
    await must(disk.makeFolder('a'))
    await create('a/file')
    expect(await fault(disk.removeFolder('a'))).toBe('exists')
    await must(disk.remove('a/file'))
    expect(await fault(disk.remove('a/file'))).toBe('not-found')
    await must(disk.removeFolder('a'))
    expect(await fault(disk.removeFolder('a'))).toBe('not-found')
    expect(await must(disk.list(''))).toEqual([])
    expect(disk.failed).toBeUndefined()
  })

  test('a removed file stays readable for whoever has it open', async () => {
    const file = await create('file')
    await must(file.write(0, [bytes(10)]))
    await must(disk.remove('file'))
    expect(await must(file.read(0, 10))).toEqual(bytes(10))
  })

  test('a file may be closed while operations are under way', async () => {
    const file = await create('file')
    const writing = Array.from({ length: 20 }, (_, i) => file.write(i * 10, [bytes(10, i)]))
    file.close()
    file.close()
    expect((await run(Promise.all(writing))).every((result) => result.ok)).toBe(true)
    expect((await must(disk.readFile('file'))).length).toBe(200)
  })

  test('many operations at once all complete', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `f${i}`)
    const written = await run(Promise.all(names.map((name, i) => disk.writeFile(name, bytes(i, i)))))
    expect(written.every((result) => result.ok)).toBe(true)
    const read = await run(Promise.all(names.map((name) => disk.readFile(name))))
    expect(read.map((result) => (result.ok ? result.value.length : -1))).toEqual(names.map((_, i) => i))
  })

  test('space is told', async () => {
    const space = await must(disk.space())
    expect(space.freeBytes).toBeGreaterThan(0)
    expect(space.freeBytes).toBeLessThanOrEqual(space.totalBytes)
  })

  test('check is content while the directory is the same, also after its identity was written', async () => {
    await must(disk.check())
    await must(disk.writeFile('identity.json', bytes(10)))
    await must(disk.check())
    const again = await under.reopen()
    const checked = await run(again.check())
    again.close()
    expect(checked.ok).toBe(true)
  })

  test('after its directory is deleted, check finds it and every later operation answers gone', async () => {
    await must(disk.writeFile('identity.json', bytes(10)))
    const file = await create('file')
    await under.deleteDirectory()
    expect(await fault(file.write(0, [bytes(10)]))).toBe('none')
    expect(await fault(file.sync())).toBe('none')
    expect(await fault(disk.check())).toBe('gone')
    expect(disk.failed).toBe('gone')
    expect(await fault(file.write(0, [bytes(10)]))).toBe('gone')
    expect(await fault(disk.readFile('identity.json'))).toBe('gone')
    expect(await fault(disk.check())).toBe('gone')
  })
}
