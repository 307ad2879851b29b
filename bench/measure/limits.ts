/** What the machine allows this user. */
import { readFileSync } from 'node:fs';

/** How many descriptors a process of this user may raise itself to; 4,096 when it cannot be read. */
export function descriptorLimit(): number {
  try {
    const line = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return line?.[1] === 'unlimited' ? 1_000_000 : Number(line?.[1] ?? 4096);
  } catch {
    return 4096;
  }
}
