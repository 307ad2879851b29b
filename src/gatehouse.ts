/**
 * The composition root. What a request meets, from top to bottom, is the list below; each stage is a function of the name
 * in gatehouse/stages.ts or a policy's gate. What a stage returns decides: nothing, and the next one runs; an error, and it is
 * answered in the client's protocol; `ANSWERED`, and the stage has taken the request over.
 */

import { attend, authenticate, authenticateByModel } from './gatehouse/authenticate.ts';
import { authorize, permitModel } from './gatehouse/authorize.ts';
import { chooseModel } from './gatehouse/choose.ts';
import { answerPreflight } from './gatehouse/cors.ts';
import { forward } from './gatehouse/forward.ts';
import { limit, limitByModel } from './gatehouse/limit.ts';
import type { WorkerParts } from './gatehouse/parts.ts';
import type { Stage } from './gatehouse/passage.ts';
import { price } from './gatehouse/price.ts';
import { awaitPlace } from './gatehouse/queue.ts';
import { admit, rank } from './gatehouse/rank.ts';
import { holdForService, serve } from './gatehouse/serve.ts';
import type { SnapshotInput } from './gatehouse/snapshot.ts';
import { spillAtOnce } from './gatehouse/spill.ts';
import {
  awaitProbe,
  chaos,
  compose,
  guard,
  identify,
  peek,
  proveDomain,
  readModel,
  route,
} from './gatehouse/stages.ts';
import { Worker } from './gatehouse/worker.ts';

export { accessOf, inForceOf, limitsOf } from './gatehouse/snapshot.ts';
export { REFUSED_METHODS } from './gatehouse/stages.ts';
export { storedRules } from './gatehouse/storedlimits.ts';
export { WARM_UP_DESCRIPTORS, warmUp } from './gatehouse/warmup.ts';

/** The life of a request. */
const pipeline: readonly Stage[] = [
  identify, // request id, API, error shape
  guard, // loops, methods that end here
  proveDomain, // challenges of certification authorities
  answerPreflight, // what browsers ask before a page of another origin may call
  route, // host, path, method, fields, query → route
  admit, // refuse the least important while the worker is overloaded
  authenticate, // key, token or certificate → who calls
  attend, // what is taken back from now on ends the request
  authorize, // tenant, plan and rules of the route, where the head is enough to know
  rank, // how important it is, when the caller is known
  limit, // requests, concurrency and bytes that are left, where the head is enough to know
  holdForService, // hold the body where Gatehouse itself answers
  peek, // hold the body where its model is needed
  readModel, // model, stream, user out of the body
  authenticateByModel, // the same, where the model has decided on the route
  attend, // the same
  permitModel, // the same by model, tools and tokens
  rank, // the same, where the model has decided on the route
  chooseModel, // model → version → upstream; /v1/models
  spillAtOnce, // another version, where no server of this one can be used
  price, // what its tokens and seconds will cost
  limitByModel, // the same by model, and tokens: reserved before they are sent
  serve, // token service: what the supervisor answers
  chaos, // faults on purpose, where somebody switched them on
  compose, // target, fields and body as the upstream gets them
  awaitProbe, // after a breaker's openFor: who may try
  awaitPlace, // where all servers have as many requests as they may
  forward, // endpoint, retries, the answer back
];

/** One worker's data plane for a configuration. Throws when the configuration cannot be compiled. */
export function createGatehouse(input: SnapshotInput, parts: WorkerParts): Worker {
  return new Worker(pipeline, input, parts);
}
