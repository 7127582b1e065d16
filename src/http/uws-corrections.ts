/**
 * Four corrections to the pinned uWebSockets.js binary for Linux x64, made in the copy that is loaded (uws-load.ts). The library offers
 * no option for them, and building it needs a C++ tool chain and V8's headers. Each replaces the one place (or stated number of places) where
 * a byte pattern stands; if the pattern is not there as often as stated, as in another version or on another machine type, nothing is changed
 * and the adapter lives with what is said below.
 */
export type Correction = 'continue-when-asked' | 'values-keep-non-ascii-ends' | 'pipelining-keeps-first-reply' | 'pause-takes-effect'

type Patch = { readonly name: Correction; readonly times: number; readonly find: string; readonly put: string; readonly at: number }

const PATCHES: readonly Patch[] = [
  // The library answers "Expect: 100-continue" by itself before the handler runs, so that a refused upload is sent all the same. The text it compares with
  // becomes line feeds, which no header value holds. Once in the plain and once in the TLS variant: movabs $"100-cont",%rax.
  { name: 'continue-when-asked', times: 2, find: '48b83130302d636f6e74', put: '0a0a0a0a0a0a0a0a', at: 2 },
  // Blanks around a header value are trimmed with a signed comparison, which takes every byte from 0x80 for a blank: "é" becomes "".
  // cmpb $0x21,1(%r11,%rax); jge  →  jae
  { name: 'values-keep-non-ascii-ends', times: 1, find: '41807c0301217d0c', put: '73', at: 6 },
  // cmpb $0x20,-1(%r11); jg  →  ja
  { name: 'values-keep-non-ascii-ends', times: 1, find: '41807bff207f11', put: '77', at: 5 },
  // A request that arrives before the one before it was answered closes the connection, and the first answer is lost. It becomes: the connection
  // is marked to close after the first answer. xor %edx,%edx; xor %ecx,%ecx; call us_socket_close; xor %esi,%esi; mov %rsi,%rax; add $0x28,%rsp
  // →  orl $HTTP_CONNECTION_CLOSE,state(%rsi); nop. What stands before it, and with it the find, is of the plain variant only.
  {
    name: 'pipelining-keeps-first-reply',
    times: 1,
    find: '81e1f000000001c1eb1f31d231c9e8........31f64889f04883c428',
    put: '838eec000000106690',
    at: 10,
  },
  // A socket that filled the receive buffer (512 KiB) is read again at once, even if the first piece made the adapter pause it: a fast client gets the kernel's
  // whole buffer (6 MiB) into ours. Now it is read once per turn of the event loop. cmp $0x80000,%r14d; jne  →  nop; jmp
  { name: 'pause-takes-effect', times: 1, find: '4181fe000008000f85........4889c34885c0', put: '90e9', at: 7 },
]

/** Changes `library` in place and says which corrections are in it. */
export function correct(library: Uint8Array): Set<Correction> {
  const bytes = Buffer.from(library.buffer, library.byteOffset, library.byteLength)
  const made = new Set<Correction>()
  const missed = new Set<Correction>()
  const planned = PATCHES.map((patch) => ({ patch, places: occurrences(bytes, patch.find) }))
  for (const { patch, places } of planned) (places.length === patch.times ? made : missed).add(patch.name)
  for (const { patch, places } of planned) {
    if (missed.has(patch.name)) continue
    for (const place of places) Buffer.from(patch.put, 'hex').copy(bytes, place + patch.at)
  }
  return new Set([...made].filter((name) => !missed.has(name)))
}

/** Where `pattern` stands: hexadecimal digits, of which '..' is any byte. */
function occurrences(bytes: Buffer, pattern: string): number[] {
  const wanted = pattern.match(/../g)?.map(String) ?? []
  const fixed = wanted.indexOf('..') === -1 ? wanted : wanted.slice(0, wanted.indexOf('..'))
  const start = Buffer.from(fixed.join(''), 'hex')
  const places: number[] = []
  for (let at = bytes.indexOf(start); at !== -1; at = bytes.indexOf(start, at + 1)) {
    if (wanted.every((byte, index) => byte === '..' || bytes[at + index] === Number.parseInt(byte, 16))) places.push(at)
  }
  return places
}
