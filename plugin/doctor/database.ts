// The only file of the doctor that knows the driver of the database.
export type { Collection, Db, Document } from 'mongodb'
