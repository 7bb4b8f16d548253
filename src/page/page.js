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
// A command line as a shell takes it.
const commandLine = (words) => words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
// A row of a timeline, pixel by pixel: how long there was a task, and which for most of the time. What is shorter than a pixel
// adds up there, instead of being drawn as if it filled it.
class Pixels {
  constructor(count) {
    this.count = Math.max(0, count);
    this.busy = new Float32Array(this.count + 1);
    this.lead = new Float32Array(this.count + 1);
    this.whose = new Int32Array(this.count + 1);
  }
  // Adds what took this share of the pixels between two places.
  add(from, to, share, whose) {
    for (let x = Math.max(0, Math.floor(from)); x <= Math.min(this.count, Math.floor(to)); x++) {
      const part = (Math.min(to, x + 1) - Math.max(from, x)) * share;
      this.busy[x] += part;
      // What has most of a pixel keeps a lead over all others (Boyer and Moore's vote).
      this.lead[x] += this.whose[x] === whose ? part : -part;
      if (this.lead[x] < 0) { this.lead[x] = -this.lead[x]; this.whose[x] = whose; }
    }
  }
  // Draws them: of one thread as strong as it was busy, of several as high as many were.
  draw(pen, left, top, height, threads, colourOf) {
    for (let x = 0; x < this.count; x++) {
      if (this.busy[x] <= 0) continue;
      const share = Math.min(1, this.busy[x] / threads), tall = threads === 1 ? height : Math.max(1, share * height);
      pen.globalAlpha = threads === 1 ? Math.max(0.25, share) : 1;
      pen.fillStyle = colourOf(this.whose[x]);
      pen.fillRect(left + x, top + height - tall, 1, tall);
    }
    pen.globalAlpha = 1;
  }
}
const swatch = (background) => element("i", { style: { background } });
