/**
 * The Merkle tree of RFC 9162 section 2.1 with SHA-384: roots, inclusion paths, and the digest of content (a tree over leaves of 1 MiB).
 * The digest of a leaf begins with 0x00 and that of a node with 0x01, so that neither can pass for the other.
 */
import { strict as assert } from 'node:assert'
import { createHash, hash } from 'node:crypto'
import { DIGEST_BYTES, MiB } from './format.ts'

const LEAF = Uint8Array.of(0)

export function leafHash(leaf: Uint8Array): Buffer {
  return createHash('sha384').update(LEAF).update(leaf).digest()
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const both = Buffer.allocUnsafe(1 + 2 * DIGEST_BYTES)
  both[0] = 1
  both.set(left, 1)
  both.set(right, 1 + DIGEST_BYTES)
  return hash('sha384', both, 'buffer')
}

/** The root over leaf hashes that come one by one. Memory: one hash per level. */
export class TreeRoot {
  /** Roots of perfect subtrees, the greatest first; one for each bit that is set in `count`. */
  readonly #peaks: Buffer[] = []
  #count = 0

  add(leaf: Buffer): void {
    let node = leaf
    for (let rest = this.#count; rest % 2 === 1; rest = (rest - 1) / 2) node = nodeHash(this.#peaks.pop()!, node)
    this.#peaks.push(node)
    this.#count += 1
  }

  get count(): number {
    return this.#count
  }

  root(): Buffer {
    if (this.#count === 0) return hash('sha384', '', 'buffer')
    return this.#peaks.reduceRight((right, left) => nodeHash(left, right))
  }
}

/** The Merkle tree hash over leaf hashes. Source: RFC 9162 section 2.1.1. */
export function treeRoot(leaves: Iterable<Buffer>): Buffer {
  const tree = new TreeRoot()
  for (const leaf of leaves) tree.add(leaf)
  return tree.root()
}

/** The hashes that lead from leaf `index` to the root, lowest first. Source: RFC 9162 section 2.1.3.1. */
export function inclusionPath(leaves: readonly Buffer[], index: number): Buffer[] {
  assert(index >= 0 && index < leaves.length)
  if (leaves.length === 1) return []
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1))
  if (index < split) return [...inclusionPath(leaves.slice(0, split), index), treeRoot(leaves.slice(split))]
  return [...inclusionPath(leaves.slice(split), index - split), treeRoot(leaves.slice(0, split))]
}

/** Whether `leaf` is number `index` of the `size` leaves below `root`. Source: RFC 9162 section 2.1.3.2. */
export function verifyInclusion(input: {
  readonly leaf: Uint8Array
  readonly index: number
  readonly size: number
  readonly path: readonly Uint8Array[]
  readonly root: Uint8Array
}): boolean {
  const { index, size, path } = input
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size || path.length > 53) return false
  let at = index
  let last = size - 1
  let node: Uint8Array = input.leaf
  for (const sibling of path) {
    if (last === 0 || sibling.length !== DIGEST_BYTES) return false
    if (at % 2 === 1 || at === last) {
      node = nodeHash(sibling, node)
      while (at % 2 === 0 && at !== 0) {
        at /= 2
        last = Math.floor(last / 2)
      }
    } else node = nodeHash(node, sibling)
    at = Math.floor(at / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 && Buffer.compare(node, input.root) === 0
}

/** The digest of content that streams by. Format: docs/formats.md#bundle, "Content digest". */
export class ContentDigest {
  readonly #tree = new TreeRoot()
  #leaf = createHash('sha384').update(LEAF)
  #leafBytes = 0
  #bytes = 0

  update(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    for (let from = 0; from < chunk.length; ) {
      const part = chunk.subarray(from, from + MiB - this.#leafBytes)
      this.#leaf.update(part)
      this.#leafBytes += part.length
      from += part.length
      if (this.#leafBytes === MiB) this.#endLeaf()
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  /** 96 hexadecimal digits. Call once, at the end. */
  digest(): string {
    if (this.#leafBytes > 0) this.#endLeaf()
    return this.#tree.root().toString('hex')
  }

  #endLeaf(): void {
    this.#tree.add(this.#leaf.digest())
    this.#leaf = createHash('sha384').update(LEAF)
    this.#leafBytes = 0
  }
}
