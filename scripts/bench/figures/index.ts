import type { Figure } from '../figure.js'
import { costFigure } from './cost.js'
import { drainFigure } from './drain.js'
import { exportFigure } from './export.js'
import { hostFigure } from './host.js'
import { kickOffsFigure } from './kick-offs.js'
import { largeGroupFigure } from './large-group.js'
import { memoryFigure } from './memory.js'
import { smallGroupFigure } from './small-group.js'
import { smallInLargeFigure } from './small-in-large.js'
import { storagesFigure } from './storages.js'
import { tiersFigure } from './tiers.js'
import { workersFigure } from './workers.js'

/** All figures, in the order in which they are measured. */
export const FIGURES: readonly Figure[] = [
  kickOffsFigure,
  exportFigure,
  drainFigure,
  tiersFigure,
  workersFigure,
  hostFigure,
  smallInLargeFigure,
  smallGroupFigure,
  largeGroupFigure,
  memoryFigure,
  costFigure,
  storagesFigure,
]
