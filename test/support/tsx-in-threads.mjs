import { isMainThread } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

// tsx by itself leaves threads alone, so a program of TypeScript could not be loaded there.
if (!isMainThread) register()
