/**
 * Decides a change: whether it may be, and what then is. A pure, synchronous function of (index, request, stamp); what it answers holds only if the
 * records it gives become durable.
 */
import { documentKey, doomedManifestKey } from '../index/keys.ts'
import { change, type DecideContext, type Decision, refused } from './context.ts'
import { decideBucketChange } from './decide-buckets.ts'
import { decideForeign } from './decide-foreign.ts'
import { decideHiddenChange } from './decide-hidden.ts'
import { decideDelete, decidePut, decideTags } from './decide-objects.ts'
import { decideUploadChange } from './decide-uploads.ts'
import { decideEpoch } from './epochs.ts'
import type { ChangeRequest, DocumentChange } from './request.ts'

/** Reads the index of `context` as all changes before have left it, and writes nothing. */
export function decide(context: DecideContext, request: ChangeRequest): Decision {
  switch (request.kind) {
    case 'create-bucket':
    case 'delete-bucket':
    case 'put-versioning':
    case 'put-configuration':
    case 'adopt-bucket':
      return decideBucketChange(context, request)
    case 'put-object':
      return decidePut(context, request)
    case 'delete-object':
      return decideDelete(context, request)
    case 'put-tags':
      return decideTags(context, request)
    case 'create-upload':
    case 'put-part':
    case 'complete-upload':
    case 'abort-upload':
    case 'expire-uploads':
      return decideUploadChange(context, request)
    case 'put-documents':
      return decideDocuments(context, request.documents)
    case 'apply-foreign':
      return decideForeign(context, request)
    case 'begin-epoch':
      return decideEpoch(context, request.epoch)
    case 'return-version':
    case 'return-bucket':
    case 'drop-hidden':
    case 'expire-hidden':
      return decideHiddenChange(context, request)
    case 'note-shards':
      return change({ kind: 'note-shards', shards: request.shards }, undefined)
    case 'drop-manifests':
      return decideDrop(context, request.manifests)
  }
}

/** Whether a change may be made when only the reserve of space is left: those that free some, and what keeps the engine's books. */
export const freesSpace = (request: ChangeRequest): boolean =>
  request.kind === 'delete-object' ||
  request.kind === 'delete-bucket' ||
  request.kind === 'abort-upload' ||
  request.kind === 'expire-uploads' ||
  request.kind === 'note-shards' ||
  request.kind === 'begin-epoch' ||
  request.kind === 'drop-manifests' ||
  request.kind === 'drop-hidden' ||
  request.kind === 'expire-hidden' ||
  (request.kind === 'apply-foreign' &&
    (request.operation.change.kind === 'delete-version' || request.operation.change.kind === 'delete-bucket'))

function decideDrop({ reader }: DecideContext, manifests: readonly number[]): Decision {
  const doomed = manifests.filter((id) => reader.get(doomedManifestKey(id)) !== undefined)
  return doomed.length === 0 ? { kind: 'nothing', value: undefined } : change({ kind: 'drop-manifests', manifests: doomed }, undefined)
}

function decideDocuments(context: DecideContext, documents: readonly DocumentChange[]): Decision {
  const changed = new Map<string, Uint8Array | null>()
  for (const { collection, name, content, expect } of documents) {
    const key = `${collection}\0${name}`
    const before = changed.get(key)
    const there = before === undefined ? context.reader.get(documentKey(collection, name)) : (before ?? undefined)
    if (expect === null && there !== undefined) return refused('conflict')
    if (expect instanceof Uint8Array && (there === undefined || Buffer.compare(there, expect) !== 0)) return refused('conflict')
    changed.set(key, content)
  }
  const records = documents.map(({ collection, name, content }) => ({
    record: { kind: 'put-document', collection, name, removed: content === null } as const,
    body: content ?? new Uint8Array(0),
  }))
  return records.length === 0 ? { kind: 'nothing', value: undefined } : { kind: 'change', records, value: undefined }
}
