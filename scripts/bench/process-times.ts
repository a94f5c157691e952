import { readFile } from 'node:fs/promises'

/** Linux counts in these whatever the machine; see proc(5), sysconf(_SC_CLK_TCK). */
const TICKS_PER_SECOND = 100

/** CPU time that a process has taken, user and system, in seconds; NaN where there is no `/proc`. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await procFile(pid, 'stat')
  return stat === undefined ? Number.NaN : cpuSeconds(stat)
}

/** Memory of a process that is resident: now, and at most since its beginning, in bytes; NaN where there is no `/proc`. */
export async function residentOf(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = (await procFile(pid, 'status')) ?? ''
  return { now: statusBytes(status, 'VmRSS'), peak: statusBytes(status, 'VmHWM') }
}

/** @param stat the contents of `/proc/[pid]/stat` */
export function cpuSeconds(stat: string): number {
  // The name of the program, the second field, may have anything in it, also spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** @param status the contents of `/proc/[pid]/status` */
export function statusBytes(status: string, name: string): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)
  return Number(line?.[1] ?? Number.NaN) * 1024
}

async function procFile(pid: number, name: string): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'utf8')
  } catch (error) {
    // Another system than Linux, or the process has ended.
    if (['ENOENT', 'ESRCH'].includes(String((error as NodeJS.ErrnoException).code))) return undefined
    throw error
  }
}
