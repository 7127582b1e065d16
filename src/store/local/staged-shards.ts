/**
 * What a disk that counts as in lacks of an extent that is about to be committed. Disks that came back or were replaced while an upload was under way have
 * what the index lists, which its extent is not yet in; they get their shards now, from the others. An upload of which too few shards are left is refused,
 * alone: it was never acknowledged, and no disk is worse for it.
 */
import type { ExtentStore } from '../../disks/extents.ts'
import { shardPosition } from '../../disks/geometry.ts'
import type { Pool } from '../../disks/pool.ts'
import { IS_FULL } from '../../disks/pool-words.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { ChangeRequest } from './changes/request.ts'
import type { DiskStays, StagedExtent } from './disk-stays.ts'
import { shardAt } from './shards.ts'

type Lacking = { readonly shard: number; readonly position: number; readonly isSuccessor: boolean }

/** Disks may change again while shards are rebuilt; so often it is tried. */
const TURNS_MAX = 4

export class StagedShards {
  readonly #pool: Pool
  readonly #stays: DiskStays
  readonly #extents: ExtentStore
  readonly #isArriving: (diskId: string) => boolean

  constructor(input: {
    readonly pool: Pool
    readonly stays: DiskStays
    readonly extents: ExtentStore
    /** Whether a healing disk is about to be marked in, and must have everything that is committed from now on. */
    readonly isArriving: (diskId: string) => boolean
  }) {
    this.#pool = input.pool
    this.#stays = input.stays
    this.#extents = input.extents
    this.#isArriving = input.isArriving
  }

  /** Whether a disk that counts as in lacks its shard. */
  lacks(staged: StagedExtent): boolean {
    return this.#lacking(staged).length > 0
  }

  /** Rebuilds what is lacking; answers the extent as it may be committed. */
  async complete(staged: StagedExtent): Promise<Result<StagedExtent, 'unavailable' | 'full'>> {
    let known = staged
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      if (!this.lacks(known)) return ok(known)
      // A disk that failed under the upload is about to go out, and then need not have it.
      await this.#pool.putOut([])
      // What is durable from here on counts if its disk has stayed since here.
      const { generation } = this.#pool.view
      let durable = this.#stays.durable(known)
      let mirrored = this.#stays.mirrored(known)
      for (const { shard, position, isSuccessor } of this.#lacking(known)) {
        const rebuilt = await this.#extents.rebuild(known.place, shard, position)
        if (rebuilt.ok && isSuccessor) mirrored += 2 ** shard
        else if (rebuilt.ok) durable += 2 ** shard
        else if (rebuilt.error === 'full' && isSuccessor) await this.#pool.putOut([{ set: known.place.set, position, reason: IS_FULL }])
        else if (rebuilt.error === 'full') return fail('full')
        else if (rebuilt.error === 'damaged' || rebuilt.error === 'too-few-disks') return fail('unavailable')
      }
      known = { ...known, durable, mirrored, generation }
    }
    return this.lacks(known) ? fail('unavailable') : ok(known)
  }

  #lacking(staged: StagedExtent): Lacking[] {
    const { place } = staged
    const durable = this.#stays.durable(staged)
    const { disks = [], successors = [] } = this.#pool.view.sets[place.set] ?? {}
    const lacking: Lacking[] = []
    for (let shard = 0; shard < place.dataShards + place.parityShards; shard++) {
      if ((durable & (2 ** shard)) !== 0) continue
      const slot = disks[shardPosition(place, shard)]
      if (slot !== undefined && (slot.state === 'in' || this.#isArriving(slot.diskId)))
        lacking.push({ shard, position: slot.position, isSuccessor: false })
    }
    const mirrored = this.#stays.mirrored(staged)
    for (const { state, position } of successors) {
      const shard = shardAt(place, position)
      // From its first moment a successor has all that is committed.
      if (state === 'healing' && (mirrored & (2 ** shard)) === 0) lacking.push({ shard, position, isSuccessor: true })
    }
    return lacking
  }
}

/** The content of a change that lies in an extent of its own. */
export function stagedExtent(request: ChangeRequest): StagedExtent | undefined {
  const content = 'content' in request ? request.content : undefined
  return content?.kind === 'extent' ? content : undefined
}

/** The change with its staged extent as it is now. */
export const withStaged = (request: ChangeRequest, { place, durable, mirrored, generation }: StagedExtent): ChangeRequest =>
  ({ ...request, content: { kind: 'extent', place, durable, mirrored, generation } }) as ChangeRequest
