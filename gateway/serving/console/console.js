// The page for people: three rooms behind tabs. Rooms that need the retail graph show only where the graph has it.

import { becomeClerk, ask, socket } from "./graph.js";
import { h, replace } from "./dom.js";
import { explorer } from "./explorer.js";
import { productPage } from "./product_page.js";
import { stockBoard } from "./stock_board.js";

const rooms = [
  { id: "stock", label: "Stock board", open: stockBoard, retail: true },
  { id: "product", label: "Product page", open: productPage, retail: true },
  { id: "explorer", label: "Explorer", open: explorer, retail: false },
];

const says = { idle: "not watching", joining: "joining …", live: "live", lost: "connection lost, coming back …" };
const link = document.getElementById("link");
socket.onstate = (state) => {
  link.dataset.state = state;
  link.querySelector("span").textContent = says[state];
};

let leave = () => {};

async function start() {
  await becomeClerk();
  const known = await ask(`{ __schema { queryType { fields { name } } subscriptionType { fields { name } } } }`);
  const fields = new Set((known.data?.__schema?.queryType?.fields ?? []).map((field) => field.name));
  const streams = new Set((known.data?.__schema?.subscriptionType?.fields ?? []).map((field) => field.name));
  const retail = fields.has("searchProducts") && streams.has("availabilityChanged");
  const shown = rooms.filter((room) => retail || !room.retail);
  const tabs = document.getElementById("tabs");
  const enter = () => {
    const [wanted, argument] = location.hash.slice(1).split("/");
    const room = shown.find((candidate) => candidate.id === wanted) ?? shown[0];
    for (const tab of tabs.children) tab.setAttribute("aria-selected", tab.hash === `#${room.id}`);
    leave();
    const place = document.getElementById("room");
    place.dataset.room = room.id;
    leave = room.open(place, argument && decodeURIComponent(argument)) ?? (() => {});
  };
  replace(tabs, shown.map((room) => h("a", { href: `#${room.id}`, role: "tab" }, room.label)));
  addEventListener("hashchange", enter);
  enter();
}

start();
