/** The whole configuration file: every room's own schema, joined. Nothing below this row sees more than its part. */
import { z } from 'zod';
import { adminConfig } from '../admin/config.ts';
import { duration, name, size } from '../kernel/schema.ts';
import { listenerConfig } from '../listen/config.ts';
import { logConfig } from '../observe/config.ts';
import { accessConfig } from '../policy/access/config.ts';
import { authorizeConfig, idField } from '../policy/authorize/config.ts';
import { chaosConfig } from '../policy/chaos/config.ts';
import { overloadConfig } from '../policy/overload/config.ts';
import { pricesConfig } from '../policy/price/config.ts';
import { budgetsConfig, limitsConfig } from '../policy/quota/config.ts';
import { signupConfig, tokensConfig } from '../policy/token/config.ts';
import { modelConfig } from '../route/config.ts';
import { ledgerConfig, storeConfig } from '../store/config.ts';
import { redisConfig } from '../store/redisconfig.ts';
import { upstreamConfig } from '../upstream/config.ts';
import { planConfig, tenantConfig } from './plans.ts';
import { wholeRouteConfig } from './route.ts';

/** Schema of the file. Unknown keys are mistakes. */
export const configSchema = z.strictObject({
  listeners: z
    .record(name, listenerConfig)
    .refine(
      (all) => Object.keys(all).length > 0,
      'expected at least one listener, such as public: { address: "0.0.0.0:8080" }',
    )
    .describe('Where clients connect, by name.'),
  admin: adminConfig.describe('The admin port: metrics, API and dashboard.'),
  workers: z
    .union([z.literal('auto'), z.number().int().min(1).max(256)], {
      error: 'expected auto or a whole number from 1 to 256',
    })
    .default('auto')
    .describe('Processes that serve requests; `auto` is one per CPU core.'),
  workerSilence: duration('30s', '2s').describe(
    'A worker that has told the supervisor nothing for this long is stuck: it is killed and replaced.',
  ),
  workerMemory: size('0').describe(
    'A worker whose resident memory is beyond this is replaced by a new one, and lets its requests end; 0: no cap.',
  ),
  drainTimeout: duration('30s').describe(
    'How long requests under way may go on when the program stops, is upgraded, or has fewer workers.',
  ),
  zone: name
    .optional()
    .describe('Availability zone of this gateway, such as ${ZONE}: endpoints of the same zone come first.'),
  region: name
    .optional()
    .describe('Region of this gateway, such as ${REGION}: endpoints of the same region come before the rest.'),
  upstreams: z.record(name, upstreamConfig).default({}).describe('The servers behind, by name.'),
  models: z
    .record(name, modelConfig)
    .default({})
    .describe('Models by the name that clients ask for, each with the versions that serve it.'),
  routes: z
    .array(wholeRouteConfig)
    .min(1, 'expected at least one route')
    .describe('Which request goes where. The most specific match wins; among equals, the first in the file.'),
  access: accessConfig,
  tokens: tokensConfig,
  signup: signupConfig,
  plans: z
    .record(idField, planConfig)
    .default({})
    .describe(
      'Plans by name: what callers may do, and how much. Others are kept in the store; of one name this one holds.',
    ),
  tenants: z
    .record(idField, tenantConfig)
    .default({})
    .describe(
      'Tenants by name: customers to whom keys and tokens belong. Others are kept in the store; of one name this one holds.',
    ),
  authorize: authorizeConfig,
  limits: limitsConfig.describe(
    'How much callers may use of everything together, by which key; routes have their own beside.',
  ),
  prices: pricesConfig,
  budgets: budgetsConfig,
  ledger: ledgerConfig,
  overload: overloadConfig,
  chaos: chaosConfig,
  store: storeConfig.describe('Where keys, tenants, plans, domains and the usage ledger are kept.'),
  redis: redisConfig.optional().describe('Redis or Valkey in which several nodes count their limits together.'),
  log: logConfig.describe('What is written about requests.'),
});

/** The configuration after defaults: plain JSON, durations in milliseconds, sizes in bytes, shares from 0 to 1. */
export type Config = z.output<typeof configSchema>;
