/** The answer to who asks for a model that is not for it. */
import { GatehouseError } from '../../kernel/error.ts';
import { type Denial, deny } from './denial.ts';

/**
 * 404 as for a model that does not exist, in the same words for both: nobody learns by trying which models others have. 403 where
 * none was named.
 */
export function refuseModel(rule: string, model: string): Denial {
  if (model === '')
    return deny(rule, 'You may use certain models only, and this names none: set `model` in the JSON body.', 'model');
  const message = `The model \`${model}\` does not exist, or you may not use it. GET /v1/models lists those that you may use.`;
  return { rule, error: new GatehouseError('model_not_found', message, { rule, param: 'model' }) };
}
