import { createHash, timingSafeEqual } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createConnection } from 'node:net';
import path from 'node:path';

import {
  ACTION_BYTES,
  ACTION_WAIT_MILLISECONDS,
  CONNECTIONS,
  REQUESTS_PER_SECOND,
  REQUEST_BURST,
  REQUEST_MILLISECONDS,
} from './limits.mjs';
import { logOnce } from './log.mjs';
import { isLoopback } from './options.mjs';

/** In milliseconds: between two attempts to listen, for a whole request, and for an action to finish. */
const TIMEOUTS = { retry: 30_000, request: REQUEST_MILLISECONDS, action: ACTION_WAIT_MILLISECONDS };
const LOCAL_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

const JSON_TYPE = /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i;

const digest = (text) => createHash('sha256').update(text).digest();
const bearer = (token) => token && digest(`Bearer ${token}`);

/** Serves GET /state and POST /actions. Neither the server nor its connections or timers keep the process alive. */
export class BridgeServer {
  #options;
  #renderState;
  #handleAction;
  #timeouts;
  #server;
  #retryTimer;
  #socket;
  #sockets = new Set();
  #delayed = new WeakSet();
  #token;
  #actionsToken;
  /** Whoever has no token cannot use up what those have who do. */
  #served = new RateLimit();
  #refused = new RateLimit();

  /**
   * `renderState()` returns the document's bytes; `handleAction(bytes, milliseconds)` resolves to the answer to a
   * request body within that time.
   */
  constructor(options, { renderState, handleAction }, timeouts = {}) {
    this.#options = options;
    this.#renderState = renderState;
    this.#handleAction = handleAction;
    const { socketDirectory, processName } = options;
    this.#socket = socketDirectory && path.join(socketDirectory, `${processName}.sock`);
    this.#timeouts = { ...TIMEOUTS, ...timeouts };
    this.#token = bearer(options.token);
    this.#actionsToken = bearer(options.actions?.token);
    this.#server = createServer(
      {
        requestTimeout: this.#timeouts.request,
        headersTimeout: this.#timeouts.request,
        keepAliveTimeout: this.#timeouts.request,
        connectionsCheckingInterval: 1000,
        maxHeaderSize: 8192,
      },
      (request, response) => this.#onRequest(request, response),
    );
    this.#server.maxConnections = CONNECTIONS;
    this.#server.on('connection', (socket) => this.#onConnection(socket));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
    this.#server.on('error', (error) => this.#onError(error));
  }

  start() {
    const { host, port } = this.#options;
    try {
      if (this.#socket) this.#listenOnSocket();
      else this.#server.listen({ host, port, exclusive: true }).unref();
    } catch (error) {
      this.#onError(error);
    }
  }

  /** Connecting to a socket takes the permission to write it. Node.js removes the file when the server is closed. */
  #listenOnSocket() {
    this.#server.listen({ path: this.#socket, exclusive: true }).unref();
    if (!this.#server.listening) return;
    chmodSync(this.#socket, 0o600);
    process.once('exit', this.#removeSocket);
  }

  #removeSocket = () => rmSync(this.#socket, { force: true });

  /** A process that was killed leaves its socket behind, and nobody answers on it. */
  #replaceDeadSocket(error) {
    const probe = createConnection(this.#socket).unref();
    probe.on('connect', () => {
      probe.destroy();
      this.#retryLater(error);
    });
    probe.on('error', ({ code }) => {
      if (code !== 'ECONNREFUSED') return this.#retryLater(error);
      this.#removeSocket();
      return this.start();
    });
  }

  stop() {
    process.off('exit', this.#removeSocket);
    clearTimeout(this.#retryTimer);
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  address() {
    return this.#server.listening ? this.#server.address() : null;
  }

  #onError(error) {
    if (this.#server.listening) return; // only one connection could not be accepted
    if (this.#socket && error.code === 'EADDRINUSE') this.#replaceDeadSocket(error);
    else this.#retryLater(error);
  }

  #retryLater(error) {
    const { host, port } = this.#options;
    logOnce(
      `cannot listen on ${this.#socket ?? `${host}:${port}`} (${error.code ?? error.message}); retrying every ${this.#timeouts.retry / 1000} s`,
    );
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.start(), this.#timeouts.retry).unref();
  }

  #onConnection(socket) {
    socket.unref();
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #onRequest(request, response) {
    const { socket } = request;
    // An idle timeout would let a client keep its connection by reading a byte now and then.
    const deadline = setTimeout(() => socket.destroy(), this.#timeouts.request).unref();
    response.on('close', () => clearTimeout(deadline));
    if (this.#delayed.has(socket)) {
      socket.destroy();
      return;
    }
    const delay = (this.#isAuthorized(request) ? this.#served : this.#refused).delay();
    if (delay === 0) {
      this.#route(request, response);
      return;
    }
    this.#delayed.add(socket);
    setTimeout(() => {
      this.#delayed.delete(socket);
      if (!socket.destroyed) this.#route(request, response);
    }, delay).unref();
  }

  #route(request, response) {
    this.#respond(request, response).catch(() => request.socket.destroy());
  }

  async #respond(request, response) {
    const target = pathOf(request);
    const isAction = this.#isAction(request);
    if (!this.#isAuthorized(request)) {
      return send(response, 401, { 'www-authenticate': 'Bearer' });
    }
    if (!this.#isLocalRequest(request, isAction)) return send(response, 421);
    if (isAction) return this.#respondToAction(request, response);
    if (target !== '/state') return send(response, 404);
    if (request.method !== 'GET') return send(response, 405, { allow: 'GET' });
    return send(response, 200, JSON_HEADERS, this.#renderState());
  }

  #isAction(request) {
    return this.#actionsToken !== undefined && pathOf(request) === '/actions';
  }

  #isAuthorized(request) {
    return hasToken(request, this.#isAction(request) ? this.#actionsToken : this.#token);
  }

  async #respondToAction(request, response) {
    const start = performance.now();
    if (request.method !== 'POST') return send(response, 405, { allow: 'POST' });
    const { 'content-type': type = '', 'content-encoding': encoding } = request.headers;
    if (!JSON_TYPE.test(type) || encoding !== undefined) return send(response, 415);
    const bytes = await readBody(request, ACTION_BYTES);
    if (bytes === undefined) return send(response, 413, { connection: 'close' });
    const wait = this.#timeouts.action - (performance.now() - start);
    const { status, document, retryAfter } = await this.#handleAction(bytes, wait);
    const headers = retryAfter === undefined ? JSON_HEADERS : { ...JSON_HEADERS, 'retry-after': retryAfter };
    return send(response, status, headers, Buffer.from(JSON.stringify(document)));
  }

  /** DNS rebinding lets a web page reach a loopback address under its own name; the Host header reveals that. */
  #isLocalRequest(request, isAction) {
    if (this.#socket) return true;
    if (!isAction && (this.#token || !isLoopback(this.#options.host))) return true;
    return LOCAL_HOST.test(request.headers.host ?? '');
  }
}

/** Slows clients down rather than refusing them. */
class RateLimit {
  #nextSlot = 0;

  /** Milliseconds to delay the next request. */
  delay() {
    const time = performance.now();
    this.#nextSlot = Math.max(this.#nextSlot + 1000 / REQUESTS_PER_SECOND, time);
    return Math.max(0, this.#nextSlot - time - (1000 * REQUEST_BURST) / REQUESTS_PER_SECOND);
  }
}

const pathOf = (request) => request.url.split('?', 1)[0];

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
const JSON_HEADERS = { 'content-type': 'application/json' };

function send(response, status, headers = {}, body = '') {
  response.writeHead(status, { ...HEADERS, ...headers, 'content-length': body.length });
  response.end(body);
}

function hasToken(request, token) {
  return !token || timingSafeEqual(digest(request.headers.authorization ?? ''), token);
}

/** The request's body, or undefined as soon as it exceeds the limit. */
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
