/** What clients read to find their way: RFC 8414 for the service, RFC 9728 for what its tokens are for. */
import { ASSERTION_ALGORITHMS } from './assertion.ts';
import { GRANTS, type TokensConfig } from './config.ts';

/** Proof of possession may be signed with these. */
const PROOFS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'RS256', 'PS256'];
const PROVED = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];

/** Metadata of the authorization server (RFC 8414 §2, with RFC 8628 §4, 9449 §5.1, 8705 §3.3). */
export function serverMetadata({ issuer, path }: TokensConfig): object {
  const base = issuer + path;
  return {
    issuer,
    token_endpoint: `${base}/token`,
    revocation_endpoint: `${base}/revoke`,
    introspection_endpoint: `${base}/introspect`,
    device_authorization_endpoint: `${base}/device_authorization`,
    jwks_uri: `${base}/jwks`,
    // There is no authorization endpoint, but the field is required.
    response_types_supported: [],
    grant_types_supported: Object.values(GRANTS),
    token_endpoint_auth_methods_supported: [...PROVED, 'none'],
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    revocation_endpoint_auth_methods_supported: [...PROVED, 'none'],
    revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    introspection_endpoint_auth_methods_supported: PROVED,
    introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    dpop_signing_alg_values_supported: PROOFS,
    tls_client_certificate_bound_access_tokens: true,
  };
}

/** Metadata of the resource (RFC 9728 §2). */
export function resourceMetadata({ issuer, audiences = [issuer] }: TokensConfig): object {
  return {
    resource: audiences[0],
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: PROOFS,
    tls_client_certificate_bound_access_tokens: true,
  };
}
