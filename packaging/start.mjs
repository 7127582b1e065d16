// `npm start`: installs what is missing, makes a site if there is none, and serves it.
import { join } from 'node:path'
import { ensureInstalled, root } from './install.mjs'
import { runHoldfast } from './runtime.mjs'

ensureInstalled()
runHoldfast([join(root, 'src', 'main.ts'), 'start'])
