// Draws the report from the numbers in the page. Nothing is asked of anybody else.
const data = JSON.parse(document.getElementById("data").textContent);
const workers = data.ranks.filter((rank) => rank.threads > 0);
const KINDS = ["compute", "transfer", "spill"];
const KIND_WORDS = ["computing", "waiting for values to arrive", "moving values to or from disk"];
const KIND_PLACES = [0, 1, 3];
// Okabe and Ito's colours, and some of Tol's: told apart with every kind of colour vision.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#332288", "#88ccee", "#882255"];
// Of idle time, in the order of `data.causes`: the driver's, of tasks, of messages, others.
const IDLE_COLOURS = ["#882255", "#cc79a7", "#117733", "#b8a800", "#56b4e9", "#d55e00", "#009e73", "var(--other)", "var(--wait)"];
const STANDS_FOR = { "-5": "the driver's own code", "-1": "tasks of many functions", "-2": "a task waits for others", "-3": "part of another thread's task", "-4": "moves values to or from disk" };

function duration(nanoseconds) {
  const n = Math.abs(nanoseconds);
  if (n < 1e3) return `${Math.round(nanoseconds)} ns`;
  if (n < 1e6) return `${(nanoseconds / 1e3).toFixed(n < 1e4 ? 2 : 1)} µs`;
  if (n < 1e9) return `${(nanoseconds / 1e6).toFixed(n < 1e7 ? 2 : 1)} ms`;
  if (n < 120e9) return `${(nanoseconds / 1e9).toFixed(2)} s`;
  const seconds = Math.round(nanoseconds / 1e9);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest} h` : `${rest} min`;
}
function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) { count /= 1024; unit++; }
  return unit ? `${count.toFixed(count < 10 ? 2 : 1)} ${units[unit]}` : `${count} B`;
}
const number = (count) => count.toLocaleString("en-US");
const percent = (part, whole) => (whole > 0 ? `${(100 * part / whole).toFixed(1)}%` : "–");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// The functions that took longest have colours of their own.
const byTime = data.groups.map((_, place) => place).sort((a, b) => data.groups[b].time - data.groups[a].time);
const colourOf = new Map(byTime.slice(0, COLOURS.length).map((place, order) => [place, COLOURS[order]]));
function groupColour(group) {
  if (group >= 0) return colourOf.get(group) ?? colour("other");
  return { "-5": IDLE_COLOURS[0], "-1": colour("other"), "-2": colour("wait"), "-3": colour("accent"), "-4": colour("spill") }[group];
}
const groupName = (group) => (group >= 0 ? data.groups[group].name : STANDS_FOR[group]);

function summary() {
  byId("program").textContent = data.program || "A run";
  const when = new Date(data.started * 1000).toLocaleString(undefined, { dateStyle: "long", timeStyle: "medium" });
  const hosts = new Set(data.ranks.map((rank) => rank.host)).size;
  byId("about").textContent = `${when} · ${number(data.ranks.length)} ${data.ranks.length === 1 ? "rank" : "ranks"} on ${number(hosts)} ${hosts === 1 ? "host" : "hosts"} · ${data.ranks[0]?.transport ?? ""} · maniple ${data.version}`;
  byId("command").textContent = commandLine(data.command);
  byId("end").className = `badge ${data.end?.status === 0 ? "good" : "bad"}`;
  byId("end").textContent = data.end ? `exit status ${data.end.status}` : "killed";
  byId("end-words").textContent = data.end && data.end.status !== 0 ? data.end.words : "";
  const notes = [];
  const missing = data.ranks.filter((rank) => !rank.complete).map((rank) => rank.rank);
  if (missing.length) notes.push(`The run did not come to its end on rank ${missing.join(", ")}: this is what was recorded until then, without the tasks that still ran.`);
  const lost = total(data.ranks, (rank) => rank.lost);
  if (lost) notes.push(`${number(lost)} events came faster than they could be kept; their time is shown as waiting.`);
  const beyond = total(data.ranks, (rank) => rank.beyond);
  if (beyond) notes.push(`${number(beyond)} tasks came after the first million events of their rank, and are told by their sums only.`);
  byId("warning").textContent = notes.join(" ");
  byId("warning").hidden = !notes.length;

  const ran = total(data.groups, (group) => group.ran) + beyond;
  const threads = total(workers, (worker) => worker.threads);
  const computed = total(workers, (worker) => worker.time[0]);
  const whole = total(workers, (worker) => total(worker.time, (time) => time));
  const moved = total(data.matrix, (entry) => entry[2]);
  const peak = Math.max(0, ...data.ranks.flatMap((rank) => rank.samples.map((sample) => sample[1])));
  const cards = [
    [duration(data.wall), "from start to end"],
    [number(ran), `tasks of ${number(data.groups.length)} ${data.groups.length === 1 ? "function" : "functions"}`],
    [number(workers.length), `${workers.length === 1 ? "worker" : "workers"} with ${number(threads)} ${threads === 1 ? "thread" : "threads"}`],
    [percent(computed, whole), "of the threads' time computing"],
    [duration(data.pathTime), `critical path, ${percent(data.pathTime, data.wall)} of the run`],
    [bytes(moved), `moved in ${number(data.transferCount)} transfers`],
    [bytes(peak), "most held in values by a rank"],
  ];
  byId("summary").append(...cards.map(([value, words]) => element("div", { class: "card" }, element("b", {}, value), element("span", {}, words))));
}

// All that a worker's time was spent on: [words, colour, nanoseconds], which add up to the run.
function parts(worker) {
  const spent = KIND_WORDS.map((words, place) => [words, `var(--${KINDS[place]})`, worker.time[KIND_PLACES[place]]]);
  return [...spent, ...data.causes.map((cause, place) => [`idle: ${cause.name}`, IDLE_COLOURS[place], worker.idle[place]])];
}
function timeBars() {
  const all = workers.map(parts);
  const legend = (all[0] ?? []).filter((_, place) => place < KINDS.length || all.some((list) => list[place][2] > 0));
  byId("time-legend").append(...legend.map(([words, background]) => element("span", {}, swatch(background), words)));
  workers.forEach((worker, order) => {
    const whole = total(worker.time, (time) => time), list = all[order].filter(([, , time]) => time > 0);
    const bar = list.map(([words, background, time]) => element("div", {
      style: { width: `${100 * time / whole}%`, background },
      "data-tip": `${words}: ${duration(time)} (${percent(time, whole)})`,
    }));
    const spoken = list.map(([words, , time]) => `${words} ${percent(time, whole)}`).join(", ");
    byId("time-bars").append(element("div", { class: "worker" },
      element("div", { class: "name", title: worker.host }, `rank ${worker.rank} · ${worker.host}`),
      element("div", { class: "bar", role: "img", "aria-label": spoken }, ...bar),
      element("div", { class: "share" }, percent(worker.time[0], whole))));
  });
}
function idleTime() {
  const whole = total(workers, (worker) => total(worker.time, (time) => time));
  const causes = data.causes.map((cause, place) => ({ ...cause, place, time: total(workers, (worker) => worker.idle[place]) })).filter((cause) => cause.time > 0);
  const idle = total(causes, (cause) => cause.time);
  byId("idle-words").textContent = idle
    ? `Threads had nothing to do for ${duration(idle)}, ${percent(idle, whole)} of their time. Each instant has one cause: where several tasks could have run, the one that had come furthest on its way to the thread's worker counts.`
    : "Threads always had something to do.";
  table("idle-table", causes, [
    ["Cause", (cause) => cause.name, (cause) => element("td", { class: "name" }, swatch(IDLE_COLOURS[cause.place]), cause.name)],
    ["Time", (cause) => cause.time, (cause) => duration(cause.time)],
    ["Of idle time", (cause) => cause.time, (cause) => percent(cause.time, idle)],
    ["Of all time", (cause) => cause.time, (cause) => percent(cause.time, whole)],
    ["What to do", (cause) => cause.advice],
  ], [1, true]);
}

// The stretch of time that timeline and memory show.
const view = { start: 0, end: Math.max(1, data.wall) };
let redraw = () => {};
function look(start, end) {
  const least = Math.min(1000, data.wall), length = Math.min(Math.max(end - start, least), Math.max(1, data.wall));
  view.start = Math.min(Math.max(0, start), Math.max(0, data.wall - length));
  view.end = view.start + length;
  redraw();
}
function zoom(factor, at = (view.start + view.end) / 2) {
  look(at - (at - view.start) * factor, at + (view.end - at) * factor);
}

const LABELS = 108, AXIS = 24;
function prepare(canvas, height) {
  const ratio = window.devicePixelRatio || 1, width = canvas.parentElement.clientWidth;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  return { pen, width };
}
const place = (at, width) => LABELS + (at - view.start) / (view.end - view.start) * (width - LABELS);
const timeAt = (x, width) => view.start + (x - LABELS) / (width - LABELS) * (view.end - view.start);
function axis(pen, width, height) {
  const rough = (view.end - view.start) / Math.max(2, (width - LABELS) / 110);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((candidate) => candidate >= rough);
  pen.textAlign = "center";
  for (let at = Math.ceil(view.start / step) * step; at <= view.end; at += step) {
    const x = place(at, width);
    pen.fillStyle = colour("line");
    pen.fillRect(Math.round(x), 0, 1, height - AXIS);
    pen.fillStyle = colour("quiet");
    if (x < width - 24 && x > LABELS + 10) pen.fillText(at === 0 ? "0" : duration(at), x, height - AXIS / 2);
  }
}

const lanesOf = new Map(workers.map((worker) => [worker.rank, data.lanes.filter((lane) => lane.rank === worker.rank)]));
const laneName = (lane, worker) => lane < worker.threads ? `thread ${lane}` : lane === worker.threads ? "disk" : "device";
function timelineRows() {
  if (byId("rows").value === "workers") {
    return workers.map((worker) => ({ rank: worker.rank, label: `rank ${worker.rank}`, lanes: lanesOf.get(worker.rank).filter((lane) => lane.lane < worker.threads), first: true }));
  }
  return workers.flatMap((worker) => lanesOf.get(worker.rank).map((lane, order) => ({
    rank: worker.rank, label: order === 0 ? `rank ${worker.rank}` : "", lanes: [lane], first: order === 0, thread: laneName(lane.lane, worker),
  })));
}
let rows = [];
let rowHeight = 20;
function firstVisible(spans) {
  let low = 0, high = spans.length / 5;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[5 * middle + 1] < view.start) low = middle + 1; else high = middle;
  }
  // Longer ones that began before may still go on.
  let at = Math.max(0, low - 1);
  for (let back = at, left = 64; back >= 0 && left > 0; back--, left--) {
    if (spans[5 * back + 1] + spans[5 * back + 2] > view.start) at = back;
  }
  return at;
}
function drawRow(pen, row, top, height, width) {
  const columns = width - LABELS, pixels = new Pixels(columns), perPixel = (view.end - view.start) / columns;
  const exact = row.lanes.length === 1;
  for (const lane of row.lanes) {
    const spans = lane.spans;
    for (let at = firstVisible(spans); at < spans.length / 5; at++) {
      const group = spans[5 * at], start = spans[5 * at + 1], length = spans[5 * at + 2], within = spans[5 * at + 4];
      if (start > view.end) break;
      const from = (start - view.start) / perPixel, to = (start + length - view.start) / perPixel;
      if (to < 0) continue;
      const share = length > 0 ? within / length : 1;
      if (exact && to - from >= 1) {
        const x = Math.max(0, from), w = Math.min(columns, to) - x;
        pen.globalAlpha = group === -3 ? 0.45 : Math.max(0.35, share);
        pen.fillStyle = groupColour(group);
        pen.fillRect(LABELS + x, top, Math.max(1, w - (w > 3 ? 0.5 : 0)), height);
        if (w > 46 && group >= 0) {
          pen.save();
          pen.beginPath();
          pen.rect(LABELS + x, top, w - 4, height);
          pen.clip();
          pen.globalAlpha = 1;
          pen.fillStyle = "#fff";
          pen.textAlign = "left";
          pen.fillText(shortName(data.groups[group].name), LABELS + x + 5, top + height / 2 + 0.5);
          pen.restore();
        }
        continue;
      }
      if (group === -2) continue;
      pixels.add(from, to, share, group);
    }
  }
  pixels.draw(pen, LABELS, top, height, row.lanes.length, groupColour);
}
function drawTimeline() {
  rows = timelineRows();
  rowHeight = byId("rows").value === "workers" ? 30 : rows.length > 60 ? 12 : 20;
  const height = rows.length * rowHeight + AXIS;
  const { pen, width } = prepare(byId("timeline-canvas"), height);
  axis(pen, width, height);
  rows.forEach((row, order) => {
    const top = order * rowHeight;
    if (row.first) {
      pen.fillStyle = colour("line");
      pen.fillRect(0, top, width, 1);
      pen.fillStyle = colour("text");
      pen.textAlign = "left";
      pen.fillText(row.label, 2, top + rowHeight / 2 + 1);
    }
    if (row.thread !== undefined && rowHeight > 14) {
      pen.fillStyle = colour("quiet");
      pen.textAlign = "right";
      pen.fillText(row.thread, LABELS - 6, top + rowHeight / 2 + 1);
    }
    drawRow(pen, row, top + 2, rowHeight - 3, width);
  });
  if (byId("show-transfers").checked) drawTransfers(pen, width);
}
function drawTransfers(pen, width) {
  const middle = new Map();
  rows.forEach((row, order) => {
    if (row.first) middle.set(row.rank, (order + 0.5) * rowHeight);
  });
  const last = rows.length * rowHeight;
  pen.save();
  pen.beginPath();
  pen.rect(LABELS, 0, width - LABELS, last);
  pen.clip();
  pen.strokeStyle = colour("text");
  pen.globalAlpha = 0.55;
  let left = 4000;
  for (const [source, target, , sent, arrived] of data.transfers) {
    if (arrived < view.start || sent > view.end || !left--) continue;
    pen.beginPath();
    pen.moveTo(place(sent, width), middle.get(source) ?? 1);
    pen.lineTo(place(arrived, width), middle.get(target) ?? 1);
    pen.stroke();
  }
  pen.restore();
}

let shown = 1;
function memoryKinds() {
  const kinds = ["values held", "values on disk", "on devices", "whole process"];
  const used = kinds.map((_, kind) => data.ranks.some((rank) => rank.samples.some((sample) => sample[kind + 1] > 0)));
  kinds.forEach((words, kind) => { if (used[kind]) byId("memory-kind").append(element("option", { value: kind + 1 }, words)); });
  shown = Number(byId("memory-kind").value || 1);
  byId("memory-kind").addEventListener("change", () => { shown = Number(byId("memory-kind").value); drawMemory(); });
}
function drawMemory() {
  const height = 220;
  const { pen, width } = prepare(byId("memory-canvas"), height);
  axis(pen, width, height);
  const ranks = data.ranks.filter((rank) => rank.samples.some((sample) => sample[shown] > 0));
  const most = Math.max(1, ...ranks.flatMap((rank) => rank.samples.map((sample) => sample[shown])));
  const up = (value) => (height - AXIS) - value / most * (height - AXIS - 12);
  pen.textAlign = "right";
  for (const part of [0, 0.5, 1]) {
    pen.fillStyle = colour("line");
    pen.fillRect(LABELS, Math.round(up(part * most)), width - LABELS, 1);
    pen.fillStyle = colour("quiet");
    pen.fillText(bytes(Math.round(part * most)), LABELS - 6, Math.max(8, up(part * most)));
  }
  pen.save();
  pen.beginPath();
  pen.rect(LABELS, 0, width - LABELS, height - AXIS + 1);
  pen.clip();
  pen.lineWidth = 1.8;
  pen.lineJoin = "round";
  ranks.forEach((rank, order) => {
    pen.strokeStyle = COLOURS[order % COLOURS.length];
    pen.setLineDash([[], [6, 3], [2, 2]][Math.floor(order / COLOURS.length) % 3]);
    pen.beginPath();
    rank.samples.forEach((sample, at) => {
      const x = place(sample[0], width), y = up(sample[shown]);
      if (at === 0) pen.moveTo(x, y); else pen.lineTo(x, y);
    });
    pen.stroke();
  });
  pen.restore();
  const legend = ranks.slice(0, 30).map((rank, order) => element("span", {}, swatch(COLOURS[order % COLOURS.length]), `rank ${rank.rank}`));
  byId("memory-legend").replaceChildren(...(legend.length ? legend : ["No values were large enough to be held."]));
}

function spanUnder(x, y, width) {
  const row = rows[Math.floor(y / rowHeight)];
  if (!row || x < LABELS) return null;
  const at = timeAt(x, width), slack = (view.end - view.start) / (width - LABELS);
  let found = null, tasks = 0;
  for (const lane of row.lanes) {
    const spans = lane.spans;
    for (let place = firstVisible(spans); place < spans.length / 5 && spans[5 * place + 1] <= at + slack; place++) {
      const [group, start, length, count, busy] = spans.slice(5 * place, 5 * place + 5);
      if (start + length + slack < at) continue;
      tasks += count;
      if (!found || length <= found.length || found.length < slack) found = { group, start, length, count, busy };
    }
  }
  return found && { row, at, tasks, ...found };
}
function words(span) {
  const whose = `rank ${span.row.rank}${span.row.thread === undefined ? "" : `, ${span.row.thread}`}`;
  const lines = [groupName(span.group), `${whose} at ${duration(span.start)}`, `took ${duration(span.length)}`];
  if (span.count > 1) lines.push(`${number(span.count)} tasks, ${duration(span.busy / span.count)} each`);
  return lines.join("\n");
}
function tell(text, event) {
  const tip = byId("tip");
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const { offsetWidth, offsetHeight } = tip;
  tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - offsetWidth - 8)}px`;
  tip.style.top = `${event.clientY + 18 + offsetHeight > window.innerHeight ? event.clientY - offsetHeight - 10 : event.clientY + 18}px`;
}
function steer() {
  const canvas = byId("timeline-canvas");
  let grabbed = null;
  canvas.addEventListener("pointerdown", (event) => {
    grabbed = { x: event.clientX, start: view.start, end: view.end };
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("moving");
  });
  canvas.addEventListener("pointermove", (event) => {
    const width = canvas.clientWidth;
    if (grabbed) {
      const moved = (grabbed.x - event.clientX) / (width - LABELS) * (grabbed.end - grabbed.start);
      tell("");
      return look(grabbed.start + moved, grabbed.end + moved);
    }
    const span = spanUnder(event.offsetX, event.offsetY, width);
    tell(span ? words(span) : "", event);
  });
  for (const ends of ["pointerup", "pointercancel"]) canvas.addEventListener(ends, () => { grabbed = null; canvas.classList.remove("moving"); });
  canvas.addEventListener("pointerleave", () => tell(""));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event.offsetX, canvas.clientWidth));
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => zoom(0.25, timeAt(event.offsetX, canvas.clientWidth)));
  canvas.addEventListener("keydown", (event) => {
    const step = (view.end - view.start) / 5;
    const keys = {
      ArrowLeft: () => look(view.start - step, view.end - step), ArrowRight: () => look(view.start + step, view.end + step),
      "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: () => look(0, data.wall),
      Home: () => look(0, view.end - view.start), End: () => look(data.wall - (view.end - view.start), data.wall),
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  byId("zoom-in").addEventListener("click", () => zoom(0.6));
  byId("zoom-out").addEventListener("click", () => zoom(1 / 0.6));
  byId("zoom-all").addEventListener("click", () => look(0, data.wall));
  byId("rows").value = data.lanes.length > 48 ? "workers" : "threads";
  byId("rows").addEventListener("change", () => redraw());
  byId("show-transfers").checked = data.transfers.length > 0 && data.transfers.length < 300;
  byId("show-transfers").addEventListener("change", () => redraw());
  document.addEventListener("pointermove", (event) => {
    if (event.target === canvas) return;
    const told = event.target.closest?.("[data-tip]");
    tell(told ? told.dataset.tip : "", event);
  });
}
function timelineLegend() {
  const named = byTime.slice(0, COLOURS.length).map((group) => element("span", { title: data.groups[group].name }, swatch(colourOf.get(group)), shortName(data.groups[group].name)));
  if (byTime.length > COLOURS.length) named.push(element("span", {}, swatch("var(--other)"), `${number(byTime.length - COLOURS.length)} others`));
  const has = (group) => data.lanes.some((lane) => lane.spans.some((value, at) => at % 5 === 0 && value === group));
  if (has(-3)) named.push(element("span", {}, element("i", { style: { background: "var(--accent)", opacity: 0.45 } }), STANDS_FOR[-3]));
  if (has(-2)) named.push(element("span", {}, swatch("var(--wait)"), STANDS_FOR[-2]));
  if (has(-4)) named.push(element("span", {}, swatch("var(--spill)"), STANDS_FOR[-4]));
  byId("timeline-legend").append(...named);
}

// A table whose columns are [words, value of an item, cell of an item]; numbers stand right.
function table(id, items, columns, sorted) {
  const into = byId(id);
  let [by, down] = sorted ?? [null, true];
  const fill = () => {
    const order = [...items];
    if (by !== null) order.sort((a, b) => { const x = columns[by][1](a), y = columns[by][1](b); return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1); });
    const heads = columns.map(([title, value], place) => {
      const button = element("button", { type: "button" }, title);
      button.addEventListener("click", () => { down = by === place ? !down : typeof value(items[0]) === "number"; by = place; fill(); into.querySelectorAll("th button")[place].focus(); });
      return element("th", { scope: "col", class: typeof value(items[0] ?? {}) === "number" ? "number" : null, "aria-sort": by === place ? (down ? "descending" : "ascending") : null }, sorted ? button : title);
    });
    const cell = (item, [, value, show]) => {
      const shown = show ? show(item) : value(item);
      return shown instanceof Node && shown.tagName === "TD" ? shown : element("td", { class: typeof value(item) === "number" ? "number" : "name" }, shown);
    };
    into.replaceChildren(element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...order.map((item) => element("tr", {}, ...columns.map((column) => cell(item, column))))));
  };
  if (items.length) fill(); else into.replaceChildren();
}
function functions() {
  const whole = total(data.groups, (group) => group.time);
  const named = (group) => element("td", { class: "name", title: group.name }, swatch(groupColour(data.groups.indexOf(group))), group.name);
  const share = (group) => element("td", { class: "share number" }, element("div", { style: { width: `${whole ? 100 * group.time / whole : 0}%` } }), element("span", {}, percent(group.time, whole)));
  table("functions-table", data.groups, [
    ["Function", (group) => group.name, named],
    ["Time", (group) => group.time, (group) => duration(group.time)],
    ["Share", (group) => group.time, share],
    ["Tasks", (group) => group.tasks, (group) => number(group.tasks)],
    ["Ran", (group) => group.ran, (group) => number(group.ran)],
    ["Layers", (group) => group.layers, (group) => number(group.layers)],
    ["Mean", (group) => (group.ran ? group.time / group.ran : 0), (group) => (group.ran ? duration(group.time / group.ran) : "–")],
    ["Longest", (group) => group.longest, (group) => duration(group.longest)],
    ["From", (group) => group.start, (group) => duration(group.start)],
    ["To", (group) => group.end, (group) => duration(group.end)],
  ], [1, true]);
}
function criticalPath() {
  const tasks = total(data.path, (step) => step.tasks);
  byId("path-words").textContent = data.path.length
    ? `${number(tasks)} tasks and the driver's own code between its submissions and waits, each of which needs what is before it, took ${duration(data.pathTime)} together: with any number of workers the run takes at least that, ${percent(data.pathTime, data.wall)} of what it took.`
    : "No task ran.";
  byId("path-bar").append(...data.path.map((step) => element("div", {
    style: { width: `${100 * step.time / data.pathTime}%`, background: groupColour(step.group) },
    "data-tip": `${groupName(step.group)}\n${step.tasks ? `${number(step.tasks)} tasks, ` : ""}${duration(step.time)}`,
  })));
  byId("path-bar").hidden = !data.path.length;
  const sums = new Map();
  for (const step of data.path) {
    const sum = sums.get(step.group) ?? { group: step.group, tasks: 0, time: 0 };
    sums.set(step.group, { ...sum, tasks: sum.tasks + step.tasks, time: sum.time + step.time });
  }
  const named = (step) => element("td", { class: "name", title: groupName(step.group) }, swatch(groupColour(step.group)), groupName(step.group));
  table("path-table", [...sums.values()], [
    ["Function", (sum) => groupName(sum.group), named],
    ["Tasks on it", (sum) => sum.tasks, (sum) => (sum.tasks ? number(sum.tasks) : "–")],
    ["Time", (sum) => sum.time, (sum) => duration(sum.time)],
    ["Share", (sum) => sum.time, (sum) => percent(sum.time, data.pathTime)],
  ], [2, true]);
  byId("path-details").hidden = !data.path.length;
  table("steps-table", data.path.slice(0, 500), [
    ["Function", (step) => groupName(step.group), named],
    ["Tasks in a row", (step) => step.tasks, (step) => (step.tasks ? number(step.tasks) : "–")],
    ["Time", (step) => step.time, (step) => duration(step.time)],
    ["Share", (step) => step.time, (step) => percent(step.time, data.pathTime)],
    ["From rank", (step) => step.rank],
    ["From", (step) => step.start, (step) => duration(step.start)],
  ]);
}
function transfers() {
  const moved = total(data.matrix, (entry) => entry[2]);
  byId("transfers-words").textContent = data.matrix.length
    ? `${bytes(moved)} in ${number(data.transferCount)} values. Rows send, columns receive. Values that travel with messages, up to 512 bytes, are not counted.`
    : "No value moved from one rank to another, but those that travel with messages.";
  const involved = [...new Set(data.matrix.flatMap(([source, target]) => [source, target]))].sort((a, b) => a - b);
  const most = Math.max(1, ...data.matrix.map((entry) => entry[2]));
  if (involved.length > 40) {
    const largest = [...data.matrix].sort((a, b) => b[2] - a[2]).slice(0, 200);
    return table("transfers-table", largest, [["From rank", (entry) => entry[0]], ["To rank", (entry) => entry[1]], ["Bytes", (entry) => entry[2], (entry) => bytes(entry[2])], ["Values", (entry) => entry[3], (entry) => number(entry[3])]], [2, true]);
  }
  if (!involved.length) return;
  const of = new Map(data.matrix.map(([source, target, sum, count]) => [`${source} ${target}`, [sum, count]]));
  const cell = (source, target) => {
    const entry = of.get(`${source} ${target}`);
    if (!entry) return element("td", {}, source === target ? "" : "·");
    return element("td", { style: { background: `rgba(${colour("heat")}, ${0.08 + 0.5 * entry[0] / most})` }, "data-tip": `rank ${source} to rank ${target}\n${bytes(entry[0])} in ${number(entry[1])} values` }, bytes(entry[0]));
  };
  byId("transfers-table").replaceChildren(
    element("thead", {}, element("tr", {}, element("th", {}, "from \\ to"), ...involved.map((rank) => element("th", { scope: "col" }, `rank ${rank}`)))),
    element("tbody", {}, ...involved.map((source) => element("tr", {}, element("th", { scope: "row" }, `rank ${source}`), ...involved.map((target) => cell(source, target))))));
}
function ranks() {
  table("ranks-table", data.ranks, [
    ["Rank", (rank) => rank.rank],
    ["Role", (rank) => rank.role],
    ["Host", (rank) => rank.host],
    ["Process", (rank) => rank.pid, (rank) => String(rank.pid)],
    ["Threads", (rank) => rank.threads, (rank) => (rank.threads ? number(rank.threads) : "–")],
    ["Memory", (rank) => rank.memory, (rank) => (rank.memory ? bytes(rank.memory) : "–")],
    ["Resources", (rank) => rank.resources.map(([name, amount]) => `${name}=${amount}`).join(" ") || "–"],
    ["Device", (rank) => rank.device ?? "–"],
    ["Clock", (rank) => rank.offset, (rank) => (rank.rank === 0 ? "reference" : `${rank.offset < 0 ? "−" : "+"}${duration(Math.abs(rank.offset))}`)],
    ["Told all", (rank) => (rank.complete ? "yes" : "no")],
  ]);
  byId("versions").textContent = `maniple ${data.version} · ${data.ranks[0]?.transport ?? ""}`;
}

// The picture without the empty space around it.
function graph() {
  const picture = document.querySelector(".graph svg");
  if (!picture || !data.groups.length) return void (byId("graph").hidden = true);
  const box = picture.getBBox(), edge = 12;
  picture.setAttribute("viewBox", `${box.x - edge} ${box.y - edge} ${box.width + 2 * edge} ${box.height + 2 * edge}`);
  picture.setAttribute("width", box.width + 2 * edge);
  picture.setAttribute("height", box.height + 2 * edge);
}

summary();
timeBars();
idleTime();
graph();
timelineLegend();
memoryKinds();
steer();
functions();
criticalPath();
transfers();
ranks();
let asked = false;
redraw = () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; drawTimeline(); drawMemory(); });
};
drawTimeline();
drawMemory();
new ResizeObserver(redraw).observe(document.querySelector("main"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
