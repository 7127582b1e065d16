/**
 * The site's keys: SITE/keys, files readable by the owner only. They are the one thing that cannot be rebuilt from the disks.
 * Format: docs/formats.md#site.
 */
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fail, ok, type Result } from '../result.ts'
import { ROOT_KEYS_FILE } from './site-files.ts'

export type RootKeys = { readonly accessKeyId: string; readonly secretAccessKey: string }

/** Keys as Amazon's look: 20 capitals and digits; 40 characters of base64's alphabet without '+' and '/'. */
export function makeRootKeys(): RootKeys {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const accessKeyId = `HF${[...randomBytes(18)].map((byte) => letters[byte % 32]).join('')}`
  let secretAccessKey = ''
  while (secretAccessKey.length < 40) secretAccessKey += randomBytes(30).toString('base64').replace(/[+/=]/g, '')
  return { accessKeyId, secretAccessKey: secretAccessKey.slice(0, 40) }
}

/** The error is a sentence: what is wrong with the keys that were given. */
export function checkRootKeys(keys: RootKeys): Result<void, string> {
  if (!/^[A-Za-z0-9._-]{3,128}$/.test(keys.accessKeyId)) {
    return fail('HOLDFAST_ROOT_ACCESS_KEY must have 3 to 128 letters, digits, dots, dashes or underscores.')
  }
  if (keys.secretAccessKey.length < 8 || keys.secretAccessKey.length > 256)
    return fail('HOLDFAST_ROOT_SECRET_KEY must have 8 to 256 characters.')
  return ok(undefined)
}

export function saveRootKeys(siteDirectory: string, keys: RootKeys): void {
  writeSecretFile(join(siteDirectory, ROOT_KEYS_FILE), `${JSON.stringify({ version: 1, ...keys }, null, 2)}\n`)
}

/** The error is a sentence. */
export function readRootKeys(siteDirectory: string): Result<RootKeys, string> {
  const file = join(siteDirectory, ROOT_KEYS_FILE)
  if (!existsSync(file)) return fail(`${file} is missing: copy the keys folder back from where you keep it.`)
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Partial<RootKeys> & { version?: unknown }
    if (kept.version === 1 && typeof kept.accessKeyId === 'string' && typeof kept.secretAccessKey === 'string') {
      return ok({ accessKeyId: kept.accessKeyId, secretAccessKey: kept.secretAccessKey })
    }
  } catch {
    // Said below.
  }
  return fail(`${file} is damaged: copy the keys folder back from where you keep it.`)
}

/** The canonical id of the root user: 64 hexadecimal digits, the same for the same access key. */
export const canonicalId = (accessKeyId: string): string =>
  createHash('sha256').update(`holdfast canonical id\0${accessKeyId}`).digest('hex')

/** Writes a file that only its owner may read: whole or not at all, and durable. */
export function writeSecretFile(file: string, content: string | Uint8Array): void {
  if (!existsSync(dirname(file))) mkdirSync(dirname(file), { mode: 0o700 })
  const temporary = `${file}.tmp`
  const descriptor = openSync(temporary, 'w', 0o600)
  try {
    writeSync(descriptor, typeof content === 'string' ? Buffer.from(content) : content)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(temporary, file)
  const folder = openSync(dirname(file), 'r')
  fsyncSync(folder)
  closeSync(folder)
}
