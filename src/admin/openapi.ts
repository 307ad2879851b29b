/** Operations → an OpenAPI 3.1 document. Pure. */
import { z } from 'zod';
import type { Operation } from './operation.ts';

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    code: z.string().describe('For programs, such as `changed`.'),
    detail: z.string().describe('For people: what is wrong, and what to do.'),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .describe('What is wrong where.'),
  })
  .describe('Why something was not done (RFC 9457).');

const PROBLEM = { $ref: '#/components/responses/Problem' };
const VERSION_TAG = { schema: { type: 'string' }, description: 'Version of the document: what If-Match asks for.' };

/** The document. */
export function openApi(operations: readonly Operation[]): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const one of operations) {
    paths[one.path] = { ...paths[one.path], [one.method.toLowerCase()]: described(one) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Gatehouse admin API',
      version: '1',
      description:
        'Keys, admin tokens, revocations and the gateway itself. Every write of a document asks for the version that was read (`If-Match`), and leaves an entry in the history (`/api/v1/changes`).',
    },
    security: [{ token: [] }, { login: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Admin token, such as `gatehouse admins create` makes.' },
        login: { type: 'apiKey', in: 'cookie', name: 'gatehouse_session', description: 'Login at /auth/login.' },
      },
      responses: {
        Problem: {
          description: 'It was not done, and everything is as before.',
          content: { 'application/problem+json': { schema: schemaOf(problemSchema, 'output') } },
        },
      },
    },
  };
}

function described(one: Operation): object {
  const { path, what, role, tenants, query = {}, body, bodyTypes = ['application/json'], versioned } = one;
  const params = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const asked = Object.entries(query).map(([name, description]) => ({
    name,
    in: 'query',
    description,
    schema: { type: 'string' },
  }));
  const condition = {
    name: 'If-Match',
    in: 'header',
    description: 'Version that was read, as its ETag has it.',
    schema: { type: 'string' },
  };
  const who =
    role === 'none'
      ? 'Nobody is asked who they are.'
      : `Role: ${role}${tenants === true ? '; callers of one tenant as far as it is theirs' : ''}.`;
  const content = body === undefined ? {} : { content: mediaTypes(bodyTypes, schemaOf(body, 'input')), required: true };
  return {
    operationId: operationId(one),
    tags: [one.tag],
    summary: what,
    description: who,
    ...(role === 'none' ? { security: [] } : {}),
    parameters: [...params, ...asked, ...(versioned === true ? [condition] : [])],
    ...(body === undefined ? {} : { requestBody: content }),
    responses: { [String(one.status ?? (one.answer === 'redirect' ? 303 : 200))]: answerOf(one), default: PROBLEM },
  };
}

function answerOf({ answer, versioned, status = 200, method, path }: Operation): object {
  const tagged = versioned === true || (method === 'GET' && path.endsWith('{id}')) || status === 201;
  const headers = tagged && status !== 204 ? { headers: { ETag: VERSION_TAG } } : {};
  if (answer === undefined) return { description: 'Done.' };
  if (answer === 'redirect')
    return { description: 'Go on there.', headers: { Location: { schema: { type: 'string' } } } };
  if (answer === 'html') return { description: 'A page.', content: mediaTypes(['text/html'], { type: 'string' }) };
  if (answer === 'text') return { description: 'Text.', content: mediaTypes(['text/plain'], { type: 'string' }) };
  return { description: 'Done.', ...headers, content: mediaTypes(['application/json'], schemaOf(answer, 'output')) };
}

const mediaTypes = (types: readonly string[], schema: object) =>
  Object.fromEntries(types.map((type) => [type, { schema }]));

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' });
  return rest;
}

/** `GET /api/v1/keys/{id}` → `getKeysId`. */
function operationId({ method, path }: Operation): string {
  const words = path
    .replace(/^\/api\/(v1\/)?/, '/')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '');
  const camel = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return `${method.toLowerCase()}${camel || 'Page'}`;
}
