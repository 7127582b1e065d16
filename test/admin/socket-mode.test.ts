/** Nobody but its owner reaches the admin socket, not even in the moment in which it is made. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { serveAdminSocket } from '../../src/admin/socket-server.ts'
import type { Clock } from '../../src/environment.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-socket-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const clock: Clock = { nowMs: () => 0, timer: () => () => undefined }
const modeOf = (name: string): string => (statSync(join(directory, name)).mode & 0o777).toString(8)
const serve = (): ReturnType<typeof serveAdminSocket> => serveAdminSocket(directory, new Promise(() => undefined), new Map(), clock)

test('while it is made it lies where only its owner can go, whatever the mask of the process', async () => {
  const mask = process.umask(0)
  try {
    const serving = serve()
    expect(readdirSync(directory)).toEqual(['admin.new'])
    expect(modeOf('admin.new')).toBe('700')
    const server = await serving
    expect(readdirSync(directory)).toEqual(['admin.sock'])
    expect(modeOf('admin.sock')).toBe('600')
    await server.stop()
    expect(readdirSync(directory)).toEqual([])
  } finally {
    process.umask(mask)
  }
})

test('what a killed process left is replaced', async () => {
  mkdirSync(join(directory, 'admin.new'))
  writeFileSync(join(directory, 'admin.new', 'admin.sock'), '')
  writeFileSync(join(directory, 'admin.sock'), '')
  const server = await serve()
  expect(statSync(join(directory, 'admin.sock')).isSocket()).toBe(true)
  expect(readdirSync(directory)).toEqual(['admin.sock'])
  await server.stop()
})
