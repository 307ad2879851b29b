/** /v1/models in Anthropic's shape. */
import type { ModelEntry } from '../operation.ts';

function describe(model: ModelEntry) {
  return {
    type: 'model',
    id: model.id,
    display_name: model.id,
    created_at: new Date(Math.floor(model.createdAt) * 1000).toISOString().replace('.000Z', 'Z'),
  };
}

/** The list, on one page. */
export function modelsBody(models: readonly ModelEntry[]): string {
  return JSON.stringify({
    data: models.map(describe),
    has_more: false,
    first_id: models[0]?.id ?? null,
    last_id: models.at(-1)?.id ?? null,
  });
}

/** One model. */
export function modelBody(model: ModelEntry): string {
  return JSON.stringify(describe(model));
}
