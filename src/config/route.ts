/** A route with what other rooms add to it. */
import type { z } from 'zod';
import { limitsConfig } from '../policy/quota/config.ts';
import { routeConfig } from '../route/config.ts';

/** `routes[]`, whole. */
export const wholeRouteConfig = routeConfig.extend({
  limits: limitsConfig.describe('How much callers may use here, by which key; several limits hold at once.'),
});

/** One route after defaults. */
export type WholeRouteConfig = z.output<typeof wholeRouteConfig>;
