/**
 * The rows of a group of volumes, repaired from parity where a medium does not have them. Nothing is written to the media. Memory: one row (1 MiB) of each
 * volume of the group while a row is repaired, else none; and 48 bytes per MiB of each volume that is or was read, until `release`.
 */
import { Stop } from './fault.ts'
import type { LocatedVolume } from './located-volume.ts'
import { rowBytes } from './manifest.ts'
import { leafHash } from './merkle.ts'
import { rebuildRow } from './parity.ts'

export class GroupRows {
  /** Data volumes first. */
  readonly #members: readonly LocatedVolume[]
  readonly #dataCount: number
  #repaired = 0

  constructor(data: readonly LocatedVolume[], parity: readonly LocatedVolume[]) {
    this.#members = [...data, ...parity]
    this.#dataCount = data.length
  }

  /** Rows rebuilt so far. */
  get repaired(): number {
    return this.#repaired
  }

  /** Row `row` of data volume `member` (from 0 within the group), exactly as it was signed. Throws Stop('damaged') beyond repair. */
  async row(member: number, row: number): Promise<Uint8Array> {
    return (await this.#members[member]!.row(row)) ?? this.#repair(member, row)
  }

  async #repair(wanted: number, row: number): Promise<Uint8Array> {
    const rows: (Uint8Array | undefined)[] = this.#members.map(() => undefined)
    let found = 0
    for (const [at, volume] of this.#members.entries()) {
      if (at === wanted || found === this.#dataCount) continue
      rows[at] = await volume.row(row)
      if (rows[at] !== undefined) found += 1
    }
    const volume = this.#members[wanted]!
    if (found < this.#dataCount) {
      const lost = this.#members.length - found
      throw new Stop(
        'damaged',
        `${volume.name} cannot be repaired: in row ${row}, ${lost} of ${this.#members.length} volumes are missing or damaged, ` +
          `and there is parity for ${this.#members.length - this.#dataCount}. Run "holdfast bundle verify" for a list, and ask for these volumes again.`,
      )
    }
    const bytes = rowBytes(volume.record.bytes, row)
    const rebuilt = rebuildRow(this.#dataCount, this.#members.length - this.#dataCount, rows, wanted, bytes)
    const leaf = await volume.leaf(row)
    if (leaf !== undefined && !leafHash(rebuilt).equals(leaf))
      throw new Stop('damaged', `${volume.name} cannot be repaired: its parity volumes were made of other bytes.`)
    this.#repaired += 1
    return rebuilt
  }

  /** Data volume `member` was read to its end. */
  release(member: number): Promise<void> {
    return this.#members[member]!.close()
  }

  async close(): Promise<void> {
    for (const volume of this.#members) await volume.close()
  }
}
