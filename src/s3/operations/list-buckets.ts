import { fail, ok, type Result } from '../../result.ts'
import type { Bucket } from '../../store/terms.ts'
import type { S3Failure } from '../errors.ts'
import { type Caller, define, type S3Request } from '../operation.ts'
import { element, xmlDocument, xmlTime } from '../xml.ts'
import { invalidArgument } from './arguments.ts'
import { bucketArn } from './buckets.ts'
import { fromToken, toToken, WRONG_TOKEN } from './continuation.ts'

type Input = {
  readonly max: number
  readonly paged: boolean
  readonly prefix: string
  readonly after: string
  readonly region: string | undefined
}
type Output = {
  readonly buckets: readonly Bucket[]
  readonly truncated: boolean
  readonly owner: Caller
  readonly region: string
  readonly input: Input
}

/** Source: Amazon S3 API Reference, ListBuckets. */
const PAGE_MAX = 10_000

function parse(request: S3Request): Result<Input, S3Failure> {
  const { query } = request
  const text = query.get('max-buckets')
  const max = text === undefined || text === '' ? PAGE_MAX : /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (max < 1 || max > PAGE_MAX)
    return fail(invalidArgument('max-buckets', text ?? '', `Argument max-buckets must be an integer between 1 and ${PAGE_MAX}.`))
  const token = query.get('continuation-token')
  const after = token === undefined || token === '' ? '' : fromToken(token)
  if (after === undefined) return fail(WRONG_TOKEN)
  const paged = text !== undefined || token !== undefined || query.has('prefix') || query.has('bucket-region')
  return ok({ max, paged, prefix: query.get('prefix') ?? '', after, region: query.get('bucket-region') })
}

/** The caller's buckets by name. Errors: InvalidArgument. */
export const listBuckets = define<Input, Output>({
  name: 'ListBuckets',
  resource: 'service',
  method: 'GET',
  selectors: [],
  permission: 's3:ListAllMyBuckets',
  parameters: ['max-buckets', 'continuation-token', 'prefix', 'bucket-region'],
  headers: [],
  parse,
  async run({ store, caller, region }, input) {
    const all = await store.listBuckets()
    const found = all
      .filter((bucket) => bucket.owner === caller.id && bucket.name.startsWith(input.prefix) && bucket.name > input.after)
      .filter(() => input.region === undefined || input.region === region)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    return ok({ buckets: found.slice(0, input.max), truncated: found.length > input.max, owner: caller, region, input })
  },
  render({ buckets, truncated, owner, region, input }) {
    let rows = ''
    for (const bucket of buckets) {
      const where = input.paged ? `<BucketRegion>${region}</BucketRegion>` : ''
      rows += `<Bucket><Name>${bucket.name}</Name><CreationDate>${xmlTime(bucket.createdMs)}</CreationDate>${where}<BucketArn>${bucketArn(bucket.name)}</BucketArn></Bucket>`
    }
    const last = buckets.at(-1)
    const content =
      `<Owner>${element('ID', owner.id)}${element('DisplayName', owner.displayName)}</Owner><Buckets>${rows}</Buckets>` +
      element('Prefix', input.prefix === '' ? undefined : input.prefix) +
      element('ContinuationToken', truncated && last !== undefined ? toToken(last.name) : undefined)
    return { status: 200, headers: [], body: { kind: 'xml', text: xmlDocument('ListAllMyBucketsResult', content) } }
  },
})
