// A query plan as a picture: one box a fetch, one column a round, lines for what waits for what.

import { h } from "./dom.js";

const WIDTH = 230, HEIGHT = 74, GAP_X = 70, GAP_Y = 18, PAD = 16;

/** fetches: [{id, subgraph, depends_on: [id], path, reason}] in an order where dependencies come first. */
export function planPicture(fetches, onpick) {
  const round = new Map();
  for (const fetch of fetches) round.set(fetch.id, 1 + Math.max(-1, ...fetch.depends_on.map((id) => round.get(id) ?? -1)));
  const columns = [];
  for (const fetch of fetches) (columns[round.get(fetch.id)] ??= []).push(fetch);
  const rows = Math.max(1, ...columns.map((column) => column.length));
  const place = new Map();
  columns.forEach((column, x) => {
    const offset = ((rows - column.length) * (HEIGHT + GAP_Y)) / 2;
    column.forEach((fetch, y) => place.set(fetch.id, { x: PAD + x * (WIDTH + GAP_X), y: PAD + offset + y * (HEIGHT + GAP_Y) }));
  });
  const width = PAD * 2 + columns.length * WIDTH + Math.max(0, columns.length - 1) * GAP_X;
  const height = PAD * 2 + rows * HEIGHT + (rows - 1) * GAP_Y;
  const lines = fetches.flatMap((fetch) => nearest(fetch, fetches).map((id) => {
    const from = place.get(id), to = place.get(fetch.id);
    const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
    return h("path", { class: "edge", d: `M${x1} ${y1} C${x1 + GAP_X / 2} ${y1} ${x2 - GAP_X / 2} ${y2} ${x2} ${y2}` });
  }));
  const boxes = fetches.map((fetch) => {
    const at = place.get(fetch.id);
    return h("g", { class: "fetch", tabindex: "0", transform: `translate(${at.x} ${at.y})`, style: `--hue:${hue(fetch.subgraph)}`, onclick: () => onpick?.(fetch), onkeydown: (event) => event.key === "Enter" && onpick?.(fetch) },
      h("title", {}, fetch.reason || fetch.subgraph),
      h("rect", { width: WIDTH, height: HEIGHT, rx: 10 }),
      h("rect", { class: "edge-mark", width: 5, height: HEIGHT - 20, x: 10, y: 10, rx: 2.5 }),
      h("text", { x: 26, y: 28, class: "subgraph" }, fetch.subgraph),
      h("text", { x: WIDTH - 12, y: 28, class: "number" }, `#${fetch.id}`),
      h("text", { x: 26, y: 50, class: "path" }, clip(fetch.path ? `at ${fetch.path}` : "root", 30)));
  });
  return h("svg", { class: "plan", viewBox: `0 0 ${width} ${height}`, style: `max-width:${width}px`, role: "img", "aria-label": `${fetches.length} fetches in ${columns.length} rounds` }, lines, boxes);
}

/** Lines only to what is not already waited for through another line. */
function nearest(fetch, fetches) {
  const byId = new Map(fetches.map((other) => [other.id, other]));
  const reaches = (from, target) => byId.get(from).depends_on.some((id) => id === target || reaches(id, target));
  return fetch.depends_on.filter((id) => byId.has(id) && !fetch.depends_on.some((other) => other !== id && byId.has(other) && reaches(other, id)));
}

function clip(text, length) {
  return text.length > length ? text.slice(0, length - 1) + "…" : text;
}

export function hue(name) {
  let value = 7;
  for (const letter of name) value = (value * 31 + letter.charCodeAt(0)) % 360;
  return value;
}
