/** How numbers are written in the tables; what is not known is a dash. */
export const unit = {
  count: known((value) => Math.round(value).toLocaleString('en-GB')),
  seconds: known((value) => `${value.toFixed(value < 10 ? 2 : 1)} s`),
  ms: known((value) => `${value.toFixed(value < 100 ? 1 : 0)} ms`),
  microseconds: known((value) => `${value.toFixed(0)} µs`),
  mebibytes: known((value) => `${Math.round(value / 2 ** 20)} MiB`),
  percent: known((value) => `${Math.round(value * 100)} %`),
  ratio: known((value) => value.toFixed(2)),
}

function known(show: (value: number) => string): (value: number) => string {
  return (value) => (Number.isFinite(value) ? show(value) : '–')
}
