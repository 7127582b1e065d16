/** Holds what a peer sends against what it may do here. */
import type { Change } from '../store/operation.ts'
import type { BatchOperation } from './batch.ts'
import { printable } from './html.ts'
import { keyOf } from './operation.ts'
import { CHANGE_KINDS, type ChangeKind, type PeerRules } from './peer-rules.ts'
import type { Peer } from './peers.ts'
import { Refusal } from './site.ts'

/** A write that takes the place of a null version removes that for good. */
export function kindsOf(change: Change): readonly ChangeKind[] {
  switch (change.kind) {
    case 'create-bucket':
      return []
    case 'put-versioning':
    case 'put-configuration':
      return ['configuration']
    case 'put-tags':
      return ['versions']
    case 'put-object':
      return change.replaces === null ? ['versions'] : ['versions', 'deletes']
    case 'put-marker':
      return change.replaces === null ? ['markers'] : ['markers', 'deletes']
    case 'delete-version':
    case 'delete-bucket':
      return ['deletes']
  }
}

/** How many changes of a kind there are, and what the first is about. */
export type KindCount = { readonly kind: ChangeKind; readonly count: number; readonly first: string }

/** Counts what a peer sends by kinds, and refuses what it may not do here. */
export class RuleCheck {
  readonly #peer: Peer
  readonly #rules: PeerRules
  readonly #counts: Counts = new Map()
  readonly #theirs: Counts = new Map()

  constructor(peer: Peer, rules: PeerRules) {
    this.#peer = peer
    this.#rules = rules
  }

  /** `isReturned`: this site made it itself, and had lost it. It is counted, and no change of the peer's. */
  look(bucket: string, { operation: { change } }: BatchOperation, isReturned: boolean): void {
    const key = keyOf(change)
    const about = key === undefined ? `bucket ${bucket}` : `${bucket}/${key}`
    for (const kind of kindsOf(change))
      for (const counts of isReturned ? [this.#counts] : [this.#counts, this.#theirs]) count(counts, kind, about)
  }

  /** Throws Refusal if there was any that is denied: leaving some out would leave holes that nobody ever fills, and a receipt that says otherwise. */
  end(): readonly KindCount[] {
    const denied = inOrder(this.#theirs).filter(({ kind }) => this.#rules.denied.includes(kind))
    if (denied.length === 0) return inOrder(this.#counts)
    const { name } = this.#peer
    const allow = denied.map(({ kind }) => kind).join(',')
    throw new Refusal(
      5,
      'not-allowed',
      `${name} sends what it may not do here: ${denied.map(kindText).join(', ')}. Nothing was changed. If it is wanted: holdfast peer set SITE ${name} --allow ${allow}; then import again.`,
      { denied },
    )
  }
}

type Counts = Map<ChangeKind, KindCount>

function count(counts: Counts, kind: ChangeKind, about: string): void {
  const before = counts.get(kind)
  counts.set(kind, { kind, count: (before?.count ?? 0) + 1, first: before?.first ?? about })
}

const inOrder = (counts: Counts): readonly KindCount[] => CHANGE_KINDS.map((kind) => counts.get(kind)).filter((each) => each !== undefined)

export const kindText = ({ kind, count, first }: KindCount): string =>
  `${count} ${IN_WORDS[kind][count === 1 ? 0 : 1]} (first: ${printable(first)})`

const IN_WORDS: Readonly<Record<ChangeKind, readonly [one: string, more: string]>> = {
  versions: ['change of versions', 'changes of versions'],
  markers: ['delete marker', 'delete markers'],
  configuration: ['change of configuration', 'changes of configuration'],
  deletes: ['permanent delete', 'permanent deletes'],
}
