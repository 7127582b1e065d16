/** Tags: what may be one, from a header and from XML. Source: Amazon S3 User Guide, "Categorizing your objects using tags". */
import { fail, ok, type Result } from '../../result.ts'
import type { Tags } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { childOf, childrenOf, element, textOf, type XmlElement, xmlDocument } from '../xml.ts'
import { invalidArgument } from './arguments.ts'

/** How many tags there may be, and what Amazon says of one that begins with "aws:". */
type TagRules = { readonly max: number; readonly tooMany: string; readonly reserved: (key: string) => S3Failure }
export const OBJECT_TAGS: TagRules = {
  max: 10,
  tooMany: 'Object tags cannot be greater than 10',
  reserved: (key) => invalidTag('Your TagKey cannot be prefixed with aws:', key),
}
export const BUCKET_TAGS: TagRules = {
  max: 50,
  tooMany: 'Bucket tag count cannot be greater than 50',
  reserved: (key) => invalidTag('System tags cannot be added/updated by requester', key),
}
export const NEW_BUCKET_TAGS: TagRules = {
  ...BUCKET_TAGS,
  reserved: () =>
    s3Failure('InvalidTag', {
      message:
        'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags. Remove "aws:" from your tag keys and try again.',
    }),
}
const KEY_LENGTH_MAX = 128
const VALUE_LENGTH_MAX = 256
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

const invalidTag = (message: string, key: string, value?: string): S3Failure =>
  s3Failure('InvalidTag', { message, elements: value === undefined ? { TagKey: key } : { TagKey: key, TagValue: value } })

function check(tags: Tags, rules: TagRules): Result<Tags, S3Failure> {
  if (tags.length > rules.max) return fail(s3Failure('BadRequest', { message: rules.tooMany }))
  const seen = new Set<string>()
  for (const [key, value] of tags) {
    if (key === '' || key.length > KEY_LENGTH_MAX || !ALLOWED.test(key))
      return fail(invalidTag('The TagKey you have provided is invalid', key))
    if (/^aws:/i.test(key)) return fail(rules.reserved(key))
    if (value.length > VALUE_LENGTH_MAX || !ALLOWED.test(value))
      return fail(invalidTag('The TagValue you have provided is invalid', key, value))
    if (seen.has(key)) return fail(invalidTag('Cannot provide multiple Tags with the same key', key))
    seen.add(key)
  }
  return ok(tags)
}

const formDecoded = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))

/** The header x-amz-tagging: 'a=1&b=2', percent-encoded. Errors: InvalidArgument, InvalidTag, BadRequest. */
export function parseTaggingHeader(text: string): Result<Tags, S3Failure> {
  const tags: (readonly [string, string])[] = []
  const malformed = () =>
    fail(
      invalidArgument(
        'x-amz-tagging',
        text,
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      ),
    )
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    try {
      const key = formDecoded(equals < 0 ? pair : pair.slice(0, equals))
      if (key === '' || pair.indexOf('=', equals + 1) > equals || tags.some(([other]) => other === key)) return malformed()
      tags.push([key, equals < 0 ? '' : formDecoded(pair.slice(equals + 1))])
    } catch {
      return malformed()
    }
  }
  return check(tags, OBJECT_TAGS)
}

/** The document Tagging. Errors: MalformedXML, InvalidTag, BadRequest. */
export function parseTagging(root: XmlElement, rules: TagRules): Result<Tags, S3Failure> {
  if (root.name !== 'Tagging') return fail(s3Failure('MalformedXML'))
  const set = childOf(root, 'TagSet')
  // An empty document is an empty set to Amazon.
  if (set === undefined) return root.children.length === 0 ? ok([]) : fail(s3Failure('MalformedXML'))
  return parseTagList(set, rules)
}

/** An element that holds Tag elements. */
export function parseTagList(set: XmlElement, rules: TagRules): Result<Tags, S3Failure> {
  const tags: (readonly [string, string])[] = []
  for (const tag of childrenOf(set, 'Tag')) {
    const key = textOf(tag, 'Key')
    const value = textOf(tag, 'Value')
    if (key === undefined || value === undefined) return fail(s3Failure('MalformedXML'))
    tags.push([key, value])
  }
  return check(tags, rules)
}

export const taggingDocument = (tags: Tags): string =>
  xmlDocument(
    'Tagging',
    `<TagSet>${tags.map(([key, value]) => `<Tag>${element('Key', key)}${element('Value', value)}</Tag>`).join('')}</TagSet>`,
  )
