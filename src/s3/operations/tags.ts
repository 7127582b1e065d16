/** Tags: what may be one, from a header and from XML. Source: Amazon S3 User Guide, "Categorizing your objects using tags". */
import { fail, ok, type Result } from '../../result.ts'
import type { Tags } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { childOf, childrenOf, element, textOf, type XmlElement, xmlDocument } from '../xml.ts'
import { invalidArgument } from './arguments.ts'

export const OBJECT_TAGS_MAX = 10
export const BUCKET_TAGS_MAX = 50
const KEY_LENGTH_MAX = 128
const VALUE_LENGTH_MAX = 256
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

const invalidTag = (message: string, key: string, value?: string): S3Failure =>
  s3Failure('InvalidTag', { message, elements: value === undefined ? { TagKey: key } : { TagKey: key, TagValue: value } })

function check(tags: Tags, tagsMax: number): Result<Tags, S3Failure> {
  if (tags.length > tagsMax) {
    const message =
      tagsMax === OBJECT_TAGS_MAX ? `Object tags cannot be greater than ${tagsMax}` : `Bucket tag count cannot be greater than ${tagsMax}`
    return fail(s3Failure('BadRequest', { message }))
  }
  const seen = new Set<string>()
  for (const [key, value] of tags) {
    if (key === '' || key.length > KEY_LENGTH_MAX || !ALLOWED.test(key))
      return fail(invalidTag('The TagKey you have provided is invalid', key))
    if (/^aws:/i.test(key)) return fail(invalidTag('System tags cannot be added/updated by requester', key))
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
      if (key === '' || tags.some(([other]) => other === key)) return malformed()
      tags.push([key, equals < 0 ? '' : formDecoded(pair.slice(equals + 1))])
    } catch {
      return malformed()
    }
  }
  return check(tags, OBJECT_TAGS_MAX)
}

/** The document Tagging. Errors: MalformedXML, InvalidTag, BadRequest. */
export function parseTagging(root: XmlElement, tagsMax: number): Result<Tags, S3Failure> {
  const set = root.name === 'Tagging' ? childOf(root, 'TagSet') : undefined
  return set === undefined ? fail(s3Failure('MalformedXML')) : parseTagList(set, tagsMax)
}

/** An element that holds Tag elements. */
export function parseTagList(set: XmlElement, tagsMax: number): Result<Tags, S3Failure> {
  const tags: (readonly [string, string])[] = []
  for (const tag of childrenOf(set, 'Tag')) {
    const key = textOf(tag, 'Key')
    const value = textOf(tag, 'Value')
    if (key === undefined || value === undefined) return fail(s3Failure('MalformedXML'))
    tags.push([key, value])
  }
  return check(tags, tagsMax)
}

export const taggingDocument = (tags: Tags): string =>
  xmlDocument(
    'Tagging',
    `<TagSet>${tags.map(([key, value]) => `<Tag>${element('Key', key)}${element('Value', value)}</Tag>`).join('')}</TagSet>`,
  )
