/** Sites that were restored from an older copy, and clones: they stop, begin a new epoch, and nothing that either side acknowledged is lost. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { formerRemovers, setPeer } from '../../src/federation/peer-rules.ts'
import { undo } from '../../src/federation/undo.ts'
import { documents, listing, newPath, noProgress, TestSite, twoSites, value } from '../federation/sites.ts'

const HOUR_MS = 3600 * 1000

/** One bundle, carried and acknowledged. */
async function carry(from: TestSite, to: TestSite, more: Parameters<TestSite['export']>[2] = {}) {
  const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
  const exported = value(await from.export(to, out, more))
  if (exported.bundle === null) return { exported, imported: undefined, out }
  const imported = value(await to.import(out, { receiptFile }))
  value(await from.acknowledge(readFileSync(receiptFile, 'utf8')))
  return { exported, imported, out }
}

/** Until neither has anything to send. */
async function converge(a: TestSite, b: TestSite): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const there = await carry(a, b)
    const back = await carry(b, a)
    if (there.exported.bundle === null && back.exported.bundle === null) return
  }
  throw new Error('they go on and on')
}

/** Site a shares a versioned bucket with b, and is copied; what it then wrote and deleted reached b and not the copy. */
async function restored() {
  const { a, b } = await twoSites()
  await a.make('files', 'enabled')
  await a.make('plain')
  const kept = await a.put('files', 'kept', 'first')
  const doomed = await a.put('files', 'doomed', 'to be deleted')
  await a.put('plain', 'one', 'plain as it was')
  await carry(a, b)
  await b.put('files', 'of b', 'b')
  await carry(b, a)
  const copy = await a.copied()
  await a.put('files', 'lost', 'written after the copy was taken')
  await a.put('files', 'kept', 'second')
  await a.remove('files', 'doomed', doomed)
  await a.put('plain', 'one', 'plain as it became')
  await a.make('late')
  await a.put('late', 'only', 'in a bucket that the copy lacks')
  await carry(a, b)
  await b.remove('files', 'of b')
  await b.put('files', 'kept', 'by b')
  const before = await listing(b)
  await a.restore(copy)
  return { a, b, before, kept }
}

describe('a site that was restored from an older copy', () => {
  test('shows it to its peer, which refuses, and learns of it from its peer: it stops, and S3 goes on', async () => {
    const { a, b } = await restored()
    await a.put('files', 'after', 'the restore')
    const conflicting = newPath('bundle')
    value(await a.export(b, conflicting))
    const before = [await listing(b), await documents(b)]
    expect(await b.import(conflicting)).toMatchObject({
      ok: false,
      error: { exit: 5, kind: 'conflicting-history', sentence: expect.stringMatching(/restored from an older copy or cloned.*new-epoch/) },
    })
    expect([await listing(b), await documents(b)]).toEqual(before)
    const out = newPath('bundle')
    value(await b.export(a, out))
    const own = await listing(a)
    const met = await a.import(out, { receiptFile: newPath('receipt') })
    expect(met).toMatchObject({ ok: false, error: { exit: 5, kind: 'ahead-of-us' } })
    for (const refused of [await a.export(b, newPath('bundle')), await a.import(out), await a.acknowledge('nothing')])
      expect(refused).toMatchObject({
        ok: false,
        error: { exit: 5, kind: 'stopped', sentence: expect.stringMatching(/Stopped since .*beta knows change.*new-epoch.*S3 goes on/) },
      })
    expect(await listing(a)).toEqual(own)
    await a.put('files', 'while stopped', 'S3 goes on')
    // It is still so after a restart.
    await a.restarted()
    expect(await a.export(b, newPath('bundle'))).toMatchObject({ ok: false, error: { kind: 'stopped' } })
  }, 60_000)

  test('in a new epoch both converge, and what it had lost comes back', async () => {
    const { a, b, before } = await restored()
    await a.put('files', 'after', 'the restore')
    await a.put('plain', 'one', 'plain after the restore')
    const earlier = newPath('bundle')
    value(await a.export(b, earlier))
    const out = newPath('bundle')
    value(await b.export(a, out))
    expect(await a.import(out)).toMatchObject({ ok: false, error: { kind: 'ahead-of-us' } })
    const begun = value(await a.newEpoch())
    expect(begun).toMatchObject({ before: 1, epoch: 2 })
    expect(begun.sentence).toMatch(/Epoch 2 of this site has begun/)
    await a.restarted()
    expect(a.federation.store.federation.epoch).toBe(2)
    await a.put('files', 'in epoch 2', 'x')

    const there = await carry(a, b)
    expect(there.imported?.sentence).toMatch(/from alpha/)
    const back = await carry(b, a)
    expect(back.imported?.returned).toBeGreaterThanOrEqual(5)
    expect(back.imported?.sentence).toMatch(/changes of this site itself, which it had lost, came back/)
    await converge(a, b)
    expect(await listing(a)).toEqual(await listing(b))
    // Every version that b had is at both; what was deleted stays deleted.
    const now = (await listing(a)).join('\n')
    const version = (line: string): string => line.split(',').slice(0, 2).join(',')
    for (const line of before.filter((each) => each.startsWith('files/') || each.startsWith('late/'))) expect(now).toContain(version(line))
    expect(now).not.toContain('doomed')
    for (const key of ['lost', 'after', 'in epoch 2', 'only']) expect(now).toContain(key)

    const refused = await b.import(earlier)
    expect(refused).toMatchObject({
      ok: false,
      error: { exit: 5, kind: 'earlier-epoch', sentence: expect.stringMatching(/epoch 1 of alpha, which has begun epoch 2/) },
    })
  }, 60_000)

  test('deletes that come back can be undone, its own and those of the peer, whatever the peer may do', async () => {
    const { a, b } = await restored()
    value(await setPeer(a.federation, { peer: 'beta', deny: ['configuration'] }))
    await a.put('plain', 'one', 'plain after the restore')
    value(await a.newEpoch())
    await carry(a, b)
    const out = newPath('bundle')
    value(await b.export(a, out))
    const would = value(await a.import(out, { dryRun: true }))
    expect(would.kinds.find(({ kind }) => kind === 'deletes')?.count).toBe(2)
    value(await a.import(out, { receiptFile: newPath('receipt') }))
    expect((await listing(a)).join('\n')).not.toMatch(/doomed|plain as it was/)
    const { siteId } = a.federation.store.federation
    expect(await formerRemovers(a.federation, [{ site: b.federation.store.federation.siteId }])).toEqual([
      { site: siteId, versions: 1, bytes: 13, isThisSite: true },
    ])
    const back = value(await undo(a.federation, { peer: siteId, dryRun: false, forget: false }, noProgress))
    expect(back).toMatchObject({ versions: 1, listed: [{ bucket: 'files', key: 'doomed' }] })
    await converge(a, b)
    expect((await listing(a)).join('\n')).toContain('doomed')
    expect(await listing(a)).toEqual(await listing(b))
  }, 60_000)

  test('a deletion of a bucket that comes back had not seen what an undo brought back into it meanwhile', async () => {
    const { a, b } = await twoSites()
    await a.make('files', 'enabled')
    await carry(a, b)
    const version = await b.put('files', 'x', 'of b')
    await carry(b, a)
    await b.remove('files', 'x', version)
    await carry(b, a)
    const copy = await a.copied()
    value(await a.store.deleteBucket((await a.bucket('files')).id))
    await carry(a, b)
    expect(await b.store.listBuckets()).toEqual([])
    await a.restore(copy)
    value(await a.newEpoch())
    const undone = value(await undo(a.federation, { peer: 'beta', dryRun: false, forget: false }, noProgress))
    expect(undone.versions).toBe(1)
    await converge(a, b)
    expect((await listing(a)).join('\n')).toContain('files/["x"')
    expect(await listing(a)).toEqual(await listing(b))
  }, 60_000)

  test('nothing that a peer acknowledged travels again with its bytes, unless in full', async () => {
    const { a, b } = await twoSites()
    await a.make('files')
    await a.put('files', 'large', Buffer.alloc(900_000, 1))
    await carry(a, b)
    value(await a.newEpoch())
    await a.put('files', 'small', 'x')
    const { exported } = await carry(a, b)
    expect(exported.bytes).toBeLessThan(200_000)
    expect(await listing(a)).toEqual(await listing(b))
    expect(value(await a.export(b, newPath('bundle'), { full: true })).bytes).toBeGreaterThan(900_000)
  }, 60_000)

  test('a peer that lost what it had acknowledged asks for all of it', async () => {
    const { a, b } = await twoSites()
    await a.make('files')
    const empty = await b.copied()
    await a.put('files', 'one', 'x')
    await carry(a, b)
    value(await a.newEpoch())
    await b.restore(empty)
    const out = newPath('bundle')
    value(await a.export(b, out))
    const before = [await listing(b), await documents(b)]
    expect(await b.import(out)).toMatchObject({
      ok: false,
      error: { exit: 5, kind: 'content-needed', sentence: expect.stringMatching(/--full/) },
    })
    expect([await listing(b), await documents(b)]).toEqual(before)
    await carry(a, b, { full: true })
    expect(await listing(a)).toEqual(await listing(b))
  }, 60_000)

  test('what a third site gets comes from the restored one itself', async () => {
    const { a, b } = await restored()
    const c = await TestSite.create('gamma')
    await a.meet(c)
    await c.meet(a)
    value(await a.newEpoch())
    await converge(a, b)
    await carry(a, c)
    expect(await listing(c, ['late', 'plain'])).toEqual(await listing(a, ['late', 'plain']))
    expect((await listing(c)).join('\n')).toContain('lost')
  }, 60_000)

  test('its new stamps are later than any that a peer saw, although its clock was set back', async () => {
    const { a, b } = await twoSites()
    await a.make('files', 'enabled')
    await a.put('files', 'key', 'first')
    await carry(a, b)
    const copy = await a.copied()
    a.aheadMs = 5 * HOUR_MS
    await a.put('files', 'key', 'second')
    await carry(a, b)
    await a.restore(copy)
    a.aheadMs = 0
    const out = newPath('bundle')
    await b.put('files', 'other', 'b')
    value(await b.export(a, out))
    expect(await a.import(out)).toMatchObject({ ok: false, error: { kind: 'ahead-of-us' } })
    value(await a.newEpoch())
    const third = await a.put('files', 'key', 'third')
    await converge(a, b)
    for (const site of [a, b]) {
      const { id } = await site.bucket('files')
      expect((await site.store.findVersion(id, 'key', undefined))?.versionId).toBe(third)
    }
    expect(await listing(a)).toEqual(await listing(b))
  }, 60_000)

  test('deletions of buckets that were known before hold in the new epoch', async () => {
    const { a, b } = await twoSites()
    await a.make('gone')
    await a.put('gone', 'key', 'x')
    await carry(a, b)
    await a.remove('gone', 'key')
    value(await a.store.deleteBucket((await a.bucket('gone')).id))
    await a.make('stays')
    await carry(a, b)
    value(await a.newEpoch())
    await a.put('stays', 'key', 'x')
    await converge(a, b)
    for (const site of [a, b]) expect((await site.store.listBuckets()).map(({ name }) => name)).toEqual(['stays'])
  }, 60_000)

  test('a bucket that was deleted after the copy was taken goes again, unless something was written to it since', async () => {
    const { a, b } = await twoSites()
    for (const name of ['empty', 'used', 'mixed']) await a.make(name)
    await carry(a, b)
    const copy = await a.copied()
    await a.put('mixed', 'lost', 'and deleted')
    await a.remove('mixed', 'lost')
    for (const name of ['empty', 'used', 'mixed']) value(await a.store.deleteBucket((await a.bucket(name)).id))
    await a.make('short')
    value(await a.store.deleteBucket((await a.bucket('short')).id))
    await carry(a, b)
    expect(await b.store.listBuckets()).toEqual([])
    await a.restore(copy)
    await a.put('used', 'new', 'after the restore')
    value(await a.newEpoch())
    await converge(a, b)
    for (const site of [a, b]) expect((await site.store.listBuckets()).map(({ name }) => name)).toEqual(['used'])
    expect(await listing(a)).toEqual(await listing(b))
    // A third site, to which all of this is news, sees the same.
    const c = await TestSite.create('gamma')
    await a.meet(c)
    await c.meet(a)
    await carry(a, c)
    expect(await listing(c)).toEqual(await listing(a))
  }, 60_000)

  test('a deletion of a bucket by the peer that the restored site had not heard of is undone at both, what it had heard of holds', async () => {
    const { a, b } = await twoSites()
    for (const name of ['known', 'news']) await a.make(name)
    await carry(a, b)
    value(await b.store.deleteBucket((await b.bucket('known')).id))
    await carry(b, a)
    const copy = await a.copied()
    value(await b.store.deleteBucket((await b.bucket('news')).id))
    await carry(b, a)
    await a.restore(copy)
    value(await a.newEpoch())
    await converge(a, b)
    for (const site of [a, b]) expect((await site.store.listBuckets()).map(({ name }) => name)).toEqual(['news'])
  }, 60_000)

  test('what was merged with a bucket of the peer comes back to where it was', async () => {
    const { a, b } = await twoSites()
    for (const site of [a, b]) await site.make('shared', 'enabled')
    const first = newPath('bundle')
    value(await a.export(b, first))
    value(await b.import(first, { merge: ['shared'] }))
    const back = newPath('bundle')
    value(await b.export(a, back))
    value(await a.import(back, { merge: ['shared'] }))
    const copy = await a.copied()
    await a.put('shared', 'lost', 'x')
    await carry(a, b)
    await a.restore(copy)
    value(await a.newEpoch())
    await converge(a, b)
    expect(await listing(a)).toEqual(await listing(b))
    expect((await listing(a)).join('\n')).toContain('lost')
  }, 60_000)

  test('an import that was interrupted between the epochs goes on', async () => {
    const { a, b } = await restored()
    value(await a.newEpoch())
    const out = newPath('bundle')
    value(await a.export(b, out))
    let steps = 0
    const interrupted = b.import(out, {}, ({ what }) => {
      if (what === 'Importing' && ++steps > 0) throw new Error('power cut')
    })
    await expect(interrupted).rejects.toThrow('power cut')
    value(await b.import(out))
    await converge(a, b)
    expect(await listing(a)).toEqual(await listing(b))
  }, 60_000)

  test('the index is made anew from the journal with the epoch in it', async () => {
    const { a, b } = await restored()
    await a.put('files', 'after', 'the restore')
    value(await a.newEpoch())
    await converge(a, b)
    const before = await listing(a)
    await a.restarted({ index: 'removed', siteFileEpoch: 1 })
    expect(a.federation.store.federation.epoch).toBe(2)
    expect(await listing(a)).toEqual(before)
    await converge(a, b)
    expect(await listing(a)).toEqual(await listing(b))
  }, 60_000)
})

test('of two clones that both go on, one is heard at a time, and in the end nothing of either is lost', async () => {
  const { a, b } = await twoSites()
  await a.make('files', 'enabled')
  await a.put('files', 'shared', 'x')
  await carry(a, b)
  const copy = await a.copied()
  const clone = await TestSite.cloned(a, copy)
  await a.put('files', 'of the first', '1')
  await clone.put('files', 'of the second', '2')
  await carry(a, b)
  const out = newPath('bundle')
  value(await clone.export(b, out))
  expect(await b.import(out)).toMatchObject({ ok: false, error: { kind: 'conflicting-history' } })
  value(await clone.newEpoch())
  await carry(clone, b)
  // Now the first is the one of an earlier epoch, and is told so by what b sends.
  await a.put('files', 'of the first', 'again')
  const late = newPath('bundle')
  value(await a.export(b, late))
  expect(await b.import(late)).toMatchObject({ ok: false, error: { kind: 'earlier-epoch', sentence: expect.stringMatching(/clone/) } })
  const told = newPath('bundle')
  value(await b.export(a, told))
  expect(await a.import(told)).toMatchObject({ ok: false, error: { kind: 'ahead-of-us' } })
  const begun = value(await a.newEpoch())
  expect(begun.epoch).toBe(3)
  await clone.close()
  await converge(a, b)
  expect(await listing(a)).toEqual(await listing(b))
  const all = (await listing(a)).join('\n')
  for (const key of ['shared', 'of the first', 'of the second']) expect(all).toContain(key)
}, 60_000)

test('the stop ends with the trust in the peer that caused it', async () => {
  const { a, b } = await restored()
  const out = newPath('bundle')
  value(await b.export(a, out))
  expect(await a.import(out)).toMatchObject({ ok: false, error: { kind: 'ahead-of-us' } })
  const c = await TestSite.create('gamma')
  await a.meet(c)
  expect(await a.export(c, newPath('bundle'))).toMatchObject({ ok: false, error: { kind: 'stopped' } })
  value(await a.revoke(b))
  value(await a.export(c, newPath('bundle')))
}, 60_000)
