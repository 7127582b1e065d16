/** How the admin socket of a site is named to the kernel. */
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { ADMIN_SOCKET } from './site-files.ts'

/** Source: unix(7): sun_path has 108 bytes with the zero at its end. */
const PATH_BYTES_MAX = 107

export type SocketPath = { readonly path: string; close(): void }

/** A path too long for the kernel becomes a short one through an open descriptor of the directory, until `close`. Throws if that cannot be opened. */
export function socketPath(siteDirectory: string): SocketPath {
  const path = join(siteDirectory, ADMIN_SOCKET)
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return { path, close: () => undefined }
  const directory = openSync(siteDirectory, 'r')
  return { path: `/proc/self/fd/${directory}/${ADMIN_SOCKET}`, close: () => closeSync(directory) }
}
