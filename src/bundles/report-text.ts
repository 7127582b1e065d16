/** Reports for people: on a terminal, and as one static page without scripts that can be kept with the medium. */
import type { InspectReport } from './inspect-bundle.ts'
import type { BundleFacts, VerifyReport } from './verify-bundle.ts'

/** The verdict first, then each damage on a line, then what the bundle says of itself. */
export function verifyText(report: VerifyReport): string {
  return [...report.sentences, '', ...(report.bundleId === undefined ? [] : rowsText(facts(report)))].join('\n').trimEnd()
}

export function inspectText(report: InspectReport): string {
  const files = report.volumeFiles.filter(({ bytes, foundBytes }) => bytes !== foundBytes)
  const sealed =
    report.statement === undefined
      ? [report.sealed ?? 'What it brings is sealed to its recipients.']
      : ['What it brings:', JSON.stringify(report.statement, null, 2)]
  return [
    ...rowsText(inspectFacts(report)),
    '',
    ...(files.length === 0
      ? ['All volumes are there, with their signed lengths. They were not read: "holdfast bundle verify" does that.']
      : files.map(fileText)),
    '',
    ...sealed,
  ].join('\n')
}

type Fact = readonly [name: string, value: string]

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`

function facts(report: Partial<BundleFacts>): Fact[] {
  const { sender } = report
  const list: (Fact | undefined)[] = [
    ['Bundle', report.bundleId ?? ''],
    report.marking === undefined ? undefined : ['Marking', report.marking],
    sender && ['Sender', `site ${sender.site}, epoch ${sender.epoch}${sender.known ? '' : ' (not known here)'}`],
    sender && ['Fingerprint', sender.fingerprint],
    report.createdMs === undefined ? undefined : ['Made', time(report.createdMs)],
    ['Expires', report.expiresMs === undefined ? 'never' : `${time(report.expiresMs)}${report.expired === true ? ' (EXPIRED)' : ''}`],
    ['Volumes', `${report.volumes} and ${report.parityVolumes} of parity, ${report.bytes?.toLocaleString('en')} bytes`],
    ['Signed by', report.signers?.length === 0 ? 'nobody known here' : (report.signers ?? []).map((site) => `site ${site}`).join(', ')],
  ]
  return list.filter((fact) => fact !== undefined)
}

const inspectFacts = (report: InspectReport): Fact[] => [
  ...facts(report),
  ['For', report.recipients.map((site) => `site ${site}`).join(', ')],
]

const rowsText = (rows: readonly Fact[]): string[] => rows.map(([name, value]) => `${`${name}:`.padEnd(13)}${printable(value)}`)

/** Only a sender's marking can hold such characters; they must not reach the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, '?')

const fileText = ({ name, bytes, foundBytes }: InspectReport['volumeFiles'][number]): string =>
  foundBytes === null ? `${name} is missing (${bytes} bytes).` : `${name} has ${foundBytes} of its ${bytes} bytes.`

const escaped = (text: string): string =>
  text
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/\p{Cc}/gu, (character) => (character === '\n' ? '\n' : '?'))

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
  'table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ccc}' +
  'code,pre,td{overflow-wrap:anywhere}.bad{color:#a00;font-weight:bold}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}.bad{color:#f88}}'

/** One file without scripts, links or pictures. Everything from the bundle is escaped. */
export function inspectHtml(report: InspectReport): string {
  const row = ([name, value]: Fact): string => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(value)}</td></tr>`
  const file = (one: InspectReport['volumeFiles'][number]): string => {
    const fine = one.bytes === one.foundBytes
    const state = fine ? 'there' : one.foundBytes === null ? 'missing' : `${one.foundBytes} bytes only`
    return `<tr${fine ? '' : ' class="bad"'}><td>${escaped(one.name)}</td><td>${one.bytes}</td><td>${state}</td></tr>`
  }
  const statement =
    report.statement === undefined
      ? `<p>${escaped(report.sealed ?? 'What it brings is sealed to its recipients.')}</p>`
      : `<h2>What it brings</h2><pre>${escaped(JSON.stringify(report.statement, null, 2))}</pre>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Holdfast bundle ${escaped(report.bundleId)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Holdfast bundle</h1>
<table>${inspectFacts(report).map(row).join('\n')}</table>
${statement}
<h2>Volumes</h2>
<table><tr><th>File</th><th>Bytes</th><th>On the media</th></tr>
${report.volumeFiles.map(file).join('\n')}
</table>
</body>
</html>
`
}
