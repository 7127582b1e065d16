/** docs/s3-compatibility.md, written from the table of operations that the road itself uses. */
import { OperationTable, type TableEntry } from '../../src/s3/operation-table.ts'
import { CHECKSUM_HEADERS } from '../../src/s3/operations/checksums.ts'
import { operations } from '../../src/s3/operations/index.ts'
import { RESPONSE_OVERRIDES } from '../../src/s3/operations/object-headers.ts'
import { unsetConfigurations } from '../../src/s3/operations/unset-configurations.ts'

const INTRODUCTION = `# S3 compatibility

Written by \`test/s3/compatibility.test.ts\` from the table of operations: change the table, then run \`npm test -- test/s3/compatibility -u\`.

Names, errors, messages, XML and limits are Amazon's. **Nothing is silently ignored:** an operation, or an \`x-amz-*\` header or parameter of one, whose effect
is not built answers \`NotImplemented\` (501), so no tool believes in an encryption, lock or grant that is not there.

Every operation below is covered by the suite in \`test/s3/suite\`, which runs through the AWS SDK for JavaScript, the minio client and raw requests on both
HTTP adapters, and on any other server: \`HOLDFAST_TEST_ENDPOINT=http://host:port HOLDFAST_TEST_ACCESS_KEY=… HOLDFAST_TEST_SECRET_KEY=… npm test -- test/s3/elsewhere\`.
`

const DIFFERENCES = `## Where Holdfast differs from Amazon, on purpose

- **CopyObject keeps the ETag of its source** and moves no data; Amazon computes the ETag of a multipart source anew. A composite checksum becomes one of the
  whole object, as at Amazon.
- **User metadata sent as raw UTF-8** comes back encoded by RFC 2047 as the text that was sent. Amazon takes each byte for a latin1 character, so that its reply decodes
  to garbled text.
- **Version ids are taken as they are**: one that was never given out is \`NoSuchVersion\`, not \`InvalidArgument\`, since ids from other sites are kept verbatim;
  deleting it goes well, as with one that is gone.
- **CompleteMultipartUpload verifies** an \`x-amz-checksum-crc64nvme\` of the whole also for uploads that were begun without an algorithm, and refuses a
  checksum of another algorithm there; Amazon ignores both.
- **No region but one:** a site is one region, \`us-east-1\` unless \`--region\` says otherwise.
- **GetBucketEncryption and GetPublicAccessBlock** answer that there is no configuration, where Amazon has had defaults since 2023: Holdfast does not encrypt
  objects at rest yet, and has nothing that could make them public.
- **A conditional CompleteMultipartUpload** conflicts (\`ConditionalRequestConflict\`) with writes since the upload began, as at Amazon, but not with a delete
  that left no version behind.
- **Uploads are listed** on behind a page of nothing but common prefixes; Amazon names no marker there.
- **A full store** answers \`StorageFull\` (507), a code that Amazon does not need. Deletes still work.

## Values that are understood, and those that are not

| | taken | NotImplemented |
|---|---|---|
| \`x-amz-acl\` | \`private\`; on objects also \`bucket-owner-full-control\` | the other canned ACLs, \`x-amz-grant-*\`, documents that grant anything |
| \`x-amz-storage-class\` | \`STANDARD\` | every other class of Amazon's |
| \`x-amz-object-ownership\` | \`BucketOwnerEnforced\` | \`BucketOwnerPreferred\`, \`ObjectWriter\` |
| encryption, object lock | — | \`x-amz-server-side-encryption*\`, \`x-amz-object-lock-*\`, \`x-amz-bucket-object-lock-enabled\` |
| \`x-amz-website-redirect-location\` | kept and told; nothing redirects | |
| checksums | CRC32, CRC32C (full object, composite), CRC64NVME (full object), SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128 (composite in parts) | |

## Limits

Keys 1,024 bytes of UTF-8; user metadata 2 KiB; 10 tags on an object, 50 on a bucket; 5 GiB in one PUT, part or copy; 10,000 parts of 5 MiB (but the last) to 5 GiB;
1,000 rows in a listing, 10,000 buckets in one; 1,000 objects in one DeleteObjects.
`

const SHARED = new Set([...CHECKSUM_HEADERS, 'x-amz-request-payer', 'x-amz-sdk-checksum-algorithm'])
const OVERRIDES = new Set(RESPONSE_OVERRIDES)

function understood(entry: TableEntry): string {
  const selectors = new Set(entry.selectors.map((selector) => selector.name))
  const names = [...entry.parameters].filter((name) => !selectors.has(name) && !OVERRIDES.has(name))
  if ([...entry.parameters].some((name) => OVERRIDES.has(name))) names.push('response-*')
  if (entry.headers.has(CHECKSUM_HEADERS[0] ?? '')) names.push('checksums')
  names.push(...[...entry.headers].filter((name) => !SHARED.has(name)))
  return names.map((name) => (name === 'checksums' ? name : `\`${name}\``)).join(' ')
}

const byName = (a: TableEntry, b: TableEntry): number => (a.name < b.name ? -1 : 1)

export function compatibilityPage(): string {
  const { entries } = new OperationTable(operations)
  const unset = new Set(unsetConfigurations.map((operation) => operation.name))
  const built = entries.filter((entry) => entry.operation !== undefined && !unset.has(entry.name)).sort(byName)
  const asked = entries.filter((entry) => unset.has(entry.name)).sort(byName)
  const unbuilt = entries.filter((entry) => entry.operation === undefined).sort(byName)
  const rows = built.map((entry) => `| ${entry.name} | ${understood(entry)} |`)
  return `${INTRODUCTION}
## Operations

${built.length} are built. Beside each, the parameters and \`x-amz-*\` headers that it understands; \`x-amz-expected-bucket-owner\` and those of the signature everywhere.

| operation | understands |
|---|---|
${rows.join('\n')}

${asked.length} answer what Amazon answers for a bucket that was never configured; tools ask for them. Reading gives the "not configured" error or the empty
document, removing goes well, setting is not built: ${asked.map((entry) => entry.name).join(', ')}.

${unbuilt.length} answer \`NotImplemented\`: ${unbuilt.map((entry) => entry.name).join(', ')}.

${DIFFERENCES}`
}
