/** `[base]/$export/[job]`: where the state of an export is asked for and where it is deleted. */
export function statusUrl(base: string, job: string): string {
  return `${base}/$export/${job}`
}

/** `[base]/$export/[job]/[file name]` */
export function fileUrl(base: string, job: string, name: string): string {
  return `${statusUrl(base, job)}/${name}`
}
