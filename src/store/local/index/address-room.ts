/**
 * How much of the address space the index may map. LMDB maps the whole of what it may ever grow to, and its binding dies where the kernel refuses that:
 * so it is known before. A process has fewer addresses where its operator set a limit (`ulimit -v`, LimitAS= of systemd), and on kernels for arm64 that
 * are built for 39 bits of address, 512 GiB. Sources: proc(5) on /proc/pid/limits and /proc/pid/maps; the kernel's Documentation/arch/arm64/memory.rst.
 */
import { readFileSync } from 'node:fs'

/** So far an index may grow where nothing limits it: some thousand million versions. */
const MAP_BYTES_MAX = 2 ** 40
/** So far it may grow at least: some hundred million. */
const MAP_BYTES_MIN = 2 ** 36
/** The rest is for what else has addresses: threads, WebAssembly, libraries. */
const SHARE = 2

/** A power of two; the same for every thread of the process. Undefined if there is too little. */
export function mapBytes(space: number): number | undefined {
  const room = 2 ** Math.floor(Math.log2(space / SHARE))
  return room < MAP_BYTES_MIN ? undefined : Math.min(room, MAP_BYTES_MAX)
}

/** A sentence if this process cannot open an index. */
export function whyNoRoomForIndex(space = addressSpace()): string | undefined {
  if (mapBytes(space) !== undefined) return undefined
  const [given, needed] = [space, MAP_BYTES_MIN * SHARE].map((bytes) => `${Math.floor(bytes / 2 ** 30)} GiB`)
  return `This process may use ${given} of addresses, and the index needs ${needed} (of addresses, not of memory): raise the limit (ulimit -v, LimitAS= of systemd).`
}

/** In bytes; what cannot be read limits nothing. */
export const addressSpace = (): number => parseAddressSpace(readText('/proc/self/limits'), readText('/proc/self/maps'))

/** The stack lies at the upper end of the addresses that a process may have. */
export function parseAddressSpace(limits: string, maps: string): number {
  const limit = /^Max address space +(\d+)/m.exec(limits)?.[1]
  const stack = /^[0-9a-f]+-([0-9a-f]+) .*\[stack\]$/m.exec(maps)?.[1]
  return Math.min(
    limit === undefined ? Number.POSITIVE_INFINITY : Number(limit),
    stack === undefined ? Number.POSITIVE_INFINITY : upTo(stack),
  )
}

/** The power of two that an address lies below. */
const upTo = (hex: string): number => 2 ** BigInt(`0x${hex}`).toString(2).length

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
