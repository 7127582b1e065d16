import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTlsFiles } from '../../src/http/tls-files.ts'

const vectors = join(import.meta.dirname, '..', 'vectors', 'tls')
const vector = (name: string): string => readFileSync(join(vectors, name), 'utf8')
const cert = vector('first.crt')
const key = vector('first.key')
const other = vector('second.crt')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-files-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const place = (name: string): string => join(folder, name)

/** What is said of files with this in them. */
function said(files: { readonly cert?: string | Buffer; readonly key?: string | Buffer }): string | undefined {
  writeFileSync(place('site.crt'), files.cert ?? cert)
  writeFileSync(place('site.key'), files.key ?? key)
  const read = readTlsFiles({ certFile: place('site.crt'), keyFile: place('site.key') })
  return read.ok ? undefined : read.error
}

const encrypted = (type: 'pkcs8' | 'sec1'): string =>
  createPrivateKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }))
    .export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
    .toString()

const ALONE = /-----BEGIN CERTIFICATE-----[\s\S]*$/

test.each<[string, { cert?: string | Buffer; key?: string | Buffer }, RegExp]>([
  ['an empty certificate', { cert: '' }, /site\.crt is empty: name the certificate chain .*--tls-cert\.$/],
  ['an empty key', { key: '' }, /site\.key is empty: name the private key .*--tls-key\.$/],
  ['no PEM for a certificate', { cert: 'no certificate' }, /site\.crt holds no certificate in PEM .*--tls-cert\.$/],
  ['no PEM for a key', { key: 'no key' }, /site\.key holds no private key in PEM .*--tls-key\.$/],
  ['files that are swapped', { cert: key, key: cert }, /site\.crt holds a private key and no certificate: .*swapped\?\)\.$/],
  ['a certificate in the place of the key', { key: cert }, /site\.key holds a certificate and no private key: .*swapped\?\)\.$/],
  ['a certificate in DER', { cert: new X509Certificate(cert).raw }, /site\.crt is not PEM but DER: .*openssl x509 -inform der/],
  ['a key in DER', { key: createPrivateKey(key).export({ type: 'pkcs8', format: 'der' }) }, /site\.key is not PEM but DER: .*openssl pkey/],
  [
    'a certificate that was cut short',
    { cert: cert.replace(ALONE, (text) => text.slice(0, 200)) },
    /site\.crt holds .* damaged or cut short/,
  ],
  ['a chain that was cut short', { cert: `${cert}${other.slice(0, 200)}` }, /site\.crt holds .* damaged or cut short/],
  ['a key that was cut short', { key: key.slice(0, 60) }, /site\.key holds .* damaged or cut short/],
  ['a key encrypted as PKCS #8', { key: encrypted('pkcs8') }, /site\.key is encrypted, .*openssl pkey -in FILE -out NEW/],
  ['a key encrypted in the old way', { key: encrypted('sec1') }, /site\.key is encrypted, .*openssl pkey -in FILE -out NEW/],
  ['a key of another certificate', { cert: other }, /site\.key is not the key of the certificate in .*site\.crt/],
  ['a chain in the wrong order', { cert: `${other}${cert}` }, /site\.crt has the certificate of the server in place 2: put it first/],
])('%s is said in one sentence that names the file and what to do', (_, files, sentence) => {
  const told = said(files)
  expect(told).toMatch(sentence)
  expect(told).toMatch(/^[^\n]+\.$/)
  expect(told).not.toMatch(/error:|routines|ERR_/)
})

test('of a key nothing but the name of its file is told', () => {
  const secret = key.split('\n')[1] ?? key
  expect(said({ key: key.replace(/-----END[\s\S]*/, '') })).not.toContain(secret)
  expect(said({ cert: key })).not.toContain(secret)
})

test('a chain behind the certificate, text around it, and a key behind its parameters are taken', () => {
  expect(said({ cert: `subject=first\n${cert}\n${other}` })).toBeUndefined()
  expect(said({ key: `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${key}` })).toBeUndefined()
})

test('a key too short to be safe is said to be that', () => {
  expect(said({ cert: vector('short.crt'), key: vector('short.key') })).toMatch(
    /site\.crt has a certificate whose key is too short to be safe: /,
  )
})

test('what is no file is said to be none', () => {
  const files = { certFile: place('site.crt'), keyFile: place('site.key') }
  said({})
  const sentence = (change: Partial<typeof files>): string => {
    const read = readTlsFiles({ ...files, ...change })
    return read.ok ? '' : read.error
  }
  expect(sentence({ certFile: folder })).toMatch(/is a directory, not a file: name the certificate chain/)
  expect(sentence({ keyFile: folder })).toMatch(/is a directory, not a file: name the private key/)
  expect(sentence({ keyFile: place('missing.key') })).toBe(
    `There is no file ${place('missing.key')}: name the private key of the certificate in PEM with --tls-key.`,
  )
  expect(sentence({ keyFile: join(place('site.crt'), 'key') })).toMatch(/^There is no file .*something in its path is not a directory/)
  expect(sentence({ keyFile: '/dev/null' })).toMatch(/is not an ordinary file/)
})
