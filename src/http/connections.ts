import { readFileSync } from 'node:fs'

/** More than this serve nobody better. */
const CONNECTIONS_MAX = 10_000
/** Where the system does not say: what it usually allows at least. */
const OPEN_FILES = 1024

/**
 * How many connections each of so many gateway threads may hold: together half of the files that this process may open. The other half is for disks: a
 * process that cannot open files takes its disks for broken.
 */
export function connectionsPerGateway(gateways: number, openFiles = openFilesMax()): number {
  return Math.max(1, Math.min(CONNECTIONS_MAX, Math.floor(openFiles / 2 / gateways)))
}

/** Node.js raises its own limit to the hard one when it starts. Source: proc(5), /proc/pid/limits. */
function openFilesMax(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))
    return found === null ? OPEN_FILES : Number(found[1])
  } catch {
    return OPEN_FILES
  }
}
