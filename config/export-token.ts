/** `BULK_EXPORT_TOKEN`: the access token of the export client; `undefined` when it is not set, or empty. */
export function exportToken(): string | undefined {
  const token = process.env['BULK_EXPORT_TOKEN']
  return token === '' ? undefined : token
}
