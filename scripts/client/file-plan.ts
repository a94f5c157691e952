import { join } from 'node:path'
import { FILE_KINDS, type FileKind, type ListedFile, type WholeManifest } from './manifest.js'

/** A file of an export, and where it goes. */
export interface PlannedFile extends ListedFile {
  readonly kind: FileKind
  /** Below the folder of the export: `Patient-1.ndjson`, `deleted/…`, `error/…`. */
  readonly name: string
}

/**
 * Names for all files of a manifest: the same manifest gives the same names, no two are the same on any disk, and none
 * leads out of its folder. The server's own names are kept where that can be.
 */
export function planFiles(manifest: WholeManifest): readonly PlannedFile[] {
  return FILE_KINDS.flatMap((kind) => {
    const taken = new Set<string>()
    return manifest[kind].map((file, index) => {
      const own = new URL(file.url).pathname.split('/').at(-1) ?? ''
      const type = (file.type ?? '').replace(/\W/g, '').slice(0, 64)
      const made = `${type || 'file'}-${index + 1}`
      let name = isSafe(own) ? own : `${made}.ndjson`
      for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${made}-${n}.ndjson`
      taken.add(name.toLowerCase())
      return { ...file, kind, name: kind === 'output' ? name : join(kind, name) }
    })
  })
}

/** With this ending no name is one of the program's own files. */
function isSafe(name: string): boolean {
  return /^\w[\w.-]{0,150}\.ndjson$/.test(name)
}
