import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ContentDigest, inclusionPath, leafHash, TreeRoot, treeRoot, verifyInclusion } from '../../src/bundles/merkle.ts'
import { seeded } from './seeded.ts'

const sha384 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha384')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** The definition of RFC 9162 section 2.1.1, word for word. */
function definedRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha384()
  if (leaves.length === 1) return sha384(Uint8Array.of(0), leaves[0]!)
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return sha384(Uint8Array.of(1), definedRoot(leaves.slice(0, split)), definedRoot(leaves.slice(split)))
}

const leafBytes = Array.from({ length: 70 }, (_, index) => Buffer.from(`leaf ${index}`))

test('the root is that of the definition in RFC 9162, for every number of leaves', () => {
  for (let count = 0; count <= leafBytes.length; count++) {
    const leaves = leafBytes.slice(0, count)
    expect(treeRoot(leaves.map(leafHash)).toString('hex'), `${count} leaves`).toBe(definedRoot(leaves).toString('hex'))
  }
})

test('every leaf is proved by its path, and by no other', () => {
  for (const size of [1, 2, 3, 4, 5, 7, 8, 9, 16, 33]) {
    const leaves = leafBytes.slice(0, size).map(leafHash)
    const root = treeRoot(leaves)
    for (let index = 0; index < size; index++) {
      const path = inclusionPath(leaves, index)
      const leaf = leaves[index]!
      expect(verifyInclusion({ leaf, index, size, path, root })).toBe(true)
      if (size > 1) expect(verifyInclusion({ leaf, index: (index + 1) % size, size, path, root })).toBe(false)
      expect(verifyInclusion({ leaf: leafHash(Buffer.from('other')), index, size, path, root })).toBe(false)
      expect(verifyInclusion({ leaf, index, size, path: [...path, root], root })).toBe(false)
      expect(verifyInclusion({ leaf, index, size, path: path.slice(1), root })).toBe(size === 1)
    }
    expect(verifyInclusion({ leaf: leaves[0]!, index: size, size, path: [], root })).toBe(false)
  }
})

test('a path from outside never proves another leaf', () => {
  const leaves = leafBytes.slice(0, 21).map(leafHash)
  const root = treeRoot(leaves)
  const hashes = fc.uint8Array({ minLength: 0, maxLength: 49 })
  fc.assert(
    fc.property(fc.array(hashes, { maxLength: 60 }), fc.integer(), fc.integer(), hashes, (path, index, size, leaf) => {
      return !verifyInclusion({ leaf, index, size, path, root })
    }),
    seeded({ numRuns: 200 }),
  )
})

test('the digest of content is the tree over its MiBs, however it comes in', () => {
  const content = Buffer.alloc(2.5 * 1024 * 1024, 'content ')
  const leaves = [0, 1, 2].map((index) => content.subarray(index * 1048576, (index + 1) * 1048576))
  const expected = definedRoot(leaves).toString('hex')
  for (const step of [1000, 65536, 1048576, 1048577, content.length]) {
    const digest = new ContentDigest()
    for (let from = 0; from < content.length; from += step) digest.update(content.subarray(from, from + step))
    expect(digest.bytes).toBe(content.length)
    expect(digest.digest(), `in steps of ${step}`).toBe(expected)
  }
  expect(new ContentDigest().digest()).toBe(sha384().toString('hex'))
  expect(new TreeRoot().root()).toEqual(sha384())
})
