import { expect, test } from 'vitest'
import { PAGE_BYTES, SlabPool } from '../../src/erasure/slabs.ts'

test('slabs begin at pages, do not overlap, and hold what their slots promise', () => {
  const pool = new SlabPool(3, 2 * PAGE_BYTES)
  const slabs = Array.from({ length: 40 }, () => pool.take())
  for (const [i, slab] of slabs.entries()) {
    expect(slab.memory.length).toBe(3 * slab.slotBytes)
    expect(slab.memory.byteOffset % PAGE_BYTES).toBe(0)
    slab.memory.fill(i + 1)
  }
  expect(slabs.every((slab, i) => slab.memory.every((byte) => byte === i + 1))).toBe(true)
})

test('what is released serves again; what is abandoned never does', () => {
  const pool = new SlabPool(1, PAGE_BYTES)
  const first = pool.take()
  first.release()
  expect(pool.take()).toBe(first)
  const other = pool.take()
  other.abandon()
  const later = Array.from({ length: 40 }, () => pool.take())
  expect(later.some((slab) => slab.memory.buffer === other.memory.buffer)).toBe(false)
  // Its neighbour is given back to nobody's harm.
  first.release()
  for (const slab of later) slab.release()
  expect(Array.from({ length: 40 }, () => pool.take()).some((slab) => slab.memory.buffer === other.memory.buffer)).toBe(false)
})
