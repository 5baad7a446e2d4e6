// Ways a TypeScript program can hold credentials. Each is what the library's own documentation shows.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { tell } from './events.mjs';

// Person is a native program whose user signs in with a browser: it keeps its credentials in memory and waits for the
// browser on a loopback address.
export class Person {
  static async listen(options) {
    const person = new Person();
    person.options = options;
    person.server = createServer((req, res) => person.#receive(req, res));
    person.server.listen(0, '127.0.0.1');
    await once(person.server, 'listening');
    person.redirectUrl = `http://127.0.0.1:${person.server.address().port}/callback`;
    person.#expect();
    return person;
  }

  get clientMetadata() {
    return {
      client_name: 'TypeScript client under test',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  #client; // as registered, or as known from the start
  clientInformation() {
    return this.#client ?? (this.options.clientId && { client_id: this.options.clientId });
  }
  saveClientInformation(client) {
    this.#client = client;
    tell('client', { id: client.client_id, registered: client.client_id !== this.options.clientId });
  }

  #tokens;
  tokens() {
    return this.#tokens;
  }
  saveTokens(tokens) {
    this.#tokens = tokens;
    tell('tokens', {
      type: tokens.token_type, scope: tokens.scope, expiresIn: tokens.expires_in, refreshes: Boolean(tokens.refresh_token),
    });
  }

  #verifier;
  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }
  codeVerifier() {
    return this.#verifier;
  }

  #discovery;
  saveDiscoveryState(state) {
    this.#discovery = state;
  }
  discoveryState() {
    return this.#discovery;
  }

  state() {
    return (this.expectedState = randomUUID());
  }

  redirectToAuthorization(url) {
    this.#expect();
    tell('authorize', { url: String(url) });
  }

  // callback is the query the browser brought back, after its state was compared.
  callback() {
    return this.#callback.promise;
  }

  // spoil makes the access token useless, as if it had run out, and leaves the refresh token.
  spoil() {
    this.#tokens = { ...this.#tokens, access_token: this.#tokens.access_token.slice(0, -8) + 'AAAAAAAA' };
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  #callback;
  #expect() {
    this.#callback = Promise.withResolvers();
    this.#callback.promise.catch(() => {}); // whoever awaits callback() sees it
  }

  #receive(req, res) {
    const url = new URL(req.url, this.redirectUrl);
    if (url.pathname !== '/callback') return res.writeHead(404).end();
    if (url.searchParams.get('state') !== this.expectedState) {
      this.#callback.reject(new Error('the callback carries another state'));
      return res.writeHead(400).end();
    }
    res.end('Signed in. You may close this page.');
    this.#callback.resolve(url.searchParams);
  }
}

// provider makes what the options ask for: a token already at hand, a service with a secret, a person, or nothing.
export async function provider(library, options) {
  switch (options.as) {
    case 'token':
      return { token: async () => options.token };
    case 'service':
      return new library.ClientCredentialsProvider({
        clientId: options.clientId, clientSecret: options.clientSecret, scope: options.scope, expectedIssuer: options.issuer,
      });
    case 'person':
      return await Person.listen(options);
    default:
      return undefined;
  }
}
