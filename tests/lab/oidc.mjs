// SPDX-License-Identifier: Apache-2.0
// Real OAuth 2.0 / OpenID Connect provider for the lab: panva's oidc-provider behind node's https server.
// Usage: node oidc.mjs <state-dir>        (config, keys and settings are read from there)
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import crypto from 'node:crypto';
import Provider from 'oidc-provider';
import * as jose from 'jose';

const state = path.resolve(process.argv[2] ?? 'state');
const dir = path.join(state, 'oidc');
const cfg = JSON.parse(fs.readFileSync(path.join(dir, 'config.json'), 'utf8'));
const { issuer, host, port, mailResource, clients } = cfg;

// ---- run-time settings: re-read on every use, so "lab set ttl=20" works without a restart -------------
const settingsFile = path.join(dir, 'settings.json');
const settings = () => {
  try { return JSON.parse(fs.readFileSync(settingsFile, 'utf8')); } catch { return {}; }
};
const ttl = (name, dflt) => () => { const n = Number(settings()[name]); return n > 0 ? n : dflt; };

// ---- signing keys (persistent, so that JWTs survive a restart of the provider) -------------------------
const jwksFile = path.join(dir, 'jwks.json');
if (!fs.existsSync(jwksFile)) {
  const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = privateKey.export({ format: 'jwk' });
  fs.writeFileSync(jwksFile, JSON.stringify({ keys: [{ ...jwk, use: 'sig', alg: 'RS256', kid: 'lab-rs256' }] }), { mode: 0o600 });
}
const jwks = JSON.parse(fs.readFileSync(jwksFile, 'utf8'));
// Dovecot's local JWT validation looks a key up as <prefix>/<azp|default>/<ALG>/<kid>
for (const jwk of jwks.keys) {
  const p = path.join(state, 'dovecot', 'jwtkeys', 'default', jwk.alg);
  fs.mkdirSync(p, { recursive: true, mode: 0o755 });
  const pem = crypto.createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  fs.writeFileSync(path.join(p, jwk.kid), pem, { mode: 0o644 });
}

const mailboxOf = (token) => token.accountId ?? clients.find((c) => c.client_id === token.clientId)?.lab_mailbox;
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const MAIL_SCOPES = ['https://outlook.office365.com/.default', 'https://outlook.office.com/SMTP.Send',
  'https://mail.google.com/', 'SMTP.SendAsApp', 'mail'];

const provider = new Provider(issuer, {
  clients,
  jwks,
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'],
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'HS256'] },
  extraClientMetadata: { properties: ['lab_mailbox'] },
  cookies: { keys: ['lab-only-cookie-key'] },
  scopes: ['openid', 'offline_access', ...MAIL_SCOPES],
  claims: { openid: ['sub'], email: ['email'] },
  conformIdTokenClaims: false,               // the id_token says who signed in, as those of Entra ID and Google do
  findAccount: async (ctx, id) => (id.startsWith('gone') ? undefined
    : { accountId: id, claims: async () => ({ sub: id, email: id }) }),
  // pad=3000 gives tokens of the size Entra ID really issues
  extraTokenClaims: async (ctx, token) => ({ email: mailboxOf(token), pad: settings().pad ? 'x'.repeat(+settings().pad) : undefined }),
  rotateRefreshToken: () => settings().rotate !== 'no',
  expiresWithSession: async () => false,
  ttl: {
    AccessToken: ttl('ttl', 3600),
    ClientCredentials: ttl('ttl', 3600),
    RefreshToken: ttl('refresh_ttl', 14 * 86400),
    DeviceCode: ttl('device_ttl', 600),
    AuthorizationCode: ttl('code_ttl', 60),
    Grant: ttl('grant_ttl', 14 * 86400),
    IdToken: ttl('ttl', 3600),
    Interaction: () => 600,
    Session: () => 86400,
  },
  features: {
    devInteractions: { enabled: true },      // login/consent forms; approve.py walks through them
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async () => true },
    resourceIndicators: {
      enabled: true,
      // no "resource" parameter: format=jwt gives a JWT for the mail server, format=opaque an opaque token
      defaultResource: async (ctx, client, oneOf) => {
        if (oneOf) return Array.isArray(oneOf) ? oneOf[0] : oneOf;
        return settings().format === 'jwt' ? mailResource : undefined;
      },
      useGrantedResource: async () => true,
      getResourceServerInfo: async (ctx, resource) => {
        if (resource !== mailResource) throw new (await import('oidc-provider')).errors.InvalidTarget();
        return { scope: MAIL_SCOPES.join(' '), audience: mailResource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
      },
    },
  },
  formats: {
    // Dovecot 2.3 accepts only typ "JWT"; RFC 9068's "at+jwt" would be refused
    customizers: { jwt: async (ctx, token, jwt) => { jwt.header = { ...jwt.header, typ: 'JWT' }; } },
  },
});

// ---- Google-style service account: RFC 7523 assertion as an authorization grant --------------------------
// Google's token endpoint takes no client_id: the client is the assertion's issuer. POST /google/token adds it.
const tokenUrl = `${issuer}/google/token`;
provider.use(async (ctx, next) => {
  if (ctx.method === 'POST' && ctx.path === '/google/token') {
    const chunks = [];
    for await (const c of ctx.req) chunks.push(c);
    const body = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
    try { body.client_id ??= jose.decodeJwt(body.assertion ?? '').iss; } catch { /* the provider will say */ }
    ctx.req.body = body;
    ctx.path = '/token';
  }
  await next();
});
provider.registerGrantType(JWT_BEARER, async (ctx, next) => {
  const { params, client } = ctx.oidc;
  const { errors } = await import('oidc-provider');
  let claims;
  try {
    const head = jose.decodeJwt(params.assertion);
    const sa = clients.find((c) => c.client_id === head.iss);
    if (!sa?.jwks || sa.client_id !== client.clientId) throw new Error('unknown issuer');
    ({ payload: claims } = await jose.jwtVerify(params.assertion, jose.createLocalJWKSet(sa.jwks),
      { audience: tokenUrl, issuer: sa.client_id, maxTokenAge: '1h', algorithms: ['RS256'] }));
  } catch (e) {
    throw new errors.InvalidGrant(`assertion: ${e.message}`);
  }
  const { AccessToken, Grant } = provider;
  const accountId = claims.sub ?? client.lab_mailbox;
  const grant = new Grant({ accountId, clientId: client.clientId });
  grant.addOIDCScope(claims.scope ?? 'mail');
  const grantId = await grant.save();
  const at = new AccessToken({ accountId, client, grantId, gty: JWT_BEARER, scope: claims.scope });
  const access_token = await at.save();
  ctx.body = { access_token, expires_in: at.expiration, token_type: 'Bearer' };
}, ['assertion', 'scope']);

// ---- journal of token requests + fault switch ---------------------------------------------------------------
const journal = fs.createWriteStream(path.join(dir, 'journal.jsonl'), { flags: 'a', mode: 0o644 });
const sleep = (ms) => new Promise((r) => { setTimeout(r, ms); });
const digest = (text) => (text ? crypto.createHash('sha256').update(text).digest('hex').slice(0, 16) : undefined);
const assertionOf = (text) => {
  try { return text && { alg: jose.decodeProtectedHeader(text).alg, jti: jose.decodeJwt(text).jti }; } catch { return undefined; }
};
let faultSeen = null; let faultLeft = 0;
provider.use(async (ctx, next) => {
  const t0 = Date.now();
  let late = 0;
  if (ctx.path === '/token') {
    const f = settings().fault;               // e.g. {"id":1,"status":503,"count":2,"retry_after":1,"hang":0}
    if (f && f.id !== faultSeen) { faultSeen = f.id; faultLeft = f.count ?? 1; }
    const due = f && faultLeft > 0;
    if (due) faultLeft -= 1;
    if (due && f.status === 0) late = f.hang; // the true answer, but late: lost, when the client dies meanwhile
    else if (due) {
      if (f.hang) await sleep(f.hang * 1000);
      ctx.status = f.status;
      if (f.retry_after) ctx.set('Retry-After', String(f.retry_after));
      if (f.json) { ctx.type = 'json'; ctx.body = f.json; } else { ctx.type = 'html'; ctx.body = '<html><body>lab fault</body></html>'; }
      journal.write(`${JSON.stringify({ t: new Date(t0).toISOString(), path: ctx.path, status: ctx.status, fault: true })}\n`);
      return;
    }
  }
  await next();
  // what tests look through every output for (tests/integration/leaks.py)
  for (const name of ['access_token', 'refresh_token', 'device_code']) {
    if (typeof ctx.body?.[name] === 'string') fs.appendFileSync(path.join(dir, 'issued'), `token ${ctx.body[name]}\n`, { mode: 0o600 });
  }
  if (['/token', '/token/introspection', '/token/revocation', '/device/auth'].includes(ctx.path)) {
    const p = ctx.oidc?.params ?? {};
    journal.write(`${JSON.stringify({
      t: new Date(t0).toISOString(), ms: Date.now() - t0, path: ctx.path, status: ctx.status,
      grant_type: p.grant_type, client: ctx.oidc?.client?.clientId, scope: p.scope,
      error: ctx.body?.error, error_description: ctx.body?.error_description,
      active: ctx.body?.active, expires_in: ctx.body?.expires_in,
      new_refresh_token: ctx.body?.refresh_token ? true : undefined,
      used_refresh_token: digest(ctx.oidc?.body?.refresh_token), assertion: assertionOf(ctx.oidc?.body?.client_assertion),
      jwt: ctx.body?.access_token?.split('.').length === 3 || undefined,
      ua: ctx.get('user-agent') || undefined, tls: ctx.req.socket.getProtocol?.(),
    })}\n`);
  }
  if (late) await sleep(late * 1000);
});
provider.on('server_error', (ctx, err) => { console.error(new Date().toISOString(), 'server_error', ctx.path, err); });

const server = https.createServer({
  key: fs.readFileSync(path.join(state, 'tls', 'server.key')),
  cert: fs.readFileSync(path.join(state, 'tls', 'server.crt')),
}, provider.callback());
server.listen(port, host, () => {
  fs.writeFileSync(path.join(dir, 'pid'), `${process.pid}\n`);
  console.log(`${new Date().toISOString()} oidc-provider on ${issuer} node ${process.version}`);
});
for (const sig of ['SIGTERM', 'SIGINT']) {
  process.on(sig, () => { server.close(); server.closeAllConnections?.(); journal.end(() => process.exit(0)); });
}
