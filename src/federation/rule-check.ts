/** Holds what a peer sends against what it may do here. */
import type { Change } from '../store/store.ts'
import type { BatchOperation } from './batch.ts'
import { keyOf } from './operation.ts'
import type { ChangeKind, PeerRules } from './peer-rules.ts'
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

type Denied = { readonly kind: ChangeKind; count: number; readonly first: string }

/** Counts what a peer sends and may not do here. */
export class RuleCheck {
  readonly #peer: Peer
  readonly #rules: PeerRules
  readonly #denied = new Map<ChangeKind, Denied>()

  constructor(peer: Peer, rules: PeerRules) {
    this.#peer = peer
    this.#rules = rules
  }

  look(bucket: string, { operation: { change } }: BatchOperation): void {
    if (this.#rules.denied.length === 0) return
    for (const kind of kindsOf(change)) {
      if (!this.#rules.denied.includes(kind)) continue
      const denied = this.#denied.get(kind)
      const key = keyOf(change)
      if (denied === undefined)
        this.#denied.set(kind, { kind, count: 1, first: key === undefined ? `bucket ${bucket}` : `${bucket}/${key}` })
      else denied.count += 1
    }
  }

  /** Throws Refusal if there was any: leaving some out would leave holes that nobody ever fills, and a receipt that says otherwise. */
  end(): void {
    if (this.#denied.size === 0) return
    const { name } = this.#peer
    const denied = [...this.#denied.values()]
    const said = denied.map(({ kind, count, first }) => `${count} ${IN_WORDS[kind][count === 1 ? 0 : 1]} (first: ${first})`).join(', ')
    throw new Refusal(
      5,
      'not-allowed',
      `${name} sends what it may not do here: ${said}. Nothing was changed. If it is wanted: holdfast peer set SITE ${name} --allow ${denied.map(({ kind }) => kind).join(',')}; then import again.`,
      { denied },
    )
  }
}

const IN_WORDS: Readonly<Record<ChangeKind, readonly [one: string, more: string]>> = {
  versions: ['change of versions', 'changes of versions'],
  markers: ['delete marker', 'delete markers'],
  configuration: ['change of configuration', 'changes of configuration'],
  deletes: ['permanent delete', 'permanent deletes'],
}
