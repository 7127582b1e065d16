/** Whether a caller may do something. Asked for every request, before anything is read; the default is no. */
import type { Caller } from './identities.ts'

export type Action = {
  readonly caller: Caller
  /** As IAM names it: 's3:GetObject'. */
  readonly permission: string
  /** Undefined for what concerns the whole service (ListBuckets). */
  readonly bucket: string | undefined
  /** '' for what concerns the bucket itself. */
  readonly key: string
}

/** The root may do everything; nobody else is given anything. */
export const authorize = (action: Action): 'allow' | 'deny' => (action.caller.isRoot ? 'allow' : 'deny')
