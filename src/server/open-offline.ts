import type { AdminCommand, AdminSite, CommandFailure } from '../admin/command.ts'
import { fail, ok, type Result } from '../result.ts'
import type { OpenSite } from '../store/local/open-site.ts'
import { adminCommands, adminSite, type ProcessEnvironment } from './admin-site.ts'
import { enterSite } from './enter-site.ts'

export type OfflineSite = { readonly site: AdminSite; readonly commands: ReadonlyMap<string, AdminCommand>; close(): Promise<void> }

/** Opens a site that nobody serves, in this process, for one command. */
export async function openSiteOffline(
  directory: string,
  environment: ProcessEnvironment,
  how: Pick<OpenSite, 'acceptOlder' | 'onReplay'> = {},
): Promise<Result<OfflineSite, CommandFailure>> {
  const entered = await enterSite(directory, environment.clock)
  if (!entered.ok) return entered
  const { lock, keys, identity } = entered.value
  const { openLocalSite } = await import('../store/local/open-site.ts')
  const { engineControl } = await import('../threads/engine-control.ts')
  const opened = await openLocalSite({ ...how, siteDirectory: directory, clock: environment.clock, random: environment.random })
  if (!opened.ok) {
    await lock.release()
    return fail({ exit: 5, sentence: opened.error.sentence })
  }
  const { engine, name } = opened.value
  const control = engineControl(opened.value, environment.clock)
  return ok({
    site: adminSite({ directory, name, store: engine.store, control, identity, keys }, environment),
    commands: await adminCommands(),
    async close() {
      await opened.value.close()
      await lock.release()
    },
  })
}
