/** Settings of what is seen: the access log. */
import { z } from 'zod';

/** `log:` of the configuration. */
export const logConfig = z
  .strictObject({
    access: z
      .union([
        z.literal('stdout'),
        z.literal('off'),
        z.string().startsWith('/', 'expected stdout, off or an absolute file path'),
      ])
      .default('stdout')
      .describe('Where access log lines (one JSON object each) go: stdout, off, or a file.'),
  })
  .prefault({});

/** Log settings after defaults. */
export type LogConfig = z.output<typeof logConfig>;
