// The product page, rendered from one operation; what a dead subgraph leaves out is said where it would have been.

import { ask, namedOperations, socket, someShopper } from "./graph.js";
import { h, money, notice, replace } from "./dom.js";

const LIST = `query List($text: String, $price: PriceContextInput!) {
  searchProducts(query: $text, context: $price, first: 24) {
    totalCount
    edges { node { handle title brand media { url } priceRange(context: $price) { min { amount currency } } } }
  }
}`;

const LIVE = `subscription Live($skus: [String!]!, $where: AvailabilityInput!) {
  availabilityChanged(skus: $skus, input: $where) { kind availability { sku status quantityBand } }
}`;

const PRICE = { channel: "web-eu", currency: "EUR", country: "DE" };
const WHERE = { channel: "web-eu", near: { lat: 52.52, lng: 13.405 }, withinKm: 1000 };
const METHOD = { SHIP: "Delivery", PICKUP: "Pick up in store", CURBSIDE: "Curbside", SHIP_FROM_STORE: "From a store" };
const STATUS = { IN_STOCK: "In stock", LOW_STOCK: "Only a few left", OUT_OF_STOCK: "Sold out", PREORDER: "Pre-order", BACKORDER: "On back-order", DISCONTINUED: "No longer made" };

let known;

export function productPage(place, handle) {
  let stop = () => {};
  if (handle) open(handle);
  else list("");

  async function list(text) {
    const search = h("input", { type: "search", placeholder: "Search the catalogue", value: text, "aria-label": "Search the catalogue",
      onchange: (event) => list(event.target.value.trim()) });
    const shelf = h("div", { class: "shelf" });
    replace(place, h("section", { class: "board-head" }, h("div", {}, h("h1", {}, "Catalogue"), h("p", { class: "lead" }, "Each page is one operation over five services.")), h("div", { class: "picker" }, search)), shelf);
    const answer = await ask(LIST, { text: text || null, price: PRICE });
    const edges = answer.data?.searchProducts.edges;
    if (!edges) return void replace(shelf, notice("The catalogue did not answer.", answer.errors?.[0]?.message));
    replace(shelf, edges.map(({ node }) =>
      h("a", { class: "card", href: `#product/${encodeURIComponent(node.handle)}` }, picture(node), h("strong", {}, node.title), h("small", {}, node.brand ?? ""), h("span", {}, `from ${money(node.priceRange.min)}`))));
    search.focus();
  }

  async function open(wanted) {
    replace(place, h("p", { class: "empty" }, "Asking five services …"));
    const operation = (await namedOperations()).find((candidate) => candidate.name === "ProductPage");
    if (!operation) return void replace(place, notice("This gateway has no operation named ProductPage."));
    const shopper = await (known ??= someShopper());
    const began = performance.now();
    const answer = await ask(
      operation.document,
      { handle: wanted, price: PRICE, where: WHERE, signedIn: shopper !== null },
      shopper ? { headers: { authorization: `Bearer ${shopper.token}` } } : {},
    );
    const took = Math.round(performance.now() - began);
    const product = answer.data?.product;
    if (!product) {
      return void replace(place, notice(answer.errors ? "The page could not be assembled." : "There is no such product.", answer.errors?.map((e) => e.message).join(" · ")));
    }
    draw(product, answer.errors ?? [], took, shopper);
  }

  function draw(product, errors, took, shopper) {
    const variants = product.variants.edges.map((edge) => edge.node);
    let chosen = variants.find((variant) => variant.availability?.status !== "OUT_OF_STOCK") ?? variants[0];
    const detail = h("div", { class: "detail" });
    const choose = h("div", { class: "chips" });

    const show = () => {
      replace(choose, variants.map((variant) => h("button", { type: "button", "aria-pressed": String(variant === chosen), onclick: () => { chosen = variant; show(); } }, variant.title)));
      const { price, availability } = chosen;
      const reduced = price && price.list.amount !== price.current.amount;
      replace(detail,
        h("p", { class: "price" }, money(price?.current), reduced ? h("s", {}, price.list.amount) : null),
        availability
          ? h("p", { class: "stock", "data-status": availability.status, "data-sku": chosen.sku }, h("span", { class: "pill" }, STATUS[availability.status] ?? availability.status))
          : h("p", { class: "missing" }, "Stock is not known right now."),
        h("p", { class: "points" }, chosen.pointsEarned === null || chosen.pointsEarned === undefined ? "Points are not known right now." : `Earns ${chosen.pointsEarned} points`),
        chosen.memberPrice ? h("p", { class: "points" }, `Worth ${money(chosen.memberPrice)} to members`) : null,
        (chosen.myPurchases ?? []).map((bought) =>
          h("p", { class: "points" }, `${shopper.name} bought ${bought.quantity} on ${new Date(bought.at).toLocaleDateString()} (${bought.order.number})`)),
        h("ul", { class: "methods" }, (availability?.byMethod ?? []).filter((way) => way.available).map((way) =>
          h("li", {}, h("b", {}, METHOD[way.method] ?? way.method), ` ${way.cost ? money(way.cost) : ""} ${way.earliest ? "from " + new Date(way.earliest).toLocaleDateString() : ""}`))),
        h("h3", {}, "In stores"),
        h("ul", { class: "places" }, (availability?.nearby ?? []).slice(0, 8).map((here) =>
          h("li", { "data-band": here.status === "OUT_OF_STOCK" ? "NONE" : "PLENTY" }, h("span", {}, here.location.name), h("small", {}, `${Math.round(here.distanceKm ?? 0)} km · ${STATUS[here.status] ?? here.status}`)))));
    };
    show();
    replace(place,
      errors.length ? notice("Some of this page is missing just now; the rest is true.", [...new Set(errors.map((error) => error.message))].slice(0, 3).join(" · ")) : null,
      h("article", { class: "product" },
        picture(product),
        h("div", {}, h("p", { class: "crumb" }, h("a", { href: "#product" }, "Catalogue")), h("h1", {}, product.title), h("p", { class: "brand-line" }, product.brand ?? ""), h("p", {}, product.description ?? ""), choose, detail,
          h("p", { class: "made" }, `One operation, five services, ${took} ms${shopper ? `, as ${shopper.name} sees it` : ""}.`))),
      product.recommendations?.length
        ? h("section", { class: "goes-with" }, h("h2", {}, "Goes with it"), h("div", { class: "shelf" }, product.recommendations.map((entry) =>
            h("a", { class: "card", href: `#product/${encodeURIComponent(entry.product.handle ?? "")}` }, picture(entry.product), h("strong", {}, entry.product.title ?? ""), h("small", {}, entry.reason), h("span", {}, `from ${money(entry.product.priceRange?.min)}`)))))
        : null);
    stop();
    stop = socket.subscribe(LIVE, { skus: variants.map((variant) => variant.sku), where: WHERE }, {
      next: (payload) => {
        for (const change of payload.data?.availabilityChanged?.availability ?? []) {
          const variant = variants.find((candidate) => candidate.sku === change.sku);
          if (variant?.availability) Object.assign(variant.availability, { status: change.status, quantityBand: change.quantityBand });
        }
        show();
      },
    });
  }

  return () => stop();
}

function picture(product) {
  const media = product.media?.[0];
  return media ? h("img", { src: media.url, alt: media.alt ?? product.title ?? "", loading: "lazy" }) : h("div", { class: "no-picture" });
}
