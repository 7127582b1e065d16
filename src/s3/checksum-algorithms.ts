/** The checksum algorithms of S3: how each is computed, how long its value is, and the header that carries it. */
import { createHash, type Hash, hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { ChecksumAlgorithm } from '../store/terms.ts'
import { Crc } from './crc.ts'
import { XxHash } from './xxhash.ts'

export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** Of bytes at hand, most significant byte first: base64 of it is what S3 puts into headers. */
export function checksumOf(algorithm: ChecksumAlgorithm, bytes: Uint8Array): Buffer {
  const node = NODE_HASHES[algorithm]
  if (node !== undefined) return hash(node, bytes, 'buffer')
  if (algorithm === 'CRC32') return fourBytes(crc32(bytes))
  const hasher = makeHasher(algorithm)
  hasher.update(bytes)
  return hasher.digest()
}

/** A hash under way. */
export type Hasher = { update(bytes: Uint8Array): void; digest(): Buffer }

const NODE_HASHES: Readonly<Partial<Record<ChecksumAlgorithm, string>>> = { MD5: 'md5', SHA1: 'sha1', SHA256: 'sha256', SHA512: 'sha512' }

/** A hash under way; its digest is most significant byte first, as checksumOf's. */
export function makeHasher(algorithm: ChecksumAlgorithm): Hasher {
  switch (algorithm) {
    case 'MD5':
    case 'SHA1':
    case 'SHA256':
    case 'SHA512': {
      const running: Hash = createHash(NODE_HASHES[algorithm]!)
      return { update: (bytes) => void running.update(bytes), digest: () => running.digest() }
    }
    case 'CRC32': {
      let value = 0
      return {
        update: (bytes) => {
          value = crc32(bytes, value)
        },
        digest: () => fourBytes(value),
      }
    }
    case 'CRC32C':
    case 'CRC64NVME': {
      const crc = new Crc(algorithm)
      return { update: (bytes) => crc.update(bytes), digest: () => Buffer.from(crc.digest()) }
    }
    case 'XXHASH64':
    case 'XXHASH3':
    case 'XXHASH128': {
      const running = new XxHash(algorithm)
      return { update: (bytes) => running.update(bytes), digest: () => running.digest() }
    }
  }
}

function fourBytes(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** How long a value is: a stated one of another length is invalid, whatever the content. */
export const CHECKSUM_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
  SHA512: 64,
  MD5: 16,
  XXHASH64: 8,
  XXHASH3: 8,
  XXHASH128: 16,
}

/** "x-amz-checksum-crc32" */
export const checksumHeader = (algorithm: ChecksumAlgorithm): string => `x-amz-checksum-${algorithm.toLowerCase()}`

const BY_HEADER: ReadonlyMap<string, ChecksumAlgorithm> = new Map(
  (Object.keys(CHECKSUM_BYTES) as ChecksumAlgorithm[]).map((algorithm) => [checksumHeader(algorithm), algorithm]),
)

/** The algorithm of a header name in lower case; undefined if it is not one of a checksum's. */
export const algorithmOfHeader = (name: string): ChecksumAlgorithm | undefined => BY_HEADER.get(name)

/** "crc32" or "CRC32": undefined if S3 has no such algorithm. */
export const parseAlgorithm = (text: string): ChecksumAlgorithm | undefined => BY_HEADER.get(`x-amz-checksum-${text.toLowerCase()}`)
