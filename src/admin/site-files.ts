/** Names of what lies in a site's directory. Format: docs/formats.md#site. */
export const ADMIN_SOCKET = 'admin.sock'
export const KEYS_DIRECTORY = 'keys'
export const IDENTITY_FILE = 'keys/identity.json'
export const EXPORTS_DIRECTORY = 'exports'
