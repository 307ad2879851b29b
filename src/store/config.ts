/** Settings of the store: where state is kept that outlives a restart. */
import { z } from 'zod';
import { duration, durationOnly } from '../kernel/schema.ts';

const days = (fallback: number) => z.number().int().min(0).max(36_500).default(fallback);

const keep = z
  .strictObject({
    history: days(400).describe('Days for which who changed what is kept; 0: for ever.'),
    deletions: days(30).describe(
      'Days after which a deletion is forgotten; 0: never. A node that was away for longer loads everything anew.',
    ),
    ledger: days(400).describe('Days for which single entries of usage are kept; 0: for ever. Sums by day stay.'),
  })
  .prefault({});

const sqlite = z.strictObject({
  driver: z.literal('sqlite').describe('One file on this machine.'),
  path: z
    .string()
    .min(1)
    .max(4000)
    .optional()
    .describe(
      'The file. By default `gatehouse.db` in the data directory: what systemd gives (`StateDirectory=`), else `~/.local/state/gatehouse`.',
    ),
  keep: keep.describe('How long what is old is kept.'),
  lockTimeout: duration('5s', '100ms').describe('How long a write waits for another process that holds the file.'),
});

const postgres = z.strictObject({
  driver: z.literal('postgres').describe('A PostgreSQL server, for several nodes.'),
  url: z
    .string()
    .regex(/^postgres(ql)?:\/\/[^\s]+$/, 'expected postgres://USER:PASSWORD@HOST:PORT/DATABASE')
    .describe(
      'Server, user and database, such as `${DATABASE_URL}`. Holds a password: take it from the environment or a file.',
    ),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,47}$/, 'expected lower-case letters, digits and _ (at most 48)')
    .default('gatehouse')
    .describe('Schema of the database that holds the tables; made when it is not there.'),
  connections: z
    .number()
    .int()
    .min(1)
    .max(100)
    .default(4)
    .describe('Most connections of this node, besides one that listens.'),
  keep: keep.describe('How long what is old is kept.'),
  timeout: duration('10s', '100ms').describe('How long connecting, or one statement, may take.'),
});

/** `store:` of the configuration. */
export const storeConfig = z.discriminatedUnion('driver', [sqlite, postgres]).prefault({ driver: 'sqlite' });

/** Store settings after defaults. */
export type StoreConfig = z.output<typeof storeConfig>;
/** Settings of the SQLite driver. */
export type SqliteConfig = Omit<z.output<typeof sqlite>, 'keep'>;
/** Settings of the PostgreSQL driver. */
export type PostgresConfig = Omit<z.output<typeof postgres>, 'keep'>;
/** How long what is old is kept, in days. */
export type KeepConfig = z.output<typeof keep>;

/** `ledger:` of the configuration. */
export const ledgerConfig = z
  .strictObject({
    enabled: z
      .union([z.literal('auto'), z.boolean()], { error: 'expected auto, true or false' })
      .default('auto')
      .describe(
        'Whether what each request used is written down. `auto`: where there are `prices`, `budgets`, or routes that ask who calls.',
      ),
    required: z
      .boolean()
      .default(false)
      .describe(
        'Refuse requests (503) while what they use cannot be written down. Otherwise they pass, and what is lost is counted.',
      ),
    flush: durationOnly('5ms', '0', '1s')
      .prefault('5ms')
      .describe(
        'How long a request may run before it is written down that it does, so that it is charged (`in_doubt`, with what was reserved for it) when its worker is killed; what it has used is always written before its answer has ended. `0`: before it is sent; a request then costs two writes.',
      ),
  })
  .prefault({})
  .describe('The usage ledger: one entry for each request that used anything, kept in the store.');

/** Settings of the ledger after defaults. */
export type LedgerConfig = z.output<typeof ledgerConfig>;
