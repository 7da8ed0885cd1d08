// The live stock board: pick variants, watch their availability move. One subscription for all that is on the board.

import { ask, socket } from "./graph.js";
import { h, money, notice, replace, when } from "./dom.js";

const FIND = `query Find($text: String!, $price: PriceContextInput!) {
  searchProducts(query: $text, context: $price, first: 8) {
    edges { node { title brand variants(first: 12) { edges { node { sku title price(context: $price) { current { amount currency } } } } } } }
  }
}`;

const WATCH = `subscription Board($skus: [String!]!, $where: AvailabilityInput!) {
  availabilityChanged(skus: $skus, input: $where, maxRateHz: 10) {
    kind at coalesced
    availability {
      sku status quantityBand availableToSell version
      variant { title product { title handle } }
      nearby { location { id name } status quantityBand }
    }
  }
}`;

const STORES = `{ locations(kinds: [STORE], first: 50) { edges { node { id name code country } } } }`;

const SELL = `mutation Sell($input: PosOrderInput!, $key: IdempotencyKey!) {
  posOrderRecord(input: $input, idempotencyKey: $key) { order { number } errors { __typename ... on UserError { message } } }
}`;

const PRICE = `query Price($sku: String!, $price: PriceContextInput!) { variant(sku: $sku) { price(context: $price) { current { minor currency } } } }`;

const PRICE_CONTEXT = { channel: "web-eu", currency: "EUR", country: "DE" };
const WHERE = { channel: "web-eu", near: { lat: 52.52, lng: 13.405 }, withinKm: 1000 };
const REMEMBERED = "galleria.board";
const STATUS = {
  IN_STOCK: "in stock", LOW_STOCK: "low", OUT_OF_STOCK: "sold out", BACKORDER: "back-order", PREORDER: "pre-order", DISCONTINUED: "discontinued",
};
const BAND = { NONE: 0, ONE_TO_FIVE: 1, SIX_TO_TWENTY: 2, PLENTY: 3 };
const BAND_WORDS = ["none", "1 to 5", "6 to 20", "plenty"];

export function stockBoard(place) {
  const items = new Map(); // sku -> {availability, history: [number], changedAt}
  let picked = JSON.parse(localStorage.getItem(REMEMBERED) ?? "[]");
  let stores = [];
  let stop = () => {};
  let events = 0;

  const tiles = h("div", { class: "tiles" });
  const log = h("ol", { class: "ticker", "aria-live": "polite" });
  const results = h("div", { class: "results", hidden: true });
  const counter = h("span", { class: "counter" }, "no event yet");
  const store = h("select", { "aria-label": "Register of this store" });
  const search = h("input", {
    type: "search", placeholder: "Find something to watch: jacket, mug, boots …", "aria-label": "Find products", id: "board-search",
    oninput: debounce(async (event) => {
      const text = event.target.value.trim();
      if (!text) return void (results.hidden = true);
      const answer = await ask(FIND, { text, price: PRICE_CONTEXT });
      results.hidden = false;
      const found = answer.data?.searchProducts.edges ?? [];
      replace(results, found.length ? found.map(({ node }) => hit(node)) : h("p", {}, answer.errors?.[0]?.message ?? "Nothing found."));
    }, 180),
  });

  replace(
    place,
    h("section", { class: "board-head" },
      h("div", {}, h("h1", {}, "Stock board"), h("p", { class: "lead" }, "What a register sells is gone from here a moment later.")),
      h("div", { class: "picker" }, search, results),
      h("label", { class: "register" }, "Sell at ", store)),
    tiles,
    h("section", { class: "ticker-box" }, h("h2", {}, "As it happens ", counter), log),
  );

  function hit(product) {
    return h("div", { class: "hit" }, h("strong", {}, product.title), h("small", {}, ` ${product.brand ?? ""}`),
      h("div", { class: "chips" }, product.variants.edges.map(({ node }) =>
        h("button", { type: "button", onclick: () => { pick(node.sku); results.hidden = true; search.value = ""; } },
          `${node.title} · ${money(node.price?.current)}`))));
  }

  function pick(sku) {
    if (!picked.includes(sku)) picked = [...picked, sku].slice(-24);
    watch();
  }

  function drop(sku) {
    picked = picked.filter((other) => other !== sku);
    items.delete(sku);
    watch();
  }

  function watch() {
    localStorage.setItem(REMEMBERED, JSON.stringify(picked));
    stop();
    if (picked.length === 0) {
      stop = () => {};
      return void replace(tiles, h("p", { class: "empty" }, "Nothing on the board yet. Search above and pick a variant."));
    }
    stop = socket.subscribe(WATCH, { skus: picked, where: WHERE }, { next: hear, end: (errors) => {
      if (errors) replace(tiles, notice("The stream ended.", errors[0]?.message));
    } });
  }

  function hear(payload) {
    const event = payload.data?.availabilityChanged;
    if (!event) return void replace(tiles, notice("This event could not be read.", payload.errors?.[0]?.message));
    if (event.kind === "HEARTBEAT") return;
    const lag = Math.max(0, Date.now() - Date.parse(event.at));
    for (const availability of event.availability) {
      const known = items.get(availability.sku);
      if (known && event.kind === "DELTA" && Number(availability.version) < Number(known.availability.version)) continue;
      const level = availability.availableToSell ?? BAND[availability.quantityBand];
      const history = [...(known?.history ?? []), level].slice(-40);
      items.set(availability.sku, { availability, history, changedAt: event.at, fresh: event.kind === "DELTA" });
      if (event.kind === "DELTA") tell(availability, known?.availability, event, lag);
    }
    draw();
  }

  function tell(now, before, event, lag) {
    events += 1;
    counter.textContent = `${events} change${events === 1 ? "" : "s"}, the last ${lag} ms after it was written`;
    const from = before?.availableToSell ?? (before ? BAND_WORDS[BAND[before.quantityBand]] : "");
    const to = now.availableToSell ?? BAND_WORDS[BAND[now.quantityBand]];
    log.prepend(h("li", {}, h("time", {}, when(event.at)), h("b", {}, now.sku), ` ${from} → ${to}`, h("em", {}, STATUS[now.status])));
    while (log.children.length > 30) log.lastChild.remove();
  }

  function draw() {
    replace(tiles, picked.map((sku) => items.get(sku)).filter(Boolean).map(tile));
  }

  function tile({ availability, history, fresh }) {
    const exact = availability.availableToSell;
    const band = BAND[availability.quantityBand];
    const full = Math.max(20, ...history);
    return h("article", { class: "tile", "data-status": availability.status, "data-sku": availability.sku, "data-fresh": fresh ? "yes" : "no" },
      h("header", {},
        h("div", {}, h("h3", {}, availability.variant?.product?.title ?? availability.sku), h("p", {}, `${availability.variant?.title ?? ""} · ${availability.sku}`)),
        h("button", { class: "quiet", title: "Take it off the board", onclick: () => drop(availability.sku) }, "×")),
      h("div", { class: "level" },
        h("output", { class: "number" }, exact ?? BAND_WORDS[band]),
        h("span", { class: "pill" }, STATUS[availability.status] ?? availability.status)),
      h("div", { class: "bar" }, h("i", { style: `width:${Math.min(100, (100 * (exact ?? band * 7)) / full)}%` })),
      spark(history),
      h("ul", { class: "places" }, availability.nearby.slice(0, 6).map((here) =>
        h("li", { "data-band": here.quantityBand }, h("span", {}, here.location.name), h("small", {}, BAND_WORDS[BAND[here.quantityBand]])))),
      h("footer", {},
        h("button", { type: "button", onclick: (event) => sell(availability.sku, event.target) }, "Sell one at the register"),
        availability.variant?.product?.handle
          ? h("a", { href: `#product/${encodeURIComponent(availability.variant.product.handle)}` }, "Product page") : null));
  }

  async function sell(sku, button) {
    button.disabled = true;
    const place = stores.find((candidate) => candidate.id === store.value);
    const priced = await ask(PRICE, { sku, price: PRICE_CONTEXT });
    const paid = priced.data?.variant?.price?.current ?? { minor: 0, currency: "EUR" };
    const answer = await ask(SELL, {
      key: `console-${crypto.randomUUID()}`,
      input: {
        locationId: place.id, registerId: `${place.code}-console`, receiptNo: `C${Date.now()}`, occurredAt: new Date().toISOString(),
        lines: [{ sku, quantity: 1, unitPrice: paid }], tenders: [{ kind: "CASH", amount: paid }],
      },
    });
    const problem = answer.errors?.[0]?.message ?? answer.data?.posOrderRecord.errors[0]?.message;
    if (problem) log.prepend(h("li", { class: "problem" }, problem));
    button.disabled = false;
  }

  (async () => {
    const answer = await ask(STORES);
    stores = answer.data?.locations.edges.map((edge) => edge.node) ?? [];
    replace(store, stores.map((node) => h("option", { value: node.id }, node.name)));
    if (picked.length === 0) {
      const some = await ask(FIND, { text: "jacket", price: PRICE_CONTEXT });
      picked = (some.data?.searchProducts.edges ?? []).slice(0, 4).map(({ node }) => node.variants.edges[0]?.node.sku).filter(Boolean);
    }
    watch();
  })();

  return () => stop();
}

function spark(values) {
  const top = Math.max(1, ...values);
  const points = values.map((value, index) => `${(index * 120) / Math.max(1, values.length - 1)},${26 - (22 * value) / top}`).join(" ");
  return h("svg", { class: "spark", viewBox: "0 0 120 28", preserveAspectRatio: "none", role: "img", "aria-label": "recent levels" },
    h("polyline", { points, fill: "none", stroke: "currentColor", "stroke-width": "1.5", "vector-effect": "non-scaling-stroke" }));
}

function debounce(work, pause) {
  let timer;
  return (event) => { clearTimeout(timer); timer = setTimeout(() => work(event), pause); };
}
