/** What comes before a site is opened, by whomever: it is there, whole and ours, and nobody else has it open. */
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandFailure } from '../admin/command.ts'
import { ADMIN_SOCKET, IDENTITY_FILE } from '../admin/site-files.ts'
import { readSiteIdentity } from '../admin/site-identity.ts'
import { type RootKeys, readRootKeys } from '../admin/site-keys.ts'
import { commandOf, holderOfSite, lockSite, type SiteLock } from '../admin/site-lock.ts'
import { lookForSite, type SiteLack } from '../admin/site-look.ts'
import { whyNotOwner } from '../admin/site-owner.ts'
import type { PrivateIdentity } from '../bundles/identity.ts'
import type { Clock } from '../environment.ts'
import { fail, ok, type Result } from '../result.ts'
import { whyNoRoomForIndex } from '../store/local/index/address-room.ts'
import { decodeSite, INDEX_FOLDER, SITE_FILE } from '../store/local/site-file.ts'
import { describeSystemFailure } from '../system-failure.ts'

/** Whether there is a site in a directory, or what is there instead. */
export const lookAt = (directory: string): Result<void, SiteLack> => lookForSite(directory, SITE_FILE)

type Entered = { readonly lock: SiteLock; readonly keys: RootKeys; readonly identity: PrivateIdentity }

/** Locks a site for this process and reads its keys. */
export async function enterSite(directory: string, clock: Clock): Promise<Result<Entered, CommandFailure>> {
  const looked = lookAt(directory)
  if (!looked.ok) return fail({ exit: looked.error.kind === 'no-directory' ? 2 : 5, sentence: looked.error.sentence })
  const stranger = whyNotOwner(directory, SITE_FILE, process.getuid?.())
  if (stranger !== undefined) return fail({ exit: 5, sentence: stranger })
  const cramped = whyNoRoomForIndex()
  if (cramped !== undefined) return fail({ exit: 5, sentence: cramped })
  const closed = whyNotWritable([directory, join(directory, INDEX_FOLDER)])
  if (closed !== undefined) return fail({ exit: 5, sentence: closed })
  const keys = readRootKeys(directory)
  if (!keys.ok) return fail({ exit: 5, sentence: keys.error })
  const identity = readSiteIdentity(directory)
  if (!identity.ok) return fail({ exit: 5, sentence: identity.error })
  const mistaken = whyNotItsIdentity(directory, identity.value)
  if (mistaken !== undefined) return fail({ exit: 5, sentence: mistaken })
  const lock = await lockSite(directory)
  if (lock === undefined) {
    const served = await describeServed(directory, clock)
    if (served !== undefined) return fail({ exit: 5, sentence: served })
    return fail({ exit: 5, sentence: describeHolder(directory) })
  }
  return ok({ lock, keys: keys.value, identity: identity.value })
}

/** Whoever opens a site writes to it, if only to look at it. Found out later, it would be told as what comes of it: that the index can't be opened. */
function whyNotWritable(folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    try {
      accessSync(folder, constants.W_OK)
    } catch (error) {
      // One that is missing is made.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return describeSystemFailure(folder, 'written', error, { place: 'fixed' })
    }
  }
  return undefined
}

/** Of a site that another process has open and does not serve, or not yet, or not any more. */
function describeHolder(directory: string): string {
  const holder = holderOfSite(directory)
  const command = holder === undefined ? undefined : commandOf(holder)
  if (command === undefined || command === 'serve' || command === 'start') {
    const named = holder === undefined ? '' : `, ${holder},`
    return `${directory} is open in another process${named} that does not answer its admin socket (is it starting, or stopping?): try again. If it stays so, restart that process, which makes ${join(directory, ADMIN_SOCKET)} anew.`
  }
  return `${directory} is in use by another command, "holdfast ${command}" (process ${holder}): wait for its end and try again. While a site is served, commands run side by side.`
}

/** Keys that were copied back may be those of another site: what it signed with them, its peers would take for that one's. */
function whyNotItsIdentity(directory: string, { publicIdentity: { siteId } }: PrivateIdentity): string | undefined {
  const site = attempt(() => decodeSite(readFileSync(join(directory, SITE_FILE))))
  // What is wrong with the file itself is said by whoever opens the site.
  if (site?.ok !== true || site.value.site === siteId) return undefined
  return `${join(directory, IDENTITY_FILE)} is the identity of another site, ${siteId}; this one is ${site.value.site}: copy its own keys folder back from where you keep it.`
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}

/** So long a process that has a site open may take to say where it serves it. */
const ANSWER_MS_MAX = 5000

/** Undefined if nobody answers in time: the other process is starting or stopping, or runs one command. */
async function describeServed(directory: string, clock: Clock): Promise<string | undefined> {
  const { askSite } = await import('../admin/socket-client.ts')
  const late = new Promise<Result<never, 'not-served'>>((resolve) => clock.timer(ANSWER_MS_MAX, () => resolve(fail('not-served'))))
  const asked = await Promise.race([askSite(directory, 'site/serving', {}, () => undefined, { clock }), late])
  if (!asked.ok && asked.error === 'not-served') return undefined
  // An older release does not know the command: it serves all the same.
  const { endpoint, pid } = (asked.ok ? asked.value : {}) as { readonly endpoint?: unknown; readonly pid?: unknown }
  const where = typeof endpoint === 'string' && typeof pid === 'number' ? `, at ${endpoint} by process ${pid}` : ''
  return `${directory} is being served already${where}: use that one, or stop it first.`
}
