/**
 * The pool: which disks there are, and who is in. Every change of that is a new generation, durable on all disks that are in or healing
 * by it, then in the witness, before anybody is told; see pool-start.ts for what a start makes of them, and docs/formats.md#disk-identity.
 *
 * Invariants: every attempt has a name of its own and follows upon the one before. No generation is written with fewer than k disks of a set in, nor
 * before `begin`. One change is under way at a time; what is asked meanwhile goes into the next one together. What the durable
 * generation does not say (too few disks would stay, or the pool is read-only) is kept in `roster.lost`, and shown as out.
 *
 * A pool is *found* first: nothing is written, and whoever asks is told that it is read-only. It *begins* with a generation of its own, when everything
 * that was seen is known to be on its disks, and is *ready* when that is brought up: only then is it not read-only any more. One that was ready and loses
 * too many disks is read-only until they are taken back.
 */
import type { Random } from '../environment.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Disk } from './disk.ts'
import type { SetDisk } from './extents.ts'
import type { GenerationChain } from './generation-chain.ts'
import { checkDiskFiles, GenerationFiles } from './generation-files.ts'
import { type NotWritten, writeGeneration } from './generation-writer.ts'
import type { Member } from './identity.ts'
import { type ChangeFault, PoolChanges, type Purpose, type Refused } from './pool-changes.ts'
import { layPool } from './pool-create.ts'
import { type Hold, standingOf, starting } from './pool-hold.ts'
import { layInto, shownBy } from './pool-joining.ts'
import { type Decided, decideOn, type PoolInput } from './pool-open.ts'
import { type Draft, type Handle, putOut, type Roster, sameMembers } from './pool-roster.ts'
import { asRetired, type Blocked, type DiskPlace } from './pool-start.ts'
import { type DiskSlot, everySlot, type PoolView, slotAt } from './pool-view.ts'
import type { PoolWitness } from './pool-witness.ts'
import { describeFault, type PoolFault } from './pool-words.ts'
import { isFormer, makeRoom, takePlace } from './successors.ts'

export type { ChangeFault } from './pool-changes.ts'
export type DiskOut = { readonly set: number; readonly position: number; readonly reason: string }
export type OpenPool = PoolInput & {
  /** In any order; those that cannot be opened are left out. */
  readonly disks: readonly (Disk | undefined)[]
  readonly random: Random
}

export class Pool {
  readonly #input: PoolInput
  readonly #random: Random
  readonly #listeners = new Set<(view: PoolView) => void>()
  readonly #changes = new PoolChanges(
    () => this.#roster.draft(),
    (draft, asked) => this.#settle(draft, asked),
  )
  #roster: Roster
  #chain: GenerationChain
  #hold: Hold | undefined
  #begun = false
  #ready = false
  /** Disks are in again whose journal is not ended yet where it stopped. */
  #takingBack = false
  /** By the operator's decision, the first generation begins a branch. */
  #forced: boolean
  #view: PoolView
  #setDisks: readonly (readonly (SetDisk | undefined)[])[] = []

  private constructor(input: PoolInput, random: Random, decided: Decided) {
    this.#input = input
    this.#random = random
    const { roster, chain, hold, forced } = standingOf(random, decided)
    this.#roster = roster
    this.#chain = chain
    this.#hold = hold
    this.#forced = forced
    this.#view = this.#look()
  }

  /** A new pool of one set, its disks in the order given; they must be empty. Durable when it answers. */
  static async create(input: {
    readonly disks: readonly Disk[]
    readonly parityShards: number
    readonly random: Random
    readonly witness: PoolWitness
    readonly siteName?: string
  }): Promise<Result<Pool, PoolFault>> {
    const laid = await layPool(input)
    if (!laid.ok) return laid
    return Pool.open({ disks: input.disks, witness: input.witness, seen: { generation: 0 }, random: input.random })
  }

  /** As it is found, before it begins; nothing is written. */
  static async find({ disks, random, ...input }: OpenPool): Promise<Result<Pool, PoolFault>> {
    const decided = await decideOn(disks, input)
    return decided.ok ? ok(new Pool(input, random, decided.value)) : decided
  }

  /** Begun, where that is possible; else read-only (`view.readOnly`): a start could begin a second history, or too few disks are there. */
  static async open(input: OpenPool): Promise<Result<Pool, PoolFault>> {
    const found = await Pool.find(input)
    if (found.ok && found.value.mayBegin && (await found.value.begin()).ok) found.value.ready()
    return found
  }

  get view(): PoolView {
    return this.#view
  }

  /** Called after each change of the view; the returned function ends that. */
  onChange(listener: (view: PoolView) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Whether it was ever ready. */
  get wasReady(): boolean {
    return this.#ready
  }

  /** Whether it has begun, so that its disks may be written by whoever brings them up. */
  get mayWrite(): boolean {
    return this.#begun && (this.#hold === undefined || this.#hold.kind === 'starting')
  }

  /** Whether nothing that the pool itself knows of speaks against beginning. */
  get mayBegin(): boolean {
    return !this.#ready && (this.#hold?.kind === 'starting' || this.#hold?.kind === 'no-witness')
  }

  /** Whether it is read-only for want of the witness alone: `putOut([])` tries again. */
  get waitsForWitness(): boolean {
    return this.#ready && this.#hold?.kind === 'no-witness'
  }

  /** The disks that have to come back or be retired, where others may have gone on without these; undefined where that is not what holds it. */
  get missing(): readonly Member[] | undefined {
    return this.#hold?.kind === 'blocked' ? this.#hold.missing : undefined
  }

  /** The disks of a set by position; undefined where one is out. The same array until the view changes. */
  disks(set: number): readonly (SetDisk | undefined)[] {
    return this.#setDisks[set] ?? []
  }

  disk(set: number, position: number): SetDisk | undefined {
    return this.#setDisks[set]?.[position]
  }

  /** Those that are in. */
  journalDisks(): Disk[] {
    return this.#setDisks.flatMap((set) => set.flatMap((found) => (found === undefined || found.writeOnly ? [] : found.disk)))
  }

  /** The newest opening of a disk that was here, whatever its state. */
  opened(diskId: string): Disk | undefined {
    return this.#roster.handles.get(diskId)?.disk
  }

  /** Nobody reads the disk any more, that gave its place to another. */
  letGo(diskId: string): void {
    if (!everySlot(this.#view).some((slot) => slot.diskId === diskId)) this.#roster.letGo(diskId)
  }

  /** Disks that are out and here, of this pool's own history, and can be healed. */
  returned(): DiskPlace[] {
    const { handles, lost } = this.#roster
    return this.#view.sets
      .flatMap((set) => set.disks)
      .filter((slot) => slot.state === 'out' && slot.retired === undefined && !lost.has(slot.diskId))
      .filter((slot) => handles.has(slot.diskId) && handles.get(slot.diskId)?.disk.failed === undefined)
      .map(({ set, position }) => ({ set, position }))
  }

  /** Writes the first generation: from then on what the disks hold may be brought up. */
  begin(): Promise<Result<PoolView, Refused>> {
    return this.mayWrite ? Promise.resolve(ok(this.#view)) : this.#changes.add(() => undefined, 'begins')
  }

  /** What the disks hold is brought up, and the journal of those taken back ended where it stopped: from now on it is not read-only. */
  ready(): void {
    this.#ready = true
    this.#takingBack = false
    if (this.#hold?.kind === 'starting') this.#hold = undefined
    this.#publish()
  }

  /** The disks hold less than was seen, as the journal found: read-only. */
  block(blocked: Blocked): void {
    this.#hold = { kind: 'blocked', ...blocked }
    this.#publish()
  }

  /** Before it is ready: decides anew who is in, on these disks. `retired`: more of them. */
  async lookAgain(disks: readonly Disk[], retired: readonly string[] = []): Promise<Result<void, PoolFault>> {
    const given = new Set([...(this.#input.retired ?? []), ...retired])
    const decided = await decideOn(disks, { ...this.#input, retired: given })
    if (!decided.ok || this.#ready) return decided.ok ? ok(undefined) : decided
    const { roster, chain, hold, forced } = standingOf(this.#random, decided.value)
    this.#roster = roster
    this.#chain = chain
    this.#hold = hold
    this.#begun = false
    this.#forced = forced
    this.#publish()
    return ok(undefined)
  }

  /** Resolves when it is durable that they are out. Asked with an empty list, tries again what could not be written before. */
  async putOut(disks: readonly DiskOut[]): Promise<Result<PoolView, ChangeFault>> {
    const result = await this.#changes.add((draft) => {
      for (const { set, position, reason } of disks) {
        const member = draft[set]?.[position]
        if (member === undefined || member.state === 'out') continue
        this.#roster.lost.set(member.diskId, reason)
        putOut(draft, { set, position }, reason)
      }
      return undefined
    })
    return result.ok ? result : fail(result.error === 'read-only' ? 'read-only' : 'too-few-disks')
  }

  /** Whether the disk, opened anew, is the one of this place, and shows that it missed no generation while it was away. */
  async isUnchanged({ diskId }: DiskSlot, disk: Disk): Promise<boolean> {
    const shown = await shownBy(disk, this.#view, diskId)
    return shown !== undefined && shown !== 'none' && this.#chain.isCurrent(shown)
  }

  /** Those that were in by the durable generation, and are lost: what they held then, nothing was acknowledged without. */
  lostSince(): DiskPlace[] {
    const { generation, lost } = this.#roster
    return generation.sets.flatMap(({ disks }, set) =>
      disks.flatMap(({ state, diskId }, position) => (state === 'in' && lost.has(diskId) ? [{ set, position }] : [])),
    )
  }

  /**
   * Disks of `lostSince`, opened anew, that are unchanged: they are in again when this answers, and may be written after `ready`. Only of a pool that is
   * read-only because it lost too many: else others went on without them.
   */
  async takeBack(back: readonly (DiskPlace & { readonly disk: Disk })[]): Promise<Result<PoolView, Refused>> {
    const { generation, lost, handles } = this.#roster
    for (const { set, position, disk } of back) {
      const member = generation.sets[set]?.disks[position]
      // From now on this is the disk, whatever becomes of it: the journal knows its copies by this opening.
      if (member !== undefined && lost.has(member.diskId)) handles.set(member.diskId, { disk, files: await GenerationFiles.open(disk) })
    }
    return this.#changes.add((draft) => {
      if (!this.#ready || this.#hold?.kind !== 'too-few-disks') return 'not-possible'
      for (const { set, position, disk } of back) {
        const member = this.#roster.generation.sets[set]?.disks[position]
        if (member?.state !== 'in' || handles.get(member.diskId)?.disk !== disk || !lost.delete(member.diskId)) continue
        draft[set]![position] = { ...member, directory: disk.directory }
      }
      this.#takingBack = true
      return undefined
    })
  }

  /**
   * Takes new writes onto a disk that is out, until markIn. `disk`: the disk opened anew, if it came back since the start.
   * 'not-possible' if it is not out, or out for good, or not that disk.
   */
  async startHealing(set: number, position: number, disk?: Disk): Promise<Result<PoolView, Refused>> {
    const slot = slotAt(this.#view, set, position)
    if (slot === undefined || slot.retired !== undefined) return fail('not-possible')
    const handle = disk === undefined ? this.#roster.handles.get(slot.diskId) : await this.#sameDisk(disk, slot.diskId)
    if (handle === undefined || handle.disk.failed !== undefined) return fail('not-possible')
    const result = await this.#changes.add((draft) => {
      const member = draft[set]![position]
      if (member?.state !== 'out' || member.retired !== undefined || member.diskId !== slot.diskId) return 'not-possible'
      this.#roster.takeIn(draft, { set, position }, { ...member, reason: 'came back' }, handle)
      return undefined
    })
    // It may have failed again while the generation was written.
    return result.ok && this.disk(set, position) === undefined ? fail('not-possible') : result
  }

  /**
   * Puts an empty disk, which then heals, in the place of another. One that is in keeps its place until the new one is filled: that is its successor until then.
   * Any other counts for nothing, and loses its place at once. (`position` may be behind a place: then another becomes the successor.)
   */
  async replaceDisk(set: number, position: number, disk: Disk): Promise<Result<PoolView, ChangeFault | PoolFault>> {
    if (this.#hold !== undefined) return fail(this.#hold.kind === 'too-few-disks' ? 'too-few-disks' : 'read-only')
    // One of which nobody knows yet that it has gone does not serve until the new one is filled.
    const old = this.disk(set, position)?.disk
    const alive = await old?.check()
    if (alive?.ok === false) await this.putOut([{ set, position, reason: describeFault(old?.failed ?? alive.error) }])
    const place = position % (this.#view.sets[set]?.disks.length ?? 1)
    const laid = await layInto({ set, position: place }, disk, this.#view, this.#random)
    if (!laid.ok) return laid
    const { diskId, handle } = laid.value
    const member: Member = { diskId, state: 'healing', reason: 'replaced' }
    let gone: readonly Member[] = []
    const result = await this.#changes.add((draft) => {
      const found = makeRoom(this.#roster.generation.sets[set]!, draft[set]!, position)
      if (!found.ok) return found.error
      gone = found.value.gone
      this.#roster.takeIn(draft, { set, position: found.value.position }, member, handle)
      return undefined
    })
    if (result.ok) for (const each of gone) this.#roster.letGo(each.diskId)
    else this.#roster.handles.delete(diskId)
    return result.ok ? result : fail(result.error === 'not-possible' ? 'read-only' : result.error)
  }

  /** Everything that a healing disk should hold was read back: it counts again when this answers. A successor has its place then, unless it failed meanwhile. */
  markIn(set: number, position: number): Promise<Result<PoolView, Refused>> {
    return this.#changes.add((draft) => {
      if (draft[set]?.[position]?.state !== 'healing') return 'not-possible'
      takePlace(draft[set], position)
      return undefined
    })
  }

  /** Reads back the identity and the generation of a disk that is in, and writes again what is not as it should be. */
  async mendFiles(set: number, position: number): Promise<'whole' | 'mended' | 'failed'> {
    const { poolId, sets, generation } = this.#view
    const { dataShards, parityShards, disks } = sets[set]!
    const { diskId, state } = disks[position]!
    const disk = this.opened(diskId)
    if (state !== 'in' || disk === undefined || !this.mayWrite) return 'failed'
    const checked = await checkDiskFiles(disk, { poolId, diskId, set, position, dataShards, parityShards }, generation)
    if (!checked.ok) return 'failed'
    // A newer one may have been written meanwhile.
    const isBad = checked.value.generation === 'bad' && this.#view.generation === generation && !this.#changes.underWay
    if (isBad && !(await this.#changes.add(() => undefined, 'again')).ok) return 'failed'
    return isBad || checked.value.identity === 'mended' ? 'mended' : 'whole'
  }

  /** For the view only; not kept. */
  reportProgress(set: number, position: number, healed: { readonly doneBytes: number; readonly totalBytes: number }): void {
    const slot = slotAt(this.#view, set, position)
    if (slot?.state !== 'healing') return
    this.#roster.healed.set(slot.diskId, { ...healed })
    this.#publish()
  }

  /**
   * The operator's word that disks which are out are lost for good: should they turn up, they are not healed. Gives up nothing that others hold. A successor
   * need not be out: it is none any more.
   */
  async retire(places: readonly DiskPlace[]): Promise<Result<PoolView, Refused>> {
    const isBehind = ({ set, position }: DiskPlace): boolean => position >= this.#roster.generation.sets[set]!.disks.length
    const gone: Member[] = []
    const result = await this.#changes.add((draft) => {
      if (!places.every((at) => isBehind(at) || draft[at.set]?.[at.position]?.state === 'out')) return 'not-possible'
      for (const at of places) {
        const members = draft[at.set]!
        const member = members[at.position]
        if (isBehind(at) && member !== undefined) gone.push(member)
        members[at.position] = isBehind(at) ? undefined : asRetired(member!)
      }
      return undefined
    })
    if (result.ok) for (const { diskId } of gone) this.#roster.letGo(diskId)
    return result
  }

  // ---- How a generation comes to be ----

  async #settle(draft: Draft, asked: ReadonlySet<Purpose>): Promise<Result<PoolView, ChangeFault>> {
    if (this.#hold?.kind === 'blocked' || (!this.#begun && !asked.has('begins'))) {
      this.#publish()
      return fail('read-only')
    }
    if (asked.size === 0 && this.mayWrite && sameMembers(draft, this.#roster.generation.sets)) return ok(this.#view)
    // Nobody has read them yet in this process.
    if (!this.#begun) this.#roster.letFormersGo()
    if (this.#forced) this.#chain.beginBranch()
    this.#forced = false
    const written = await writeGeneration(draft, { roster: this.#roster, chain: this.#chain, witness: this.#input.witness })
    if (!written.ok) return this.#giveUp(written.error)
    this.#roster.generation = written.value
    this.#begun = true
    this.#hold = this.#ready && !this.#takingBack ? undefined : starting
    this.#publish()
    return ok(this.#view)
  }

  /** The durable generation stays as it is; who is out in the draft is shown as out. */
  #giveUp({ kind, why, draft }: NotWritten): Result<PoolView, ChangeFault> {
    for (const member of draft.flat()) {
      // One that was to give its place to its successor is where it was.
      if (member?.state === 'out' && !isFormer(member)) this.#roster.lost.set(member.diskId, member.reason ?? 'out')
    }
    this.#hold = { kind, why }
    this.#publish()
    return fail(kind === 'too-few-disks' ? kind : 'read-only')
  }

  /** The disk that was opened anew, if it is the one with this id, and no write of its earlier opening can still reach it. */
  async #sameDisk(disk: Disk, diskId: string): Promise<Handle | undefined> {
    if (this.#roster.handles.get(diskId)?.disk.quiet === false) return undefined
    const shown = await shownBy(disk, this.#view, diskId)
    if (shown === undefined) return undefined
    this.#chain.note(shown === 'none' ? 0 : shown.number)
    return { disk, files: await GenerationFiles.open(disk) }
  }

  #publish(): void {
    this.#view = this.#look()
    for (const listener of this.#listeners) listener(this.#view)
  }

  #look(): PoolView {
    const view = this.#roster.view(this.#hold?.why)
    this.#setDisks = this.#roster.setDisks(view)
    return view
  }
}
