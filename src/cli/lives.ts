/** Whether a process still lives that has left something behind. */
import { readFileSync } from 'node:fs';

/** When a process began, in ticks since the machine did; '' where nobody can say. No change of the wall clock moves it. */
export function bornAt(pid: number): string {
  // The twenty-second field (proc(5)).
  return statOf(pid)[19] ?? '';
}

/** Fields of a process from the third one on. */
function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Behind the name, which may hold anything.
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** Whether the process lives that had this number and began then ('': unknown). That of another user counts. */
export function lives(pid: number, born: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const stat = statOf(pid);
  // It has ended, and nobody has asked how.
  if (stat[0] === 'Z' || stat[0] === 'X') return false;
  const now = stat[19] ?? '';
  return born === '' || now === '' || now === born;
}
