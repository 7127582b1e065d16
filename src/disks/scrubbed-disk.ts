/** What a scrub did on one disk, as operators are told it. */
export type ScrubbedDisk = {
  readonly path: string
  readonly id: string
  /** `failed`: it went out, or could not be read or written to the end. `out`: it was not in when the scrub began, and was not read. */
  readonly state: 'checked' | 'failed' | 'out'
  /** Copies of journal segments, and shards, that were read through. */
  readonly segments: number
  readonly shards: number
  readonly bytes: number
  /** Of both, and of the disk's own files, those that were not as they should be. */
  readonly repaired: number
  readonly remaining: number
}
