import fs from 'node:fs'
import { mkdir, mkdtemp, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type DirectoryDisk, type DirectoryDiskOptions, openDirectoryDisk } from '../../src/disks/directory-disk.ts'
import { DIRECT_BYTES, type Disk } from '../../src/disks/disk.ts'
import type { Clock } from '../../src/environment.ts'
import { SlabPool } from '../../src/erasure/slabs.ts'
import { bytes, diskContract } from './disk-contract.ts'

const realClock: Clock = {
  nowMs: () => Date.now(),
  timer: (delayMs, then) => {
    const timer = setTimeout(then, delayMs)
    return () => clearTimeout(timer)
  },
}

async function open(directory: string, more: Partial<DirectoryDiskOptions> = {}): Promise<DirectoryDisk> {
  const opened = await openDirectoryDisk({ directory, identityFile: 'identity.json', clock: realClock, ...more })
  if (!opened.ok) throw new Error(opened.error)
  return opened.value
}
const newDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'holdfast-disk-'))

describe('the contract', () => {
  diskContract(async () => {
    const directory = await newDirectory()
    const disk = await open(directory)
    return {
      disk,
      run: (promise) => promise,
      deleteDirectory: () => rm(directory, { recursive: true }),
      reopen: (): Promise<Disk> => open(directory),
      end: async () => {
        disk.close()
        await rm(directory, { recursive: true, force: true })
      },
    }
  })
})

describe('what only a real directory does', () => {
  const cleanups: (() => Promise<void>)[] = []
  afterEach(async () => {
    vi.restoreAllMocks()
    for (const cleanup of cleanups.splice(0)) await cleanup()
  })
  const fresh = async (more: Partial<DirectoryDiskOptions> = {}): Promise<DirectoryDisk> => {
    const directory = await newDirectory()
    const disk = await open(directory, more)
    cleanups.push(async () => {
      disk.close()
      await rm(directory, { recursive: true, force: true })
    })
    return disk
  }
  /** A clock whose timers fire when told. */
  const handClock = (): Clock & { fire(): void } => {
    let timers: (() => void)[] = []
    return {
      nowMs: () => 0,
      timer: (_, then) => {
        timers.push(then)
        return () => {
          timers = timers.filter((timer) => timer !== then)
        }
      },
      fire: () => {
        for (const timer of timers.splice(0)) timer()
      },
    }
  }
  const failing = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code })

  test('where a file system refuses direct operations they go through the page cache', async () => {
    const disk = await fresh()
    const file = await disk.open('file', { mode: 'create', lane: 'data', direct: true })
    if (!file.ok) throw new Error(file.error)
    // Refused by ext4 and XFS, for it is no multiple of a block.
    const written = await Promise.all([0, 1, 2].map((i) => file.value.write(i * 100, [bytes(100, i + 1)])))
    expect(written.every((result) => result.ok)).toBe(true)
    expect((await file.value.sync()).ok).toBe(true)
    file.value.close()
    expect(await disk.readFile('file')).toEqual({ ok: true, value: new Uint8Array([1, 2, 3].flatMap((value) => [...bytes(100, value)])) })
    expect(disk.failed).toBeUndefined()
  })

  test('where a file system knows no direct files they are opened without', async () => {
    const disk = await fresh()
    const real = fs.open
    const flagsSeen: number[] = []
    vi.spyOn(fs, 'open').mockImplementation(((
      path: string,
      flags: number,
      mode: number,
      back: (error: Error | null, fd?: number) => void,
    ) => {
      flagsSeen.push(flags & fs.constants.O_DIRECT)
      if ((flags & fs.constants.O_DIRECT) === 0) real(path, flags, mode, back as never)
      // As tmpfs did: made, and refused.
      else real(path, flags & ~fs.constants.O_DIRECT, mode, (_, fd) => fs.close(fd, () => back(failing('EINVAL'))))
    }) as unknown as typeof fs.open)
    for (const name of ['first', 'second']) {
      const file = await disk.open(name, { mode: 'create', lane: 'data', direct: true })
      if (!file.ok) throw new Error(file.error)
      expect((await file.value.write(0, [bytes(5)])).ok).toBe(true)
      file.value.close()
    }
    expect(flagsSeen).toEqual([fs.constants.O_DIRECT, 0, 0])
    vi.restoreAllMocks()
    expect(await disk.readFile('second')).toEqual({ ok: true, value: bytes(5) })
  })

  test('a directory that is not there is gone', async () => {
    const opened = await openDirectoryDisk({ directory: '/nonexistent/holdfast', identityFile: 'identity.json', clock: realClock })
    expect(opened).toEqual({ ok: false, error: 'gone' })
  })

  test('another directory in its place is found by check', async () => {
    const disk = await fresh()
    await disk.writeFile('identity.json', bytes(5))
    await rename(disk.directory, `${disk.directory}.away`)
    cleanups.push(() => rm(`${disk.directory}.away`, { recursive: true }))
    await mkdir(disk.directory)
    await writeFile(join(disk.directory, 'identity.json'), bytes(5))
    expect(await disk.check()).toEqual({ ok: false, error: 'gone' })
  })

  test('files and folders are for the owner alone', async () => {
    const disk = await fresh()
    await disk.makeFolder('folder')
    await disk.writeFile('folder/file', bytes(5))
    expect((await stat(join(disk.directory, 'folder'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(disk.directory, 'folder/file'))).mode & 0o777).toBe(0o600)
  })

  test('symbolic links are not followed, and names that are not ours are not listed', async () => {
    const disk = await fresh()
    await symlink('/etc/hostname', join(disk.directory, 'link'))
    await writeFile(join(disk.directory, '.hidden'), '')
    await writeFile(join(disk.directory, 'with space'), '')
    expect(await disk.readFile('link')).toEqual({ ok: false, error: 'not-found' })
    expect(await disk.list('')).toEqual({ ok: true, value: ['link'] })
  })

  test('paths that lead out of the disk are refused as a mistake of the program', async () => {
    const disk = await fresh()
    for (const path of ['../other', 'a/../b', '/etc/hostname', 'a//b', 'a/', '.', 'a\0b', 'x'.repeat(600)]) {
      await expect(async () => disk.readFile(path)).rejects.toThrow()
      await expect(async () => disk.open(path, { mode: 'read', lane: 'data' })).rejects.toThrow()
      await expect(async () => disk.remove(path)).rejects.toThrow()
    }
  })

  test('a call that does not come back in time answers timeout, and everything else gone at once', async () => {
    const clock = handClock()
    const disk = await fresh({ clock })
    await disk.writeFile('file', bytes(5))
    const opened = await disk.open('file', { mode: 'write', lane: 'data' })
    if (!opened.ok) throw new Error(opened.error)
    let comesBack: (() => void) | undefined
    vi.spyOn(fs, 'fdatasync').mockImplementation(((_fd: number, back: (error: null) => void) => {
      comesBack = () => back(null)
    }) as typeof fs.fdatasync)
    const syncs = [opened.value.sync(), opened.value.sync(), opened.value.sync(), opened.value.sync()]
    const journal = disk.open('file', { mode: 'read', lane: 'journal' })
    expect((await journal).ok).toBe(true)
    for (let i = 0; i < 9; i++) clock.fire()
    const answers = await Promise.all(syncs)
    expect(answers[0]).toEqual({ ok: false, error: 'timeout' })
    expect(answers.slice(1)).toEqual(Array(3).fill({ ok: false, error: 'gone' }))
    expect(await disk.space()).toEqual({ ok: false, error: 'gone' })
    expect(disk.failed).toBe('timeout')
    comesBack?.()
    expect(disk.failed).toBe('timeout')
  })

  test('at most three data operations and one of the journal are with the kernel at once', async () => {
    const disk = await fresh()
    await disk.writeFile('file', bytes(5))
    const data = await disk.open('file', { mode: 'write', lane: 'data' })
    const journal = await disk.open('file', { mode: 'write', lane: 'journal' })
    if (!data.ok || !journal.ok) throw new Error('not opened')
    const waiting: (() => void)[] = []
    vi.spyOn(fs, 'fdatasync').mockImplementation(((_fd: number, back: (error: null) => void) => {
      waiting.push(() => back(null))
    }) as typeof fs.fdatasync)
    const all = Promise.all([...Array(6)].flatMap(() => [data.value.sync(), journal.value.sync()]))
    let most = 0
    while (waiting.length > 0) {
      most = Math.max(most, waiting.length)
      waiting.shift()!()
    }
    expect((await all).every((result) => result.ok)).toBe(true)
    expect(most).toBe(4)
  })

  test.each([
    ['EIO', 'io', 'io'],
    ['EROFS', 'io', 'io'],
    ['ENOSPC', 'full', undefined],
    ['EDQUOT', 'full', undefined],
  ])('%s is told as %s', async (code, fault, failed) => {
    const disk = await fresh()
    await disk.writeFile('file', bytes(5))
    const opened = await disk.open('file', { mode: 'write', lane: 'data' })
    if (!opened.ok) throw new Error(opened.error)
    vi.spyOn(fs, 'writev').mockImplementation(((_fd: number, _pieces: unknown, _at: number, back: (error: Error) => void) =>
      back(failing(code))) as unknown as typeof fs.writev)
    expect(await opened.value.write(0, [bytes(5)])).toEqual({ ok: false, error: fault })
    expect(disk.failed).toBe(failed)
  })

  test('an I/O error of a read that forgives speaks against that place, one of a write against the disk', async () => {
    const disk = await fresh()
    await disk.writeFile('file', bytes(9000))
    const failRead = ((_fd: number, _into: unknown, _offset: number, _count: number, _at: number, back: (error: Error) => void) =>
      back(failing('EIO'))) as unknown as typeof fs.read
    for (const direct of [false, true]) {
      const opened = await disk.open('file', { mode: 'read', lane: 'data', forgiving: true, direct })
      if (!opened.ok) throw new Error(opened.error)
      const slab = SlabPool.for(1, DIRECT_BYTES).take()
      const page = slab.memory.subarray(0, DIRECT_BYTES)
      vi.spyOn(fs, 'read').mockImplementationOnce(failRead)
      expect(await opened.value.readInto(0, page)).toEqual({ ok: false, error: 'io' })
      expect(disk.failed).toBeUndefined()
      expect(await opened.value.readInto(DIRECT_BYTES, page)).toEqual({ ok: true, value: DIRECT_BYTES })
      slab.release()
    }
    const opened = await disk.open('file', { mode: 'write', lane: 'data', forgiving: true })
    if (!opened.ok) throw new Error(opened.error)
    vi.spyOn(fs, 'fdatasync').mockImplementationOnce(((_fd: number, back: (error: Error) => void) =>
      back(failing('EIO'))) as typeof fs.fdatasync)
    expect(await opened.value.sync()).toEqual({ ok: false, error: 'io' })
    expect(disk.failed).toBe('io')
  })

  test('a small file is replaced in an order that no power cut can turn: content synced, renamed, folder synced', async () => {
    const disk = await fresh()
    await disk.writeFile('file', bytes(5))
    const calls: string[] = []
    const told = <K extends 'fdatasync' | 'rename' | 'fsync'>(name: K): void => {
      const original = fs[name] as (...args: unknown[]) => void
      vi.spyOn(fs, name).mockImplementation(((...args: unknown[]) => {
        calls.push(name)
        original(...args)
      }) as never)
    }
    for (const name of ['fdatasync', 'rename', 'fsync'] as const) told(name)
    expect((await disk.writeFile('file', bytes(6))).ok).toBe(true)
    expect(calls).toEqual(['fdatasync', 'rename', 'fsync'])
  })

  test.each(['fdatasync', 'fsync'] as const)('a %s that fails once while a small file is replaced is not tried again', async (name) => {
    const disk = await fresh()
    await disk.writeFile('file', bytes(5))
    const sync = vi.spyOn(fs, name).mockImplementationOnce(((_fd: number, back: (error: Error) => void) => back(failing('EIO'))) as never)
    expect(await disk.writeFile('file', bytes(6))).toEqual({ ok: false, error: 'io' })
    expect(sync).toHaveBeenCalledTimes(1)
    expect(disk.failed).toBe('io')
  })

  test('a process that is short of descriptors waits for one and does not blame the disk', async () => {
    const clock = handClock()
    const disk = await fresh({ clock })
    await disk.writeFile('file', bytes(5))
    vi.spyOn(fs, 'open').mockImplementationOnce(((_path: string, _flags: number, _mode: number, back: (error: Error) => void) =>
      back(failing('EMFILE'))) as unknown as typeof fs.open)
    const reading = disk.readFile('file')
    clock.fire()
    expect(await reading).toEqual({ ok: true, value: bytes(5) })
    expect(disk.failed).toBeUndefined()
  })

  test('partial writes and reads go on where they stopped', async () => {
    const disk = await fresh()
    const opened = await disk.open('file', { mode: 'create', lane: 'data' })
    if (!opened.ok) throw new Error(opened.error)
    const { writev, read } = fs
    vi.spyOn(fs, 'writev').mockImplementation(((fd: number, pieces: readonly Uint8Array[], at: number, back: () => void) => {
      const first = pieces.find((piece) => piece.length > 0)
      writev(fd, first === undefined ? [] : [first.subarray(0, 7)], at, back)
    }) as unknown as typeof fs.writev)
    vi.spyOn(fs, 'read').mockImplementation(((fd: number, into: Uint8Array, offset: number, count: number, at: number, back: () => void) =>
      read(fd, into, offset, Math.min(count, 3), at, back)) as unknown as typeof fs.read)
    expect(await opened.value.write(5, [bytes(10, 1), bytes(0), bytes(1, 2), bytes(20, 3)])).toEqual({ ok: true, value: undefined })
    expect(await opened.value.read(5, 31)).toEqual({ ok: true, value: new Uint8Array([...bytes(10, 1), 2, ...bytes(20, 3)]) })
  })

  test('closing it closes its files', async () => {
    const disk = await fresh()
    const descriptors = async (): Promise<string[]> => {
      const all = fs.readdirSync('/proc/self/fd').map((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`)
        } catch {
          return ''
        }
      })
      return all.filter((path) => path.startsWith(disk.directory))
    }
    for (const name of ['a', 'b', 'c']) await disk.open(name, { mode: 'create', lane: 'data' })
    expect(await descriptors()).toHaveLength(3)
    disk.close()
    await vi.waitFor(async () => expect(await descriptors()).toEqual([]))
  })
})
