// The graph as the console reaches it: operations over HTTP, subscriptions over one WebSocket that heals itself.

const base = new URL(".", document.baseURI);
export const endpoint = new URL("graphql", base);

let token = null;

/** In development the gateway issues tokens; elsewhere the console stays anonymous unless one is given. */
export async function becomeClerk() {
  if (token) return true;
  try {
    const answer = await fetch(new URL("dev/token", base), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        sub: "console-clerk",
        kind: "staff",
        scopes: ["inventory:read", "inventory:write", "pos:write", "orders:read", "customers:read", "loyalty:read"],
      }),
    });
    if (!answer.ok) return false;
    token = (await answer.json()).token;
    return true;
  } catch {
    return false;
  }
}

/** In development: a customer who has bought before, to see the page as they do. Null elsewhere. */
export async function someShopper() {
  for (let number = 1; number <= 20; number += 1) {
    const card = `L${String(number).padStart(7, "0")}`;
    const found = await ask("query Card($card: String!) { customerLookup(loyaltyNumber: $card) { id displayName } }", { card });
    const customer = found.data?.customerLookup;
    if (!customer) {
      if (found.errors) return null;
      continue;
    }
    const answer = await fetch(new URL("dev/token", base), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sub: `shopper-${number}`, kind: "customer", customer_id: customer.id }),
    });
    return answer.ok ? { name: customer.displayName, token: (await answer.json()).token } : null;
  }
  return null;
}

export function useToken(text) {
  token = text || null;
}

/** The whole answer: {data, errors, extensions}. Network trouble becomes an error like any other. */
export async function ask(query, variables = {}, { operationName, headers = {} } = {}) {
  const sent = { "content-type": "application/json", accept: "application/graphql-response+json, application/json", ...headers };
  if (token && !sent.authorization) sent.authorization = `Bearer ${token}`;
  try {
    const answer = await fetch(endpoint, { method: "POST", headers: sent, body: JSON.stringify({ query, variables, operationName }) });
    return await answer.json();
  } catch (error) {
    return { data: null, errors: [{ message: `The gateway did not answer: ${error.message}` }] };
  }
}

export async function plan(query, operationName) {
  try {
    const answer = await fetch(new URL("plan", base), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query, operationName }),
    });
    return await answer.json();
  } catch (error) {
    return { errors: [{ message: `The gateway did not answer: ${error.message}` }] };
  }
}

export async function namedOperations() {
  try {
    const answer = await fetch(new URL("console/operations.json", base));
    return answer.ok ? await answer.json() : [];
  } catch {
    return [];
  }
}

/** graphql-transport-ws: one socket, many operations; on loss it comes back with growing pauses and starts them again. */
class Socket {
  #socket = null;
  #ready = false;
  #next = 1;
  #operations = new Map();
  #attempts = 0;
  onstate = () => {};

  subscribe(query, variables, sink, operationName) {
    const id = String(this.#next++);
    this.#operations.set(id, { query, variables, sink, operationName });
    if (this.#ready) this.#start(id);
    else this.#connect();
    return () => {
      if (!this.#operations.delete(id)) return;
      if (this.#ready) this.#send({ id, type: "complete" });
      if (this.#operations.size === 0) this.#socket?.close(1000);
    };
  }

  #connect() {
    if (this.#socket) return;
    const url = new URL(endpoint);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.#socket = new WebSocket(url, "graphql-transport-ws"));
    this.onstate(this.#attempts ? "lost" : "joining");
    socket.onopen = () => this.#send({ type: "connection_init", payload: token ? { authorization: `Bearer ${token}` } : {} });
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = () => {
      this.#socket = null;
      this.#ready = false;
      if (this.#operations.size === 0) return this.onstate("idle");
      this.onstate("lost");
      setTimeout(() => this.#connect(), Math.min(8000, 250 * 2 ** this.#attempts++) * (0.75 + Math.random() / 2));
    };
  }

  #hear(message) {
    if (message.type === "connection_ack") {
      this.#ready = true;
      this.#attempts = 0;
      this.onstate("live");
      for (const id of this.#operations.keys()) this.#start(id);
      return;
    }
    if (message.type === "ping") return this.#send({ type: "pong" });
    const operation = this.#operations.get(message.id);
    if (!operation) return;
    if (message.type === "next") operation.sink.next(message.payload);
    if (message.type === "error" || message.type === "complete") {
      this.#operations.delete(message.id);
      operation.sink.end?.(message.type === "error" ? message.payload : null);
    }
  }

  #start(id) {
    const { query, variables, operationName } = this.#operations.get(id);
    this.#send({ id, type: "subscribe", payload: { query, variables, operationName } });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

export const socket = new Socket();
