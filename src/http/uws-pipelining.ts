/**
 * Pipelining for the pinned uWebSockets.js binary for Linux x64 (uws-corrections.ts says what it is without). The library parses all that it has read, and
 * has no place for a request that comes while the reply to the one before it is pending. Here nothing is read that cannot be handled now: bytes are looked at
 * (MSG_PEEK), parsed up to the end of a request whose reply is pending, and only what was parsed is taken off the kernel's queue. The rest waits
 * there, within the kernel's own bound, its flow control slows the client down, and nothing of it is interpreted before its turn: neither as a
 * request nor as an error, whose reply would land in the middle of another.
 *
 * Six places of the library jump to the routines below, which stand where the TLS variant of on_data was: code that nothing calls, since TLS
 * is served by node:https. Addresses, and what the library's structures are (uWebSockets 20.7x, uSockets 0.8):
 *
 *   us_socket_t            0x08 fd; 0x0c poll type, bits 0-1 (1: shut down), 2 writing, 3 reading; 0x18 context; 0x20 previous (the context, once closed)
 *   us_socket_context_t    0x00 loop; 0x48 on_data
 *   us_loop_t              0x28 receive buffer: 32 bytes, 512 KiB, 32 bytes
 *   HttpResponseData       0x38 bytes of replies that wait for the client; 0x78 bytes of the body to come (its two highest bits: chunked);
 *                          0xec state: 0x08 a reply is pending, 0x10 the connection is to be closed, 0x20 (ours) HELD: not polled for reading
 */

/** Hexadecimal digits, and what they say in the GNU assembler's words. */
type Code = readonly (readonly [code: string, meaning: string])[]

/** Bytes `was` at `at`, in the file as in memory, become `put`. Hexadecimal digits. */
export type Replacement = { readonly at: number; readonly was: string; readonly put: string }

/**
 * In place of recv() in us_internal_dispatch_ready_poll. %rbx is the socket; %rbp becomes the receive buffer, whose first 32 bytes HTTP leaves unused: the
 * first four hold how many bytes are to be taken off the kernel's queue once they are parsed.
 *
 *     if (body left, of known length) length = recv(socket, buffer, min(512 KiB, left), 0)        // never beyond its end
 *     else if (body left) length = recv(socket, buffer, 64 KiB, MSG_PEEK)
 *     else if (the connection is to be closed) drop what comes                                     // unread, it would reset the connection
 *     else if (a reply is pending or more than 64 KiB of replies wait for the client) {
 *       if (recv(socket, buffer, 1, MSG_PEEK) > 0) { state |= HELD; stop polling for reading }       // the end of the stream is still seen
 *     } else length = recv(socket, buffer, 64 KiB, MSG_PEEK)
 *     on_data(socket, buffer, length)
 */
const READ: Code = [
  ['488b4318', 'mov 0x18(%rbx),%rax'],
  ['488b28', 'mov (%rax),%rbp'],
  ['488b6d28', 'mov 0x28(%rbp),%rbp'],
  ['4531e4', 'xor %r12d,%r12d'],
  ['ba00000800', 'mov $0x80000,%edx'],
  ['0fb6430c', 'movzbl 0xc(%rbx),%eax'],
  ['2403', 'and $0x3,%al'],
  ['3c01', 'cmp $0x1,%al'],
  ['743e', 'je receive'],
  ['488b4378', 'mov 0x78(%rbx),%rax'],
  ['4885c0', 'test %rax,%rax'],
  ['7412', 'je between'],
  ['4889c1', 'mov %rax,%rcx'],
  ['48c1e93e', 'shr $0x3e,%rcx'],
  ['7521', 'jne look'],
  ['4839d0', 'cmp %rdx,%rax'],
  ['480f42d0', 'cmovb %rax,%rdx'],
  ['eb23', 'jmp receive'],
  ['8b83ec000000', 'between: mov 0xec(%rbx),%eax'],
  ['a810', 'test $0x10,%al'],
  ['7519', 'jne receive'],
  ['a808', 'test $0x8,%al'],
  ['755a', 'jne hold'],
  ['48817b3800000100', 'cmpq $0x10000,0x38(%rbx)'],
  ['7750', 'ja hold'],
  ['ba00000100', 'look: mov $0x10000,%edx'],
  ['41bc02000000', 'mov $0x2,%r12d'],
  ['8b7b08', 'receive: mov 0x8(%rbx),%edi'],
  ['488d7520', 'lea 0x20(%rbp),%rsi'],
  ['4489e1', 'mov %r12d,%ecx'],
  ['e83670fcff', 'call recv'],
  ['4189c6', 'mov %eax,%r14d'],
  ['85c0', 'test %eax,%eax'],
  ['7e69', 'jle nothing'],
  ['48837b7800', 'cmpq $0x0,0x78(%rbx)'],
  ['7509', 'jne give'],
  ['f683ec00000010', 'testb $0x10,0xec(%rbx)'],
  ['7554', 'jne done'],
  ['31c9', 'give: xor %ecx,%ecx'],
  ['4585e4', 'test %r12d,%r12d'],
  ['410f45ce', 'cmovne %r14d,%ecx'],
  ['894d00', 'mov %ecx,0x0(%rbp)'],
  ['488b4318', 'mov 0x18(%rbx),%rax'],
  ['4889df', 'mov %rbx,%rdi'],
  ['488d7520', 'lea 0x20(%rbp),%rsi'],
  ['4489f2', 'mov %r14d,%edx'],
  ['ff5048', 'call *0x48(%rax)'],
  ['eb35', 'jmp done'],
  ['8b7b08', 'hold: mov 0x8(%rbx),%edi'],
  ['488d7520', 'lea 0x20(%rbp),%rsi'],
  ['ba01000000', 'mov $0x1,%edx'],
  ['b902000000', 'mov $0x2,%ecx'],
  ['e8ea6ffcff', 'call recv'],
  ['4189c6', 'mov %eax,%r14d'],
  ['85c0', 'test %eax,%eax'],
  ['7e1d', 'jle nothing'],
  ['808bec00000020', 'orb $0x20,0xec(%rbx)'],
  ['0fb6530c', 'movzbl 0xc(%rbx),%edx'],
  ['d1ea', 'shr %edx'],
  ['83e202', 'and $0x2,%edx'],
  ['4889df', 'mov %rbx,%rdi'],
  ['e87b88fcff', 'call us_poll_change'],
  ['e947790200', 'done: jmp the end of us_internal_dispatch_ready_poll'],
  ['e9a3780200', 'nothing: jmp where it looks at the error or end of file'],
]

/**
 * Before each request in HttpParser::consumePostPadded. (%rsp) is the socket, %ecx the number of bytes not yet parsed.
 *
 *     if (a reply is pending, or the connection to be closed, or more than 64 KiB of replies wait) {
 *       if (the connection is not to be closed) leave what is not yet parsed in the kernel
 *       return
 *     }
 */
const PARSE: Code = [
  ['488b0424', 'mov (%rsp),%rax'],
  ['f680ec00000018', 'testb $0x18,0xec(%rax)'],
  ['7515', 'jne stop'],
  ['4881783800000100', 'cmpq $0x10000,0x38(%rax)'],
  ['770b', 'ja stop'],
  ['894c2468', 'mov %ecx,0x68(%rsp)'],
  ['89ce', 'mov %ecx,%esi'],
  ['e9b6110000', 'jmp back'],
  ['f680ec00000010', 'stop: testb $0x10,0xec(%rax)'],
  ['750d', 'jne used'],
  ['488b5018', 'mov 0x18(%rax),%rdx'],
  ['488b12', 'mov (%rdx),%rdx'],
  ['488b5228', 'mov 0x28(%rdx),%rdx'],
  ['290a', 'sub %ecx,(%rdx)'],
  ['4889c3', 'used: mov %rax,%rbx'],
  ['4531f6', 'xor %r14d,%r14d'],
  ['e96c170000', 'jmp its end'],
]

/**
 * After consumePostPadded in HttpContext's on_data. %rbx is the socket.
 *
 *     if (the socket is open) recv(socket, buffer, what was looked at and parsed, 0)
 */
const PARSED: Code = [
  ['89c5', 'mov %eax,%ebp'],
  ['4989d6', 'mov %rdx,%r14'],
  ['488b4318', 'mov 0x18(%rbx),%rax'],
  ['48394320', 'cmp %rax,0x20(%rbx)'],
  ['741b', 'je 1f'],
  ['488b00', 'mov (%rax),%rax'],
  ['488b7028', 'mov 0x28(%rax),%rsi'],
  ['8b16', 'mov (%rsi),%edx'],
  ['4883c620', 'add $0x20,%rsi'],
  ['85d2', 'test %edx,%edx'],
  ['7e0a', 'jle 1f'],
  ['8b7b08', 'mov 0x8(%rbx),%edi'],
  ['31c9', 'xor %ecx,%ecx'],
  ['e8546ffcff', 'call recv'],
  ['e94c410100', '1: jmp back'],
]

/**
 * At the end of HttpResponse::cork, in which every reply ends. %r14 is the socket.
 *
 *     if (HELD, no reply pending, the socket open, no more than 64 KiB of replies wait) { state &= ~HELD; poll for reading again }
 */
const REPLIED: Code = [
  ['418b86ec000000', 'mov 0xec(%r14),%eax'],
  ['83e028', 'and $0x28,%eax'],
  ['83f820', 'cmp $0x20,%eax'],
  ['7531', 'jne 1f'],
  ['498b4618', 'mov 0x18(%r14),%rax'],
  ['49394620', 'cmp %rax,0x20(%r14)'],
  ['7427', 'je 1f'],
  ['49817e3800000100', 'cmpq $0x10000,0x38(%r14)'],
  ['771d', 'ja 1f'],
  ['4183a6ec000000df', 'andl $0xffffffdf,0xec(%r14)'],
  ['410fb6560c', 'movzbl 0xc(%r14),%edx'],
  ['d1ea', 'shr %edx'],
  ['83e202', 'and $0x2,%edx'],
  ['83ca01', 'or $0x1,%edx'],
  ['4c89f7', 'mov %r14,%rdi'],
  ['e8bf87fcff', 'call us_poll_change'],
  ['488b442418', '1: mov 0x18(%rsp),%rax'],
  ['e93b230200', 'jmp back'],
]

/** After on_writable: the client has taken something. %rbx is the socket. The same as at the end of cork. */
const DRAINED: Code = [
  ['8b83ec000000', 'mov 0xec(%rbx),%eax'],
  ['83e028', 'and $0x28,%eax'],
  ['83f820', 'cmp $0x20,%eax'],
  ['7525', 'jne 1f'],
  ['48817b3800000100', 'cmpq $0x10000,0x38(%rbx)'],
  ['771b', 'ja 1f'],
  ['83a3ec000000df', 'andl $0xffffffdf,0xec(%rbx)'],
  ['0fb6530c', 'movzbl 0xc(%rbx),%edx'],
  ['d1ea', 'shr %edx'],
  ['83e202', 'and $0x2,%edx'],
  ['83ca01', 'or $0x1,%edx'],
  ['4889df', 'mov %rbx,%rdi'],
  ['e88287fcff', 'call us_poll_change'],
  ['488b4318', '1: mov 0x18(%rbx),%rax'],
  ['488b08', 'mov (%rax),%rcx'],
  ['0fb6430c', 'movzbl 0xc(%rbx),%eax'],
  ['e95c740200', 'jmp back'],
]

/**
 * In us_socket_close, before close(). %r14 is the socket. What lies unread in the kernel would make the close a reset, and a reset destroys the reply on its
 * way to the client: up to 1 MiB is dropped (MSG_TRUNC).
 */
const CLOSING: Code = [
  ['418b7e08', 'mov 0x8(%r14),%edi'],
  ['31f6', 'xor %esi,%esi'],
  ['ba00001000', 'mov $0x100000,%edx'],
  ['b960000000', 'mov $0x60,%ecx'],
  ['e8ad6efcff', 'call recv'],
  ['418b7e08', 'mov 0x8(%r14),%edi'],
  ['e86462fcff', 'call close'],
  ['e9abb90200', 'jmp back'],
]

const codeOf = (code: Code): string => code.map(([digits]) => digits).join('')

/** Their calls and jumps hold distances, so each stands at its address and nowhere else. */
const ROUTINES = [READ, PARSE, PARSED, REPLIED, DRAINED, CLOSING].map(codeOf).join('')

export const PIPELINING: readonly Replacement[] = [
  // What begins where the routines go; and who should ever call it meets an invalid instruction.
  { at: 0xfa540, was: '55415741564154534883ec504889fb0f', put: `0f0b${'cc'.repeat(14)}${ROUTINES}` },
  { at: 0x121e70, was: '8b7b08488b', put: 'e9db86fdff' }, // mov 8(%rbx),%edi; mov (%rax),%rax  →  jmp READ
  { at: 0xfb801, was: '894c246889ce', put: 'e929eeffff90' }, // mov %ecx,0x68(%rsp); mov %ecx,%esi  →  jmp PARSE
  { at: 0x10e7e8, was: '89c54989d6', put: 'e985befeff' }, // mov %eax,%ebp; mov %rdx,%r14  →  jmp PARSED
  { at: 0x11ca21, was: '488b442418', put: 'e97bdcfdff' }, // mov 0x18(%rsp),%rax  →  jmp REPLIED
  { at: 0x121b83, was: '488b080fb6430c', put: 'e9638bfdff9090' }, // mov (%rax),%rcx; movzbl 0xc(%rbx),%eax  →  jmp DRAINED
  { at: 0x1260f3, was: '418b7e08e8b4a8f9ff', put: 'e93646fdff90909090' }, // mov 8(%r14),%edi; call close  →  jmp CLOSING
]
