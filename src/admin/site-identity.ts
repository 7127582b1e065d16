/** The site's private identity in SITE/keys (0600). Format: docs/formats.md#identity. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type PrivateIdentity, parsePrivateIdentity, serializePrivateIdentity } from '../bundles/identity.ts'
import { fail, ok, type Result } from '../result.ts'
import { IDENTITY_FILE } from './site-files.ts'
import { writeSecretFile } from './site-keys.ts'

export function saveSiteIdentity(siteDirectory: string, identity: PrivateIdentity): void {
  writeSecretFile(join(siteDirectory, IDENTITY_FILE), serializePrivateIdentity(identity))
}

/** The error is a sentence. */
export function readSiteIdentity(siteDirectory: string): Result<PrivateIdentity, string> {
  const file = join(siteDirectory, IDENTITY_FILE)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return fail(`${file} can't be read: copy the keys folder back from where you keep it.`)
  }
  const parsed = parsePrivateIdentity(text)
  return parsed.ok ? ok(parsed.value) : fail(`${file} is damaged: copy the keys folder back from where you keep it.`)
}
