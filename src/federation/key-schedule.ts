/**
 * When encryption keys come and go: a new one every so often, and the private part of one that was superseded is destroyed when no bundle sealed to it
 * should be under way any more, so that a captured site does not open every old stick. The signing keys never change: they are the site.
 */
import { addEncryptionKey, destroyEncryptionKeys, encryptionKeyAt, type PrivateIdentity } from '../bundles/identity.ts'
import type { Result } from '../result.ts'
import type { FederationStore } from '../store/federation-store.ts'
import { describeSystemFailure } from '../system-failure.ts'
import { getJson, jsonDocument, putDocuments } from './documents.ts'
import { type FederationFault, type FederationSite, Refusal, refusable } from './site.ts'
import { counted } from './words.ts'

const DAY_MS = 24 * 60 * 60 * 1000

export type KeySchedule = {
  /** A new key is made when the newest is so old. */
  readonly everyMs: number
  /** A private key is destroyed so long after it was superseded. */
  readonly keepMs: number
}

/** Bundles can be imported for 365 days unless their sender says otherwise. */
export const DEFAULT_SCHEDULE: KeySchedule = { everyMs: 90 * DAY_MS, keepMs: 365 * DAY_MS }
const EVERY_MS_MIN = DAY_MS
const KEEP_MS_MIN = DAY_MS
/** An identity lists eight keys, and private keys are kept for at most 64: none that is kept may fall out of them. */
const KEYS_KEPT_MAX = 60

export const keySchedule = async (store: FederationStore): Promise<KeySchedule> =>
  (await getJson(store, 'site', 'key-schedule', (fields) => ({
    everyMs: fields.integer('everyMs', 0, Number.MAX_SAFE_INTEGER),
    keepMs: fields.integer('keepMs', 0, Number.MAX_SAFE_INTEGER),
  }))) ?? DEFAULT_SCHEDULE

export type KeyReport = {
  readonly sentence: string
  readonly schedule: KeySchedule
  readonly keys: readonly {
    readonly fromMs: number
    readonly digest: string
    readonly state: 'in use' | 'superseded' | 'destroyed'
    /** When its private part goes; null: not as long as it is in use. */
    readonly destroyedFromMs: number | null
  }[]
}

function keep(site: FederationSite, identity: PrivateIdentity): void {
  try {
    site.keepIdentity(identity)
  } catch (error) {
    const file = (error as NodeJS.ErrnoException).path ?? 'The keys folder of the site'
    const why = describeSystemFailure(file, 'written', error, { place: 'fixed' })
    throw new Refusal(6, 'keys-unwritten', `The new encryption keys could not be kept, and the old ones stay. ${why} Then run this again.`)
  }
}

/** Does what the schedule says is due. */
export async function renewKeys(site: FederationSite): Promise<void> {
  const { everyMs, keepMs } = await keySchedule(site.store.federation)
  const nowMs = site.clock.nowMs()
  const before = site.identity
  const isDue = nowMs - before.publicIdentity.encryption.at(-1)!.fromMs >= everyMs
  const rotated = isDue ? addEncryptionKey(before, site.random, nowMs, nowMs) : before
  const kept = destroyEncryptionKeys(rotated, nowMs - keepMs)
  if (isDue || kept.encryption.length < before.encryption.length) keep(site, kept)
}

/** Shows the keys, having done what is due; `change`: from now on by this schedule. */
export function showKeys(site: FederationSite, change: Partial<KeySchedule>): Promise<Result<KeyReport, FederationFault>> {
  return refusable(async () => {
    const store = site.store.federation
    const schedule = { ...(await keySchedule(store)), ...change }
    if (schedule.everyMs < EVERY_MS_MIN || schedule.keepMs < KEEP_MS_MIN || schedule.keepMs / schedule.everyMs > KEYS_KEPT_MAX)
      throw new Refusal(
        2,
        'bad-schedule',
        `Keys change every day or more seldom and are kept for a day or longer, no more than ${KEYS_KEPT_MAX} of them at a time.`,
      )
    if (change.everyMs !== undefined || change.keepMs !== undefined)
      await putDocuments(store, 'The schedule could not be noted', [jsonDocument('site', 'key-schedule', schedule)])
    await renewKeys(site)
    return keyReport(site, schedule, [])
  })
}

/** A new encryption key at once. `destroySuperseded`: the others go now, and bundles that are sealed to them can never be opened. */
export function rotateKey(
  site: FederationSite,
  { destroySuperseded }: { readonly destroySuperseded: boolean },
): Promise<Result<KeyReport, FederationFault>> {
  return refusable(async () => {
    const nowMs = site.clock.nowMs()
    const rotated = addEncryptionKey(site.identity, site.random, nowMs, nowMs)
    const kept = destroySuperseded ? destroyEncryptionKeys(rotated, Number.POSITIVE_INFINITY) : rotated
    keep(site, kept)
    const gone = rotated.encryption.length - kept.encryption.length
    const told = [
      'A new encryption key is in use. Peers learn of it from the next receipt or bundle that they get from here, or from a new identity file.',
      ...(gone === 0
        ? []
        : [`${counted(gone, 'private key')} destroyed: what is sealed to ${gone === 1 ? 'it' : 'them'} cannot be opened any more.`]),
      'Copy the keys folder to its safe place anew, and destroy older copies of it.',
    ]
    return keyReport(site, await keySchedule(site.store.federation), told)
  })
}

function keyReport(site: FederationSite, schedule: KeySchedule, told: readonly string[]): KeyReport {
  const { publicIdentity, encryption } = site.identity
  const inUse = encryptionKeyAt(publicIdentity, site.clock.nowMs()).digest
  const keys = publicIdentity.encryption.map(({ fromMs, digest }, at, all) => {
    const next = all[at + 1]
    const isHeld = encryption.some((held) => held.digest === digest)
    const state = digest === inUse ? ('in use' as const) : isHeld ? ('superseded' as const) : ('destroyed' as const)
    return { fromMs, digest, state, destroyedFromMs: next === undefined ? null : next.fromMs + schedule.keepMs }
  })
  const days = (ms: number): string => counted(Math.round(ms / DAY_MS), 'day')
  const lines = keys.map(({ fromMs, digest, state, destroyedFromMs }) => {
    const end =
      state === 'superseded' && destroyedFromMs !== null
        ? `, its private part is destroyed from ${new Date(destroyedFromMs).toISOString()} on`
        : ''
    return `Key ${digest.slice(0, 16)} since ${new Date(fromMs).toISOString()}: ${state}${end}.`
  })
  const rule = `A new key every ${days(schedule.everyMs)}; private parts are destroyed ${days(schedule.keepMs)} after they were superseded.`
  return { sentence: [...told, ...lines, rule].join('\n'), schedule, keys }
}
