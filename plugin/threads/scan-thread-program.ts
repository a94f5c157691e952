import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { MongoClient } from 'mongodb'
import { BatchSource } from '../search/scan-source.js'
import { receivedOrder, type SentOrder } from './scan-messages.js'
import type { ScanThreadData } from './scan-thread.js'
import { serveScan } from './serve-scan.js'

// What a thread runs that scans; it is ended by the message `undefined`, or with its process.
const { uri, database, connection, reading } = workerData as ScanThreadData
const client = new MongoClient(uri, connection)
const db = client.db(database)
const scanned = { db, source: new BatchSource(db, reading) }

parentPort?.on(
  'message',
  (message: { readonly order: SentOrder; readonly port: MessagePort } | undefined) => {
    if (message === undefined) {
      parentPort?.close()
      void client.close()
    } else void serveScan(receivedOrder(message.order), message.port, scanned)
  },
)
parentPort?.postMessage('ready')
