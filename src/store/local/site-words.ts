/** What opening a site says to operators: what is wrong and what to do next. */
import type { PoolView } from '../../disks/pool-view.ts'
import type { EngineFault } from './engine.ts'
import type { SiteFault } from './open-site.ts'

export function describeEngineFault(fault: EngineFault, view: PoolView): SiteFault {
  switch (fault.kind) {
    case 'sequence-lost':
      return {
        kind: 'disks-older',
        sentence: `The disks hold changes up to ${fault.found}, but ${fault.seen} were acknowledged.${missing(view)} Bring the missing disks back, or give up what only they held with --accept-older.`,
      }
    case 'other-history':
      return {
        kind: 'disks-older',
        sentence: `The index and the disks do not belong to the same history (change ${fault.sequence} differs).${missing(view)} Bring the right disks back, or go on with these with --accept-older.`,
      }
    case 'damaged':
      return {
        kind: 'damaged',
        sentence: `Record ${fault.sequence} of the journal (segment ${fault.segment}, offset ${fault.offset}) is damaged on every disk that holds it. Nothing was changed.${missing(view)}`,
      }
    case 'segment-missing':
      return {
        kind: 'damaged',
        sentence: `Segment ${fault.segment} of the journal is on none of the disks.${missing(view)} Nothing was changed.`,
      }
    case 'unknown-version':
      return {
        kind: 'newer-version',
        sentence: `The journal was written by a newer Holdfast (segment ${fault.segment}, version ${fault.version}): use that one.`,
      }
    case 'unknown-record':
      return {
        kind: 'newer-version',
        sentence: `The journal holds a change of a kind that only a newer Holdfast knows (record ${fault.sequence}): use that one.`,
      }
    case 'malformed-record':
      return {
        kind: 'damaged',
        sentence: `Record ${fault.sequence} of the journal is not what its format says. Please report this as a fault of Holdfast.`,
      }
    case 'unavailable':
      return { kind: 'unusable', sentence: `Too few disks of the pool can be used.${missing(view)} Bring the missing disks back.` }
    case 'full':
      return { kind: 'unusable', sentence: 'A disk is so full that the journal cannot be continued: free some space on it.' }
    case 'index-failed':
      return { kind: 'unusable', sentence: "The index cannot be written: check the disk of the site's directory and its free space." }
    case 'start-used':
      return {
        kind: 'disks-older',
        sentence: `The site's directory is older than its disks (start ${fault.start} is known there): was it restored from a copy? Start again to go on.`,
      }
  }
}

function missing(view: PoolView): string {
  const out = view.sets.flatMap((set) => set.disks).filter((disk) => disk.state === 'out')
  return out.length === 0 ? '' : ` Missing: ${out.map((disk) => disk.directory).join(', ')}.`
}
