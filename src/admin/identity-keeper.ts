/** The site's private identity while the site is open: what is in memory is what lies in SITE/keys. */
import { closeSync, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { PrivateIdentity } from '../bundles/identity.ts'
import { IDENTITY_FILE } from './site-files.ts'
import { saveSiteIdentity } from './site-identity.ts'

export class IdentityKeeper {
  readonly #siteDirectory: string
  #identity: PrivateIdentity

  constructor(siteDirectory: string, identity: PrivateIdentity) {
    this.#siteDirectory = siteDirectory
    this.#identity = identity
  }

  get identity(): PrivateIdentity {
    return this.#identity
  }

  /**
   * Durable when it returns. The bytes of the file before are overwritten, for keys that are not in the new one any more: as far as the file system writes in place, which
   * copy-on-write ones and flash do not. Throws what writing throws; then the one before still holds.
   */
  keep(identity: PrivateIdentity): void {
    const before = openSync(join(this.#siteDirectory, IDENTITY_FILE), 'r+')
    try {
      saveSiteIdentity(this.#siteDirectory, identity)
      this.#identity = identity
      const { size } = fstatSync(before)
      writeSync(before, Buffer.alloc(size), 0, size, 0)
      fsyncSync(before)
    } finally {
      closeSync(before)
    }
  }
}
