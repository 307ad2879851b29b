/** Which model is asked for, and which of its versions answers. */
import { modelBody, modelIdOf, modelsBody } from '../ai/ai.ts';
import { GatehouseError } from '../kernel/error.ts';
import { className } from '../kernel/priority.ts';
import { stickyKey } from './keys.ts';
import { ANSWERED, type Passage, type Step } from './passage.ts';

/** Model → version → upstream; /v1/models is answered here. */
export function chooseModel(passage: Passage): Step {
  const { exchange, snapshot, operation, head } = passage;
  const found = passage.route as NonNullable<typeof passage.route>;
  if (found.config.models === undefined) {
    passage.destination = snapshot.upstreams.get(found.config.upstream as string);
    return undefined;
  }
  if (operation?.name === 'models' || operation?.name === 'model') return listModels(passage);
  const name = exchange.model;
  if (name === '') {
    return new GatehouseError('invalid_body', 'the request names no model: set `model` in the JSON body', {
      param: 'model',
      rule: found.name,
    });
  }
  const model = found.allowsModel(name) ? snapshot.models.get(name) : undefined;
  if (model === undefined) {
    return new GatehouseError(
      'model_not_found',
      `The model \`${name}\` is not offered here. GET /v1/models lists those that are.`,
      {
        param: 'model',
        rule: found.name,
      },
    );
  }
  const version = model.pick(stickyKey(model.sticky, passage, head), exchange.priority);
  passage.model = model;
  if (version === undefined) {
    return new GatehouseError(
      'no_endpoint',
      `the model \`${name}\` is not served to requests of class ${className(exchange.priority)}`,
      { rule: found.name, fields: NEVER },
    );
  }
  passage.version = version;
  exchange.version = version.name;
  passage.destination = snapshot.upstreams.get(version.upstream);
  return undefined;
}

/** It is so by configuration: waiting does not help. */
const NEVER = [['x-should-retry', 'false']] as const;

function listModels(passage: Passage): Step {
  const { snapshot, worker, apiPath } = passage;
  const operation = passage.operation as NonNullable<typeof passage.operation>;
  const found = passage.route as NonNullable<typeof passage.route>;
  const { permit } = passage;
  const all = snapshot.listed(found.config, worker.createdAt);
  const entries =
    permit === undefined ? all : all.filter(({ id }) => snapshot.permissions.allowsModel(permit, found.index, id));
  if (operation.name === 'models') {
    passage.answerText('application/json', modelsBody(operation.protocol, entries));
    return ANSWERED;
  }
  const id = modelIdOf(apiPath);
  const entry = entries.find((candidate) => candidate.id === id);
  if (entry === undefined) {
    return new GatehouseError('model_not_found', `The model \`${id ?? ''}\` is not offered here.`, { param: 'model' });
  }
  passage.answerText('application/json', modelBody(operation.protocol, entry));
  return ANSWERED;
}
