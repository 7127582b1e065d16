/** Bundles that must not go in: each is refused with a sentence of its own, and nothing is changed. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ImportReport } from '../../src/federation/import-bundle.ts'
import { setPeer } from '../../src/federation/peer-rules.ts'
import { needSigners } from '../../src/federation/peer-trust.ts'
import { findPeer, peerDocument, peerSeen } from '../../src/federation/peers.ts'
import type { FederationFault } from '../../src/federation/site.ts'
import { approveForSite, verifyForSite } from '../../src/federation/verify.ts'
import type { Result } from '../../src/result.ts'
import { documents, listing, newPath, noProgress, TestSite, twoSites, value } from './sites.ts'

const DAY_MS = 24 * 3600 * 1000
const sentences = new Map<string, string>()

/** Runs an import that must be refused, and looks that nothing changed. */
async function refused(
  site: TestSite,
  run: () => Promise<Result<ImportReport, FederationFault>>,
  exit: number,
  kind: string,
  words: RegExp,
) {
  const before = [await listing(site), await documents(site)]
  const result = await run()
  if (result.ok) throw new Error(`was imported: ${result.value.sentence}`)
  expect(result.error).toMatchObject({ exit, kind })
  expect(result.error.sentence).toMatch(words)
  // A sentence of its own: that of no other refusal.
  expect(sentences.get(result.error.sentence) ?? kind).toBe(kind)
  sentences.set(result.error.sentence, kind)
  expect([await listing(site), await documents(site)]).toEqual(before)
}

function flip(folder: string, name: string, at: number): void {
  const bytes = readFileSync(join(folder, name))
  bytes[at]! ^= 1
  writeFileSync(join(folder, name), bytes)
}

describe('between two sites', () => {
  let a: TestSite
  let b: TestSite
  const FIRST = 'volume-00001.tar.sealed'
  beforeAll(async () => {
    ;({ a, b } = await twoSites())
    await a.make('files', 'enabled')
    await a.put('files', 'first', randomBytes(2_500_000))
  }, 60_000)

  const exported = async (more: Parameters<TestSite['export']>[2] = {}, to = b): Promise<string> => {
    const out = newPath('bundle')
    value(await a.export(to, out, { volumeBytes: 4 * 1024 * 1024, ...more }))
    return out
  }

  test('tampered with', async () => {
    const out = await exported()
    flip(out, FIRST, 500_000)
    await refused(b, () => b.import(out), 6, 'damaged', /volume-00001.*is damaged/)
  })

  test('cut short', async () => {
    const out = await exported()
    truncateSync(join(out, FIRST), 1_000_000)
    await refused(b, () => b.import(out), 6, 'damaged', /cut short/)
  })

  test('with parity, damage is made up for', async () => {
    const out = await exported({ parityVolumes: 1 })
    rmSync(join(out, FIRST))
    const dry = value(await b.import(out, { dryRun: true }))
    expect(dry.repairedRows).toBeGreaterThan(0)
    expect(dry.sentence).toMatch(/rebuilt from parity/)
  })

  test('signed by a site that is no peer', async () => {
    const stranger = await TestSite.create('stranger')
    await stranger.make('strange')
    await stranger.meet(b, { compared: false })
    const out = newPath('bundle')
    const told = value(await stranger.export(b, out))
    expect(told.sentence).toMatch(/fingerprint of beta was never compared/)
    await refused(b, () => b.import(out), 4, 'unknown-signer', /fingerprint/)
  })

  test('made for another site', async () => {
    const other = await TestSite.create('gamma')
    await a.meet(other)
    const out = await exported({}, other)
    await refused(b, () => b.import(out), 5, 'wrong-recipient', /not to this site/)
  })

  test('expired', async () => {
    const out = await exported({ expiresInMs: 1000 })
    b.aheadMs = 5000
    await refused(b, () => b.import(out), 5, 'expired', /expired/)
    b.aheadMs = 0
  })

  test('mixed from two bundles', async () => {
    const [one, other] = [await exported(), await exported()]
    cpSync(join(other, FIRST), join(one, FIRST))
    await refused(b, () => b.import(one), 6, 'damaged', /belong to another bundle/)
  })

  test('with a bucket of a name that is taken, until it is mapped or merged', async () => {
    await a.make('shared')
    await a.put('shared', 'of-a', 'a')
    await b.make('shared')
    await b.put('shared', 'of-b', 'b')
    const out = await exported()
    await refused(b, () => b.import(out), 5, 'made-apart', /--merge shared/)
    await refused(b, () => b.import(out, { map: { nothing: 'x' } }), 5, 'no-such-bucket', /no bucket nothing in this bundle/)
    await refused(b, () => b.import(out, { map: { shared: 'Not A Name' } }), 5, 'bad-name', /no bucket name/)
    await refused(b, () => b.import(out, { map: { shared: 'files' } }), 5, 'two-into-one', /Two buckets/)
    const mapped = value(await b.import(out, { map: { shared: 'shared-of-a' }, dryRun: true }))
    expect(mapped.buckets).toContainEqual({ name: 'shared', here: 'shared-of-a', how: 'made', operations: 2 })
    const receiptFile = newPath('receipt')
    const merged = value(await b.import(out, { merge: ['shared'], receiptFile }))
    expect(merged.sentence).toMatch(/Bucket shared is merged with shared/)
    value(await a.acknowledge(readFileSync(receiptFile, 'utf8')))
    expect((await listing(b, ['shared'])).join('\n')).toMatch(/of-a[\s\S]*of-b/)
    // The other way the same choice is asked for; then both are equal.
    const back = newPath('bundle')
    value(await b.export(a, back))
    await refused(a, () => a.import(back, { map: { shared: 'new' } }), 5, 'merged-there', /has merged its bucket/)
    value(await a.import(back, { merge: ['shared'] }))
    expect(await listing(a)).toEqual(await listing(b))
  })

  test('again: nothing changes, and it says when it was first applied', async () => {
    await a.put('files', 'again', 'x')
    const out = await exported()
    value(await b.import(out))
    const before = [await listing(b), await documents(b)]
    const again = value(await b.import(out))
    expect(again.sentence).toMatch(/applied here already, first at \d{4}-\d\d-\d\dT/)
    expect(again.applied).toBe(0)
    expect([await listing(b), await documents(b)]).toEqual(before)
  })

  test('a dry run changes nothing and tells what would be', async () => {
    await a.put('files', 'dry', 'x')
    const out = await exported()
    const before = [await listing(b), await documents(b)]
    const dry = value(await b.import(out, { dryRun: true, receiptFile: newPath('receipt') }))
    expect(dry).toMatchObject({ applied: 1, dryRun: true, receiptFile: null })
    expect([await listing(b), await documents(b)]).toEqual(before)
  })

  test('a known id with other content', async () => {
    await a.put('files', 'twice', randomBytes(3_000_000))
    const out = newPath('bundle')
    const cut = () => {
      if (readdirSync(out).includes('volume-00002.tar.sealed')) throw new Error('power cut')
    }
    await expect(a.export(b, out, {}, ({ what }) => (what === 'Writing' ? cut() : undefined))).rejects.toThrow('power cut')
    const [keptOut, keptState] = [newPath('out'), newPath('state')]
    cpSync(out, keptOut, { recursive: true })
    cpSync(join(a.directory, 'exports'), keptState, { recursive: true })
    value(await a.export(b, out))
    value(await b.import(out))
    rmSync(out, { recursive: true })
    cpSync(keptOut, out, { recursive: true })
    cpSync(keptState, join(a.directory, 'exports'), { recursive: true })
    value(await a.export(b, out))
    await refused(b, () => b.import(out), 5, 'other-content', /same id .* other content/)
  })

  test('stamped in the future: kept out until the clock has come near, and not acknowledged', async () => {
    a.aheadMs = 3 * DAY_MS
    await a.put('files', 'tomorrow', 'x')
    const out = await exported()
    a.aheadMs = 0
    const receiptFile = newPath('receipt')
    const kept = await b.import(out, { receiptFile })
    expect(kept).toMatchObject({ ok: false, error: { exit: 6, kind: 'from-the-future' } })
    expect((await listing(b)).join('\n')).not.toContain('tomorrow')
    const acknowledged = value(await a.acknowledge(readFileSync(receiptFile, 'utf8')))
    expect(value(await a.export(b, newPath('bundle'))).operations).toBe(1)
    expect(acknowledged.operations).toBeGreaterThan(0)
    b.aheadMs = 2.5 * DAY_MS
    value(await b.import(out))
    expect((await listing(b)).join('\n')).toContain('tomorrow')
    b.aheadMs = 0
  })

  test('an earlier epoch of its sender', async () => {
    await a.put('files', 'epoch', 'x')
    const out = await exported()
    const store = b.federation.store.federation
    const peer = (await findPeer(store, 'alpha'))!
    value(await store.putDocuments([peerDocument(peerSeen(peer, 2, undefined))]))
    await refused(b, () => b.import(out), 5, 'earlier-epoch', /epoch 1 of alpha/)
  })
})

describe('by what is known of its sender', () => {
  let a: TestSite
  let b: TestSite
  const exported = async (): Promise<string> => {
    const out = newPath('bundle')
    value(await a.export(b, out, { full: true }))
    return out
  }
  beforeAll(async () => {
    ;({ a, b } = await twoSites())
    await a.make('files', 'enabled')
    await a.put('files', 'one', '1')
  }, 60_000)

  test('older than what was applied already: nothing goes back, and it is said', async () => {
    const older = await exported()
    await a.put('files', 'two', '2')
    value(await b.import(await exported()))
    const before = await listing(b)
    const applied = value(await b.import(older))
    expect(applied).toMatchObject({ applied: 0 })
    expect(applied.sentence).toMatch(/was made before the newest word of alpha/)
    expect(await listing(b)).toEqual(before)
  })

  test('signed by a site whose keys were revoked, whenever it was made; until it is trusted again by its fingerprint', async () => {
    const [out, receiptFile] = [await exported(), newPath('receipt')]
    value(await b.import(out, { receiptFile }))
    await a.put('files', 'three', '3')
    const earlier = await exported()
    value(await b.revoke(a))
    await refused(b, () => b.import(earlier), 4, 'revoked-signer', /signed by site [0-9a-f]{32}, whose keys were revoked here/)
    const verified = await verifyForSite(b.federation, [earlier], noProgress)
    expect(verified).toMatchObject({ ok: false, error: { exit: 4, kind: 'revoked-signer' } })
    expect(await b.export(a, newPath('bundle'))).toMatchObject({
      ok: false,
      error: { exit: 4, kind: 'revoked-signer', sentence: expect.stringMatching(/keys of alpha were revoked/) },
    })
    await expect(b.meet(a, { compared: false })).rejects.toThrow(/revoked.*--fingerprint/)
    // To forget the peer is not to forgive it.
    value(await b.forget(a))
    await refused(b, () => b.import(earlier), 4, 'revoked-signer', /whose keys were revoked here/)
    await b.meet(a)
    value(await b.import(earlier))
    expect((await listing(b)).join('\n')).toContain('three')
  })

  test('signed by fewer sites than its sender needs, whoever else signed; until enough that are trusted have approved it', async () => {
    const [approver, stranger] = [await TestSite.create('approver'), await TestSite.create('another')]
    for (const site of [approver, stranger]) await site.meet(a)
    await b.meet(approver)
    value(await needSigners(b.federation, 'alpha', 2))
    await a.put('files', 'released', 'by two')
    const out = await exported()
    await refused(b, () => b.import(out), 4, 'too-few-signers', /only if 2 sites that are trusted here have signed them; 1 signed this one/)
    value(await approveForSite(stranger.federation, [out], noProgress))
    await refused(b, () => b.import(out), 4, 'too-few-signers', /1 signed this one/)
    expect(await verifyForSite(b.federation, [out], noProgress)).toMatchObject({ ok: false, error: { exit: 4, kind: 'too-few-signers' } })
    expect(value(await approveForSite(approver.federation, [out], noProgress)).sentence).toMatch(/is approved/)
    expect(value(await approveForSite(approver.federation, [out], noProgress)).sentence).toMatch(/signed by this site before/)
    value(await verifyForSite(b.federation, [out], noProgress))
    const sums = spawnSync('sha512sum', ['-c', '--quiet', 'SHA512SUMS'], { cwd: out, encoding: 'utf8' })
    expect(sums.stdout + sums.stderr).toBe('')
    value(await b.import(out))
    expect((await listing(b)).join('\n')).toContain('released')
    value(await needSigners(b.federation, 'alpha', 1))
  })

  test('signed by a peer that was removed; its epoch is remembered', async () => {
    const before = await exported()
    value(await a.newEpoch())
    const after = await exported()
    value(await b.import(after))
    value(await b.forget(a))
    await refused(b, () => b.import(after), 4, 'unknown-signer', /unknown site/)
    await b.meet(a)
    await refused(b, () => b.import(before), 5, 'earlier-epoch', /epoch 1 of alpha, which has begun epoch 2/)
  })
})

test('of an epoch far beyond any that its sender can have reached', async () => {
  const { a, b } = await twoSites()
  await a.make('files')
  value(await a.beginEpoch(5000))
  const out = newPath('bundle')
  value(await a.export(b, out))
  await refused(b, () => b.import(out), 5, 'fast-forward', /epoch 5000 of alpha, of which epoch 0 was the last/)
}, 30_000)

describe('among more sites', () => {
  test('with a gap before it: the missing bundle is named', async () => {
    const { a, b } = await twoSites()
    await a.make('files')
    await a.put('files', 'one', '1')
    const before = await b.copied()
    const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
    const first = value(await a.export(b, out))
    value(await b.import(out, { receiptFile }))
    value(await a.acknowledge(readFileSync(receiptFile, 'utf8')))
    await a.put('files', 'two', '2')
    const next = newPath('bundle')
    value(await a.export(b, next))
    await b.restore(before)
    await refused(b, () => b.import(next), 6, 'gap', new RegExp(`gap.*changes 1–2 of bucket files.*${first.bundle}`))
    value(await b.import(out))
    value(await b.import(next))
    expect(await listing(b)).toEqual(await listing(a))
  }, 30_000)

  test('a sender that was restored from an older copy and went on otherwise', async () => {
    const { a, b } = await twoSites()
    await a.make('files')
    const before = await a.copied()
    await a.put('files', 'one', 'as it was')
    const out = newPath('bundle')
    value(await a.export(b, out))
    value(await b.import(out))
    await b.put('files', 'of b', 'b')
    const back = newPath('bundle')
    value(await b.export(a, back))
    await a.restore(before)
    await a.put('files', 'one', 'as it became')
    const other = newPath('bundle')
    value(await a.export(b, other))
    await refused(b, () => b.import(other), 5, 'conflicting-history', /restored from an older copy or cloned.*new-epoch/)
    await a.restore(before)
    await refused(a, () => a.import(back), 5, 'ahead-of-us', /has made only 1: it was restored/)
  }, 30_000)

  test('changes of a bucket that the sender neither made nor was sent', async () => {
    const { a, b } = await twoSites()
    const c = await TestSite.create('gamma')
    for (const [one, other] of [
      [a, c],
      [c, a],
      [b, c],
      [c, b],
    ] as const)
      await one.meet(other)
    await a.make('files')
    for (const to of [b, c]) {
      const out = newPath('bundle')
      value(await a.export(to, out))
      value(await to.import(out))
    }
    await c.put('files', 'of c', 'c')
    const left = value(await c.export(b, newPath('bundle')))
    expect(left.sentence).toMatch(/Left out.*files/)
    const out = newPath('bundle')
    value(await c.export(b, out, { buckets: ['files'] }))
    await refused(b, () => b.import(out), 5, 'not-theirs', /neither made nor was sent/)
    // Once it is merged by a word, or the peer's entry names the bucket.
    expect(value(await b.import(out, { merge: ['files'], dryRun: true })).applied).toBe(1)
    value(await setPeer(b.federation, { peer: 'gamma', buckets: ['files'] }))
    value(await b.import(out))
    expect((await listing(b)).join('\n')).toContain('of c')
  }, 30_000)
})
