/**
 * mongodb-memory-server lets `MONGOMS_SYSTEM_BINARY` win over the binary its caller names. When the variable names
 * one that does not run and another was found instead, the variable has to follow, for this process only.
 */
export function alignSystemBinary(path: string): void {
  if (process.env['MONGOMS_SYSTEM_BINARY']) process.env['MONGOMS_SYSTEM_BINARY'] = path
}
