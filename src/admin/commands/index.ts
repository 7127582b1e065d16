import type { AdminCommand } from '../command.ts'
import { bucketCompare, bucketDigest } from './buckets.ts'
import { bundleAcknowledge, bundleExport, bundleImport, bundleInspect, bundlePage, bundleVerify } from './bundles.ts'
import { diskReplace } from './disk-replace.ts'
import { diskRetire } from './disk-retire.ts'
import { diskScrub } from './disk-scrub.ts'
import { peerSet, peerUndo } from './peer-rules.ts'
import { peerAdd, peerList, siteIdentity } from './peers.ts'
import { diskStatusCommand, status } from './status.ts'

/** Every admin command by its name. */
export const ADMIN_COMMANDS: ReadonlyMap<string, AdminCommand> = new Map(
  [
    status,
    diskStatusCommand,
    diskReplace,
    diskScrub,
    diskRetire,
    siteIdentity,
    peerAdd,
    peerList,
    peerSet,
    peerUndo,
    bucketDigest,
    bucketCompare,
    bundleExport,
    bundleImport,
    bundleVerify,
    bundleInspect,
    bundlePage,
    bundleAcknowledge,
  ].map((command) => [command.name, command]),
)
