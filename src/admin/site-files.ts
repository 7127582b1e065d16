/** Names of what lies in a site's directory. Format: docs/formats.md#site. */
export const ADMIN_SOCKET = 'admin.sock'
/** A folder, for the moment in which a start makes the socket. */
export const ADMIN_SOCKET_MAKING = 'admin.new'
export const KEYS_DIRECTORY = 'keys'
export const ROOT_KEYS_FILE = 'keys/root.json'
export const IDENTITY_FILE = 'keys/identity.json'
/** Without these a site cannot be opened. */
export const SECRET_FILES = [ROOT_KEYS_FILE, IDENTITY_FILE]
export const EXPORTS_DIRECTORY = 'exports'
