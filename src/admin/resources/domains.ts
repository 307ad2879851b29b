/** Customers' own domains, with their certificates. */
import { z } from 'zod';
import { checkDomain, type DomainDocument, domainDocument } from '../../certificate/domain.ts';
import type { Answer } from '../answer.ts';
import { knownListener } from './names.ts';
import type { Resource, Wanted } from './resource.ts';
import { wrong } from './trouble.ts';

/** Kind of the documents in the store. */
export const DOMAIN_KIND = 'domain';

/** Domains, as the API has them. */
export const domains: Resource<DomainDocument> = {
  name: 'domains',
  one: 'domain',
  kind: DOMAIN_KIND,
  reads: 'viewer',
  writes: 'operator',
  tenants: false,
  order: domainDocument,
  answer: z.object(domainDocument.shape).omit({ key: true }),
  fixed: [],
  ids: 'chosen',
  shown: ({ key: _, ...rest }) => rest,
  restored(sent, before) {
    const same = sent.key === undefined && sent.certificate !== undefined && sent.certificate === before.certificate;
    return same ? { ...sent, key: before.key } : sent;
  },
  make: (id, order: DomainDocument, around) =>
    knownListener(order.listener, '', around) ?? checked(id as string, order, around.now),
  changed: ({ id, value }, order: DomainDocument, around) =>
    knownListener(order.listener, value.listener, around) ?? checked(id, order, around.now),
  parentOf: ({ tenant }) => tenant,
};

function checked(id: string, value: DomainDocument, now: number): Wanted | Answer {
  try {
    checkDomain(id, value, now);
    return { id, value };
  } catch (error) {
    return wrong([{ path: value.certificate === undefined ? '' : 'certificate', message: (error as Error).message }]);
  }
}
