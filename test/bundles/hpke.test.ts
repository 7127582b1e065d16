import { createDecipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ENCAPSULATED_BYTES, ENCRYPTION_KEY_BYTES, exportSecret, open, seal, setupRecipient, setupSender } from '../../src/bundles/hpke.ts'
import { expandSeed } from '../../src/bundles/keys.ts'

type Vector = {
  info: string
  skRm: string
  pkRm: string
  enc: string
  key: string
  base_nonce: string
  exporter_secret: string
  encryptions: { aad: string; ct: string; nonce: string; pt: string }[]
  exports: { exporter_context: string; L: number; exported_value: string }[]
}
const vector = JSON.parse(readFileSync(new URL('../vectors/bundles/hpke-mlkem1024-p384.json', import.meta.url), 'utf8')) as Vector
const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const info = Buffer.from('which bundle, from whom, to whom')

test('a seed grows into the public key of the published vector', () => {
  expect(expandSeed(hex(vector.skRm)).publicKey.toString('hex')).toBe(vector.pkRm)
})

test('the published vector opens: key, nonce, exporter, message and exports', () => {
  const context = setupRecipient(expandSeed(hex(vector.skRm)), hex(vector.enc), hex(vector.info))!
  expect(context.key.toString('hex')).toBe(vector.key)
  expect(context.nonce.toString('hex')).toBe(vector.base_nonce)
  expect(context.exporter.toString('hex')).toBe(vector.exporter_secret)
  const [first, second] = vector.encryptions
  expect(open(context, hex(first!.aad), hex(first!.ct))?.toString('hex')).toBe(first!.pt)
  const decipher = createDecipheriv('aes-256-gcm', context.key, hex(second!.nonce)).setAAD(hex(second!.aad))
  decipher.setAuthTag(hex(second!.ct).subarray(-16))
  expect(decipher.update(hex(second!.ct).subarray(0, -16)).toString('hex')).toBe(second!.pt)
  for (const { exporter_context, L, exported_value } of vector.exports)
    expect(exportSecret(context, hex(exporter_context), L).toString('hex')).toBe(exported_value)
})

test('what is sealed to a key opens with it, and both ends export the same secret', () => {
  const keys = expandSeed(Buffer.alloc(32, 7))
  expect(keys.publicKey).toHaveLength(ENCRYPTION_KEY_BYTES)
  const sender = setupSender(keys.publicKey, info)
  expect(sender.encapsulated).toHaveLength(ENCAPSULATED_BYTES)
  const recipient = setupRecipient(keys, sender.encapsulated, info)!
  expect(open(recipient, Buffer.from('a'), seal(sender.context, Buffer.from('a'), Buffer.from('secret')))?.toString()).toBe('secret')
  expect(exportSecret(recipient, info, 32)).toEqual(exportSecret(sender.context, info, 32))
})

test('neither another key, nor another info, nor a changed byte opens it', () => {
  const keys = expandSeed(Buffer.alloc(32, 7))
  const { context, encapsulated } = setupSender(keys.publicKey, info)
  const sealed = seal(context, Buffer.alloc(0), Buffer.from('secret'))
  const opens = (with_: ReturnType<typeof setupRecipient>, bytes: Buffer): boolean =>
    with_ !== undefined && open(with_, Buffer.alloc(0), bytes) !== undefined
  expect(opens(setupRecipient(keys, encapsulated, info), sealed)).toBe(true)
  expect(opens(setupRecipient(expandSeed(Buffer.alloc(32, 8)), encapsulated, info), sealed)).toBe(false)
  expect(opens(setupRecipient(keys, encapsulated, Buffer.from('other')), sealed)).toBe(false)
  for (const at of [0, 900, 1567, 1568, 1569, 1600, 1664]) {
    const changed = Buffer.from(encapsulated)
    changed[at]! ^= 1
    expect(opens(setupRecipient(keys, changed, info), sealed), `byte ${at} of encapsulated`).toBe(false)
  }
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed)
    changed[at]! ^= 0x80
    expect(opens(setupRecipient(keys, encapsulated, info), changed), `byte ${at} of sealed`).toBe(false)
  }
  expect(setupRecipient(keys, encapsulated.subarray(1), info)).toBeUndefined()
})
