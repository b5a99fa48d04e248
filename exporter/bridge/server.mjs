import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

import {
  ACTION_BYTES,
  ACTION_WAIT_MILLISECONDS,
  CONNECTIONS,
  REQUESTS_PER_SECOND,
  REQUEST_BURST,
  REQUEST_MILLISECONDS,
} from './limits.mjs';
import { say } from './log.mjs';
import { isLoopback } from './options.mjs';

const RETRY_MILLISECONDS = 30_000;
const LOCAL_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

const JSON_TYPE = /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i;

const digest = (text) => createHash('sha256').update(text).digest();
const bearer = (token) => token && digest(`Bearer ${token}`);

/** Serves the state, and takes actions. Neither the server, nor its clients, nor its timers keep the process alive. */
export class BridgeServer {
  #options;
  #state;
  #act;
  #server;
  #retry;
  #retryTimer;
  #sockets = new Set();
  #waiting = new WeakSet();
  #token;
  #actionsToken;
  #due = 0;

  /** `state` gives the document's bytes; `act` answers the bytes of a request for an action within milliseconds. */
  constructor(options, { state, act }, { retry = RETRY_MILLISECONDS } = {}) {
    this.#retry = retry;
    this.#options = options;
    this.#state = state;
    this.#act = act;
    this.#token = bearer(options.token);
    this.#actionsToken = bearer(options.actions?.token);
    this.#server = createServer(
      {
        requestTimeout: REQUEST_MILLISECONDS,
        headersTimeout: REQUEST_MILLISECONDS,
        keepAliveTimeout: REQUEST_MILLISECONDS,
        connectionsCheckingInterval: 1000,
        maxHeaderSize: 8192,
      },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS;
    this.#server.on('connection', (socket) => this.#welcome(socket));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
    this.#server.on('error', (error) => this.#failed(error));
  }

  start() {
    const { host, port } = this.#options;
    try {
      this.#server.listen({ host, port, exclusive: true }).unref();
    } catch (error) {
      this.#failed(error);
    }
  }

  stop() {
    clearTimeout(this.#retryTimer);
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  address() {
    return this.#server.address();
  }

  #failed(error) {
    if (this.#server.listening) return; // one client could not be accepted
    const { host, port } = this.#options;
    say(
      `${host}:${port} cannot be served (${error.code ?? error.message}); tried again every ${this.#retry / 1000} s`,
    );
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.start(), this.#retry).unref();
  }

  #welcome(socket) {
    socket.unref();
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #answer(request, response) {
    const { socket } = request;
    // A timeout for idle sockets would let a client hold its place by reading a byte now and then.
    const deadline = setTimeout(() => socket.destroy(), REQUEST_MILLISECONDS).unref();
    response.on('close', () => clearTimeout(deadline));
    if (this.#waiting.has(socket)) {
      socket.destroy();
      return;
    }
    const wait = this.#wait();
    if (wait === 0) {
      this.#route(request, response);
      return;
    }
    this.#waiting.add(socket);
    setTimeout(() => {
      this.#waiting.delete(socket);
      if (!socket.destroyed) this.#route(request, response);
    }, wait).unref();
  }

  /** Milliseconds until a request may be answered: haste costs the client time, not the bot. */
  #wait() {
    const time = performance.now();
    this.#due = Math.max(this.#due + 1000 / REQUESTS_PER_SECOND, time);
    return Math.max(0, this.#due - time - (1000 * REQUEST_BURST) / REQUESTS_PER_SECOND);
  }

  #route(request, response) {
    this.#respond(request, response).catch(() => request.socket.destroy());
  }

  async #respond(request, response) {
    const path = request.url.split('?', 1)[0];
    const isAction = this.#actionsToken !== undefined && path === '/actions';
    if (!hasToken(request, isAction ? this.#actionsToken : this.#token)) {
      return send(response, 401, { 'www-authenticate': 'Bearer' });
    }
    if (!this.#isMeant(request, isAction)) return send(response, 421);
    if (isAction) return this.#respondToAction(request, response);
    if (path !== '/state') return send(response, 404);
    if (request.method !== 'GET') return send(response, 405, { allow: 'GET' });
    return send(response, 200, JSON_HEADERS, this.#state());
  }

  async #respondToAction(request, response) {
    const start = performance.now();
    if (request.method !== 'POST') return send(response, 405, { allow: 'POST' });
    const { 'content-type': type = '', 'content-encoding': encoding } = request.headers;
    if (!JSON_TYPE.test(type) || encoding !== undefined) return send(response, 415);
    const bytes = await readBody(request, ACTION_BYTES);
    if (bytes === undefined) return send(response, 413, { connection: 'close' });
    const wait = ACTION_WAIT_MILLISECONDS - (performance.now() - start);
    const { status, document, retryAfter } = await this.#act(bytes, wait);
    const headers = retryAfter === undefined ? JSON_HEADERS : { ...JSON_HEADERS, 'retry-after': retryAfter };
    return send(response, status, headers, Buffer.from(JSON.stringify(document)));
  }

  /** A page in a browser can reach a loopback address under a name of its own; the Host header gives that away. */
  #isMeant(request, isAction) {
    if (!isAction && (this.#token || !isLoopback(this.#options.host))) return true;
    return LOCAL_HOST.test(request.headers.host ?? '');
  }
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
const JSON_HEADERS = { 'content-type': 'application/json' };

function send(response, status, headers = {}, body = '') {
  response.writeHead(status, { ...HEADERS, ...headers, 'content-length': body.length });
  response.end(body);
}

function hasToken(request, token) {
  return !token || timingSafeEqual(digest(request.headers.authorization ?? ''), token);
}

/** A request's body, or undefined as soon as it is larger than the limit. */
function readBody(request, limit) {
  return new Promise((resolve) => {
    const chunks = [];
    let length = 0;
    request.on('data', (chunk) => {
      length += chunk.length;
      if (length <= limit) chunks.push(chunk);
      else resolve(undefined);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
  });
}
