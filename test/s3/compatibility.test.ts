import { expect, test } from 'vitest'
import { compatibilityPage } from './compatibility-page.ts'

test('docs/s3-compatibility.md says what the table of operations says', async () => {
  await expect(compatibilityPage()).toMatchFileSnapshot('../../docs/s3-compatibility.md')
})
