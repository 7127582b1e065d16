/** What opening a site says to operators: what is wrong and what to do next. */
import type { DiskSlot, PoolView } from '../../disks/pool-view.ts'
import { choiceAbout } from '../../disks/pool-words.ts'
import { describeUnopened, type ReadOnly } from '../../disks/read-only.ts'
import type { EngineFault } from './engine-input.ts'
import type { JournalFault } from './journal/terms.ts'

/** What is wrong, and what to do next. */
export type SiteFault = {
  readonly kind: 'not-a-site' | 'exists' | 'unusable' | 'damaged' | 'newer-version' | 'disks-older'
  readonly sentence: string
}

type Lack = Extract<JournalFault, { readonly kind: 'sequence-lost' | 'other-history' | 'damaged' | 'segment-missing' }>

/** The disks hold less than was seen: no reason to refuse reads. */
export const isLack = (fault: JournalFault): fault is Lack =>
  ['sequence-lost', 'other-history', 'damaged', 'segment-missing'].includes(fault.kind)

/** Why a site whose disks hold less than was seen is served read-only. */
export function whyHeld(fault: Lack, out: readonly DiskSlot[]): ReadOnly {
  const says = (advice: string): ReadOnly => ({ wrong: `${describeLack(fault)}. ${advice}`, remedy: { kind: 'said' } })
  if (out.length === 0) return says(isHole(fault) ? HOLE : NONE_MISSING)
  const missing = `Missing: ${out.map((disk) => disk.directory).join(', ')}.`
  return isHole(fault) ? says(`${missing} Bring them back.`) : { ...says(missing), remedy: choiceAbout(out) }
}

/** No word of an operator's helps there: nothing is known to follow upon a record that is not there. */
const isHole = ({ kind }: Lack): boolean => kind === 'damaged' || kind === 'segment-missing'

const HOLE =
  'No disk is missing, so this site cannot be written any more. Keep SITE/index, which shows what was stored: serve it as it is, and copy the objects to a new site with an S3 tool.'

function describeLack(fault: Lack): string {
  switch (fault.kind) {
    case 'sequence-lost':
      return `These disks hold changes up to ${fault.found}, but ${fault.seen} were acknowledged`
    case 'other-history':
      return 'These disks and the index do not belong to the same history'
    case 'damaged':
      return `Record ${fault.sequence} of the journal is damaged on every disk that is here`
    case 'segment-missing':
      return `Segment ${fault.segment} of the journal is on none of the disks that are here`
  }
}

const NONE_MISSING =
  'No disk is missing, so these came back as they were earlier, or are damaged: restore what they held and restart; or give up what was newer and start with --accept-older.'

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
        sentence: `Record ${fault.sequence} of the journal (segment ${fault.segment}, offset ${fault.offset}) is damaged on every disk that holds it. Nothing was changed.${afterHole(view)}`,
      }
    case 'segment-missing':
      return {
        kind: 'damaged',
        sentence: `Segment ${fault.segment} of the journal is on none of the disks. Nothing was changed.${afterHole(view)}`,
      }
    case 'journal-lost':
      return {
        kind: 'damaged',
        sentence: `The disks hold content (${fault.orphan} is some of it) but no journal, and there is no index: what was stored cannot be told without one of them.${missing(view)} Nothing was changed. Bring back the disks that are missing, or put the folder "journal" of each disk, or SITE/index, back from a copy; or begin an empty site on these disks with --accept-older: what they hold is lost then.`,
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
    case 'other-site':
      return {
        kind: 'unusable',
        sentence: `What is on the disks was written by site ${fault.written}, and SITE/keys are those of another one: put that site's keys there.`,
      }
    case 'nothing-to-show':
      return {
        kind: 'unusable',
        sentence: `There is no index, or an empty one, so nothing here knows what the missing disks hold, and an older state is not shown for the newest. Nothing was changed.${view.readOnly === undefined ? '' : ` ${describeUnopened(view.readOnly)}`}`,
      }
    case 'start-used':
      return {
        kind: 'disks-older',
        sentence: `The site's directory is older than its disks (start ${fault.start} is known there): was it restored from a copy? Start again to go on.`,
      }
  }
}

/** There is no index: it would have to be made from the journal. */
function afterHole(view: PoolView): string {
  const out = missing(view)
  if (out !== '') return `${out} Bring them back.`
  return ' The index cannot be made anew without it: put SITE/index back from a copy of the site\'s directory, or take off the disks what is whole with read-disks.py (docs/operations.md, "Without Holdfast").'
}

function missing(view: PoolView): string {
  const out = view.sets.flatMap((set) => set.disks).filter((disk) => disk.state === 'out')
  return out.length === 0 ? '' : ` Missing: ${out.map((disk) => disk.directory).join(', ')}.`
}
