/** Whom a site trusts, and what moves its belief of what they hold. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { publicIdentityText } from '../../src/bundles/identity.ts'
import { writeReceipt } from '../../src/bundles/receipt.ts'
import { peerStatuses, removePeer, revokePeer, staleSentences } from '../../src/federation/peer-trust.ts'
import { addPeer, listPeers } from '../../src/federation/peers.ts'
import type { FederationProgress } from '../../src/federation/site.ts'
import { approveForSite, inspectForSite, inspectWithoutSite, verifyForSite, verifyWithSigner } from '../../src/federation/verify.ts'
import type { Result } from '../../src/result.ts'
import { realClock } from '../store/local/real-environment.ts'
import { documents, newPath, noProgress, TestSite, twoSites, value } from './sites.ts'

let a: TestSite
let b: TestSite
let stranger: TestSite
beforeAll(async () => {
  ;({ a, b } = await twoSites())
  stranger = await TestSite.create('stranger')
  await a.make('files', 'enabled')
  await a.put('files', 'one', '1')
}, 30_000)

const identityText = (site: TestSite): string => publicIdentityText(site.federation.identity.publicIdentity)
const fingerprint = (site: TestSite): string => site.federation.identity.publicIdentity.fingerprint

test('a peer whose fingerprint was never compared is listed as such until it is', async () => {
  const input = { identityText: identityText(stranger), name: 'delta' }
  expect(value(await addPeer(a.federation, input)).sentence).toContain(`never compared; it is ${fingerprint(stranger)}`)
  expect(await listPeers(a.federation)).toMatchObject([
    { name: 'beta', compared: true },
    { name: 'delta', compared: false },
  ])
  const typed = fingerprint(stranger).toLowerCase().replaceAll('-', ' ')
  expect(value(await addPeer(a.federation, { ...input, fingerprint: typed })).compared).toBe(true)
  expect((await listPeers(a.federation)).find(({ name }) => name === 'delta')?.compared).toBe(true)
})

test('a peer is not added under a wrong fingerprint, a taken name, twice, or as the site itself', async () => {
  const before = await documents(a)
  const add = async (site: TestSite, name: string, given?: string) => {
    const added = await addPeer(a.federation, {
      identityText: identityText(site),
      name,
      ...(given === undefined ? {} : { fingerprint: given }),
    })
    return added.ok ? 'added' : `${added.error.exit} ${added.error.kind}`
  }
  expect(await add(b, 'beta', fingerprint(stranger))).toBe('5 other-fingerprint')
  expect(await add(stranger, 'beta')).toBe('5 known-otherwise')
  expect(await add(b, 'delta')).toBe('5 known-otherwise')
  expect(await add(a, 'self')).toBe('5 own-identity')
  expect(await add(b, 'no spaces')).toBe('2 bad-name')
  expect(await addPeer(a.federation, { identityText: 'nothing', name: 'x' })).toMatchObject({
    ok: false,
    error: { exit: 5, kind: 'malformed' },
  })
  const fourth = await TestSite.create('fourth')
  expect(await add(fourth, 'beta')).toBe('5 name-taken')
  expect(await documents(a)).toEqual(before)
})

test('an export to a site that is no peer, or of a bucket that is not there, says so', async () => {
  const out = newPath('bundle')
  expect(await a.export(b, out, { peer: 'nobody' })).toMatchObject({ ok: false, error: { exit: 5, kind: 'no-such-peer' } })
  expect(await a.export(b, out, { buckets: ['nothing'] })).toMatchObject({ ok: false, error: { exit: 5, kind: 'no-such-bucket' } })
})

test('only the receipt of the peer for this very bundle is believed', async () => {
  const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
  const exported = value(await a.export(b, out))
  value(await b.import(out, { receiptFile }))
  const receipt = readFileSync(receiptFile, 'utf8')
  const before = await documents(a)
  const refused = async (text: string): Promise<string> => {
    const taken = await a.acknowledge(text)
    return taken.ok ? 'taken' : `${taken.error.exit} ${taken.error.kind}`
  }
  const forge = (signer: TestSite, more: object = {}): string =>
    writeReceipt(signer.federation.identity, {
      ...{
        bundleId: exported.bundle!,
        manifestDigest: 'a'.repeat(96),
        epoch: 1,
        to: a.federation.identity.publicIdentity.siteId,
        issuedMs: realClock.nowMs(),
      },
      acknowledges: { origin: `${a.federation.identity.publicIdentity.siteId}/1`, buckets: [] },
      ...more,
    })
  expect(await refused('no receipt at all.')).toBe('5 malformed')
  const middle = receipt.length >> 1
  const changed = receipt.slice(0, middle) + receipt.slice(middle).replace(/[A-Z]/, (letter) => (letter === 'A' ? 'B' : 'A'))
  expect(await refused(changed)).toBe('5 bad-signature')
  expect(await refused(forge(stranger))).toBe('5 other-peer')
  expect(await refused(forge(await TestSite.create('unknown')))).toBe('4 unknown-signer')
  expect(await refused(forge(b))).toBe('5 other-content')
  expect(await refused(forge(b, { bundleId: 'b'.repeat(32) }))).toBe('5 unknown-bundle')
  expect(await refused(forge(b, { to: b.federation.identity.publicIdentity.siteId }))).toBe('5 not-for-us')
  expect(await documents(a)).toEqual(before)

  const taken = value(await a.acknowledge(receipt))
  expect(taken).toMatchObject({ peer: 'beta', operations: exported.operations, firstAcknowledgedMs: null })
  const after = await documents(a)
  expect(value(await a.acknowledge(receipt)).sentence).toMatch(/acknowledged before, at \d{4}-/)
  expect(await documents(a)).toEqual(after)
  expect(value(await a.export(b, newPath('bundle'))).bundle).toBeNull()
  expect(value(await a.export(b, newPath('bundle'), { full: true })).operations).toBe(exported.operations)
})

test('a receipt acknowledges no more than its bundle held', async () => {
  await a.put('files', 'two', '2')
  const out = newPath('bundle')
  const first = value(await a.export(b, out))
  await a.put('files', 'three', '3')
  const site = a.federation.identity.publicIdentity.siteId
  const { id } = await a.bucket('files')
  const last = await a.federation.store.federation.lastOperation(id)
  const { clock, sequence } = (await a.bucket('files')).origin
  const { manifestDigest } = value(await verifyForSite(b.federation, [out], noProgress))
  const greedy = writeReceipt(b.federation.identity, {
    ...{ bundleId: first.bundle!, manifestDigest: manifestDigest!, epoch: 1, to: site, issuedMs: realClock.nowMs() },
    acknowledges: { origin: `${site}/1`, buckets: [{ bucket: `${clock}/${site}/${sequence}`, ranges: [[1, last]] }] },
  })
  value(await b.import(out))
  expect(value(await a.acknowledge(greedy)).operations).toBe(1)
  expect(value(await a.export(b, newPath('bundle'))).operations).toBe(1)
})

test('a short receipt acknowledges the whole bundle', async () => {
  const out = newPath('bundle')
  value(await a.export(b, out))
  const { shortReceipt, sentence } = value(await b.import(out, { dryRun: false }))
  expect(shortReceipt).toMatch(/^([0-9A-Z]{4}-){13}[0-9A-Z]{4}$/)
  expect(sentence).toContain(shortReceipt)
  expect(value(await b.import(out)).sentence).toContain(shortReceipt)
  // Nothing that is kept of the export on the disks would do to make one.
  const [kept] = (await documents(a)).filter((line) => line.includes('"acknowledgedMs":null'))
  expect(kept).toMatch(/"receiptCode":"[0-9a-f]{96}"/)
  expect(kept).not.toContain('receiptKey')
  expect(await b.acknowledge(shortReceipt!)).toMatchObject({ ok: false, error: { exit: 5, kind: 'unknown-bundle' } })
  const typo = shortReceipt!.replace(/^./, (first) => (first === 'Z' ? 'Y' : 'Z'))
  expect(await a.acknowledge(typo)).toMatchObject({ ok: false, error: { exit: 5 } })
  value(await a.acknowledge(`${shortReceipt!.toLowerCase()}\n`))
  expect(value(await a.export(b, newPath('bundle'))).bundle).toBeNull()
})

test('after a new epoch of a peer only what it said since is believed', async () => {
  await a.put('files', 'before the epoch', 'x')
  const out = newPath('bundle')
  const exported = value(await a.export(b, out))
  const { manifestDigest } = value(await verifyForSite(b.federation, [out], noProgress))
  const site = a.federation.identity.publicIdentity.siteId
  const again = writeReceipt(b.federation.identity, {
    ...{ bundleId: exported.bundle!, manifestDigest: manifestDigest!, epoch: 2, to: site, issuedMs: realClock.nowMs() },
    acknowledges: { origin: `${site}/1`, buckets: [] },
  })
  expect(value(await a.acknowledge(again)).operations).toBe(0)
  const { id } = await a.bucket('files')
  expect(value(await a.export(b, newPath('bundle'))).operations).toBe(await a.federation.store.federation.lastOperation(id))
})

test('verify and inspect say who signed, and what is inside only to whom it was sealed', async () => {
  const out = newPath('bundle')
  value(await a.export(b, out, { full: true }))
  expect(value(await verifyForSite(b.federation, [out], noProgress)).sentence).toMatch(/intact, signed by site .* known here/)
  expect(await verifyWithSigner([out], undefined, realClock, noProgress)).toMatchObject({
    ok: false,
    error: { exit: 4, sentence: expect.stringContaining(fingerprint(a)) },
  })
  value(await verifyWithSigner([out], identityText(a), realClock, noProgress))
  expect(value(await inspectForSite(b.federation, [out])).sentence).toMatch(/changes of bucket files/)
  const outside = value(await inspectWithoutSite([out], identityText(a), realClock))
  expect(JSON.stringify(outside)).not.toContain('files')
  expect(outside.sentence).toContain(fingerprint(a))
  expect(await inspectWithoutSite([join(out, 'nowhere')], undefined, realClock)).toMatchObject({
    ok: false,
    error: { kind: 'not-a-bundle' },
  })
})

test('verify shows how far it has come, to the last byte, with a site and without', async () => {
  const out = newPath('bundle')
  value(await a.export(b, out, { full: true }))
  const looks: ((progress: FederationProgress) => Promise<Result<unknown, unknown>>)[] = [
    (progress) => verifyForSite(b.federation, [out], progress),
    (progress) => verifyWithSigner([out], identityText(a), realClock, progress),
    (progress) => approveForSite(b.federation, [out], progress),
  ]
  for (const look of looks) {
    const steps: { readonly what: string; readonly done: number; readonly total: number }[] = []
    value(await look((step) => void steps.push(step)))
    expect(steps.at(-1)).toMatchObject({ what: 'Checking', done: steps[0]?.total, total: steps[0]?.total })
  }
})

test('a peer of which nothing was heard for too long is shown as stale, by what it signed and not by what it claims', async () => {
  const { a: near, b: far } = await twoSites()
  await far.make('files')
  const day = 24 * 3600 * 1000
  const [entry] = await peerStatuses(near.federation)
  expect(entry).toMatchObject({ name: 'beta', state: 'trusted', heardMs: null, appliedMs: null, stale: false })
  near.aheadMs = 31 * day
  expect(staleSentences(await peerStatuses(near.federation), near.federation.clock.nowMs())).toEqual([
    expect.stringMatching(
      /Nothing has come from beta since it was added 31 days ago: ask whether bundles of it are under way, or are being kept back/,
    ),
  ])
  near.aheadMs = 0
  // A clock at the other site that runs ahead does not hide its silence later.
  far.aheadMs = 20 * day
  const out = newPath('bundle')
  value(await far.export(near, out))
  await near.import(out)
  expect((await peerStatuses(near.federation))[0]).toMatchObject({ stale: false, appliedMs: expect.any(Number) })
  near.aheadMs = 32 * day
  expect((await peerStatuses(near.federation))[0]).toMatchObject({ stale: true })
  expect((await peerStatuses(near.federation, 40 * day))[0]).toMatchObject({ stale: false })
  value(await near.revoke(far))
  expect((await peerStatuses(near.federation))[0]).toMatchObject({ state: 'revoked', stale: false })
}, 30_000)

test('a short receipt from before a new epoch of the peer does not count any more', async () => {
  const { a: from, b: to } = await twoSites()
  await from.make('files')
  const out = newPath('bundle')
  value(await from.export(to, out))
  const { shortReceipt } = value(await to.import(out))
  value(await to.newEpoch())
  await to.make('of-b')
  const back = newPath('bundle')
  value(await to.export(from, back, { buckets: ['of-b'] }))
  value(await from.import(back))
  expect(await from.acknowledge(shortReceipt ?? '')).toMatchObject({
    ok: false,
    error: { exit: 5, kind: 'earlier-epoch', sentence: expect.stringMatching(/beta has begun epoch 2 since.*whole receipt/) },
  })
}, 30_000)

test('a peer that is not known cannot be removed or revoked', async () => {
  for (const ended of [await removePeer(a.federation, 'nobody'), await revokePeer(a.federation, 'nobody')])
    expect(ended).toMatchObject({ ok: false, error: { exit: 5, kind: 'no-such-peer' } })
})
