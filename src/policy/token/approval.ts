/**
 * A person lets a device in: shows code and API key, sees who asks for what, and decides. Nothing is remembered in the
 * browser, so no other site can decide for somebody: the second step needs a ticket that only the first one gives.
 */
import type { Document } from '../../store/store.ts';
import type { DeviceLogin, Devices } from './device.ts';
import { codePage, decisionPage, endPage } from './page.ts';
import type { Subject, TokenParts } from './parts.ts';
import { deriveAll, mac, same } from './secret.ts';
import { readForm, type ServiceAnswer, type ServiceRequest } from './wire.ts';

/** How long a person may think. */
const TICKET_MS = 5 * 60_000;

type ApprovalParts = Pick<TokenParts, 'clock' | 'keyOf' | 'keyById' | 'hold' | 'failed'>;

/** The pages of `/oauth/device`. */
export class Approval {
  readonly #parts: ApprovalParts;
  readonly #devices: Devices;
  #secrets: readonly Buffer[];

  constructor(parts: ApprovalParts, devices: Devices, peppers: readonly string[]) {
    this.#parts = parts;
    this.#devices = devices;
    this.#secrets = deriveAll(peppers, 'device tickets');
  }

  /** Other settings are in force. */
  configure(peppers: readonly string[]): void {
    this.#secrets = deriveAll(peppers, 'device tickets');
  }

  /** Shows a page, or takes a form. */
  async answer(request: ServiceRequest): Promise<ServiceAnswer> {
    if (request.method !== 'POST')
      return codePage(new URLSearchParams(request.query).get('user_code')?.slice(0, 16) ?? '');
    const { origin, 'sec-fetch-site': site } = request.fields;
    const own = origin === undefined || origin === 'null' || origin === new URL(request.uri).origin;
    if (!own || (site !== undefined && site !== 'same-origin' && site !== 'none'))
      return codePage('', 'This form was sent from another site: fill it in here.', 403);
    const form = readForm(request);
    const ticket = form.get('ticket');
    return ticket === undefined ? this.#look(request, form) : this.#decide(ticket, form.get('decision') ?? '');
  }

  async #look({ address }: ServiceRequest, form: ReadonlyMap<string, string>): Promise<ServiceAnswer> {
    const typed = form.get('user_code') ?? '';
    const wait = this.#parts.hold(address, '');
    if (wait > 0) {
      const seconds = Math.ceil(wait / 1000);
      return codePage(typed, `Too many attempts: try again in ${seconds} s.`, 429, [['Retry-After', String(seconds)]]);
    }
    const key = await this.#parts.keyOf((form.get('key') ?? '').trim(), address);
    if (key === undefined) {
      this.#parts.failed(address, '');
      return codePage(typed, 'This API key is not known here, or not valid any more.', 401);
    }
    if (key.bound)
      return codePage(typed, 'This API key may be used from certain networks only, so it lets no device in.', 403);
    const found = await this.#devices.byUserCode(typed);
    if (found === undefined) {
      this.#parts.failed(address, '');
      return codePage('', 'There is no device with this code, or its code has expired.', 400);
    }
    const { value } = found;
    const asked = {
      client: value.clientName,
      scopes: value.scopes.filter((scope) => key.scopes.includes(scope)),
      address: value.address,
      principal: key.principal,
      userCode: typed.toUpperCase(),
    };
    return decisionPage(asked, this.#ticket(found, key));
  }

  async #decide(ticket: string, decision: string): Promise<ServiceAnswer> {
    const [id = '', ends = '', tag = '', ...key] = ticket.split('.');
    const keyId = key.join('.');
    const genuine = this.#secrets.some((secret) => same(mac(secret, `${id}\n${ends}\n${keyId}`), tag));
    if (!genuine || Number(ends) < this.#parts.clock.wall())
      return codePage('', 'That took too long: begin again.', 400);
    const subject = await this.#parts.keyById(keyId);
    const found = await this.#devices.byId(id);
    if (subject === undefined || found === undefined) return codePage('', 'The code has expired: begin again.', 400);
    if (decision !== 'approve' && decision !== 'deny') return codePage('', 'Nothing was decided: begin again.', 400);
    const state = decision === 'approve' ? 'approved' : 'denied';
    for (let now = found, i = 0; i < 5; i++) {
      if (await this.#devices.decide(now, state, keyId))
        return endPage(
          decision === 'approve' ? 'The device is let in. You may close this page.' : 'The device is not let in.',
        );
      // It has asked in between.
      const again = await this.#devices.byId(id);
      if (again === undefined) break;
      now = again;
    }
    return endPage('This was decided already, or the code has expired.', 409);
  }

  #ticket({ id }: Document<DeviceLogin>, { id: key }: Subject): string {
    const ends = String(this.#parts.clock.wall() + TICKET_MS);
    return `${id}.${ends}.${mac(this.#secrets[0] as Buffer, `${id}\n${ends}\n${key}`)}.${key}`;
  }
}
