/** Who a disk is, and which disks were in when it was last told. Format: docs/formats.md#disk-identity, version 1. */
import { fail, ok, type Result } from '../result.ts'
import { DISKS_PER_SET_MAX, type Geometry } from './geometry.ts'
import type { DiskState } from './pool-view.ts'
import { isObject, type JsonObject, type SealFault, seal, unseal } from './sealed-json.ts'
import { isSiteName } from './site-name.ts'

/** Also the file whose device and inode tell that a directory is still the same: give it to openDirectoryDisk. */
export const IDENTITY_FILE = 'identity.json'
export const GENERATION_FILES = ['generation.0', 'generation.1'] as const
export const GENERATION_BYTES = 64 * 1024
export const SETS_MAX = 16
export const BRANCHES_MAX = 64
export const PAST_MAX = 64
const IDENTITY_BYTES_MAX = 64 * 1024
const WITNESS_BYTES_MAX = 1024 * 1024
const REASON_MAX = 200
const DIRECTORY_MAX = 4096

export type DiskIdentity = Geometry & { readonly poolId: string; readonly diskId: string; readonly set: number; readonly position: number }

export type Member = {
  readonly diskId: string
  readonly state: DiskState
  /** It was in by the generation settled last, and is put out by this one: as long as this one may not be settled, it might go on alone. */
  readonly leaving?: true
  /** Out for good, by an operator's word. */
  readonly retired?: true
  readonly reason?: string
  readonly directory?: string
}
/** A member behind a place: successors.ts. */
export type Successor = Member & { readonly place: number }
export type GenerationSet = Geometry & { readonly disks: readonly Member[]; readonly successors?: readonly Successor[] }

export type Ancestor = { readonly number: number; readonly name: string }

export type Generation = {
  readonly poolId: string
  readonly branches: readonly string[]
  readonly number: number
  /** Random: tells apart two attempts under the same number. */
  readonly name: string
  /** The generations that it follows upon, newest first. */
  readonly past: readonly Ancestor[]
  readonly settled: number
  readonly sets: readonly GenerationSet[]
  /** What people call the site. */
  readonly siteName?: string
}

export function encodeIdentity(identity: DiskIdentity): Uint8Array {
  const { poolId, diskId, set, position, dataShards, parityShards } = identity
  return seal('holdfast-disk', 1, { pool: poolId, disk: diskId, set, place: position, data: dataShards, parity: parityShards })!
}

/** Never throws, whatever the bytes. */
export function decodeIdentity(bytes: Uint8Array): Result<DiskIdentity, SealFault> {
  const body = unseal('holdfast-disk', 1, bytes, IDENTITY_BYTES_MAX)
  if (!body.ok) return body
  const { pool, disk, set, place } = body.value
  const geometry = parseGeometry(body.value)
  if (!isId(pool) || !isId(disk) || geometry === undefined) return fail('damaged')
  if (!isCount(set, SETS_MAX) || !isCount(place, geometry.dataShards + geometry.parityShards)) return fail('damaged')
  return ok({ poolId: pool, diskId: disk, set, position: place, ...geometry })
}

/** Always GENERATION_BYTES long: what is for people is left out where it does not fit. */
export function encodeGeneration(generation: Generation): Uint8Array {
  const { siteName: _, ...nameless } = generation
  return (
    seal(
      'holdfast-generation',
      1,
      generationBody(generation, (member) => member),
      GENERATION_BYTES,
    ) ??
    seal(
      'holdfast-generation',
      1,
      generationBody(nameless, ({ reason: _, directory: __, ...states }) => states),
      GENERATION_BYTES,
    )!
  )
}

/** Never throws, whatever the bytes. */
export function decodeGeneration(bytes: Uint8Array): Result<Generation, SealFault> {
  const body = unseal('holdfast-generation', 1, bytes, GENERATION_BYTES)
  return body.ok ? parseGeneration(body.value) : body
}

export const encodeWitness = (generation: Generation): Uint8Array =>
  seal(
    'holdfast-pool-witness',
    1,
    generationBody(generation, (member) => member),
  )!

/** Never throws, whatever the bytes. */
export function decodeWitness(bytes: Uint8Array): Result<Generation, SealFault> {
  const body = unseal('holdfast-pool-witness', 1, bytes, WITNESS_BYTES_MAX)
  return body.ok ? parseGeneration(body.value) : body
}

function generationBody(generation: Generation, shown: (member: Member) => Member): JsonObject {
  const { poolId, branches, number, name, past, settled, sets, siteName } = generation
  const member = ({ diskId, state, leaving, retired, reason, directory }: Member): JsonObject => ({
    id: diskId,
    state,
    leaving,
    retired,
    reason: reason?.slice(0, REASON_MAX),
    directory,
  })
  const set = ({ dataShards, parityShards, disks, successors }: GenerationSet): JsonObject => ({
    data: dataShards,
    parity: parityShards,
    disks: disks.map((disk) => member(shown(disk))),
    successors: successors?.map(({ place, ...disk }) => ({ place, ...member(shown(disk)) })),
  })
  const ancestors = past.map((ancestor) => [ancestor.number, ancestor.name])
  const named = isSiteName(siteName) ? { siteName } : {}
  return { pool: poolId, branches, number, name, past: ancestors, settled, sets: sets.map(set), ...named }
}

function parseGeneration(body: JsonObject): Result<Generation, SealFault> {
  const { pool, branches, number, name, past, settled, sets, siteName } = body
  if (!isId(pool) || !isNumber(number, 1) || !isNumber(settled, 0) || settled > number) return fail('damaged')
  if (!isList(branches, 1, BRANCHES_MAX) || !branches.every(isName)) return fail('damaged')
  if (!isName(name) || !isList(past, 0, PAST_MAX)) return fail('damaged')
  const ancestors = past.map(parseAncestor)
  if (!ancestors.every((ancestor) => ancestor !== undefined)) return fail('damaged')
  if (!ancestors.every((ancestor, i) => ancestor.number < (ancestors[i - 1]?.number ?? number))) return fail('damaged')
  if (!isList(sets, 1, SETS_MAX)) return fail('damaged')
  const parsed = sets.map(parseSet)
  const ids = parsed.flatMap((set) => (set === undefined ? [] : [...set.disks, ...(set.successors ?? [])].map((disk) => disk.diskId)))
  if (!parsed.every((set) => set !== undefined) || new Set(ids).size !== ids.length) return fail('damaged')
  const named = isSiteName(siteName) ? { siteName } : {}
  return ok({ poolId: pool, branches, number, name, past: ancestors, settled, sets: parsed, ...named })
}

function parseAncestor(ancestor: unknown): Ancestor | undefined {
  if (!isList(ancestor, 2, 2)) return undefined
  const [number, name] = ancestor
  return isNumber(number, 1) && isName(name) ? { number, name } : undefined
}

function parseSet(set: unknown): GenerationSet | undefined {
  if (!isObject(set)) return undefined
  const geometry = parseGeometry(set)
  if (geometry === undefined || !isList(set.disks, 1, DISKS_PER_SET_MAX)) return undefined
  const disks = set.disks.map(parseMember)
  if (disks.length !== geometry.dataShards + geometry.parityShards || !disks.every((disk) => disk !== undefined)) return undefined
  const successors = parseSuccessors(set.successors, disks.length)
  return successors && { ...geometry, disks, ...(successors.length === 0 ? {} : { successors }) }
}

function parseSuccessors(list: unknown, places: number): Successor[] | undefined {
  if (list === undefined) return []
  // Those that gave their place away are among them until that is settled.
  if (!isList(list, 1, places)) return undefined
  const successors = list.map((successor) => {
    const member = parseMember(successor)
    const place = isObject(successor) ? successor.place : undefined
    return member !== undefined && member.state !== 'in' && isCount(place, places) ? { place, ...member } : undefined
  })
  if (!successors.every((successor) => successor !== undefined)) return undefined
  return new Set(successors.map(({ place }) => place)).size === successors.length ? successors : undefined
}

function parseMember(member: unknown): Member | undefined {
  if (!isObject(member)) return undefined
  const { id, state, leaving, retired, reason, directory } = member
  if (!isId(id) || (state !== 'in' && state !== 'healing' && state !== 'out')) return undefined
  if (leaving !== undefined && leaving !== true) return undefined
  if (retired !== undefined && (retired !== true || state !== 'out')) return undefined
  if (!isText(reason, REASON_MAX) || !isText(directory, DIRECTORY_MAX)) return undefined
  return {
    diskId: id,
    state,
    ...(leaving ? { leaving } : {}),
    ...(retired ? { retired } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(directory === undefined ? {} : { directory }),
  }
}

function parseGeometry({ data, parity }: JsonObject): Geometry | undefined {
  if (!isNumber(data, 1) || !isNumber(parity, 0) || data + parity > DISKS_PER_SET_MAX) return undefined
  return { dataShards: data, parityShards: parity }
}

const isId = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
const isName = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{16}$/.test(value)
const isNumber = (value: unknown, least: number): value is number => Number.isSafeInteger(value) && (value as number) >= least
const isCount = (value: unknown, limit: number): value is number => isNumber(value, 0) && value < limit
const isText = (value: unknown, most: number): value is string | undefined =>
  value === undefined || (typeof value === 'string' && value.length <= most)
const isList = (value: unknown, least: number, most: number): value is unknown[] =>
  Array.isArray(value) && value.length >= least && value.length <= most
