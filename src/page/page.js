"use strict";
// What every page has. A page's own script follows in the same file.
const byId = (id) => document.getElementById(id);
const total = (list, of) => list.reduce((sum, item) => sum + of(item), 0);
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") Object.assign(made.style, value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}
const shortName = (name) => name.replace(/(?:[\p{L}\d_]+::)+(?=[\p{L}\d_])/gu, "");
const swatch = (background) => element("i", { style: { background } });
