/**
 * What a bundle is, as one page to be kept with the medium, read offline and printed: sender, times, volumes, damage; what it brings only where it
 * could be decrypted, and then as counts. No scripts, nothing from elsewhere; whatever a sender wrote is text.
 */
import type { InspectReport } from '../bundles/inspect-bundle.ts'
import type { VerifyReport, VolumeDamage } from '../bundles/verify-bundle.ts'
import { count } from '../store/ranges.ts'
import { PAGE_STYLE } from './bundle-page-style.ts'
import { type Html, html } from './html.ts'
import { parseStatement, type Statement } from './statement.ts'
import { counted } from './words.ts'

export type BundlePageInput = {
  readonly report: InspectReport
  /** Every byte was read for it. */
  readonly verified: VerifyReport
  readonly nowMs: number
}

type Verdict = { readonly tone: 'good' | 'warn' | 'bad'; readonly title: string; readonly says: readonly string[] }

/** Volumes beyond these are not drawn, and rows of the table only if they are damaged. */
const DRAWN_MAX = 1000
const ROWS_MAX = 200

export function bundlePage({ report, verified, nowMs }: BundlePageInput): string {
  const { marking } = report
  const marked = marking === undefined ? undefined : html`<div class="marking">${marking}</div>\n`
  const verdict = verdictOf(report, verified)
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>Holdfast bundle ${report.bundleId.slice(0, 8)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${marked}<h1>Holdfast bundle</h1>
<p class="mono dim">${report.bundleId}</p>
<div class="verdict ${verdict.tone}"><strong>${verdict.title}</strong>${verdict.says.map((sentence) => html`<p>${sentence}</p>`)}</div>
<section class="card"><h2>Where it comes from and whom it is for</h2>${facts(report)}</section>
${brings(report)}
${volumes(report, verified)}
<footer>Made ${time(nowMs)} from what was on the media then; every byte was read. This page itself is not signed: whoever doubts it runs
“holdfast bundle verify” on the media.</footer>
${marked}</main>
</body>
</html>
`
  return page.markup
}

const STYLE: Html = { markup: PAGE_STYLE }

function verdictOf(report: InspectReport, { verdict, damage }: VerifyReport): Verdict {
  const stranger = report.sender.known ? [] : ['Its signer is not known here: compare the fingerprint below with somebody at that site.']
  const late = report.expired === true ? [`It expired on ${time(report.expiresMs!)}: ask for a new one.`] : []
  const says = [...late, ...stranger]
  const unsigned = damage.filter(({ kind }) => kind === 'unsigned')
  const isUnsignedOnly = unsigned.length === damage.length
  if (verdict === 'repairable')
    return {
      tone: 'warn',
      title: isUnsignedOnly
        ? 'Whole, but not what lies beside it'
        : `Damaged, and can be repaired in full (${counted(damage.length, 'file')})`,
      says: [
        isUnsignedOnly
          ? 'It can be imported as it is.'
          : 'It can be imported as it is: what is damaged is made good from parity as it is read.',
        ...unsigned.map(({ sentence }) => sentence),
        ...says,
      ],
    }
  if (verdict !== 'intact') return { tone: 'bad', title: 'Damaged beyond repair', says: ['Ask for the files named below again.', ...says] }
  if (late.length > 0) return { tone: 'bad', title: 'Whole, but expired', says }
  if (stranger.length > 0) return { tone: 'warn', title: 'Whole, signed by an unknown site', says }
  return { tone: 'good', title: 'Whole, and signed by a known site', says }
}

function facts(report: InspectReport): Html {
  const { sender, createdMs, expiresMs, recipients, signers, manifestDigest } = report
  const sites = (ids: readonly string[]): Html => html`${ids.map((site) => html`<div class="mono">${site}</div>`)}`
  const known = sender.known ? 'known here' : html`<b class="warn">not known here</b>`
  const rows: readonly (readonly [string, Html | string])[] = [
    ['Sender', html`<span class="mono">${sender.site}</span>, epoch ${sender.epoch}, ${known}`],
    ['Fingerprint', html`<span class="mono">${sender.fingerprint}</span>`],
    ['Made', time(createdMs)],
    ['Can be imported until', expiresMs === undefined ? 'it never expires' : time(expiresMs)],
    ['For', sites(recipients)],
    ['Signed by', signers.length === 0 ? 'nobody known here' : sites(signers)],
    ['Manifest', html`<span class="mono">${manifestDigest}</span>`],
  ]
  return html`<dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`
}

function brings(report: InspectReport): Html {
  const statement = report.statement === undefined ? undefined : parseStatement(report.statement)
  if (statement === undefined)
    return html`<section class="card"><h2>What it brings</h2><p>Sealed to its recipients: names, counts and contents can be seen only with the keys of one of them.</p></section>`
  return html`<section class="card long"><h2>What it brings</h2>
<div class="figures"><div><b>${number(statement.operations)}</b><span class="dim">${statement.operations === 1 ? 'change' : 'changes'}</span></div>
<div><b>${number(statement.buckets.length)}</b><span class="dim">${statement.buckets.length === 1 ? 'bucket' : 'buckets'}</span></div>
<div><b>${bytesText(statement.contentBytes)}</b><span class="dim">of content, at most</span></div></div>
${bucketTable(statement)}</section>`
}

function bucketTable({ buckets, full }: Statement): Html {
  return html`<p class="dim">${buckets.some(({ needs }) => needs.length > 0) ? 'It builds on what the recipient acknowledged before.' : `${full ? 'A full export: it' : 'It'} builds on nothing that was sent before.`}</p>
<table><thead><tr><th>Bucket</th><th class="n">Changes</th><th class="n">Builds on</th></tr></thead><tbody>
${buckets.map(
  ({ name, deleted, brings, needs }) =>
    html`<tr><td>${name}${deleted ? html` <span class="dim">(deleted)</span>` : undefined}</td><td class="n">${number(count(brings))}</td><td class="n">${number(count(needs))}</td></tr>\n`,
)}</tbody></table>`
}

type Shown = {
  readonly name: string
  readonly bytes: number
  readonly foundBytes: number | null
  readonly damage: VolumeDamage | undefined
}

function volumes(report: InspectReport, { damage }: VerifyReport): Html {
  const byName = new Map(damage.map((one) => [one.name, one]))
  const all: readonly Shown[] = report.volumeFiles.map((file) => ({ ...file, damage: byName.get(file.name) }))
  const hurt = all.filter((one) => one.damage !== undefined)
  const rows = all.length <= ROWS_MAX ? all : hurt
  return html`<section class="card long"><h2>Volumes</h2>
<div class="figures"><div><b>${number(report.volumes)}</b><span class="dim">${report.volumes === 1 ? 'volume' : 'volumes'}</span></div>
<div><b>${number(report.parityVolumes)}</b><span class="dim">of parity</span></div>
<div><b>${bytesText(report.bytes)}</b><span class="dim">in all</span></div>
<div><b class="${hurt.length === 0 ? 'good' : hurt.every((one) => one.damage!.repairable) ? 'warn' : 'bad'}">${number(hurt.length)}</b><span class="dim">damaged or missing</span></div></div>
${all.length <= DRAWN_MAX ? drawn(all) : undefined}
${hurt.length === 0 ? undefined : html`<ul>${hurt.map((one) => html`<li class="${one.damage!.repairable ? 'warn' : 'bad'}">${one.damage!.sentence}</li>\n`)}</ul>`}
${rows.length === 0 ? undefined : fileTable(rows)}${rows.length < all.length ? html`<p class="dim">${number(all.length - rows.length)} more, all as signed, are not listed.</p>` : undefined}</section>`
}

function drawn(all: readonly Shown[]): Html {
  const square = (kind: string, title: string): Html => html`<i class="${kind}" title="${title}"></i>`
  const kindOf = ({ name, damage }: Shown): string => {
    if (damage !== undefined) return damage.kind === 'missing' ? 'bad' : damage.repairable ? 'warn' : 'hurt'
    return name.startsWith('parity') ? 'good parity' : 'good'
  }
  const key: readonly (readonly [string, string])[] = [
    ['good', 'as signed'],
    ['good parity', 'parity, as signed'],
    ['warn', 'damaged, can be repaired'],
    ['hurt', 'damaged'],
    ['bad', 'missing'],
  ]
  const used = new Set(all.map(kindOf))
  return html`<div class="map" role="img" aria-label="All volumes, in order">${all.map((one) => square(kindOf(one), one.name))}</div>
<div class="key">${key.filter(([kind]) => used.has(kind)).map(([kind, says]) => html`<span><span class="map">${square(kind, says)}</span>${says}</span>`)}</div>`
}

function fileTable(rows: readonly Shown[]): Html {
  const state = ({ bytes, foundBytes, damage }: Shown): Html => {
    if (damage === undefined) return html`as signed`
    const tone = damage.repairable ? 'warn' : 'bad'
    if (foundBytes === null) return html`<span class="${tone}">missing</span>`
    return html`<span class="${tone}">${damage.kind === 'trailer' ? 'whole; its trailer is not' : foundBytes < bytes ? `${number(foundBytes)} bytes only` : 'damaged'}</span>`
  }
  return html`<table><thead><tr><th>File</th><th class="n">Bytes</th><th>On the media</th></tr></thead><tbody>
${rows.map((one) => html`<tr><td class="mono">${one.name}</td><td class="n">${number(one.bytes)}</td><td>${state(one)}</td></tr>\n`)}</tbody></table>`
}

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
const number = (value: number): string => value.toLocaleString('en')

function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${unit === 0 ? number(value) : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit]}`
}
