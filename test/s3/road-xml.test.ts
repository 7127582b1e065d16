import fc from 'fast-check'
import { expect, test } from 'vitest'
import { element, escapeXml, parseXml, textOf, xmlDocument, xmlTime } from '../../src/s3/xml.ts'

const parse = (text: string) => parseXml(Buffer.from(text))
const rejected = { ok: false, error: { code: 'MalformedXML' } }

test('a document comes back as elements, attributes and text, without prefixes', () => {
  const found = parse(
    '<?xml version="1.0"?><!-- note --><s3:A xmlns:s3="x" xsi:type="Group"><b> 1 &lt;2 </b><b/><c><![CDATA[<&>]]></c></s3:A>',
  )
  const root = found.ok ? found.value : undefined
  expect(root?.name).toBe('A')
  expect(root?.attributes).toMatchObject({ type: 'Group' })
  expect(root?.children.map(({ name, text }) => [name, text])).toEqual([
    ['b', ' 1 <2 '],
    ['b', ''],
    ['c', '<&>'],
  ])
})

test('what is written is read back, whatever the text', () => {
  const text = fc.string({ unit: 'binary' }).filter((value) => !/[\0\ud800-\udfff]/.test(value))
  fc.assert(
    fc.property(text, (value) => {
      const found = parse(xmlDocument('Root', element('Key', value)))
      expect(found.ok && textOf(found.value, 'Key')).toBe(value)
    }),
    { numRuns: 500 },
  )
})

test("control characters and quotes are escaped as Amazon's replies have them", () => {
  expect(escapeXml('a\u0001\r<>&"\'')).toBe('a&#x1;&#xD;&lt;&gt;&amp;&quot;&apos;')
  expect(escapeXml('plain/ü')).toBe('plain/ü')
})

test('times are whole seconds of UTC', () => {
  expect(xmlTime(Date.UTC(2009, 9, 12, 17, 50, 30, 999))).toBe('2009-10-12T17:50:30.000Z')
  expect(xmlTime(Date.UTC(2024, 1, 29))).toBe('2024-02-29T00:00:00.000Z')
})

test.each([
  ['nothing', ''],
  ['text only', 'hello'],
  ['two roots', '<a/><b/>'],
  ['an open element', '<a><b></a>'],
  ['an entity of its own', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
  ['an external entity', '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'],
  ['an unknown entity', '<a>&nbsp;</a>'],
  ['a character that is none', '<a>&#xD800;</a>'],
  ['U+0000', '<a>&#0;</a>'],
  ['deep nesting', `${'<a>'.repeat(200)}${'</a>'.repeat(200)}`],
  ['too many elements', `<a>${'<b/>'.repeat(20_001)}</a>`],
  ['too many bytes', `<a>${'x'.repeat(1 << 20)}</a>`],
])('%s is MalformedXML', (_name, text) => {
  expect(parse(text)).toMatchObject(rejected)
})

test('bytes that are not UTF-8 are MalformedXML', () => {
  expect(parseXml(Buffer.from('<a>\xff</a>', 'latin1'))).toMatchObject(rejected)
})

test('no bytes make the parser throw, nor names that mean something in JavaScript', () => {
  const pieces = fc.constantFrom(
    '<',
    '>',
    '/',
    '<a>',
    '</a>',
    '<a b="',
    '"',
    '&',
    ';',
    '&#',
    '<![CDATA[',
    ']]>',
    '<!--',
    '-->',
    '<?',
    '?>',
    '__proto__',
    'x:',
    ' ',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 4 })), { maxLength: 30 }), (parts) => {
      const found = parse(`<a>${parts.join('')}</a>`)
      expect(found.ok || found.error.code === 'MalformedXML').toBe(true)
    }),
    { numRuns: 2000 },
  )
  for (const name of ['constructor', '__proto__', 'toString']) {
    const found = parse(`<a><${name}>1</${name}></a>`)
    expect(found.ok || found.error.code === 'MalformedXML').toBe(true)
  }
})
