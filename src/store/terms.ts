/** The words of the store: S3's. Plain values without behaviour; all of them survive structured cloning. */

export type BucketName = string & { readonly brand: 'BucketName' }
/** Local number of a bucket; never used again after the bucket is deleted. */
export type BucketId = number & { readonly brand: 'BucketId' }

/** 32 hexadecimal digits: the first 128 bits of the digest of the site's first identity. */
export type SiteId = string & { readonly brand: 'SiteId' }

/**
 * Orders versions everywhere. `clock` is microseconds since 1970 as stamped by the commit thread of `site` (strictly growing there, below 2^53);
 * `sequence` is the number of the record in that site's journal. Compared by clock, then site (as text), then sequence.
 */
export type Position = { readonly clock: number; readonly site: SiteId; readonly sequence: number }

export type Versioning = 'unversioned' | 'enabled' | 'suspended'

export type Bucket = {
  readonly id: BucketId
  readonly name: BucketName
  /** Canonical id of the owner, 64 hexadecimal digits. */
  readonly owner: string
  readonly createdMs: number
  readonly versioning: Versioning
  /** The position of its creation: what identifies the bucket at every site. */
  readonly origin: Position
  /** Other configurations by the name of their S3 subresource ('tagging', …), each as JSON text. */
  readonly configuration: Readonly<Record<string, string>>
}

/** The headers that S3 keeps with an object and gives back as they came. Values are the header values as received. */
export type ContentHeaders = {
  readonly contentType?: string
  readonly cacheControl?: string
  readonly contentDisposition?: string
  readonly contentEncoding?: string
  readonly contentLanguage?: string
  readonly expires?: string
  readonly websiteRedirectLocation?: string
}

export type ChecksumAlgorithm =
  | 'CRC32'
  | 'CRC32C'
  | 'CRC64NVME'
  | 'SHA1'
  | 'SHA256'
  | 'SHA512'
  | 'MD5'
  | 'XXHASH64'
  | 'XXHASH3'
  | 'XXHASH128'
export type Checksum = {
  readonly algorithm: ChecksumAlgorithm
  readonly type: 'FULL_OBJECT' | 'COMPOSITE'
  /** Base64, without the '-N' that a composite one gets in replies. */
  readonly value: string
}

export type Tags = readonly (readonly [key: string, value: string])[]

/** User metadata: names in lower case without "x-amz-meta-", values as received (latin1 text of the header). In the order received. */
export type UserMetadata = readonly (readonly [name: string, value: string])[]

/** What a writer says of an object, beside its bytes. */
export type ObjectAttributes = {
  /** Without quotes: 32 hexadecimal digits, with "-N" behind for multipart. */
  readonly etag: string
  readonly headers: ContentHeaders
  readonly userMetadata: UserMetadata
  readonly tags: Tags
  readonly checksum?: Checksum
}

export type ObjectVersion = ObjectAttributes & {
  readonly kind: 'object'
  readonly bucketId: BucketId
  readonly key: string
  /** 'null', or an id. */
  readonly versionId: string
  readonly position: Position
  readonly isLatest: boolean
  readonly modifiedMs: number
  readonly bytes: number
  /** Number of parts if it was uploaded in parts (then `store.parts` lists them), else 0. */
  readonly partCount: number
  /** Where the bytes are: the store's own business. */
  readonly content: unknown
}

export type DeleteMarker = {
  readonly kind: 'delete-marker'
  readonly bucketId: BucketId
  readonly key: string
  readonly versionId: string
  readonly position: Position
  readonly isLatest: boolean
  readonly modifiedMs: number
}

export type Version = ObjectVersion | DeleteMarker

/** A part of a finished multipart object, or of an upload under way. */
export type Part = {
  /** 1 to 10,000. */
  readonly number: number
  readonly bytes: number
  readonly etag: string
  readonly checksum?: Checksum
  readonly modifiedMs: number
}

export type Upload = {
  readonly bucketId: BucketId
  readonly key: string
  readonly uploadId: string
  readonly initiatedMs: number
  readonly headers: ContentHeaders
  readonly userMetadata: UserMetadata
  readonly tags: Tags
  /** What the client asked for at creation; undefined if it asked for nothing. */
  readonly checksumAlgorithm?: ChecksumAlgorithm
  readonly checksumType?: 'FULL_OBJECT' | 'COMPOSITE'
  /** Set once it is complete: repeated Complete answers are made from it. Kept for a day. */
  readonly completed?: { readonly versionId: string; readonly etag: string; readonly checksum?: Checksum }
}

/** Why any change may be refused, whatever it is. */
export type StoreFault =
  /** The queue of changes is full: try again. */
  | 'slow-down'
  /** The pool may not be written (see status); an operator has to decide. */
  | 'read-only'
  /** No space above the reserve. Deletes still work. */
  | 'full'
  /** Too few disks, or the index waits to be caught up. */
  | 'unavailable'
  /** Stored bytes cannot be read back by any means. */
  | 'damaged'

/** Bytes that were written but belong to nothing yet: valid once, in this process; given up by `discard` or a restart. Plain data. */
export type StagedContent = { readonly bytes: number; readonly place: unknown }
