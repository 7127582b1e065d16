import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BodyQueue } from '../../src/http/body-queue.ts'
import { ChunkPool } from '../../src/http/chunk-pool.ts'
import { RequestAborted } from '../../src/http/exchange.ts'
import { BODY_AHEAD_BYTES, SMALL_BODY_BYTES } from '../../src/http/limits.ts'

const KiB = 1024

/** A source that counts what it is asked for. */
function source() {
  return {
    begun: 0,
    paused: false,
    begin() {
      this.begun += 1
    },
    pause() {
      this.paused = true
    },
    resume() {
      this.paused = false
    },
  }
}

test('a body comes out as it went in, whatever the sizes and the order of pushes and reads', async () => {
  const action = fc.oneof(fc.constant('read' as const), fc.integer({ min: 1, max: 200 * KiB }))
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 30 }), fc.boolean(), async (actions, declares) => {
      const sizes = actions.filter((item) => item !== 'read')
      const total = sizes.reduce((sum, bytes) => sum + bytes, 0)
      const queue = new BodyQueue(declares ? total : undefined, source())
      const read: (Uint8Array | undefined)[] = []
      let reading: Promise<void> | undefined
      let pushed = 0
      for (const item of actions) {
        if (item === 'read') {
          // One call at a time.
          reading ??= queue.read().then((chunk) => {
            read.push(chunk)
            reading = undefined
          })
        } else {
          queue.push(Uint8Array.from({ length: item }, (_, index) => (pushed + index) % 251))
          pushed += item
        }
        await Promise.resolve()
      }
      queue.end()
      await reading
      for (let chunk = await queue.read(); chunk !== undefined; chunk = await queue.read()) read.push(chunk)
      const got = Buffer.concat(read.filter((chunk) => chunk !== undefined))
      expect(got.length).toBe(total)
      expect(got.every((byte, index) => byte === index % 251)).toBe(true)
      if (declares && total > 0 && total <= SMALL_BODY_BYTES) expect(read.filter((chunk) => chunk !== undefined).length).toBe(1)
    }),
    { numRuns: 60 },
  )
})

test('a lent body comes out as it went in, and its memory serves again', async () => {
  const action = fc.oneof(fc.constant('read' as const), fc.integer({ min: 1, max: 600 * KiB }))
  const pool = new ChunkPool()
  const memories = new Set<ArrayBufferLike>()
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
      const queue = new BodyQueue(undefined, source(), pool)
      queue.lend()
      let [pushed, got] = [0, 0]
      const take = (chunk: Uint8Array | undefined): void => {
        if (chunk === undefined) return
        expect(chunk.every((byte, index) => byte === (got + index) % 251)).toBe(true)
        got += chunk.length
        memories.add(chunk.buffer)
      }
      let reading: Promise<void> | undefined
      // The adapter's, which it overwrites after each push.
      const received = new Uint8Array(600 * KiB)
      for (const item of actions) {
        if (item === 'read') {
          reading ??= queue.read().then((chunk) => {
            take(chunk)
            reading = undefined
          })
        } else {
          for (let index = 0; index < item; index++) received[index] = (pushed + index) % 251
          queue.pushCopied(received.subarray(0, item))
          received.fill(255)
          pushed += item
        }
        await Promise.resolve()
      }
      queue.end()
      await reading
      for (let chunk = await queue.read(); chunk !== undefined; chunk = await queue.read()) take(chunk)
      expect(got).toBe(pushed)
    }),
    { numRuns: 40 },
  )
  expect(memories.size).toBeLessThan(30 * 3)
})

test('what waits of a lent body that breaks off serves the next one', () => {
  const pool = new ChunkPool()
  const queue = new BodyQueue(undefined, source(), pool)
  queue.lend()
  queue.pushCopied(new Uint8Array(600 * KiB).fill(7))
  queue.abort('gone')
  expect([pool.take()[0], pool.take()[0], pool.take()[0], pool.take()[0]]).toEqual([7, 7, 7, 0])
})

test('small pieces that wait are joined, so that they take no more memory than they need', async () => {
  const queue = new BodyQueue(undefined, source(), new ChunkPool())
  queue.lend()
  for (let sent = 0; sent < 200; sent++) queue.pushCopied(new Uint8Array(KiB))
  expect((await queue.read())?.length).toBe(200 * KiB)
})

test('a source is paused when enough waits, and resumed when half of it was read', async () => {
  const from = source()
  const queue = new BodyQueue(undefined, from)
  for (let sent = 0; sent < BODY_AHEAD_BYTES; sent += 64 * KiB) queue.push(new Uint8Array(64 * KiB))
  expect(from.paused).toBe(true)
  await queue.read()
  expect(from.paused).toBe(true)
  await queue.read()
  await queue.read()
  expect(from.paused).toBe(false)
})

test('the source is begun by the first read only', async () => {
  const from = source()
  const queue = new BodyQueue(3, from)
  expect(from.begun).toBe(0)
  queue.push(new Uint8Array(3))
  await queue.read()
  queue.end()
  await queue.read()
  expect(from.begun).toBe(1)
})

test('after an abort what had come is gone, and every read rejects', async () => {
  const queue = new BodyQueue(undefined, source())
  queue.push(new Uint8Array(10))
  queue.abort('gone')
  await expect(queue.read()).rejects.toBeInstanceOf(RequestAborted)
  await expect(queue.read()).rejects.toBeInstanceOf(RequestAborted)
})

test('what is discarded ends, goes over its bound, or is aborted', () => {
  const outcomes: string[] = []
  const [ends, floods, breaks] = [1, 2, 3].map(() => new BodyQueue(undefined, source()))
  for (const queue of [ends, floods, breaks]) queue?.discard(10, (outcome) => outcomes.push(outcome))
  ends?.push(new Uint8Array(10))
  ends?.end()
  floods?.push(new Uint8Array(11))
  floods?.push(new Uint8Array(11))
  breaks?.abort('gone')
  expect(outcomes).toEqual(['ended', 'too-much', 'aborted'])
})
