/** What commands work on, made of the parts of an open site, whether this process serves it or opened it for one of them. */
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import type { AdminCommand, AdminSite } from '../admin/command.ts'
import type { SiteControl } from '../admin/control.ts'
import { freeBytes } from '../admin/free-bytes.ts'
import { IdentityKeeper } from '../admin/identity-keeper.ts'
import { EXPORTS_DIRECTORY } from '../admin/site-files.ts'
import { canonicalId, type RootKeys } from '../admin/site-keys.ts'
import type { PrivateIdentity } from '../bundles/identity.ts'
import type { Clock, Random } from '../environment.ts'
import { Lock } from '../lock.ts'
import type { Store } from '../store/store.ts'
import type { ThreadRole } from '../threads/begin-thread.ts'

/** What a process brings: time, chance, and its worker threads. */
export type ProcessEnvironment = { readonly clock: Clock; readonly random: Random; readonly startThread: (role: ThreadRole) => Worker }

/** Loaded when needed: no command waits for the code of another. */
export const adminCommands = async (): Promise<ReadonlyMap<string, AdminCommand>> =>
  (await import('../admin/commands/index.ts')).ADMIN_COMMANDS

export function adminSite(
  parts: {
    readonly endpoint?: string
    readonly directory: string
    readonly name: string
    readonly store: Store
    readonly control: SiteControl
    readonly identity: PrivateIdentity
    readonly keys: RootKeys
  },
  { clock, random }: ProcessEnvironment,
): AdminSite {
  const { directory, name, endpoint, store, control, identity, keys } = parts
  const ownerId = canonicalId(keys.accessKeyId)
  const keeper = new IdentityKeeper(directory, identity)
  const federation = {
    store,
    get identity() {
      return keeper.identity
    },
    keepIdentity: (next: PrivateIdentity) => keeper.keep(next),
    ownerId,
    stateDirectory: join(directory, EXPORTS_DIRECTORY),
    clock,
    random,
    underWay: new Set<string>(),
    imports: new Lock(),
    freeBytes: async () => freeBytes((await control.status()).pool),
  }
  return { directory, name, endpoint, store, control, federation, clock, random }
}
