/** Keys of an issuer on their way from the supervisor to its workers. */
import type { IssuerConfig } from './config.ts';
import type { PublicJwk } from './key.ts';

/** Where the keys of an issuer come from: keys from elsewhere are not its own, though it bears the same name. */
export const sourceOf = ({ issuer, jwksUrl = '', discovery = '' }: IssuerConfig): string =>
  `${issuer}\n${jwksUrl}\n${discovery}`;

/** The keys of one issuer. */
export interface IssuerKeys {
  /** Its name in the configuration. */
  name: string;
  /** As `sourceOf` writes it. */
  source: string;
  keys: readonly PublicJwk[];
}
