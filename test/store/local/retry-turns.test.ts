/** Writers that read a key, and write it back if nobody else did meanwhile. */
import { expect, test } from 'vitest'
import type { WriteCondition } from '../../../src/store/store.ts'
import type { Bucket, ObjectAttributes, ObjectVersion } from '../../../src/store/terms.ts'
import { errorOf, must, StoreUser } from '../store-contract.ts'
import { SimulatedSite } from './simulated-site.ts'

const SEED = 71
const WRITERS = 20
const KEY = 'counter'
/** WAIT_STEPS_MAX of STEP_MS, and the batch itself. */
const TOLD_WITHIN_MS = 300

async function siteWithCounter(): Promise<{ site: SimulatedSite; user: StoreUser; bucket: Bucket }> {
  const site = await SimulatedSite.make({ seed: SEED, disks: 4, parity: 2 })
  const user = new StoreUser({ store: site.store, run: (promise) => site.run(promise), close: () => site.close() })
  const bucket = await user.bucket('bucket')
  must(await user.tryPut(bucket, KEY, '0', { attributes: attributesOf('0') }))
  return { site, user, bucket }
}

const etagNow = async ({ store }: StoreUser, { id }: Bucket): Promise<string> =>
  ((await store.findVersion(id, KEY, undefined)) as ObjectVersion).etag

/** The ETag is the count, so that nobody has to read the body. */
const attributesOf = (count: string): ObjectAttributes => ({ etag: count.padStart(32, '0'), headers: {}, userMetadata: [], tags: [] })

/** Stages and writes, as one request of many. */
async function put({ store }: StoreUser, { id }: Bucket, text: string, condition: WriteCondition): Promise<unknown> {
  const writer = store.stage(undefined)
  writer.write(Buffer.from(text))
  const staged = must(await writer.finish())
  const content = { kind: 'staged', staged } as const
  return errorOf(await store.putObject({ bucketId: id, key: KEY, attributes: attributesOf(text), content, condition }))
}

/** All at once, with the condition; what each was told, and after how much time. */
async function race(
  { site, user, bucket }: Awaited<ReturnType<typeof siteWithCounter>>,
  condition: WriteCondition,
): Promise<{ told: unknown; afterMs: number }[]> {
  const began = site.world.clock.nowMs()
  return site.run(
    Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        const told = await put(user, bucket, `${writer + 100}`, condition)
        return { told, afterMs: site.world.clock.nowMs() - began }
      }),
    ),
  )
}

/** As many as WRITERS count up, each a few times; how often they try for each time that they succeed. */
async function triesPerSuccess(each: number, awayMs: number): Promise<number> {
  const { site, user, bucket } = await siteWithCounter()
  const away = (): Promise<void> => new Promise((resolve) => void site.world.clock.timer(awayMs, resolve))
  let tries = 0
  const writer = async (): Promise<void> => {
    for (let done = 0; done < each; ) {
      const etag = await etagNow(user, bucket)
      tries++
      if (awayMs > 0) await away()
      const told = await put(user, bucket, `${Number(etag) + 1}`, { kind: 'etag', etag })
      expect(['ok', 'precondition-failed']).toContain(told)
      if (told === 'ok') done++
      if (awayMs > 0) await away()
    }
  }
  await site.run(Promise.all(Array.from({ length: WRITERS }, writer)))
  expect(Number(await etagNow(user, bucket))).toBe(WRITERS * each)
  await site.close()
  return tries / (WRITERS * each)
}

test('twenty writers that count up one object by If-Match need few tries, and no count is lost', async () => {
  expect(await triesPerSuccess(20, 0)).toBeLessThan(3)
})

test('they do so from afar, too', async () => {
  expect(await triesPerSuccess(20, 20)).toBeLessThan(4)
})

test('who loses hears of it soon, also if nobody writes again', async () => {
  const fixture = await siteWithCounter()
  const outcomes = await race(fixture, { kind: 'etag', etag: await etagNow(fixture.user, fixture.bucket) })
  expect(outcomes.filter(({ told }) => told === 'ok')).toHaveLength(1)
  expect(outcomes.filter(({ told }) => told === 'precondition-failed')).toHaveLength(WRITERS - 1)
  const won = outcomes.find(({ told }) => told === 'ok')!.afterMs
  expect(outcomes.filter(({ told, afterMs }) => told !== 'ok' && afterMs <= won + 9)).toHaveLength(1)
  expect(Math.max(...outcomes.map(({ afterMs }) => afterMs))).toBeLessThan(TOLD_WITHIN_MS)
  await fixture.site.close()
})

test('who wanted to make what another one made hears of it with him', async () => {
  const fixture = await siteWithCounter()
  const { site, user, bucket } = fixture
  must(await user.run(user.store.deleteObject({ bucketId: bucket.id, key: KEY })))
  const outcomes = await race(fixture, { kind: 'absent' })
  expect(outcomes.filter(({ told }) => told === 'ok')).toHaveLength(1)
  expect(new Set(outcomes.map(({ afterMs }) => afterMs)).size).toBe(1)
  await site.close()
})

test('one who asks for what is long gone is told at once, and so are all when the store closes', async () => {
  const fixture = await siteWithCounter()
  const { site, user, bucket } = fixture
  await site.run(put(user, bucket, 'other', { kind: 'etag', etag: await etagNow(user, bucket) }))
  must(await user.tryPut(bucket, 'another key', ''))
  const before = site.world.clock.nowMs()
  expect(await site.run(put(user, bucket, 'late', { kind: 'etag', etag: 'gone' }))).toBe('precondition-failed')
  expect(site.world.clock.nowMs() - before).toBeLessThan(10)
  const racing = race(fixture, { kind: 'etag', etag: await etagNow(user, bucket) })
  await site.close()
  expect((await racing).filter(({ told }) => told === 'precondition-failed')).toHaveLength(WRITERS - 1)
})
