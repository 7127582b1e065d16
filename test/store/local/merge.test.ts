/**
 * Sites that exchange operations in any order come to hold the same. Here without journal and disks: changes decided and applied on an index in memory, each
 * record encoded and decoded in between.
 */
import { hash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { apply } from '../../../src/store/local/changes/apply.ts'
import { applyContext, type PlacedChange } from '../../../src/store/local/changes/context.ts'
import { decide } from '../../../src/store/local/changes/decide.ts'
import { operationOf } from '../../../src/store/local/changes/operations.ts'
import { decodeRecord, encodeRecord } from '../../../src/store/local/changes/record.ts'
import type { ChangeReply, ChangeRequest } from '../../../src/store/local/changes/request.ts'
import { encodeCbor } from '../../../src/store/local/codec.ts'
import { decodeHidden, decodeHiddenKey, type HiddenPlace, type HiddenVersion, hiddenSums } from '../../../src/store/local/index/hidden.ts'
import { s3KeyOf } from '../../../src/store/local/index/key-walk.ts'
import { Table, tableRange } from '../../../src/store/local/index/keys.ts'
import { MemoryMap } from '../../../src/store/local/index/memory-map.ts'
import { walk } from '../../../src/store/local/index/ordered-map.ts'
import { emptyState, getBucket, getDeletedBucket, readState, writeState } from '../../../src/store/local/index/rows.ts'
import { decodeAttributes, decodeVersionRow, encodeAttributes } from '../../../src/store/local/index/version-row.ts'
import { getNewest, listOfKey, versionIdOfRow } from '../../../src/store/local/index/versions.ts'
import { type Operation, originOf } from '../../../src/store/operation.ts'
import type { Bucket, BucketId, BucketName, SiteId } from '../../../src/store/terms.ts'
import { Chance } from '../../sim/chance.ts'

const ATTRIBUTES = encodeAttributes({ headers: {}, userMetadata: [], tags: [] })

class BareSite {
  readonly site: SiteId
  readonly index = new MemoryMap()
  readonly made: Operation[] = []
  /** Everything that was applied, in order: a journal. */
  readonly journal: PlacedChange[] = []
  now: number
  bucket!: BucketId

  constructor(digit: string, now: number) {
    this.site = digit.repeat(32) as SiteId
    this.now = now
  }

  change(request: ChangeRequest): ChangeReply {
    const transaction = this.index.begin()
    const state = readState(transaction) ?? emptyState()
    const foreign = request.kind === 'apply-foreign' ? request.operation.position.clock : 0
    const clock = Math.max(this.now, state.clock + 1, foreign + 1)
    const sequence = state.applied + 1
    const decision = decide({ reader: transaction, state, site: this.site, epoch: 1, clock, sequence, nowUs: this.now }, request)
    if (decision.kind === 'refused') return { ok: false, error: decision.error }
    if (decision.kind === 'nothing') return { ok: true, value: decision.value }
    for (const [i, { record, body }] of decision.records.entries()) {
      const decoded = decodeRecord(encodeRecord(record))
      if (!decoded.ok) throw new Error(decoded.error)
      const place =
        body.length === 0
          ? undefined
          : { segment: 1, offset: 64, bytes: body.length, checksumHigh: 1, checksumLow: 2, sequence: sequence + i }
      const change = { sequence: sequence + i, clock, record: decoded.value, place, body }
      apply(applyContext(transaction, state, this.site), change)
      this.journal.push(change)
      const operation = operationOf(decoded.value, { clock, site: this.site, sequence: sequence + i })
      if (operation !== undefined) this.made.push(structuredClone(operation))
    }
    writeState(transaction, state)
    transaction.commit()
    return { ok: true, value: decision.value }
  }

  /** Merges an operation of another site. `isGone`: its bytes are not to be had any more. */
  merge(from: BareSite, operation: Operation, isGone: boolean): ChangeReply {
    const { change } = operation
    const bytes = change.kind === 'put-object' ? change.bytes : 0
    return this.change({
      kind: 'apply-foreign',
      bucketId: this.bucket,
      from: originOf(from.site, 1),
      operation,
      digest: hash('sha384', encodeCbor(operation), 'buffer'),
      evidence: new Uint8Array(0),
      ...(isGone || bytes === 0 ? {} : { content: { kind: 'body', body: new Uint8Array(bytes) } }),
    })
  }

  /** An index made of the journal alone. */
  replayed(): MemoryMap {
    const index = new MemoryMap()
    for (const change of this.journal) {
      const transaction = index.begin()
      const state = readState(transaction) ?? emptyState()
      apply(applyContext(transaction, state, this.site), change)
      writeState(transaction, state)
      transaction.commit()
    }
    return index
  }

  hidden(): { readonly place: HiddenPlace; readonly hidden: HiddenVersion }[] {
    return [...walk(this.index.reader(), tableRange(Table.hidden))].map(({ key, value }) => ({
      place: decodeHiddenKey(key),
      hidden: decodeHidden(value),
    }))
  }

  holds(operation: Operation): boolean {
    const { change, position } = operation
    if (change.kind !== 'put-object') return true
    return listOfKey(this.index.reader(), this.bucket, change.key, 1000).some(
      (row) => row.position.site === position.site && row.position.sequence === position.sequence,
    )
  }

  /** What clients can see of the bucket. */
  picture(): unknown {
    const reader = this.index.reader()
    const bucket = getBucket(reader, this.bucket)
    if (bucket === undefined) return 'deleted'
    const keys = new Set<string>()
    for (const { key } of walk(reader, tableRange(Table.current))) keys.add(s3KeyOf(key, 0))
    for (const { key } of walk(reader, tableRange(Table.version))) keys.add(s3KeyOf(key, 33))
    const versions = [...keys].sort().map((key) => {
      const newest = getNewest(reader, this.bucket, key)
      return listOfKey(reader, this.bucket, key, 1000).map((row) => {
        const { tags } = decodeAttributes(row.attributes, row.checksum)
        const latest = newest?.owner === row.owner
        return { key, id: versionIdOfRow(row), kind: row.kind, position: row.position, bytes: row.bytes, tags, latest }
      })
    })
    return { versioning: bucket.versioning, configuration: bucket.configuration, versions }
  }

  checkInvariants(): void {
    const reader = this.index.reader()
    const hidden = this.hidden().map((each) => each.hidden)
    const sums = hiddenSums(reader)
    expect(sums.reduce((sum, { versions }) => sum + versions, 0)).toBe(hidden.length)
    expect(sums.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(hidden.reduce((sum, { row }) => sum + row.bytes, 0))
    expect([...walk(reader, tableRange(Table.hiddenUntil))].length).toBe(hidden.length)
    for (const { key, value } of walk(reader, tableRange(Table.current))) {
      const row = decodeVersionRow(value)
      const s3Key = s3KeyOf(key, 0)
      const rows = listOfKey(reader, this.bucket, s3Key, 1000)
      expect(rows[0]?.position).toEqual(row.position)
      expect(row.kind).toBe('object')
      expect(rows.filter((each) => each.isNull).length).toBeLessThanOrEqual(1)
      for (let i = 1; i < rows.length; i++) expect(rows[i - 1]!.position.clock).toBeGreaterThanOrEqual(rows[i]!.position.clock)
    }
    for (const { value, key } of walk(reader, tableRange(Table.version))) {
      const s3Key = s3KeyOf(key, 33)
      const newest = getNewest(reader, this.bucket, s3Key)
      if (decodeVersionRow(value).kind === 'object') expect(newest).toBeDefined()
    }
  }
}

function randomChange(site: BareSite, chance: Chance): ChangeRequest {
  const bucketId = site.bucket
  const hidden = site.hidden()
  if (chance.oneIn(4)) {
    if (hidden.length === 0) return { kind: 'return-bucket', bucketId }
    const { place } = chance.pick(hidden)
    if (chance.oneIn(4)) return { kind: 'drop-hidden', hidden: [place] }
    return { kind: 'return-version', bucketId, key: place.key, hidden: place.position, asNewest: chance.oneIn(2) }
  }
  const key = chance.pick(['a', 'b', 'c'])
  const rows = listOfKey(site.index.reader(), bucketId, key, 100)
  const row = rows.length > 0 ? chance.pick(rows) : undefined
  const named = row === undefined ? {} : { versionId: versionIdOfRow(row) }
  switch (chance.below(14)) {
    case 0:
    case 1:
      return { kind: 'delete-object', bucketId, key }
    case 2:
    case 3:
      return { kind: 'delete-object', bucketId, key, ...named }
    case 4:
      return { kind: 'put-tags', bucketId, key, ...named, tags: [['t', `${chance.below(1000)}`]] }
    case 5:
      return { kind: 'put-versioning', bucketId, versioning: chance.oneIn(2) ? 'enabled' : 'suspended' }
    case 6:
      return { kind: 'put-configuration', bucketId, name: chance.pick(['x', 'y']), json: chance.oneIn(3) ? null : `${chance.below(1000)}` }
    case 7:
      return { kind: 'delete-bucket', bucketId }
    default: {
      const bytes = chance.below(4)
      const body = new Uint8Array(bytes)
      return {
        kind: 'put-object',
        bucketId,
        key,
        etag: hash('md5', body),
        attributes: ATTRIBUTES,
        checksum: 0,
        content: { kind: 'body', body },
      }
    }
  }
}

function federatedSites(count: number): BareSite[] {
  const sites = Array.from({ length: count }, (_, i) => new BareSite('abcd'[i]!, 1_000_000_000 + i))
  const created = sites[0]!.change({ kind: 'create-bucket', name: 'shared' as BucketName, owner: 'f'.repeat(64) })
  const bucket = (created.ok ? created.value : undefined) as Bucket
  for (const site of sites) {
    const request = { kind: 'adopt-bucket', origin: bucket.origin, name: bucket.name, owner: bucket.owner } as const
    const adopted = site.change(request)
    site.bucket = ((adopted.ok ? adopted.value : undefined) as Bucket).id
  }
  return sites
}

describe('sites that exchange their operations in any order hold the same', () => {
  const SEEDS = 300
  const first = Number(process.env.HOLDFAST_SEED ?? 1)
  test(`seeds ${first} to ${first + SEEDS - 1}`, () => {
    for (let seed = first; seed < first + SEEDS; seed++) converge(seed)
  })
})

function converge(seed: number): void {
  const chance = new Chance(seed)
  const sites = federatedSites(2 + chance.below(2))
  const got = new Map<string, number>()
  const deliver = (to: BareSite, from: BareSite): boolean => {
    const at = got.get(to.site + from.site) ?? 0
    const operation = from.made[at]
    if (operation === undefined) return false
    const reply = to.merge(from, operation, !from.holds(operation))
    if (!reply.ok) throw new Error(`seed ${seed}: ${JSON.stringify(reply.error)} for ${JSON.stringify(operation)}`)
    expect(to.merge(from, operation, true)).toMatchObject({ ok: true, value: { kind: 'already' } })
    got.set(to.site + from.site, at + 1)
    return true
  }
  const others = (site: BareSite) => sites.filter((each) => each !== site)
  for (let step = 0; step < 60; step++) {
    const site = chance.pick(sites)
    site.now += chance.below(1000)
    if (chance.oneIn(2)) deliver(site, chance.pick(others(site)))
    else site.change(randomChange(site, chance))
    site.checkInvariants()
  }
  for (let more = true; more; ) {
    more = false
    for (const site of sites) for (const from of others(site)) if (deliver(site, from)) more = true
  }
  for (const site of sites) {
    site.checkInvariants()
    expect(site.picture(), `seed ${seed}`).toEqual(sites[0]!.picture())
    expect(entries(site.replayed()), `seed ${seed}`).toEqual(entries(site.index))
  }
}

const entries = (index: MemoryMap): string[] =>
  [...walk(index.reader(), { from: Uint8Array.of(0), to: Uint8Array.of(255) })].map(
    ({ key, value }) => `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`,
  )

describe('two sites', () => {
  const put = (site: BareSite, key: string, bytes = 3): ChangeReply => {
    const body = new Uint8Array(bytes)
    return site.change({
      kind: 'put-object',
      bucketId: site.bucket,
      key,
      etag: hash('md5', body),
      attributes: ATTRIBUTES,
      checksum: 0,
      content: { kind: 'body', body },
    })
  }
  const exchange = (a: BareSite, b: BareSite): ChangeReply[] => [...a.made].map((operation) => b.merge(a, operation, !a.holds(operation)))
  const ids = (site: BareSite, key: string): string[] =>
    listOfKey(site.index.reader(), site.bucket, key, 10).map((row) => `${row.isNull ? 'null' : 'id'}${row.concurrent ? ' concurrent' : ''}`)

  test('of two null versions made apart the later keeps the name, and both are marked', () => {
    const [a, b] = federatedSites(2) as [BareSite, BareSite]
    put(a, 'k')
    b.now += 1_000_000
    put(b, 'k')
    expect(exchange(a, b).at(-1)).toMatchObject({ ok: true, value: { kind: 'applied', concurrent: true } })
    exchange(b, a)
    for (const site of [a, b]) expect(ids(site, 'k')).toEqual(['null concurrent', 'id concurrent'])
  })

  test('a null version that its writer had seen is replaced', () => {
    const [a, b] = federatedSites(2) as [BareSite, BareSite]
    put(a, 'k')
    exchange(a, b)
    put(b, 'k')
    exchange(b, a)
    for (const site of [a, b]) expect(ids(site, 'k')).toEqual(['null'])
  })

  test('a bucket deleted at one site without having seen a version from the other comes back', () => {
    const [a, b] = federatedSites(2) as [BareSite, BareSite]
    exchange(a, b)
    a.change({ kind: 'delete-bucket', bucketId: a.bucket })
    put(b, 'k')
    expect(exchange(a, b).at(-1)).toMatchObject({ ok: true, value: { concurrent: true } })
    expect(getDeletedBucket(a.index.reader(), a.bucket)).toBeDefined()
    expect(exchange(b, a).at(-1)).toMatchObject({ ok: true, value: { concurrent: true } })
    expect(a.picture()).toEqual(b.picture())
    expect(a.picture()).not.toBe('deleted')
  })

  describe('what the other one removed is hidden and can be brought back', () => {
    const give = (site: BareSite, key: string, asNewest = true): void => {
      const hidden = site.hidden().filter((each) => each.place.key === key)
      for (const { place } of hidden)
        expect(site.change({ kind: 'return-version', bucketId: site.bucket, key, hidden: place.position, asNewest })).toMatchObject({
          ok: true,
          value: { returned: true },
        })
    }
    const shown = (site: BareSite, key: string): string[] =>
      listOfKey(site.index.reader(), site.bucket, key, 10).map(
        (row) => `${row.isNull ? 'null' : 'id'} ${row.kind === 'object' ? row.bytes : 'marker'}`,
      )
    const versioned = (site: BareSite) => site.change({ kind: 'put-versioning', bucketId: site.bucket, versioning: 'enabled' })
    const remove = (site: BareSite, key: string, at: number) => {
      const row = listOfKey(site.index.reader(), site.bucket, key, 10)[at]!
      return site.change({ kind: 'delete-object', bucketId: site.bucket, key, versionId: versionIdOfRow(row) })
    }
    const pair = (): [BareSite, BareSite] => {
      const [a, b] = federatedSites(2) as [BareSite, BareSite]
      b.now += 1_000
      return [a, b]
    }
    const together = (a: BareSite, b: BareSite): void => {
      for (let i = 0; i < 2; i++) {
        exchange(a, b)
        exchange(b, a)
      }
      expect(a.picture()).toEqual(b.picture())
    }

    test('a deleted version takes its old place again, with its old date, at both sites', () => {
      const [a, b] = pair()
      versioned(a)
      for (const bytes of [1, 2, 3]) put(a, 'k', bytes)
      exchange(a, b)
      const [, old] = listOfKey(b.index.reader(), b.bucket, 'k', 10)
      remove(a, 'k', 1)
      exchange(a, b)
      expect(shown(b, 'k')).toEqual(['id 3', 'id 1'])
      give(b, 'k')
      expect(shown(b, 'k')).toEqual(['id 3', 'id 2', 'id 1'])
      const [, back] = listOfKey(b.index.reader(), b.bucket, 'k', 10)
      expect(back!.position).toMatchObject({ clock: old!.position.clock, site: b.site })
      together(a, b)
      expect(b.hidden()).toEqual([])
    })

    test('an overwritten null version is the current one again, and what overwrote it stays below', () => {
      const [a, b] = pair()
      put(b, 'k', 1)
      exchange(b, a)
      put(a, 'k', 2)
      put(a, 'k', 3)
      exchange(a, b)
      expect(shown(b, 'k')).toEqual(['null 3'])
      const { place } = b.hidden().find(({ hidden }) => hidden.row.bytes === 1)!
      b.change({ kind: 'return-version', bucketId: b.bucket, key: 'k', hidden: place.position, asNewest: true })
      expect(shown(b, 'k')).toEqual(['null 1', 'id 3'])
      together(a, b)
      expect(shown(a, 'k')).toEqual(['null 1', 'id 3'])
    })

    test('what somebody else wrote since stays on top', () => {
      const [a, b] = pair()
      put(b, 'k', 1)
      exchange(b, a)
      remove(a, 'k', 0)
      exchange(a, b)
      put(b, 'k', 2)
      give(b, 'k')
      expect(shown(b, 'k')).toEqual(['null 2', 'id 1'])
      together(a, b)
    })

    test('a deleted bucket is back with what was in it', () => {
      const [a, b] = pair()
      put(b, 'k', 1)
      exchange(b, a)
      remove(a, 'k', 0)
      a.change({ kind: 'delete-bucket', bucketId: a.bucket })
      exchange(a, b)
      expect(b.picture()).toBe('deleted')
      give(b, 'k')
      expect(shown(b, 'k')).toEqual(['null 1'])
      together(a, b)
      expect(b.picture()).not.toBe('deleted')
    })

    test('when its time has passed it is given up', () => {
      const [a, b] = pair()
      put(a, 'k', 1)
      exchange(a, b)
      remove(a, 'k', 0)
      exchange(a, b)
      const { hidden } = b.hidden()[0]!
      expect(hidden.until - hidden.removed).toBe(30 * 24 * 3600 * 1_000_000)
      expect(b.change({ kind: 'expire-hidden', before: hidden.until })).toEqual({ ok: true, value: { expired: 0 } })
      expect(b.change({ kind: 'expire-hidden', before: hidden.until + 1 })).toEqual({ ok: true, value: { expired: 1 } })
      expect(b.hidden()).toEqual([])
    })
  })

  test('another operation under a known number is conflicting history, and one far ahead of our clock is kept out', () => {
    const [a, b] = federatedSites(2) as [BareSite, BareSite]
    put(a, 'k')
    exchange(a, b)
    const operation = a.made.at(-1)!
    const forged = { ...operation, position: { ...operation.position, clock: operation.position.clock + 1 } }
    expect(b.merge(a, forged, true)).toEqual({ ok: false, error: 'conflicting-history' })
    const day = 24 * 60 * 60 * 1_000_000
    const ahead = { ...operation, number: operation.number + 1, position: { ...operation.position, clock: b.now + day + 1 } }
    expect(b.merge(a, ahead, true)).toEqual({ ok: false, error: 'from-the-future' })
    expect(a.merge(a, { ...operation, number: operation.number + 1 }, true)).toEqual({ ok: false, error: 'conflicting-history' })
  })
})
