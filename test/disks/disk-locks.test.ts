/** One process at a time may use a disk. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLockedDisk } from '../../src/disks/directory-disk.ts'
import { DiskLocks, parseHolder } from '../../src/disks/disk-locks.ts'
import { realClock } from '../store/local/real-environment.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-locks-'))
  mkdirSync(join(folder, 'disk'))
  symlinkSync(join(folder, 'disk'), join(folder, 'link'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const openAt = (name: string, locks: DiskLocks) =>
  openLockedDisk({ directory: join(folder, name), identityFile: 'identity.json', clock: realClock }, locks)

test('a disk is refused by any path while another has it, with who that is, and free when it is closed', async () => {
  const disk = await openAt('disk', new DiskLocks('/srv/one'))
  if (!disk.ok) throw new Error('cannot be opened')
  const other = new DiskLocks('/srv/two')
  for (const path of ['disk', 'link']) {
    expect(await openAt(path, other)).toEqual({ ok: false, error: { kind: 'held', by: `process ${process.pid} for /srv/one` } })
  }
  disk.value.close()
  const taken = await openAt('link', other)
  expect(taken.ok).toBe(true)
  await other.close()
  expect((await openAt('disk', new DiskLocks('/srv/three'))).ok).toBe(true)
})

test('whoever has a disk may open it again, and keeps it until all of that is closed', async () => {
  const locks = new DiskLocks('/srv/one')
  const [first, second] = await Promise.all([openAt('disk', locks), openAt('link', locks)])
  if (!first.ok || !second.ok) throw new Error('cannot be opened')
  first.value.close()
  expect((await openAt('disk', new DiskLocks('/srv/two'))).ok).toBe(false)
  second.value.close()
  expect((await openAt('disk', new DiskLocks('/srv/two'))).ok).toBe(true)
})

test('a directory that is not where its holder had it is free: its name in the kernel may be that of a new one', async () => {
  const disk = await openAt('disk', new DiskLocks('/srv/one'))
  if (!disk.ok) throw new Error('cannot be opened')
  renameSync(join(folder, 'disk'), join(folder, 'elsewhere'))
  const other = new DiskLocks('/srv/two')
  expect((await openAt('elsewhere', other)).ok).toBe(true)
  disk.value.close()
  expect((await openAt('elsewhere', new DiskLocks('/srv/three'))).ok).toBe(false)
  await other.close()
})

test('a holder that says nothing sensible, or too much, is not named', async () => {
  const { dev, ino } = statSync(join(folder, 'disk'))
  for (const answer of ['', 'nonsense', `{"pid":1,"holder":"${'x'.repeat(10_000)}`]) {
    const stranger = createServer((socket) => socket.on('error', () => undefined).end(answer))
    await new Promise<void>((resolve) => stranger.listen(`\0holdfast-disk-${dev}-${ino}`, resolve))
    expect(await openAt('disk', new DiskLocks('/srv/one'))).toEqual({ ok: false, error: { kind: 'held' } })
    await new Promise((resolve) => stranger.close(resolve))
  }
  expect(parseHolder('{"pid":7,"holder":"/srv/\\u001b[2Jx"}')).toEqual({ pid: 7, holder: '/srv/?[2Jx' })
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => ['undefined', 'object'].includes(typeof parseHolder(text))))
})
