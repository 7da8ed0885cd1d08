// Building elements. Text is always set as text, never as markup: what the graph says is data.

/** h("p", {class: "x", onclick}, "text", child, null) */
export function h(tag, attributes = {}, ...children) {
  const svg = svgTags.has(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !svg && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const svgTags = new Set(["svg", "path", "rect", "circle", "text", "g", "line", "polyline", "title"]);

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

/** A problem said in words, where the thing would have been. */
export function notice(title, detail) {
  return h("div", { class: "notice", role: "alert" }, h("strong", {}, title), detail ? h("p", {}, detail) : null);
}

export function when(iso) {
  return iso ? new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }) : "";
}

export function money(value) {
  return value ? `${value.amount} ${value.currency ?? ""}`.trim() : "–";
}
