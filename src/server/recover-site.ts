/** Makes again what a site's directory held besides its keys and disks. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandFailure, Progress } from '../admin/command.ts'
import { IDENTITY_FILE, KEYS_DIRECTORY } from '../admin/site-files.ts'
import { readSiteIdentity } from '../admin/site-identity.ts'
import { readRootKeys } from '../admin/site-keys.ts'
import { lockSite } from '../admin/site-lock.ts'
import { whyNotOwner } from '../admin/site-owner.ts'
import { WITNESS_FILE } from '../disks/pool-witness.ts'
import { fail, ok, type Result } from '../result.ts'
import { whyNoRoomForIndex } from '../store/local/index/address-room.ts'
import { SCRUB_FILE } from '../store/local/scrub-record.ts'
import { decodeSite, INDEX_FOLDER, SITE_FILE } from '../store/local/site-file.ts'
import { describeSystemFailure } from '../system-failure.ts'
import type { ProcessEnvironment } from './admin-site.ts'
import { openSiteOffline } from './open-offline.ts'

export type RecoverRequest = {
  readonly site: string
  readonly disks?: readonly string[]
  /** What people shall call it; as the disks remember it unless given. */
  readonly name?: string
  /** Where they don't. */
  readonly defaultName: string
  readonly acceptOlder: boolean
  readonly progress: Progress
}

/** What opening a site makes where it is missing. */
const MADE = [SITE_FILE, INDEX_FOLDER, WITNESS_FILE, SCRUB_FILE]

/** Answers what `status` then says. One that fails leaves the directory as it was. */
export async function recoverSite(request: RecoverRequest, environment: ProcessEnvironment): Promise<Result<unknown, CommandFailure>> {
  const { site, disks, name, defaultName } = request
  const refuse = (sentence: string) => fail<CommandFailure>({ exit: 5, sentence })
  const before = namesIn(site)
  if (before === undefined) return fail({ exit: 2, sentence: `There is no directory ${site}: put the keys of the site into ${site}/keys.` })
  const file = join(site, SITE_FILE)
  const old = before.includes(SITE_FILE) ? readFileSync(file) : undefined
  const known = old === undefined ? undefined : decodeSite(old)
  if (known?.ok === true) return refuse(`${file} is whole, so there is nothing to recover.`)
  if (known?.error === 'newer-version') return refuse(`${file} was written by a newer Holdfast: use that one.`)
  if (!before.includes(KEYS_DIRECTORY)) return refuse(`${join(site, KEYS_DIRECTORY)} is missing: copy it back from where you keep it.`)
  const stranger = whyNotOwner(site, IDENTITY_FILE, process.getuid?.())
  if (stranger !== undefined) return refuse(stranger)
  const cramped = whyNoRoomForIndex()
  if (cramped !== undefined) return refuse(cramped)
  const keys = readRootKeys(site)
  if (!keys.ok) return refuse(keys.error)
  const identity = readSiteIdentity(site)
  if (!identity.ok) return refuse(identity.error)
  const lock = await lockSite(site)
  if (lock === undefined) return refuse(`${site} is open in another process: stop that one first.`)
  const { recoverSiteFile } = await import('../store/local/recover-site.ts')
  const recovered = await recoverSiteFile({
    siteDirectory: site,
    ...(disks === undefined ? {} : { diskDirectories: disks }),
    ...(name === undefined ? {} : { name }),
    defaultName,
    site: identity.value.publicIdentity.siteId,
    clock: environment.clock,
  })
  await lock.release()
  if (!recovered.ok) return refuse(recovered.error)
  let isWhole = false
  try {
    writeFileSync(file, recovered.value.bytes, { mode: 0o600 })
    const status = await openAndAsk(request, environment)
    isWhole = status.ok
    return status
  } catch (error) {
    return refuse(describeSystemFailure(file, 'written', error))
  } finally {
    if (!isWhole) {
      for (const made of MADE.filter((each) => !before.includes(each))) rmSync(join(site, made), { recursive: true, force: true })
      if (old !== undefined) writeFileSync(file, old)
    }
  }
}

/** The journal is read from its beginning: only then is it known that the disks are those of the site whose keys these are. */
async function openAndAsk(
  { site, acceptOlder, progress }: RecoverRequest,
  environment: ProcessEnvironment,
): Promise<Result<unknown, CommandFailure>> {
  const onReplay = (done: number, total: number): void => progress({ what: 'Making the index', done, total, unit: 'items' })
  const opened = await openSiteOffline(site, environment, { acceptOlder, onReplay })
  if (!opened.ok) return opened
  try {
    const status = await opened.value.commands.get('status')?.run(opened.value.site, {}, progress, new AbortController().signal)
    return status ?? ok(undefined)
  } finally {
    await opened.value.close()
  }
}

function namesIn(directory: string): string[] | undefined {
  try {
    return readdirSync(directory)
  } catch {
    return undefined
  }
}
