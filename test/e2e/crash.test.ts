/**
 * The whole server killed (SIGKILL) while clients write, several times over: what was acknowledged is there, nothing is torn, and the space of what was not
 * finished comes back. Every key belongs to one client, so that what it may hold is known: the newest acknowledged state, or the one that was on its way.
 * HOLDFAST_CRASH_ROUNDS kills it more often; HOLDFAST_CRASH_SEED replays the choices (not the moments, which belong to the machine).
 */
import { createHash, randomInt } from 'node:crypto'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, expect, test } from 'vitest'
import { makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'
import { Chance } from '../sim/chance.ts'
import { clientOf, contents, inParallel, listing } from './site-contents.ts'

const ROUNDS = Number(process.env.HOLDFAST_CRASH_ROUNDS ?? 3)
const LANES = 8
const KEYS_PER_LANE = 4
const MIB = 1024 * 1024
const BUCKETS = ['plain', 'versioned'] as const

const seed = Number(process.env.HOLDFAST_CRASH_SEED ?? randomInt(2 ** 31))
const home = temporaryDirectory()
const directory = join(home, 'site')
let site: ServedSite | undefined

afterAll(async () => {
  await site?.stop('SIGKILL')
  removeTemporary(home)
})

/** The digest of what a key's newest version holds; undefined: there is no object. */
type State = string | undefined
class Key {
  readonly bucket: string
  readonly name: string
  acknowledged: State
  /** What the newest state may be instead, while it is not known whether a request was carried out. */
  onItsWay: State[] = []
  /** Digests of versions that were acknowledged, by their ids. */
  readonly versions = new Map<string, string>()
  readonly everSent = new Set<string>()

  constructor(bucket: string, name: string) {
    this.bucket = bucket
    this.name = name
  }

  get at(): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.name }
  }

  /** Carries out a change that leads to `state`, and notes what is known of it. */
  async change(state: State, carryOut: () => Promise<{ VersionId?: string | undefined }>): Promise<void> {
    if (state !== undefined) this.everSent.add(state)
    this.onItsWay = [state]
    const { VersionId } = await carryOut()
    this.acknowledged = state
    this.onItsWay = []
    if (VersionId !== undefined && this.bucket === 'versioned') this.versions.set(VersionId, state ?? 'marker')
  }
}

const digest = (...bytes: Uint8Array[]): string => {
  const hash = createHash('sha256')
  for (const each of bytes) hash.update(each)
  return hash.digest('hex')
}

/** Bytes that differ everywhere, so that a part in the wrong place shows. */
function bytesOf(chance: Chance, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let value = chance.u32() | 1
  for (let at = 0; at + 4 <= length; at += 4) {
    value = Math.imul(value, 1_664_525) + 1_013_904_223
    bytes.writeInt32LE(value | 0, at)
  }
  return bytes
}

async function changeSomething(client: S3Client, key: Key, chance: Chance): Promise<void> {
  const what = chance.below(10)
  if (what < 2) return key.change(undefined, () => client.send(new DeleteObjectCommand(key.at)))
  if (what < 9) {
    const body = bytesOf(chance, what < 6 ? chance.below(32 * 1024) : 150_000 + chance.below(2 * MIB))
    return key.change(digest(body), () => client.send(new PutObjectCommand({ ...key.at, Body: body })))
  }
  const parts = [bytesOf(chance, 5 * MIB), bytesOf(chance, chance.below(MIB))]
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(key.at))
  const Parts: { PartNumber: number; ETag: string | undefined }[] = []
  for (const [index, Body] of parts.entries()) {
    const { ETag } = await client.send(new UploadPartCommand({ ...key.at, UploadId, PartNumber: index + 1, Body }))
    Parts.push({ PartNumber: index + 1, ETag })
  }
  return key.change(digest(...parts), () =>
    client.send(new CompleteMultipartUploadCommand({ ...key.at, UploadId, MultipartUpload: { Parts } })),
  )
}

/** Clients write until the server, killed after so many acknowledgements, is gone. */
async function writeUntilKilled(keys: readonly Key[], acknowledgementsMax: number): Promise<void> {
  const running = site as ServedSite
  const client = clientOf(running)
  let acknowledged = 0
  let killed: Promise<number | null> | undefined
  const lane = async (number: number): Promise<void> => {
    const own = keys.filter((_, index) => index % LANES === number)
    const choices = new Chance(seed, 1000 * acknowledgementsMax + number)
    for (;;) {
      try {
        await changeSomething(client, choices.pick(own), choices)
      } catch (error) {
        // An answer would be a fault of the server; no answer is what was asked for.
        if (killed === undefined || error instanceof S3ServiceException) throw error
        return
      }
      acknowledged++
      if (acknowledged >= acknowledgementsMax) killed ??= running.stop('SIGKILL')
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
  await killed
  client.destroy()
}

async function newest(client: S3Client, key: Key): Promise<State> {
  try {
    const got = await client.send(new GetObjectCommand(key.at))
    return digest((await got.Body?.transformToByteArray()) ?? new Uint8Array())
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === 'NoSuchKey') return undefined
    throw error
  }
}

/** Everything acknowledged is there, and whatever else is there is whole. */
async function expectKept(client: S3Client, keys: readonly Key[]): Promise<void> {
  await inParallel(keys, 8, async (key) => {
    const state = await newest(client, key)
    expect([key.acknowledged, ...key.onItsWay], `${key.bucket}/${key.name}`).toContain(state)
    key.acknowledged = state
    key.onItsWay = []
  })
  const listed = await listing(client, [...BUCKETS])
  const byId = new Map(listed.map((version) => [version.versionId, version]))
  for (const key of keys) {
    for (const [id, state] of key.versions)
      expect(byId.get(id), `${key.name} ${id}`).toMatchObject({ key: key.name, marker: state === 'marker' })
  }
  const byName = new Map(keys.map((key) => [`${key.bucket}/${key.name}`, key]))
  await inParallel(
    listed.filter((version) => !version.marker),
    8,
    async ({ bucket, key: name, versionId, bytes }) => {
      const got = await client.send(new GetObjectCommand({ Bucket: bucket, Key: name, VersionId: versionId }))
      const body = (await got.Body?.transformToByteArray()) ?? new Uint8Array()
      expect(body.length).toBe(bytes)
      const key = byName.get(`${bucket}/${name}`)
      const acknowledged = key?.versions.get(versionId)
      if (acknowledged !== undefined) expect(digest(body), `${name} ${versionId}`).toBe(acknowledged)
      else expect([...(key?.everSent ?? [])], `${name} ${versionId}`).toContain(digest(body))
    },
  )
}

function shardFiles(served: ServedSite): string[] {
  return served.disks
    .map((disk) => join(disk, 'extents'))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

async function removeEverything(client: S3Client): Promise<void> {
  for (const Bucket of BUCKETS) {
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
    for (const { Key, UploadId } of Uploads ?? []) await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  }
  await inParallel(await listing(client, [...BUCKETS]), 8, async ({ bucket, key, versionId }) => {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }))
  })
}

test(`what was acknowledged survives a killed server, nothing is torn, and no space is lost (HOLDFAST_CRASH_SEED=${seed})`, async () => {
  const chance = new Chance(seed)
  makeSite(directory)
  site = await serveSite(directory)
  let client = clientOf(site)
  for (const Bucket of BUCKETS) await client.send(new CreateBucketCommand({ Bucket }))
  await client.send(new PutBucketVersioningCommand({ Bucket: 'versioned', VersioningConfiguration: { Status: 'Enabled' } }))
  const keys = BUCKETS.flatMap((bucket) =>
    Array.from({ length: (LANES * KEYS_PER_LANE) / 2 }, (_, index) => new Key(bucket, `key-${index}`)),
  )

  for (let round = 0; round < ROUNDS; round++) {
    client.destroy()
    await writeUntilKilled(keys, 20 + chance.below(60))
    site = await serveSite(directory)
    client = clientOf(site)
    await expectKept(client, keys)
  }

  // The index is only a copy of what the journal says.
  const before = await listing(client)
  const contentsBefore = await contents(client, before)
  client.destroy()
  await site.stop('SIGKILL')
  rmSync(join(directory, 'index'), { recursive: true })
  site = await serveSite(directory)
  client = clientOf(site)
  expect(await listing(client)).toEqual(before)
  expect(await contents(client, before)).toEqual(contentsBefore)

  // Once nothing is listed any more, nothing may be left of what was never acknowledged either.
  await removeEverything(client)
  const deadline = Date.now() + 20_000
  while (shardFiles(site).length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100))
  expect(shardFiles(site)).toEqual([])
  client.destroy()
  expect(await site.stop()).toBe(0)
})
