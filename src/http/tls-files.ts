/**
 * Certificate and key as an operator names them: read and looked at before OpenSSL is asked, whose words ("no start line") say neither which file is meant nor what
 * to do. What is shown of a key's file is its name alone.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { fail, ok, type Result } from '../result.ts'
import { describeSystemFailure } from '../system-failure.ts'

/** PEM files: the certificate with its chain, and its key. */
export type TlsFiles = { readonly certFile: string; readonly keyFile: string }

export type TlsPair = { readonly cert: Buffer; readonly key: Buffer }

/** A chain with its roots takes a few KiB. */
const FILE_BYTES_MAX = 1024 * 1024

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/
const CERTIFICATES = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[\s\S]*?-----END \1-----/g

const NAME_CERTIFICATE = 'name the certificate chain in PEM with --tls-cert'
const NAME_KEY = 'name the private key of the certificate in PEM with --tls-key'

/** What a server can serve with. The error is a sentence: what is wrong with which file, and what to do. */
export function readTlsFiles({ certFile, keyFile }: TlsFiles): Result<TlsPair, string> {
  const cert = readFile(certFile, NAME_CERTIFICATE)
  if (!cert.ok) return cert
  const key = readFile(keyFile, NAME_KEY)
  if (!key.ok) return key
  const chain = parseChain(certFile, cert.value)
  if (!chain.ok) return chain
  const secret = parseKey(keyFile, key.value)
  if (!secret.ok) return secret
  if (chain.value[0]?.checkPrivateKey(secret.value) !== true)
    return fail(describeMismatch({ certFile, keyFile }, chain.value, secret.value))
  try {
    createSecureContext({ cert: cert.value, key: key.value })
  } catch (error) {
    return fail(describeUnwanted(certFile, error))
  }
  return ok({ cert: cert.value, key: key.value })
}

function readFile(file: string, remedy: string): Result<Buffer, string> {
  try {
    const stat = statSync(file)
    if (stat.isDirectory()) return fail(`${file} is a directory, not a file: ${remedy}.`)
    // Every thread reads it, and again at each SIGHUP: a pipe gives what is in it once.
    if (!stat.isFile()) return fail(`${file} is not an ordinary file, which could be read again whenever it is asked for: ${remedy}.`)
    if (stat.size > FILE_BYTES_MAX) return fail(`${file} is larger than 1 MiB, so not what is expected here: ${remedy}.`)
    const bytes = readFileSync(file)
    return bytes.length === 0 ? fail(`${file} is empty: ${remedy}.`) : ok(bytes)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return fail(`There is no file ${file}: ${remedy}.`)
    if (code === 'ENOTDIR') return fail(`There is no file ${file}, since something in its path is not a directory: ${remedy}.`)
    if (code === 'EACCES' || code === 'EPERM')
      return fail(`${file} may not be read by this user: let the user that serves read it, or run as the one that it belongs to.`)
    return fail(describeSystemFailure(file, 'read', error, { place: 'fixed' }))
  }
}

/** The server's own certificate is the first. */
function parseChain(file: string, bytes: Buffer): Result<readonly X509Certificate[], string> {
  const text = bytes.toString('latin1')
  if (!CERTIFICATE.test(text)) {
    if (PRIVATE_KEY.test(text))
      return fail(`${file} holds a private key and no certificate: ${NAME_CERTIFICATE} (are --tls-cert and --tls-key swapped?).`)
    if (isDer(bytes)) return fail(`${file} is not PEM but DER: convert it with "openssl x509 -inform der -in FILE -out NEW".`)
    return fail(`${file} holds no certificate in PEM (it has no line "-----BEGIN CERTIFICATE-----"): ${NAME_CERTIFICATE}.`)
  }
  const blocks = [...text.matchAll(CERTIFICATES)].map(([block]) => block)
  const chain = blocks.flatMap((block) => attempt(() => new X509Certificate(block)) ?? [])
  const begun = text.split(CERTIFICATE).length - 1
  if (blocks.length === begun && chain.length === begun) return ok(chain)
  return fail(`${file} holds a certificate that is damaged or cut short: copy it again from where it was issued.`)
}

function parseKey(file: string, bytes: Buffer): Result<KeyObject, string> {
  const text = bytes.toString('latin1')
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text))
    return fail(
      `${file} is encrypted, and a server has nobody to ask for its passphrase: write it without one with "openssl pkey -in FILE -out NEW", where only the user that serves may read it.`,
    )
  if (text.includes('-----BEGIN OPENSSH PRIVATE KEY-----'))
    return fail(`${file} is a key in the form of OpenSSH: convert a copy of it with "ssh-keygen -p -m PKCS8 -f COPY".`)
  if (!PRIVATE_KEY.test(text)) {
    if (CERTIFICATE.test(text))
      return fail(`${file} holds a certificate and no private key: ${NAME_KEY} (are --tls-cert and --tls-key swapped?).`)
    if (isDer(bytes)) return fail(`${file} is not PEM but DER: convert it with "openssl pkey -inform der -in FILE -out NEW".`)
    return fail(`${file} holds no private key in PEM (it has no line "-----BEGIN PRIVATE KEY-----"): ${NAME_KEY}.`)
  }
  const key = attempt(() => createPrivateKey(bytes))
  return key === undefined
    ? fail(`${file} holds a private key that is damaged or cut short: copy it again from where you keep it.`)
    : ok(key)
}

/** A structure of ASN.1. Source: ITU-T X.690, sections 8.1.2 and 8.9: a SEQUENCE, its length in more than one byte. */
const isDer = (bytes: Buffer): boolean => bytes[0] === 0x30 && ((bytes[1] ?? 0) & 0x80) !== 0

function describeMismatch({ certFile, keyFile }: TlsFiles, chain: readonly X509Certificate[], key: KeyObject): string {
  const other = chain.findIndex((certificate) => certificate.checkPrivateKey(key))
  return other > 0
    ? `${certFile} has the certificate of the server in place ${other + 1}: put it first, those that signed it behind it.`
    : `${keyFile} is not the key of the certificate in ${certFile}: name the two that were made for each other (was only one of them renewed?).`
}

/** Well formed, and not good enough. Source: openssl-errors: SSL_R_EE_KEY_TOO_SMALL, SSL_R_CA_KEY_TOO_SMALL, SSL_R_CA_MD_TOO_WEAK. */
function describeUnwanted(certFile: string, error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (/KEY_TOO_SMALL/.test(code))
    return `${certFile} has a certificate whose key is too short to be safe: have one issued for a key of RSA 2048 or EC P-256.`
  if (/MD_TOO_WEAK/.test(code))
    return `${certFile} has a certificate with a signature that is not safe any more: have one issued with SHA-256.`
  return `${certFile} can't be served with (OpenSSL says: ${message.replace(/\s+/g, ' ')}): have another certificate issued.`
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}
