import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { addSignature, parseDocument, signDocument } from '../../src/bundles/document.ts'
import { addEncryptionKey, createIdentity, destroyEncryptionKeys, fingerprint } from '../../src/bundles/identity.ts'
import { readManifest, writeManifest } from '../../src/bundles/manifest.ts'
import { readPreamble } from '../../src/bundles/preamble.ts'
import { inspectBundle, verifyBundle } from '../../src/bundles/read-bundle.ts'
import {
  alpha,
  bravo,
  content,
  filesOf,
  flip,
  mallory,
  NOW,
  newFolder,
  opening,
  operations,
  randomBytes,
  trusting,
  unpacked,
  type Written,
  written,
} from './bundle-fixture.ts'
import { seededRandom } from './seeded.ts'

const DAY_MS = 86_400_000
let bundle: Written
let other: Written
beforeAll(async () => {
  bundle = await written([operations('ops'), content(randomBytes(150_000))], { expiresMs: NOW + DAY_MS })
  other = await written([operations('other'), content(randomBytes(150_000))], { parityVolumes: 1 })
})

function changed(change: (folder: string) => void, of = bundle): string {
  const folder = newFolder()
  cpSync(of.folder, folder, { recursive: true })
  change(folder)
  return folder
}
const rewrite = (folder: string, name: string, make: (bytes: Buffer) => Uint8Array): void =>
  writeFileSync(join(folder, name), make(readFileSync(join(folder, name))))
const bodyOf = (kind: 'preamble' | 'manifest', bytes: Uint8Array): Buffer => {
  const parsed = parseDocument(kind, bytes)
  if (!parsed.ok) throw new Error(parsed.error)
  return Buffer.from(parsed.value.body)
}
const faultOf = async (folder: string | string[], more: Parameters<typeof unpacked>[1] = {}) => {
  const { fault, sentence, entries } = await unpacked(folder, more)
  expect(entries).toEqual([])
  return { fault, sentence }
}

test('a bundle of a site that is not trusted is refused with its fingerprint', async () => {
  const { fault, sentence } = await faultOf(bundle.folder, { trust: trusting(mallory) })
  expect(fault).toBe('unknown-signer')
  expect(sentence).toContain(fingerprint(alpha.publicIdentity))
  const report = await verifyBundle([bundle.folder], trusting(), { nowMs: NOW })
  expect(report).toMatchObject({ verdict: 'intact', exit: 4, sender: { known: false } })
  expect(report.sentences[0]).toBe(`The bundle is intact, signed by an unknown site, fingerprint ${fingerprint(alpha.publicIdentity)}.`)
})

test('a bundle of a site whose keys were revoked is refused', async () => {
  expect(await faultOf(bundle.folder, { trust: () => 'revoked' })).toMatchObject({ fault: 'revoked-signer' })
})

test('an expired bundle is refused, and said to be expired', async () => {
  expect(await faultOf(bundle.folder, { nowMs: NOW + DAY_MS + 1 })).toMatchObject({
    fault: 'expired',
    sentence: expect.stringContaining('2026-11-24'),
  })
  expect(await verifyBundle([bundle.folder], trusting(alpha), { nowMs: NOW + DAY_MS + 1 })).toMatchObject({
    expired: true,
    sentences: [expect.stringContaining('intact'), expect.stringContaining('It expired at 2026-11-24')],
  })
})

test('a bundle for another site is refused', async () => {
  const { fault, sentence } = await faultOf(bundle.folder, { recipient: mallory })
  expect(fault).toBe('wrong-recipient')
  expect(sentence).toContain(bravo.publicIdentity.siteId)
})

test('a bundle sealed to an encryption key that was destroyed is refused', async () => {
  const rotated = addEncryptionKey(bravo, seededRandom('next'), NOW, NOW + 1)
  expect((await unpacked(bundle.folder, { recipient: rotated })).fault).toBeUndefined()
  expect(await faultOf(bundle.folder, { recipient: destroyEncryptionKeys(rotated, NOW + 2) })).toMatchObject({ fault: 'key-destroyed' })
})

test('a preamble or manifest changed in any word is refused', async () => {
  for (const name of ['preamble', 'manifest']) {
    expect(await faultOf(changed((folder) => flip(join(folder, name), 64)))).toMatchObject({ fault: 'bad-signature' })
    expect(await faultOf(changed((folder) => flip(join(folder, name), -1)))).toMatchObject({ fault: 'bad-signature' })
  }
})

test('a preamble with the signature of somebody else who claims to be the sender is refused', async () => {
  const folder = changed((at) =>
    rewrite(at, 'preamble', (bytes) => {
      const forged = signDocument('preamble', bundle.summary.bundleId, bodyOf('preamble', bytes), mallory)
      forged.set(Buffer.from(alpha.publicIdentity.siteId, 'hex'), forged.length - 4739)
      return forged
    }),
  )
  expect(await faultOf(folder)).toMatchObject({ fault: 'bad-signature' })
})

test('a trusted site cannot pass off the bundle of another one as its own', async () => {
  const folder = changed((at) => {
    rewrite(at, 'preamble', (bytes) => {
      const [line, commitment] = bodyOf('preamble', bytes).toString().split('\n')
      const preamble = JSON.parse(line!)
      preamble.sender.site = mallory.publicIdentity.siteId
      preamble.sender.identity = Buffer.from(mallory.publicIdentity.document).toString('base64')
      return signDocument('preamble', bundle.summary.bundleId, Buffer.from(`${JSON.stringify(preamble)}\n${commitment}\n`), mallory)
    })
    const digest = readPreamble(bodyOf('preamble', readFileSync(join(at, 'preamble'))))!.digest
    const { groups } = readManifest(bodyOf('manifest', readFileSync(join(at, 'manifest'))))!
    writeFileSync(join(at, 'manifest'), writeManifest(mallory, bundle.summary.bundleId, digest, groups))
  })
  expect(await faultOf(folder, { trust: trusting(alpha, mallory) })).toMatchObject({ fault: 'retargeted' })
})

test('its sender cannot change the recipients without the key either', async () => {
  const folder = changed((at) => {
    rewrite(at, 'preamble', (bytes) => {
      const [line, commitment] = bodyOf('preamble', bytes).toString().split('\n')
      const preamble = JSON.parse(line!)
      preamble.recipients.push({ ...preamble.recipients[0], site: mallory.publicIdentity.siteId })
      return signDocument('preamble', bundle.summary.bundleId, Buffer.from(`${JSON.stringify(preamble)}\n${commitment}\n`), alpha)
    })
    const digest = readPreamble(bodyOf('preamble', readFileSync(join(at, 'preamble'))))!.digest
    const { groups } = readManifest(bodyOf('manifest', readFileSync(join(at, 'manifest'))))!
    writeFileSync(join(at, 'manifest'), writeManifest(alpha, bundle.summary.bundleId, digest, groups))
  })
  expect(await faultOf(folder)).toMatchObject({ fault: 'retargeted' })
})

test('parts of two bundles are told apart: preamble, manifest, volumes', async () => {
  expect(await faultOf(changed((at) => cpSync(join(other.folder, 'manifest'), join(at, 'manifest'))))).toMatchObject({ fault: 'mixed-up' })
  expect(await faultOf(changed((at) => cpSync(join(other.folder, 'preamble'), join(at, 'preamble'))))).toMatchObject({ fault: 'mixed-up' })
  expect(await faultOf([bundle.folder, other.folder])).toMatchObject({ fault: 'two-bundles' })
  const mixed = changed((at) => {
    for (const name of ['volume-00002.tar.sealed', 'volume-00002.trailer']) cpSync(join(other.folder, name), join(at, name))
  })
  expect(await faultOf(mixed)).toMatchObject({ fault: 'mixed-up', sentence: expect.stringContaining(other.summary.bundleId) })
  const report = await verifyBundle([mixed], trusting(alpha), { nowMs: NOW })
  expect(report).toMatchObject({ verdict: 'refused', exit: 5, fault: 'mixed-up' })
  const renamed = changed((at) => cpSync(join(at, 'volume-00001.trailer'), join(at, 'volume-00002.trailer')))
  expect(await faultOf(renamed)).toMatchObject({ fault: 'mixed-up', sentence: expect.stringContaining('swapped') })
})

test('a volume of another bundle under the right name is damage: repaired if parity allows, else refused', async () => {
  const strange = (of: Written, from: Written): string =>
    changed((at) => cpSync(join(from.folder, 'volume-00001.tar.sealed'), join(at, 'volume-00001.tar.sealed')), of)
  expect(await unpacked(strange(other, bundle))).toMatchObject({ fault: undefined, repaired: 1 })
  expect(await faultOf(strange(bundle, other))).toMatchObject({ fault: 'damaged' })
})

test('another suite or a newer format is refused by name', async () => {
  const withByte = (name: string, at: number, value: number): string =>
    changed((folder) =>
      rewrite(folder, name, (bytes) => {
        bytes[at] = value
        return bytes
      }),
    )
  for (const name of ['preamble', 'manifest']) {
    expect(await faultOf(withByte(name, 8, 2))).toMatchObject({ fault: 'newer-format' })
    for (const suite of [0, 2, 3, 4, 255]) expect(await faultOf(withByte(name, 11, suite))).toMatchObject({ fault: 'unsupported-suite' })
    expect(await faultOf(withByte(name, 20, 99))).toMatchObject({ fault: expect.stringMatching(/^(malformed|mixed-up)$/) })
  }
})

test('release by several sites counts distinct, trusted signers of the manifest', async () => {
  const approved = (...by: (typeof alpha)[]): string =>
    changed((folder) => {
      for (const site of by)
        rewrite(folder, 'manifest', (bytes) => {
          const parsed = parseDocument('manifest', bytes)
          return parsed.ok ? addSignature(parsed.value, site)! : bytes
        })
    })
  const trust = trusting(alpha, mallory)
  expect(await faultOf(bundle.folder, { trust, signersNeeded: 2 })).toMatchObject({ fault: 'too-few-signers' })
  expect(await faultOf(approved(alpha, alpha), { trust, signersNeeded: 2 })).toMatchObject({ fault: 'too-few-signers' })
  expect(await faultOf(approved(mallory), { trust: trusting(alpha), signersNeeded: 2 })).toMatchObject({ fault: 'too-few-signers' })
  expect((await unpacked(approved(mallory), { trust, signersNeeded: 2 })).fault).toBeUndefined()
  const forged = approved(mallory)
  flip(join(forged, 'manifest'), -1)
  expect(await faultOf(forged, { trust, signersNeeded: 1 })).toMatchObject({ fault: 'bad-signature' })
})

test('content with another digest than its name ends with a fault, though it is signed', async () => {
  const bytes = randomBytes(1000)
  const { folder } = await written([operations('before'), { ...content(bytes), digest: 'ab'.repeat(48) } as ReturnType<typeof content>])
  expect(await unpacked(folder)).toMatchObject({ fault: 'wrong-digest', entries: ['before'] })
})

test('a stranger’s manifest of ten thousand volumes of 256 GiB, none of them there, is answered volume by volume and not row by row', async () => {
  const known = await written([])
  const folder = changed(() => undefined, known)
  const digest = readPreamble(bodyOf('preamble', readFileSync(join(folder, 'preamble'))))!.digest
  const volumes = Array.from({ length: 200 }, () => ({ bytes: 256 * 1024 ** 3, root: 'cd'.repeat(48) }))
  const groups = Array.from({ length: 50 }, () => ({ volumes, parity: [] }))
  for (const name of filesOf(folder).filter((file) => file.startsWith('volume-'))) rmSync(join(folder, name))
  writeFileSync(join(folder, 'manifest'), writeManifest(alpha, known.summary.bundleId, digest, groups))
  const report = await verifyBundle([folder], trusting(), { nowMs: NOW })
  expect(report).toMatchObject({ verdict: 'damaged', exit: 4, bytes: 10_000 * 256 * 1024 ** 3 })
  // And the list of checksums, which does not name them.
  expect(report.damage).toHaveLength(10_001)
  expect(report.damage[9_999]).toMatchObject({
    name: 'volume-10000.tar.sealed',
    kind: 'missing',
    ranges: [{ from: 0, to: 256 * 1024 ** 3 }],
  })
})

test('inspect shows what stands in clear to everybody, and the statement to a recipient only', async () => {
  const stranger = createIdentity(seededRandom('stranger'), NOW)
  const folder = changed((at) => rmSync(join(at, 'volume-00002.tar.sealed')), other)
  for (const identity of [undefined, stranger]) {
    const report = await inspectBundle([folder], { nowMs: NOW, ...(identity === undefined ? {} : { identity }) })
    if (!report.ok) throw new Error(report.error.sentence)
    expect(report.value).toMatchObject({
      bundleId: other.summary.bundleId,
      sender: { known: false },
      recipients: [bravo.publicIdentity.siteId],
    })
    expect(report.value.volumeFiles.filter(({ foundBytes }) => foundBytes === null).map(({ name }) => name)).toEqual([
      'volume-00002.tar.sealed',
    ])
    expect(report.value.statement).toBeUndefined()
    expect(report.value.sealed === undefined).toBe(identity === undefined)
  }
  const opened = await inspectBundle([folder], { nowMs: NOW, identity: bravo, trust: trusting(alpha) })
  expect(opened).toMatchObject({ ok: true, value: { statement: { brings: 'everything' }, sender: { known: true } } })
  expect(filesOf(folder)).not.toContain('volume-00002.tar.sealed')
})

test('a medium that answers differently the second time gets nothing past the checks', async () => {
  for (const of of [bundle, other]) {
    const folder = changed(() => undefined, of)
    const opened = await opening(folder)
    if (!opened.ok) throw new Error(opened.error.sentence)
    for (const name of filesOf(folder).filter((file) => file.startsWith('volume-00002')))
      writeFileSync(join(folder, name), randomBytes(1000))
    writeFileSync(join(folder, 'manifest'), 'gone')
    const kinds: string[] = []
    for await (const entry of opened.value.entries()) {
      if (!entry.ok) kinds.push(entry.error.kind)
      else if (entry.value.kind === 'content') for await (const part of entry.value.read()) if (!part.ok) kinds.push(part.error.kind)
    }
    await opened.value.close()
    expect(kinds.slice(0, 1)).toEqual(of === bundle ? ['damaged'] : [])
    expect(opened.value.repairedRows()).toBe(of === bundle ? 0 : 1)
  }
})
