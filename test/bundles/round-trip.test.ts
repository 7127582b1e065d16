import { execFileSync } from 'node:child_process'
import { renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { verifyBundle } from '../../src/bundles/read-bundle.ts'
import {
  alpha,
  bravo,
  content,
  filesOf,
  KiB,
  MiB,
  mallory,
  NOW,
  newFolder,
  opening,
  operations,
  randomBytes,
  trusting,
  unpacked,
  written,
} from './bundle-fixture.ts'

const small = [randomBytes(0), randomBytes(1), randomBytes(511), randomBytes(512), randomBytes(513), randomBytes(100_000)]
const entries = [operations('{"op":1}\n{"op":2}\n'), ...small.map((bytes) => content(bytes, 777)), operations('{"op":3}\n')]
const expected = ['{"op":1}\n{"op":2}\n', ...small.map((bytes) => Buffer.from(bytes)), '{"op":3}\n']

test('what goes into a bundle comes out at its recipient, in order, with the statement', async () => {
  const { folder, summary } = await written(entries, { statement: { sealed: { brings: [1, 2] }, needs: { holds: 'nothing' } } })
  const { entries: found, fault, bundle } = await unpacked(folder)
  expect(fault).toBeUndefined()
  expect(found).toEqual(expected)
  expect(bundle).toMatchObject({
    bundleId: summary.bundleId,
    manifestDigest: summary.manifestDigest,
    statement: { brings: [1, 2] },
    needs: { holds: 'nothing' },
    sender: { siteId: alpha.publicIdentity.siteId },
  })
  expect(await verifyBundle([folder], trusting(alpha), { nowMs: NOW })).toMatchObject({ verdict: 'intact', exit: 0, damage: [] })
})

test('content longer than a volume goes on in the next ones, and no volume exceeds its size', async () => {
  const long = randomBytes(400 * KiB)
  const { folder, summary } = await written([content(long), operations('end')], { volumeBytes: 64 * KiB })
  expect(summary.volumes).toBeGreaterThan(6)
  for (const name of filesOf(folder).filter((file) => file.startsWith('volume-') && file.endsWith('.sealed')))
    expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(64 * KiB)
  expect((await unpacked(folder)).entries).toEqual([Buffer.from(long), 'end'])
})

test('volumes of several rows keep every byte', async () => {
  const long = randomBytes(5 * MiB + 12345)
  const { folder, summary } = await written([content(long, 1 << 20)], { volumeBytes: 2.5 * MiB })
  expect(summary.volumes).toBe(3)
  const { fault, entries: found } = await unpacked(folder)
  expect(fault).toBeUndefined()
  expect(Buffer.compare(found[0] as Buffer, long)).toBe(0)
})

test('a bundle without entries carries its statement', async () => {
  const { folder, summary } = await written([], { parityVolumes: 1 })
  expect(summary).toMatchObject({ volumes: 1, parityVolumes: 1 })
  expect(await unpacked(folder)).toMatchObject({ fault: undefined, entries: [], bundle: { statement: { brings: 'everything' } } })
})

test('content that the recipient passes over does not disturb what follows', async () => {
  const { folder } = await written(entries)
  const opened = await opening(folder)
  if (!opened.ok) throw new Error(opened.error.sentence)
  const kinds: string[] = []
  for await (const entry of opened.value.entries()) kinds.push(entry.ok ? entry.value.kind : entry.error.kind)
  expect(kinds).toEqual(['operations', ...small.map(() => 'content'), 'operations'])
  await opened.value.close()
})

test('the volumes may lie in several folders, some of them twice', async () => {
  const { folder } = await written(entries)
  const second = newFolder()
  const names = filesOf(folder)
  expect(names).toContain('volume-00002.trailer')
  for (const name of names.filter((file) => file.startsWith('volume-00002'))) renameSync(join(folder, name), join(second, name))
  execFileSync('cp', [join(folder, 'volume-00001.tar.sealed'), join(folder, 'preamble'), join(folder, 'manifest'), second])
  expect((await unpacked([folder, second])).entries).toEqual(expected)
  expect((await unpacked([second, folder])).entries).toEqual(expected)
})

test('each of several recipients opens it, and nobody else', async () => {
  const { folder } = await written(entries, { recipients: [mallory.publicIdentity, bravo.publicIdentity] })
  expect((await unpacked(folder)).entries).toEqual(expected)
  expect((await unpacked(folder, { recipient: mallory })).entries).toEqual(expected)
  expect((await unpacked(folder, { recipient: alpha })).fault).toBe('wrong-recipient')
})

test('nothing in clear names what is inside, and every file is in the checksum list', async () => {
  const { folder } = await written([operations('bucket-secret-name')], { parityVolumes: 1 })
  expect(execFileSync('sha512sum', ['-c', 'SHA512SUMS'], { cwd: folder, encoding: 'utf8' }).trim().split('\n').sort()).toEqual(
    filesOf(folder)
      .filter((name) => name !== 'SHA512SUMS')
      .map((name) => `${name}: OK`),
  )
  expect(() => execFileSync('grep', ['-r', '-a', '-l', '-e', 'secret-name', '-e', 'everything', folder])).toThrow()
})

test('two exports of the same share no bytes of ciphertext', async () => {
  const [one, two] = [await written(entries), await written(entries)]
  expect(one.summary.bundleId).not.toBe(two.summary.bundleId)
  expect(one.states.at(-1)!.bundleKey).not.toBe(two.states.at(-1)!.bundleKey)
  expect(bravo.publicIdentity.siteId).not.toBe(alpha.publicIdentity.siteId)
})
