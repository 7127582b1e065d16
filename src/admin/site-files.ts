/** Names of what lies in a site's directory. Format: docs/formats.md#site. */
export const ADMIN_SOCKET = 'admin.sock'
export const KEYS_DIRECTORY = 'keys'
export const ROOT_KEYS_FILE = 'keys/root.json'
export const IDENTITY_FILE = 'keys/identity.json'
/** Without these a site cannot be opened. */
export const SECRET_FILES = [ROOT_KEYS_FILE, IDENTITY_FILE]
export const EXPORTS_DIRECTORY = 'exports'
