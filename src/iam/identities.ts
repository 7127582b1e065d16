/** Who may sign requests: access keys and whose they are. */
import { hash } from 'node:crypto'

export type Caller = {
  readonly accessKeyId: string
  /** Canonical id, 64 hexadecimal digits: what buckets and objects name as their owner. */
  readonly id: string
  /** 12 decimal digits: what x-amz-expected-bucket-owner names. */
  readonly accountId: string
  readonly displayName: string
  /** May do everything, whatever policies say. */
  readonly isRoot: boolean
}

export type Key = { readonly secretAccessKey: string; readonly caller: Caller }

export interface Identities {
  /** Undefined if no such key is known (any more). */
  findKey(accessKeyId: string): Key | undefined
}

/** A site's only identity so far: its root, with the key pair given. `ownerId` is the canonical id that owns the site's buckets. */
export function rootIdentities(root: {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly ownerId: string
  readonly displayName?: string
}): Identities {
  const key: Key = {
    secretAccessKey: root.secretAccessKey,
    caller: {
      accessKeyId: root.accessKeyId,
      id: root.ownerId,
      accountId: accountIdOf(root.ownerId),
      displayName: root.displayName ?? 'root',
      isRoot: true,
    },
  }
  return { findKey: (accessKeyId) => (accessKeyId === root.accessKeyId ? key : undefined) }
}

/** The account number that goes with a canonical id: its first 48 bits modulo 10¹², so that it needs no table. */
export const accountIdOf = (ownerId: string): string =>
  (Number.parseInt(hash('sha256', ownerId, 'hex').slice(0, 12), 16) % 1e12).toString().padStart(12, '0')
