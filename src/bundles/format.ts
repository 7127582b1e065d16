/** Names, sizes and limits of bundles and identities, version 1. Format: docs/formats.md#bundle, #identity. */

export const FORMAT_VERSION = 1
export const KiB = 1024
export const MiB = 1024 * 1024

export type SuiteName = 'hybrid-1' | 'cnsa2' | 'age' | 'none'
/** Numbers of the suites in preludes. Only hybrid-1 is written and read by this version. */
export const SUITE_NUMBERS: Readonly<Record<SuiteName, number>> = { 'hybrid-1': 1, cnsa2: 2, age: 3, none: 4 }
export const SUITE: SuiteName = 'hybrid-1'

export type DocumentKind = 'identity' | 'preamble' | 'trailer' | 'manifest' | 'receipt'
/** Number in the prelude and greatest body, by kind. */
export const DOCUMENT_KINDS: Readonly<Record<DocumentKind, { readonly number: number; readonly bodyBytesMax: number }>> = {
  identity: { number: 1, bodyBytesMax: 64 * KiB },
  preamble: { number: 2, bodyBytesMax: 4 * MiB },
  trailer: { number: 3, bodyBytesMax: 4 * KiB },
  manifest: { number: 4, bodyBytesMax: 8 * MiB },
  receipt: { number: 5, bodyBytesMax: 4 * MiB },
}
/** The DSSE payload type of a kind of document. */
export const documentType = (kind: DocumentKind): string => `application/vnd.holdfast.${kind}.v1+json`

export const SIGNATURES_MAX = 16
export const ENCRYPTION_KEYS_MAX = 8
export const RECIPIENTS_MAX = 64
export const STATEMENT_BYTES_MAX = 4 * MiB
export const NEEDS_BYTES_MAX = 1 * MiB
export const MARKING_CHARACTERS_MAX = 200

/** A row of a volume: 1 MiB of the file. */
export const ROW_BYTES = MiB
export const SALT_BYTES = 32
export const TAG_BYTES = 16
export const DIGEST_BYTES = 48

export const VOLUME_BYTES_MIN = 64 * KiB
export const VOLUME_BYTES_MAX = 256 * 1024 * MiB
export const VOLUMES_MAX = 10_000
export const GROUP_VOLUMES_MAX = 200
/** What the writer uses unless told otherwise: repair holds one row of each volume of a group in memory. */
export const GROUP_VOLUMES_DEFAULT = 100
export const GROUP_PARITY_MAX = 50

export const OPERATIONS_BYTES_MAX = 4 * MiB
export const PIECE_BYTES_MAX = 4 * 1024 * MiB
/** 15 decimal digits, kept below 2^49: 562 TB. */
export const CONTENT_BYTES_MAX = 2 ** 49

/** Of the list of checksums. */
export const CHECKSUMS_BYTES_MAX = 16 * MiB

export const README_NAME = 'README.txt'
export const PREAMBLE_NAME = 'preamble'
export const MANIFEST_NAME = 'manifest'
export const CHECKSUMS_NAME = 'SHA512SUMS'
export const PARTIAL_SUFFIX = '.partial'

/** `index` from 1. */
export const volumeName = (index: number): string => `volume-${String(index).padStart(5, '0')}.tar.sealed`
/** `group` and `number` from 1. */
export const parityName = (group: number, number: number): string =>
  `parity-${String(group).padStart(3, '0')}-${String(number).padStart(2, '0')}.rows`
/** The trailer of a volume or parity volume. */
export const trailerName = (volume: string): string => `${volume.slice(0, volume.indexOf('.'))}.trailer`

/** Volume sizes for common media, below what they hold, so that the other files have room. */
export const VOLUME_PRESETS: Readonly<Record<string, number>> = {
  fat32: 4 * 1024 * MiB - 16 * MiB,
  cd: 690 * MiB,
  dvd: 4470 * MiB,
  'dvd-dl': 8120 * MiB,
  bd: 23_800 * MiB,
  'bd-dl': 47_600 * MiB,
  lto: 100 * 1024 * MiB,
}
