/** /v1/models in OpenAI's shape. */
import type { ModelEntry } from '../operation.ts';

function describe(model: ModelEntry) {
  return { id: model.id, object: 'model', created: Math.floor(model.createdAt), owned_by: model.ownedBy };
}

/** The list. */
export function modelsBody(models: readonly ModelEntry[]): string {
  return JSON.stringify({ object: 'list', data: models.map(describe) });
}

/** One model. */
export function modelBody(model: ModelEntry): string {
  return JSON.stringify(describe(model));
}
