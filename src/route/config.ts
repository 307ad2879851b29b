/** Settings of routes and models: which request goes where. */
import { z } from 'zod';
import { tokenizerSetting } from '../ai/config.ts';
import { CLASSES } from '../kernel/priority.ts';
import { duration, name, priority, sizeOnly } from '../kernel/schema.ts';

const oneOrMore = <T extends z.ZodType>(item: T) =>
  z.union([item, z.array(item).min(1)]).transform((value) => (Array.isArray(value) ? value : [value]) as z.output<T>[]);

/** A field name (RFC 9110 §5.1). */
const fieldName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$/, 'expected a field name, such as X-Team: no spaces, no colon');

/** A field value (RFC 9110 §5.5): no control characters, so that no line can be smuggled in; bytes, so Latin-1. */
const fieldValue = z
  .string()
  .regex(
    /^[\t\x20-\x7e\x80-\xff]*$/,
    'expected a field value: one line, without control characters or characters beyond Latin-1',
  );

const valueMatch = z
  .union([
    z.string(),
    z.strictObject({ prefix: z.string().describe('What the value starts with.') }),
    z.strictObject({ present: z.boolean().describe('Whether there must be one, or must be none.') }),
    z.strictObject({ oneOf: z.array(z.string()).min(1).describe('The values that match.') }),
  ])
  .describe('An exact value, {prefix: …}, {present: true|false} or {oneOf: […]}.');

/** `routes[].match`: every part that is given must match. */
export const matchConfig = z
  .strictObject({
    host: oneOrMore(z.string().regex(/^(\*\.)?[A-Za-z0-9._-]+$|^\*$/, 'expected a host name, *.example.com or *'))
      .optional()
      .describe('Host names, exact or *.example.com.'),
    path: oneOrMore(z.string().regex(/^(\/|\*$)/, 'expected a path starting with /'))
      .optional()
      .describe('Exact (/v1/models), prefix (/v1/*), or pattern (/users/{id}/files); {name} stands for one segment.'),
    method: oneOrMore(z.string().regex(/^[A-Z]+$/, 'expected a method in capitals, such as POST'))
      .optional()
      .describe('Methods, such as POST.'),
    headers: z.record(fieldName, valueMatch).optional().describe('Field name → value; all must match.'),
    query: z.record(z.string(), valueMatch).optional().describe('Query parameter → value; all must match.'),
    model: oneOrMore(z.string()).optional().describe('Model named in the body; a trailing * matches any ending.'),
  })
  .prefault({})
  .describe('Which requests it takes: all that is given here must match. Everything, when left out.');

const fieldChanges = z
  .strictObject({
    set: z.record(fieldName, fieldValue).default({}).describe('Fields to replace or add.'),
    add: z.record(fieldName, fieldValue).default({}).describe('Fields to add beside existing ones.'),
    remove: z.array(fieldName).default([]).describe('Fields to take out.'),
  })
  .optional();

/** `routes[]`. */
export const routeConfig = z.strictObject({
  name: name.describe('Name in metrics, logs and errors.'),
  match: matchConfig,
  upstream: name.optional().describe('Upstream that answers, for any HTTP service.'),
  service: z
    .enum(['tokens', 'signup'])
    .optional()
    .describe(
      'What Gatehouse itself answers here: `tokens` is the token service (OAuth 2), `signup` lets people begin a trial. Their settings stand under these names at the top.',
    ),
  models: z
    .array(
      z
        .string()
        .regex(
          /^(\*|[A-Za-z0-9][A-Za-z0-9._:/-]{0,127})$/,
          'expected the name of a model, or * for all: letters, digits and . _ : / - (at most 128)',
        ),
    )
    .min(1, 'expected at least one model, or ["*"] for all')
    .optional()
    .describe('Models that may be asked for here; the body\'s `model` picks. `["*"]` means all.'),
  access: z
    .strictObject({
      anyOf: z
        .array(z.enum(['apiKey', 'jwt', 'certificate']))
        .min(1, 'expected at least one of apiKey, jwt and certificate; leave "access" out to let everybody pass')
        .describe('How callers prove who they are; any of these will do.'),
      scopes: z
        .array(
          z
            .string()
            .regex(
              /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
              'expected a scope (RFC 6749 §3.3): printable, without spaces and quotes',
            ),
        )
        .default([])
        .describe('Scopes that the credential must have, all of them.'),
      forwardCredential: z
        .boolean()
        .default(false)
        .describe(
          'Whether the credential travels on to the upstream. It is taken out when left out; `rewrite.requestHeaders` may set the one that the upstream wants.',
        ),
    })
    .optional()
    .describe('Who may pass; everybody when left out. Keys, issuers and rules stand under `access` at the top.'),
  rewrite: z
    .strictObject({
      path: z
        .string()
        .startsWith('/')
        .optional()
        .describe(
          'New path. For a prefix match the rest is kept (/v1/* with rewrite /api/* gives /api/…); {name} inserts a segment.',
        ),
      host: z.string().optional().describe('Host field sent upstream.'),
      requestHeaders: fieldChanges.describe('Changes to the fields sent upstream.'),
      responseHeaders: fieldChanges.describe('Changes to the fields sent to the client.'),
    })
    .optional()
    .describe('What is changed on the way.'),
  maxBody: sizeOnly('1MiB')
    .optional()
    .describe("Bytes of a request body here (413 beyond); the listener's limit when left out."),
  priority: priority
    .optional()
    .describe(
      'Importance when the gateway is overloaded and in the queues of upstreams, from 0 to 100 (`realtime` is 90, `batch` 50, `test` 10): what is less important is refused earlier, and waits longer. That of the plan where it is less; `batch` where neither says anything.',
    ),
  priorityHeader: fieldName
    .optional()
    .describe(
      'Field by which a client may say that its request is less important than `priority`: the same words or a number.',
    ),
});

/** `models.NAME`. */
export const modelConfig = z.strictObject({
  versions: z
    .array(
      z.strictObject({
        name: name.describe('Version name, such as stable or candidate.'),
        upstream: name.describe('Upstream that serves it.'),
        model: z.string().min(1).max(256).optional().describe('What the upstream calls the model, when it differs.'),
        weight: z
          .number()
          .int()
          .min(0)
          .max(1000)
          .default(1)
          .describe('Share of the requests, relative to the other versions that serve their class.'),
        classes: z
          .array(z.enum(CLASSES))
          .min(1, 'expected at least one of realtime, batch and test; leave "classes" out to serve all')
          .optional()
          .describe(
            'Takes only requests of these classes, such as [batch, test] for a pool of spot machines; all when left out. A priority up to 10 is `test`, up to 50 `batch`, beyond `realtime`.',
          ),
        spillover: z
          .strictObject({
            to: name.describe(
              'Name of another version of this model. It takes them whatever its own weight and classes are.',
            ),
            after: duration('0').describe(
              'How long a request waits in the queue here before it waits for a place there as well; the first place is taken. 0: at once.',
            ),
          })
          .optional()
          .describe(
            'Where requests go that find no server here, or no place in time; once, they do not come back. For a pool that may be full or taken away.',
          ),
        tokenizer: tokenizerSetting.describe('As that of the model, where this version has another.'),
      }),
    )
    .min(1, 'expected at least one version')
    .describe('The versions that share its requests.'),
  sticky: z
    .string()
    .regex(/^(key|user|ip|header:[A-Za-z0-9-]+)$/, 'expected key, user, ip or header:NAME')
    .optional()
    .describe("Keeps a caller on one version: by API key, by the body's `user`, by address, or by a header."),
  tokenizer: tokenizerSetting.describe(
    "Counts tokens where a server reports none, or a stream is cut: an encoding of OpenAI's, such as `o200k_base` (package gpt-tokenizer), the path of a Hugging Face `tokenizer.json` (package @huggingface/tokenizers), or `estimate`. When left out, that of the upstream; else, where limits or prices count, what the name makes certain (`gpt-4o`, `o3` …); else tokens are estimated.",
  ),
  ownedBy: z.string().default('gatehouse').describe('`owned_by` in /v1/models.'),
});

/** One route's settings after defaults. */
export type RouteConfig = z.output<typeof routeConfig>;
/** One model's settings after defaults. */
export type ModelConfig = z.output<typeof modelConfig>;
/** How one header or query value is matched. */
export type ValueMatch = z.output<typeof valueMatch>;
