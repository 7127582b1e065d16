/** A sender who is trusted, holds the key and signs everything, but whose archives are not as they should be: the reader says so and stops. */
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDocument } from '../../src/bundles/document.ts'
import { writeManifest, writeTrailer } from '../../src/bundles/manifest.ts'
import { outputFolder } from '../../src/bundles/media.ts'
import { encodeHeader, type Member, paddedBytes } from '../../src/bundles/tar.ts'
import { VolumeOpener, VolumeSealer } from '../../src/bundles/volume.ts'
import { VolumeWriter } from '../../src/bundles/volume-writer.ts'
import { alpha, content, digestOf, newFolder, operations, randomBytes, unpacked, written } from './bundle-fixture.ts'
import { seeded } from './seeded.ts'

const template = await written([])
const state = template.states.at(-1)!
const bundleKey = Buffer.from(state.bundleKey, 'base64')

/** A bundle whose volumes hold these archives. */
async function signed(...archives: Uint8Array[]): Promise<string> {
  const path = newFolder()
  const folder = outputFolder(path)
  const preamble = readFileSync(join(template.folder, 'preamble'))
  writeFileSync(join(path, 'preamble'), preamble)
  const records = []
  for (const [at, archive] of archives.entries()) {
    const name = `volume-${String(at + 1).padStart(5, '0')}.tar.sealed`
    const volume = new VolumeWriter(await folder.create(name), new VolumeSealer(bundleKey, state.bundleId, at + 1, randomBytes(32)))
    await volume.write(archive)
    const made = await volume.finish()
    records.push(made.record)
    await folder.writeFile(name.replace('.tar.sealed', '.trailer'), writeTrailer(alpha, state.bundleId, name, made.record, made.leaves))
  }
  const parsed = parseDocument('preamble', preamble)
  if (!parsed.ok) throw new Error(parsed.error)
  const digest = hash('sha384', parsed.value.body, 'hex')
  await folder.writeFile('manifest', writeManifest(alpha, state.bundleId, digest, [{ volumes: records, parity: [] }]))
  return path
}

const END = Buffer.alloc(1024)
const data = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc(paddedBytes(bytes.length) - bytes.length)])
const piece = (member: Omit<Member, 'bytes'>, bytes: Uint8Array): Buffer =>
  Buffer.concat([encodeHeader({ ...member, bytes: bytes.length }), data(bytes)])
const whole = (kind: Member['whole'], bytes: Uint8Array): Buffer => piece({ whole: kind, offset: 0, total: bytes.length }, bytes)
const statement = whole({ kind: 'statement' }, Buffer.from('{}'))
const lines = Buffer.from('{}\n')
const ops = (number: number): Buffer => whole({ kind: 'operations', number }, lines)
const body = randomBytes(1024)
const of: Member['whole'] = { kind: 'content', digest: digestOf(body) }
const faultOf = async (...archives: Uint8Array[]) => (await unpacked(await signed(...archives))).fault

test('the archives that a writer makes are read', async () => {
  expect(await unpacked(await signed(Buffer.concat([statement, ops(1), whole(of, body), END])))).toMatchObject({
    fault: undefined,
    entries: ['{}\n', Buffer.from(body)],
  })
  const [first, second] = [body.subarray(0, 512), body.subarray(512)]
  const halves = await signed(
    Buffer.concat([statement, piece({ whole: of, offset: 0, total: 1024 }, first), END]),
    Buffer.concat([piece({ whole: of, offset: 512, total: 1024 }, second), END]),
  )
  expect(await unpacked(halves)).toMatchObject({ fault: undefined, entries: [Buffer.from(body)] })
})

test('paths that lead out, links and foreign members are refused', async () => {
  const odd = (change: (header: Buffer) => void): Buffer => {
    const header = encodeHeader({ whole: of, offset: 0, total: 0, bytes: 0 })
    change(header)
    header.write('        ', 148, 'latin1')
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    return Buffer.concat([statement, header, END])
  }
  expect(await faultOf(odd(() => undefined))).toBe('wrong-digest')
  expect(await faultOf(odd((header) => header.write('../../etc/passwd\0', 0)))).toBe('malformed')
  expect(await faultOf(odd((header) => header.write('/', 345)))).toBe('malformed')
  expect(await faultOf(odd((header) => header.write('2', 156)))).toBe('malformed')
  expect(await faultOf(odd((header) => header.write('content\0', 345)))).toBe('malformed')
  expect(await faultOf(odd((header) => header.write('root\0', 265)))).toBe('malformed')
})

test('archives that end too soon, go on too long or hold pieces that do not join are refused', async () => {
  const first = piece({ whole: of, offset: 0, total: 1024 }, body.subarray(0, 512))
  const rest = piece({ whole: of, offset: 512, total: 1024 }, body.subarray(512))
  const empty = piece({ whole: of, offset: 512, total: 1024 }, new Uint8Array(0))
  const cases: Record<string, Uint8Array[]> = {
    'no end': [Buffer.concat([statement, ops(1)])],
    'half an end': [Buffer.concat([statement, END.subarray(512)])],
    'something behind the end': [Buffer.concat([statement, END, ops(1)])],
    'a member cut short': [Buffer.concat([statement, first.subarray(0, 600)])],
    'no statement': [Buffer.concat([ops(1), END])],
    'a statement that is no JSON': [Buffer.concat([whole({ kind: 'statement' }, Buffer.from('{"a":1},"x":{}')), END])],
    'a statement longer than any': [Buffer.concat([whole({ kind: 'statement' }, Buffer.alloc(4 * 1024 ** 2 + 1, '1')), END])],
    'two statements': [Buffer.concat([statement, statement, END])],
    'operations out of order': [Buffer.concat([statement, ops(2), ops(2), END])],
    'a piece without its beginning': [Buffer.concat([statement, rest, END])],
    'a piece without its end': [Buffer.concat([statement, first, END])],
    'another member between pieces': [Buffer.concat([statement, first, ops(1), rest, END])],
    'a piece twice': [Buffer.concat([statement, first, first, END])],
    'endless empty pieces': [Buffer.concat([statement, first, empty, empty, END])],
    'noise behind data': [Buffer.concat([statement, whole({ kind: 'operations', number: 1 }, lines).fill(1, 1023), END])],
    'an empty volume behind': [Buffer.concat([statement, END]), Buffer.from('x')],
  }
  for (const [name, archives] of Object.entries(cases)) expect(await faultOf(...archives), name).toBe('malformed')
})

test('any bytes in place of an archive are refused without a throw', { timeout: 60_000 }, async () => {
  const good = Buffer.concat([statement, ops(1), whole(of, body), END])
  const broken = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 3000 }),
    fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, mask]) => {
      const bytes = Buffer.from(good)
      bytes[at]! ^= mask
      return bytes
    }),
    fc.integer({ min: 1, max: good.length - 1 }).map((length) => good.subarray(0, length)),
  )
  await fc.assert(
    fc.asyncProperty(broken, async (archive) => {
      const found = await unpacked(await signed(archive))
      // A byte of the operations or of the statement may be another one and still be what the sender signed.
      if (found.fault === undefined) expect(found.entries.at(-1)).toEqual(Buffer.from(body))
      else expect(['malformed', 'wrong-digest']).toContain(found.fault)
    }),
    seeded({ numRuns: 60 }),
  )
})

test('volumes sealed under another key or number are refused though they are signed', async () => {
  const wrong = await written([])
  const strange = Buffer.from(wrong.states.at(-1)!.bundleKey, 'base64')
  const sealer = new VolumeSealer(strange, state.bundleId, 1, new Uint8Array(32))
  const row = Buffer.concat(sealer.seal(Buffer.concat([statement, END]), 'last'))
  expect(new VolumeOpener(strange, state.bundleId, 1).open(row, 'last')).toEqual(Buffer.concat([statement, END]))
  expect(new VolumeOpener(bundleKey, state.bundleId, 1).open(row, 'last')).toBeUndefined()
  expect(new VolumeOpener(strange, state.bundleId, 2).open(row, 'last')).toBeUndefined()
  expect(new VolumeOpener(strange, 'ff'.repeat(16), 1).open(row, 'last')).toBeUndefined()
  expect(new VolumeOpener(strange, state.bundleId, 1).open(row, 'more')).toBeUndefined()
  expect(new VolumeOpener(strange, state.bundleId, 1).open(row.subarray(0, 40), 'last')).toBeUndefined()
})

test('the archive in a volume is one that ordinary tar reads', async () => {
  const { folder, states } = await written([operations('ops\n'), content(body)])
  const sealed = readFileSync(join(folder, 'volume-00001.tar.sealed'))
  const opener = new VolumeOpener(Buffer.from(states[0]!.bundleKey, 'base64'), states[0]!.bundleId, 1)
  const tar = opener.open(sealed, 'last')!
  const out = newFolder()
  execFileSync('tar', ['-x', '-C', out], { input: tar })
  expect(execFileSync('sh', ['-c', `cat content/${digestOf(body)}/*`], { cwd: out })).toEqual(Buffer.from(body))
  expect(execFileSync('sh', ['-c', 'cat operations/000000000001/*'], { cwd: out, encoding: 'utf8' })).toBe('ops\n')
})
