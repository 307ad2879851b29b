/** Writes the files that are made from the schema and the error table: `npm run generate`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openApiDocument } from '../admin/admin.ts';
import { accessLogReference, metricsReference } from '../observe/observe.ts';
import { configurationPage, errorsPage } from './manual.ts';
import { publishedSchema } from './schema.ts';

/** Path from the root of the repository → contents. */
export function generatedFiles(): Record<string, string> {
  return {
    'schema/gatehouse.schema.json': `${JSON.stringify(publishedSchema(), null, 2)}\n`,
    'docs/reference/admin-api.json': `${JSON.stringify(openApiDocument(), null, 2)}\n`,
    'docs/reference/configuration.md': configurationPage(),
    'docs/reference/errors.md': errorsPage(),
    'docs/reference/metrics.md': metricsReference(),
    'docs/reference/access-log.md': accessLogReference(),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of Object.entries(generatedFiles())) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(join(process.cwd(), path), text);
  }
}
