import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { KEYS_DIRECTORY } from '../admin/site-files.ts'
import { saveSiteIdentity } from '../admin/site-identity.ts'
import { type RootKeys, saveRootKeys } from '../admin/site-keys.ts'
import { createIdentity, fingerprint } from '../bundles/identity.ts'
import { fail, ok, type Result } from '../result.ts'
import { describeSystemFailure } from '../system-failure.ts'
import type { ProcessEnvironment } from './admin-site.ts'

export type InitRequest = {
  readonly site: string
  readonly disks: readonly string[]
  readonly parity: number
  readonly name: string
  readonly keys: RootKeys
}

/** Makes a site, or leaves everything as it was. The error is a sentence. */
export async function initSiteDirectory(
  request: InitRequest,
  { clock, random }: Pick<ProcessEnvironment, 'clock' | 'random'>,
): Promise<Result<{ readonly siteId: string; readonly fingerprint: string }, string>> {
  const identity = createIdentity(random, clock.nowMs())
  const keys = join(request.site, KEYS_DIRECTORY)
  if (existsSync(keys)) return fail(`${keys} is there already: make the site in an empty directory.`)
  let keptKeys = false
  const { siteId } = identity.publicIdentity
  const { initSite } = await import('../store/local/init-site.ts')
  const made = await initSite({
    siteDirectory: request.site,
    diskDirectories: request.disks,
    parity: request.parity,
    name: request.name,
    site: siteId,
    clock,
    random,
    keep: {
      act() {
        try {
          mkdirSync(keys, { mode: 0o700 })
          keptKeys = true
          saveRootKeys(request.site, request.keys)
          saveSiteIdentity(request.site, identity)
          return ok(undefined)
        } catch (error) {
          return fail(describeSystemFailure(request.site, 'written', error))
        }
      },
      undo() {
        if (keptKeys) rmSync(keys, { recursive: true, force: true })
      },
    },
  })
  return made.ok ? ok({ siteId, fingerprint: fingerprint(identity.publicIdentity) }) : fail(made.error.sentence)
}
