import { S3_ERRORS, type S3Failure } from './errors.ts'
import { element, XML_DECLARATION } from './xml.ts'

/** The XML document of an error. What was signed keeps its line breaks, for people to read. `resource` is the path as the client sent it, decoded. */
export function errorDocument(failure: S3Failure, resource: string, requestId: string, hostId: string): string {
  let text = `${XML_DECLARATION}<Error>${element('Code', failure.code)}${element('Message', failure.message ?? S3_ERRORS[failure.code].message)}`
  if (failure.elements !== undefined)
    for (const [name, value] of Object.entries(failure.elements)) text += element(name, value).replaceAll('&#xA;', '\n')
  return `${text}${element('Resource', resource)}${element('RequestId', requestId)}${element('HostId', hostId)}</Error>`
}
