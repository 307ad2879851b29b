/** Everything that the admin API does, in one list. */
import { z } from 'zod';
import { loginOperations } from './access/login.ts';
import { json } from './answer.ts';
import { openApi } from './openapi.ts';
import type { Operation } from './operation.ts';
import { admins } from './resources/admins.ts';
import { clients } from './resources/clients.ts';
import { operationsOf } from './resources/crud.ts';
import { domains } from './resources/domains.ts';
import { history } from './resources/history.ts';
import { keys } from './resources/keys.ts';
import { plans, tenants } from './resources/plans.ts';
import { revocations } from './resources/revocations.ts';
import { switches } from './switches.ts';
import { systemOperations } from './system.ts';
import { usageOperations } from './usage.ts';

const description: Operation = {
  method: 'GET',
  path: '/api/openapi.json',
  what: 'this API as an OpenAPI 3.1 document',
  role: 'viewer',
  tenants: true,
  tag: 'gateway',
  answer: z.looseObject({}),
  run: () => json(200, openApiDocument()),
};

/** Kinds of documents. What the store has of other kinds (last uses, leases) is nobody's to change. */
export const OPERATIONS: readonly Operation[] = [
  ...systemOperations(() => pages),
  ...switches,
  ...operationsOf(keys),
  ...operationsOf(tenants),
  ...operationsOf(plans),
  ...operationsOf(domains),
  ...operationsOf(clients),
  ...operationsOf(revocations),
  ...operationsOf(admins),
  ...usageOperations,
  history,
  description,
  ...loginOperations,
];

/** What a browser can look at. */
const pages = OPERATIONS.filter(({ method, path }) => method === 'GET' && !path.includes('{')).map(
  ({ path, what }) => [path, what] as const,
);

let made: object | undefined;

/** The OpenAPI document. */
export function openApiDocument(): object {
  made ??= openApi(OPERATIONS);
  return made;
}
