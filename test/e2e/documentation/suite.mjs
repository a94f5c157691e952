// The suite of the snippet, on a storage that is wrapped rather than made.
import { randomUUID } from 'node:crypto'
import { fileStorage } from 'node-fhir-server-bulk-export/storage/file'

// <snippet>

function myStorage({ folder }) {
  return fileStorage(`${import.meta.dirname}/${folder}`)
}
