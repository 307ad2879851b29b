/** Settings of who may do what, beside plans, tenants and the rules of routes. */
import { z } from 'zod';

const word = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'expected the name of a plan');

/** `authorize`. */
export const authorizeConfig = z
  .strictObject({
    defaultPlan: word.optional().describe('Plan of callers whose key and tenant name none.'),
    unknownTenants: z
      .enum(['allow', 'refuse'])
      .default('allow')
      .describe(
        'Callers whose tenant is neither in the configuration nor in the store: `allow` takes the name for a mere label, `refuse` answers 403.',
      ),
    timeZone: z
      .string()
      .refine(isTimeZone, 'expected a time zone, such as Europe/Berlin')
      .default('UTC')
      .describe('Of `time.hour`, `time.weekday` and the like in conditions.'),
  })
  .prefault({})
  .describe('How plans and tenants are applied.');

function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

/** `authorize` after defaults. */
export type AuthorizeConfig = z.output<typeof authorizeConfig>;
