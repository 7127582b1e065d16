/** The words of the journal. Plain values; places and infos survive structured cloning. Format: docs/formats.md#journal-segment, #journal-record. */
import type { SiteId } from '../../terms.ts'

/**
 * Where the body of a record lies; valid for as long as its segment exists, on whatever disks hold copies of it. `offset` counts from the
 * start of the segment file. The checksum is the body's xxh64 (seed 0) as two numbers of 32 bits.
 */
export type BodyPlace = {
  readonly segment: number
  readonly offset: number
  readonly bytes: number
  readonly checksumHigh: number
  readonly checksumLow: number
  readonly sequence: number
}

/** What goes into the journal. The arrays must not change until `append` answers. */
export type NewRecord = {
  /** 0 to 255; the caller's business. */
  readonly kind: number
  /** Stamp of the change: microseconds since 1970, below 2^53. */
  readonly clock: number
  readonly metadata: Uint8Array
  /** May be empty. */
  readonly body: Uint8Array
}

/** `place` is undefined if the body is empty. */
export type PlacedRecord = { readonly sequence: number; readonly place: BodyPlace | undefined }

export type JournalEntry = {
  readonly sequence: number
  readonly kind: number
  readonly clock: number
  /** A view into a buffer that is shared with other entries, never written again. */
  readonly metadata: Uint8Array
  readonly place: BodyPlace | undefined
  /** Only if bodies were asked for and there is one. */
  readonly body?: Uint8Array
  /** Checksum of the record's header: covers everything before it. 16 hexadecimal digits. */
  readonly chain: string
}

export type JournalFault =
  /** The chain ends before a sequence that was seen (acknowledged) earlier: disks are missing or came back old. Read-only until an operator decides. */
  | { readonly kind: 'sequence-lost'; readonly seen: number; readonly found: number }
  /** The record seen earlier under this sequence is another one: index and disks do not belong to the same history. */
  | { readonly kind: 'other-history'; readonly sequence: number }
  /** A record that had been durable cannot be had from any copy. Nothing was changed. */
  | { readonly kind: 'damaged'; readonly segment: number; readonly offset: number; readonly sequence: number }
  | { readonly kind: 'segment-missing'; readonly segment: number }
  /** It was written by another site than this. Nothing was changed. */
  | { readonly kind: 'other-site'; readonly written: SiteId }
  /** The disks hold content, `orphan` for one, and no record that says what it is. Nothing was changed. */
  | { readonly kind: 'journal-lost'; readonly orphan: string }
  /** Written by a newer software. */
  | { readonly kind: 'unknown-version'; readonly segment: number; readonly version: number }
  /** Too few working disks, now. */
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'full' }

export type SegmentInfo = {
  readonly number: number
  readonly state: 'open' | 'closed'
  readonly firstSequence: number
  /** firstSequence − 1 if it is empty. */
  readonly lastSequence: number
  /** Header and records; the file may be longer. */
  readonly bytes: number
  /** Directories of the disks that hold a copy, as far as known. */
  readonly directories: readonly string[]
}

/** 'reserve': the space for the next segment could not be had (a disk is full); what is left is for deletes. */
export type JournalRoom = 'ample' | 'reserve'

/** What a caller must hold: 256 records and 8 MiB per batch; any single record within these limits fits an empty batch. */
export const BATCH_RECORDS_MAX = 256
export const BATCH_BYTES_MAX = 8 * 1024 * 1024
export const METADATA_BYTES_MAX = 4 * 1024 * 1024
export const BODY_BYTES_MAX = 4 * 1024 * 1024 - 4096
