import { hash } from 'node:crypto'
import { PIPELINING, type Replacement } from './uws-pipelining.ts'

/**
 * Corrections to the pinned uWebSockets.js binary for Linux x64 and Node.js 24, made in the copy that is loaded (uws-load.ts). The library offers no option for
 * them, and building it needs a C++ tool chain and V8's headers. They are made in exactly this file or not at all.
 */
const KNOWN_SHA256 = '98128405dba2fb608448e921a979530f70c946a2cc9889c15f2fa70c2d00ab05'

const REPLACEMENTS: readonly Replacement[] = [
  // The library answers "Expect: 100-continue" by itself before the handler runs, so that a refused upload is sent all the same. The text it compares with
  // becomes line feeds, which no header value holds. Once in the plain and once in the TLS variant: movabs $"100-cont",%rax.
  { at: 0xf0357, was: '48b83130302d636f6e74', put: '48b80a0a0a0a0a0a0a0a' },
  { at: 0x107c37, was: '48b83130302d636f6e74', put: '48b80a0a0a0a0a0a0a0a' },
  // Blanks around a header value are trimmed with a signed comparison, which takes every byte from 0x80 for a blank: "é" becomes "".
  // cmpb $0x21,1(%r11,%rax); jge  →  jae
  { at: 0xfc570, was: '41807c0301217d0c', put: '41807c030121730c' },
  // cmpb $0x20,-1(%r11); jg  →  ja
  { at: 0xfc590, was: '41807bff207f11', put: '41807bff207711' },
  // The list of headers ends with one that has no name, so a line that begins with a colon hid all that follow, Content-Length among them, and the body was
  // read as the next request: what smuggles requests past a proxy (RFC 9112, section 11.2). An empty name is now refused as a forbidden character is.
  // mov %r11,%rax; sub %r14,%rax; mov %rax,(%rdx); mov %r14,8(%rdx); cmpb $0x3a,(%r11); jne refuse; mov %ebp,0xc(%rsp); lea 1(%r11),%r12; mov $-2,%rbx;
  // sub %r11,%rbx; mov %r12,%r13; 7 bytes of nothing  →  the same with "je refuse" behind the first subtraction, and 1 byte of nothing
  {
    at: 0xfc4bd,
    was: '4c89d84c29f04889024c89720841803b3a0f850f010000896c240c4d8d630148c7c3feffffff4c29db4d89e50f1f8000000000',
    put: '4c89d84c29f00f841a0100004889024c89720841803b3a0f8509010000896c240c4d8d630148c7c3feffffff4c29db4d89e590',
  },
  // A request that arrives before the one before it was answered closes the connection, and the first answer is lost. And a socket that filled the receive
  // buffer is read again at once, even if the adapter paused it: a fast client got the kernel's whole buffer into ours.
  ...PIPELINING,
]

/** Corrects `library` in place if it is the known one. */
export function correct(library: Uint8Array): 'corrected' | 'unknown' {
  if (hash('sha256', library, 'hex') !== KNOWN_SHA256) return 'unknown'
  const bytes = Buffer.from(library.buffer, library.byteOffset, library.byteLength)
  for (const { at, was } of REPLACEMENTS) {
    if (bytes.toString('hex', at, at + was.length / 2) !== was) return 'unknown'
  }
  for (const { at, put } of REPLACEMENTS) bytes.write(put, at, 'hex')
  return 'corrected'
}
