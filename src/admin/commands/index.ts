import type { AdminCommand } from '../command.ts'
import { bundleAcknowledge, bundleApprove, bundleExport, bundleImport, bundleInspect, bundleVerify } from './bundles.ts'
import { diskReplace } from './disk-replace.ts'
import { peerApprovals, peerRemove, peerRevoke } from './peer-trust.ts'
import { peerAdd, peerList } from './peers.ts'
import { siteIdentity, siteKeys, siteNewEpoch, siteRotateKey } from './site.ts'
import { diskStatusCommand, status } from './status.ts'

/** Every admin command by its name. */
export const ADMIN_COMMANDS: ReadonlyMap<string, AdminCommand> = new Map(
  [
    status,
    diskStatusCommand,
    diskReplace,
    siteIdentity,
    siteNewEpoch,
    siteKeys,
    siteRotateKey,
    peerAdd,
    peerList,
    peerRemove,
    peerRevoke,
    peerApprovals,
    bundleApprove,
    bundleExport,
    bundleImport,
    bundleVerify,
    bundleInspect,
    bundleAcknowledge,
  ].map((command) => [command.name, command]),
)
