/** A route with what other rooms add to it. */
import type { z } from 'zod';
import { routeRulesConfig } from '../policy/authorize/config.ts';
import { corsConfig } from '../policy/cors/config.ts';
import { limitsConfig, unknownOperationsConfig } from '../policy/quota/config.ts';
import { routeConfig } from '../route/config.ts';

/** `routes[]`, whole. */
export const wholeRouteConfig = routeConfig.extend({
  authorize: routeRulesConfig,
  cors: corsConfig,
  limits: limitsConfig.describe('How much callers may use here, by which key; several limits hold at once.'),
  unknownOperations: unknownOperationsConfig,
});

/** One route after defaults. */
export type WholeRouteConfig = z.output<typeof wholeRouteConfig>;
