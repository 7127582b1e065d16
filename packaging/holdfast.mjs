#!/usr/bin/env node
// `npx holdfast …`: runs the command line under the pinned Node.js. Plain JavaScript: any Node ≥ 20 starts it.
import { join } from 'node:path'
import { ensureInstalled, root } from './install.mjs'
import { runHoldfast } from './runtime.mjs'

ensureInstalled()
runHoldfast([join(root, 'src', 'main.ts'), ...process.argv.slice(2)])
