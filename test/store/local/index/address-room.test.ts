/** The kernel's own words on how many addresses a process has: LMDB maps half of them, up to a tebibyte. */
import { expect, test } from 'vitest'
import { mapBytes, parseAddressSpace, whyNoRoomForIndex } from '../../../../src/store/local/index/address-room.ts'

const limits = (bytes: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units     
Max open files            1024                 1048576              files     
Max address space         ${bytes.padEnd(20)} unlimited            bytes     
`
const stack = (range: string): string => `aaaac1a70000-aaaac1a71000 r-xp 00000000 fe:01 1310 /usr/bin/node
${range} rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`
const GIB = 2 ** 30

test.each([
  ['x86-64', 'unlimited', '7ffcdc58a000-7ffcdc5ab000', 2 ** 47, 1024],
  ['arm64 with 48 bits', 'unlimited', 'ffffe8a40000-ffffe8a61000', 2 ** 48, 1024],
  ['arm64 with 39 bits', 'unlimited', '7fd2c5d000-7fd2c7e000', 2 ** 39, 256],
  ['a limit of 300 GiB', String(300 * GIB), '7ffcdc58a000-7ffcdc5ab000', 300 * GIB, 128],
])('%s', (_what, limit, range, space, gib) => {
  expect(parseAddressSpace(limits(limit), stack(range))).toBe(space)
  expect(mapBytes(space)).toBe(gib * GIB)
  expect(whyNoRoomForIndex(space)).toBeUndefined()
})

test('where nothing can be read nothing is limited', () => {
  expect(mapBytes(parseAddressSpace('', ''))).toBe(1024 * GIB)
})

test('too few are told in one sentence', () => {
  expect(whyNoRoomForIndex(100 * GIB)).toBe(
    'This process may use 100 GiB of addresses, and the index needs 128 GiB (of addresses, not of memory): raise the limit (ulimit -v, LimitAS= of systemd).',
  )
})
