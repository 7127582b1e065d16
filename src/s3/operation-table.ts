/**
 * Names the operation that a request asks for: from method, what it is about (service, bucket, object), query parameters and headers.
 * The most specific operation wins, so that "PUT key?uploadId&partNumber" with a copy source is UploadPartCopy.
 */
import { ok, type Result } from '../result.ts'
import { ALL_OPERATIONS } from './all-operations.ts'
import { type S3Failure, s3Fail } from './errors.ts'
import type { AnyOperation, Resource } from './operation.ts'

export type TableEntry = {
  readonly name: string
  readonly resource: Resource
  readonly method: string
  readonly selectors: readonly Selector[]
  readonly selectorHeaders: readonly string[]
  /** Undefined: not built, answers NotImplemented. */
  readonly operation: AnyOperation | undefined
  /** Query parameters that it understands, selectors included. */
  readonly parameters: ReadonlySet<string>
  /** x-amz-* headers that it understands, by name or by what they begin with. */
  readonly headers: ReadonlySet<string>
  readonly headerStarts: readonly string[]
}

type Selector = { readonly name: string /** Undefined: any. */; readonly value: string | undefined }

/** They select an operation only together with a subresource. */
const QUALIFIERS: ReadonlySet<string> = new Set(['id', 'partNumber', 'annotationName', 'list-type', 'select-type'])

type Asked = { readonly method: string; readonly query: ReadonlyMap<string, string>; readonly headers: ReadonlyMap<string, string> }

export class OperationTable {
  readonly entries: readonly TableEntry[]
  /** "GET object" → its operations, the most specific first. */
  readonly #byTarget = new Map<string, TableEntry[]>()
  /** Names that select an operation of that kind of resource. */
  readonly #subresources = new Map<Resource, Set<string>>()

  constructor(operations: readonly AnyOperation[]) {
    const built = new Set(operations.map((operation) => operation.name))
    const unbuilt = ALL_OPERATIONS.filter(([name]) => !built.has(name))
    this.entries = [...operations.map(entryOfOperation), ...unbuilt.map(entryOfRow)]
    for (const entry of this.entries) {
      const target = `${entry.method} ${entry.resource}`
      this.#byTarget.set(target, [...(this.#byTarget.get(target) ?? []), entry])
      const names = this.#subresources.get(entry.resource) ?? new Set()
      for (const { name } of entry.selectors) if (!QUALIFIERS.has(name)) names.add(name)
      this.#subresources.set(entry.resource, names)
    }
    for (const entries of this.#byTarget.values()) entries.sort((a, b) => weight(b) - weight(a))
  }

  /** Errors: MethodNotAllowed, and what Amazon says of requests that fit nothing: InvalidArgument, InvalidRequest. */
  find(resource: Resource, asked: Asked): Result<TableEntry, S3Failure> {
    const entries = this.#byTarget.get(`${asked.method} ${resource}`)
    const found = entries?.find((entry) => isSelected(entry, asked))
    if (asked.headers.has('x-amz-copy-source') && asked.method !== 'PUT') {
      const value = asked.headers.get('x-amz-copy-source')!
      return invalidArgument('x-amz-copy-source', value, 'You can only specify a copy source header for copy requests.')
    }
    if (asked.query.size > 0) {
      const misplaced = this.#misplaced(resource, found, asked)
      if (misplaced !== undefined) return misplaced
    }
    if (found === undefined || this.#isMisused(found, asked)) return this.#noSuch(resource, asked)
    return ok(found)
  }

  /** Parameters that have a meaning, but not here. */
  #misplaced(resource: Resource, found: TableEntry | undefined, asked: Asked): Result<never, S3Failure> | undefined {
    const { query, method } = asked
    if (query.has('list-type') && found !== undefined && !found.parameters.has('list-type') && resource === 'bucket') {
      return invalidArgument('list-type', query.get('list-type')!, 'Invalid List Type specified in Request')
    }
    if (resource !== 'object') return undefined
    if (method === 'PUT' && query.has('partNumber') && !query.has('uploadId')) {
      return invalidArgument('partNumber', 'partNumber', 'This operation does not accept partNumber without uploadId')
    }
    if (method === 'GET' && query.has('uploads')) {
      return s3Fail('InvalidRequest', { message: 'Key is not expected for the GET method ?uploads subresource' })
    }
    for (const name of query.keys()) {
      if (this.isSubresource('bucket', name) && !this.isSubresource('object', name)) {
        return s3Fail('InvalidRequest', { message: `There is no such thing as the ?${name} sub-resource for a key` })
      }
    }
    return undefined
  }

  /** Whether a parameter names a subresource of that kind of resource, and so changes what a request means. */
  isSubresource(resource: Resource, parameter: string): boolean {
    return this.#subresources.get(resource)?.has(parameter) ?? false
  }

  /** "DELETE bucket?acl" must not become DeleteBucket because ACLs have no DELETE. */
  #isMisused(found: TableEntry, asked: Asked): boolean {
    if (found.selectors.length > 0 || asked.query.size === 0) return false
    for (const name of asked.query.keys()) {
      if (!found.parameters.has(name) && this.isSubresource(found.resource, name)) return true
    }
    return false
  }

  #noSuch(resource: Resource, asked: Asked): Result<never, S3Failure> {
    const others = this.entries.filter((entry) => entry.resource === resource && isSelected(entry, asked))
    const most = Math.max(...others.map((entry) => entry.selectors.length))
    const allowed = others.filter((entry) => entry.selectors.length === most).map((entry) => entry.method)
    const subresource = [...asked.query.keys()].find((name) => this.isSubresource(resource, name))
    return s3Fail('MethodNotAllowed', {
      elements: { Method: asked.method, ResourceType: RESOURCE_TYPES[subresource ?? resource] ?? (subresource ?? resource).toUpperCase() },
      headers: [['Allow', [...new Set(allowed)].join(', ')]],
    })
  }
}

const invalidArgument = (name: string, value: string, message: string) =>
  s3Fail('InvalidArgument', { message, elements: { ArgumentName: name, ArgumentValue: value } })

/** Where Amazon's word is not the parameter's name in capitals. */
const RESOURCE_TYPES: Readonly<Record<string, string>> = { uploadId: 'UPLOAD', policy: 'BUCKETPOLICY' }

/** A header outweighs any number of parameters: with a copy source it is a copy. */
const weight = (entry: TableEntry): number => entry.selectorHeaders.length * 100 + entry.selectors.length

function isSelected(entry: TableEntry, asked: Asked): boolean {
  for (const { name, value } of entry.selectors) {
    const given = asked.query.get(name)
    if (given === undefined || (value !== undefined && value !== given)) return false
  }
  for (const name of entry.selectorHeaders) if (!asked.headers.has(name)) return false
  return true
}

function entryOfOperation(operation: AnyOperation): TableEntry {
  const selectors = operation.selectors.map(parseSelector)
  return {
    name: operation.name,
    resource: operation.resource,
    method: operation.method,
    selectors,
    selectorHeaders: operation.selectorHeaders ?? [],
    operation,
    parameters: new Set([...operation.parameters, ...selectors.map((selector) => selector.name)]),
    headers: new Set([...operation.headers, ...(operation.selectorHeaders ?? [])]),
    headerStarts: operation.headers.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1)),
  }
}

function entryOfRow([name, resource, method, selectorText, selectorHeader]: (typeof ALL_OPERATIONS)[number]): TableEntry {
  const selectors = selectorText === '' ? [] : selectorText.split(' ').map(parseSelector)
  return {
    name,
    resource,
    method,
    selectors,
    selectorHeaders: selectorHeader === undefined ? [] : [selectorHeader],
    operation: undefined,
    parameters: new Set(selectors.map((selector) => selector.name)),
    headers: new Set(),
    headerStarts: [],
  }
}

function parseSelector(text: string): Selector {
  const equals = text.indexOf('=')
  return equals < 0 ? { name: text, value: undefined } : { name: text.slice(0, equals), value: text.slice(equals + 1) }
}
