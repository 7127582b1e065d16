/** Encryption keys come and go: by command, by age, and as peers learn of them. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encryptionKeyAt } from '../../src/bundles/identity.ts'
import { renewKeys, rotateKey, showKeys } from '../../src/federation/key-schedule.ts'
import { findPeer } from '../../src/federation/peers.ts'
import { documents, listing, newPath, type TestSite, twoSites, value } from './sites.ts'

const DAY_MS = 24 * 3600 * 1000

const newestKeyOf = async (peer: TestSite, at: TestSite): Promise<string> =>
  encryptionKeyAt((await findPeer(at.federation.store.federation, peer.name))!.identity, at.federation.clock.nowMs()).digest
const keyOf = (site: TestSite): string => encryptionKeyAt(site.federation.identity.publicIdentity, site.federation.clock.nowMs()).digest

async function exported(from: TestSite, to: TestSite): Promise<string> {
  const out = newPath('bundle')
  value(await from.export(to, out, { full: true, expiresInMs: 1000 * DAY_MS }))
  return out
}

test('a key made by command is sealed to as soon as a receipt told of it, and older bundles still open', async () => {
  const { a, b } = await twoSites()
  await a.make('files')
  const before = await exported(a, b)
  const rotated = value(await rotateKey(b.federation, { destroySuperseded: false }))
  expect(rotated.keys.map(({ state }) => state)).toEqual(['superseded', 'in use'])
  expect(await newestKeyOf(b, a)).not.toBe(keyOf(b))
  const receiptFile = newPath('receipt')
  value(await b.import(before, { receiptFile }))
  value(await a.acknowledge(readFileSync(receiptFile, 'utf8')))
  expect(await newestKeyOf(b, a)).toBe(keyOf(b))
}, 30_000)

test('a bundle coming the other way tells of a new key too', async () => {
  const { a, b } = await twoSites()
  await b.make('of-b')
  value(await rotateKey(b.federation, { destroySuperseded: false }))
  value(await a.import(await exported(b, a)))
  expect(await newestKeyOf(b, a)).toBe(keyOf(b))
  await a.make('files')
  value(await rotateKey(b.federation, { destroySuperseded: true }))
  // It was sealed to the key before that.
  const out = await exported(a, b)
  const was = [await listing(b), await documents(b)]
  expect(await b.import(out)).toMatchObject({
    ok: false,
    error: {
      exit: 5,
      kind: 'key-destroyed',
      sentence: expect.stringMatching(/does not have any more: it was destroyed on schedule.*new export/),
    },
  })
  expect([await listing(b), await documents(b)]).toEqual(was)
  value(await a.import(await exported(b, a)))
  value(await b.import(await exported(a, b)))
  expect((await listing(b)).join('\n')).toContain('files')
}, 30_000)

test('by age a new key is made, and the private part of one that was superseded long ago is destroyed', async () => {
  const { b } = await twoSites()
  const first = keyOf(b)
  await renewKeys(b.federation)
  expect(keyOf(b)).toBe(first)
  b.aheadMs = 91 * DAY_MS
  await renewKeys(b.federation)
  expect(keyOf(b)).not.toBe(first)
  const held = (): readonly string[] => b.federation.identity.encryption.map(({ digest }) => digest)
  expect(held()).toContain(first)
  b.aheadMs = (91 + 364) * DAY_MS
  await renewKeys(b.federation)
  expect(held()).toContain(first)
  b.aheadMs = (91 + 366) * DAY_MS
  await renewKeys(b.federation)
  expect(held()).not.toContain(first)
  expect(held()).toContain(keyOf(b))
}, 30_000)

test('the schedule can be changed, within bounds, and is shown', async () => {
  const { a } = await twoSites()
  expect(value(await showKeys(a.federation, {})).sentence).toMatch(/A new key every 90 days; private parts are destroyed 365 days after/)
  expect(value(await showKeys(a.federation, { everyMs: 10 * DAY_MS, keepMs: 20 * DAY_MS })).schedule).toEqual({
    everyMs: 10 * DAY_MS,
    keepMs: 20 * DAY_MS,
  })
  expect(await showKeys(a.federation, { everyMs: DAY_MS, keepMs: 365 * DAY_MS })).toMatchObject({
    ok: false,
    error: { exit: 2, kind: 'bad-schedule' },
  })
  a.aheadMs = 11 * DAY_MS
  const first = keyOf(a)
  expect(value(await showKeys(a.federation, {})).keys).toHaveLength(2)
  expect(keyOf(a)).not.toBe(first)
}, 30_000)

test('an identity file from before does not bring an old key back', async () => {
  const { a, b } = await twoSites()
  const old = b.federation.identity
  value(await rotateKey(b.federation, { destroySuperseded: false }))
  await a.meet(b)
  const newest = keyOf(b)
  expect(await newestKeyOf(b, a)).toBe(newest)
  b.federation.keepIdentity(old)
  await a.meet(b)
  expect(await newestKeyOf(b, a)).toBe(newest)
}, 30_000)
