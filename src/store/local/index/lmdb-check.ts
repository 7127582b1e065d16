/**
 * A look at an LMDB file before it is opened: what is no environment, or was cut short, would end the process instead of answering with a fault.
 * It finds lost and truncated files, not every damage; the rest is found by the process dying over it (see site-index.ts).
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * The two meta pages begin the file, one page each. Layout of the format that the package `lmdb` writes (version 2), little-endian: magic at 24, format at
 * 28, page size at 48, last page at 144, transaction at 152.
 */
const MAGIC = 0xbeefc0de
const FORMAT = 2
const META_BYTES = 160
const PAGE_BYTES_MAX = 65_536

/** Whether the environment in `directory` may be opened; one that is not there may. */
export async function looksWhole(directory: string): Promise<boolean> {
  const file = await open(join(directory, 'data.mdb'), 'r').catch(() => undefined)
  if (file === undefined) return true
  try {
    const { size } = await file.stat()
    if (size === 0) return true
    const head = Buffer.alloc(PAGE_BYTES_MAX + META_BYTES)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    const first = readMeta(head.subarray(0, bytesRead), 0)
    const second = first && readMeta(head.subarray(0, bytesRead), first.pageBytes)
    if (first === undefined || second === undefined) return false
    const newest = first.transaction > second.transaction ? first : second
    return size >= (newest.lastPage + 1) * newest.pageBytes
  } finally {
    await file.close()
  }
}

type Meta = { readonly pageBytes: number; readonly lastPage: number; readonly transaction: number }

function readMeta(head: Buffer, offset: number): Meta | undefined {
  if (head.length < offset + META_BYTES) return undefined
  if (head.readUInt32LE(offset + 24) !== MAGIC || head.readUInt32LE(offset + 28) !== FORMAT) return undefined
  const pageBytes = head.readUInt32LE(offset + 48)
  const isPageSize = pageBytes >= 512 && pageBytes <= PAGE_BYTES_MAX && (pageBytes & (pageBytes - 1)) === 0
  if (!isPageSize) return undefined
  return { pageBytes, lastPage: Number(head.readBigUInt64LE(offset + 144)), transaction: Number(head.readBigUInt64LE(offset + 152)) }
}
