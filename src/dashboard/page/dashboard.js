// Shows the run as rank 0 tells it. Nothing is asked of anybody else.
const PAGES = ["status", "workers", "graph", "task", "log", "system"];
// Okabe and Ito's colours but that of the disk, and some of Tol's: told apart with every kind of colour vision.
const COLOURS = ["#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#7a6fd0", "#88ccee", "#aa4466"];
const POINTS_MAX = 900, SPANS_MAX = 24000, LINES_MAX = 500, FAILURES_MAX = 200;
const LATE = 5000;
// What threads spend their time on, as in a report: tasks, values, the disk; then idle, in the order of `run.causes`.
const SPENT = [["at a task", "var(--running)"], ["waiting for values to arrive", "var(--memory)"], ["moving values to or from disk", "var(--disk)"]];
const IDLE_COLOURS = ["#882255", "#cc79a7", "#117733", "#b8a800", "#56b4e9", "#d55e00", "#009e73", "var(--other)", "var(--waiting)"];
// What was so some seconds ago: [milliseconds, nanoseconds of each].
let spentBefore = [];
const LATELY = 10000;

let run = null;
let state = null;
let points = [], spans = [], lines = [], failures = [];
// Whose clock says what: rank 0's milliseconds at some moment of this browser's.
let clock = { at: 0, seen: 0 };
let held = false, page = "status";

// The address is not to be read over a shoulder, nor kept by the browser: a cookie has the token now.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
function duration(seconds) {
  if (!isFinite(seconds)) return "–";
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(seconds < 0.01 ? 2 : 0)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  const hours = Math.floor(whole / 3600), rest = `${Math.floor(whole / 60) % 60}`;
  return hours ? `${hours}:${two(rest)}:${two(whole % 60)}` : `${rest}:${two(whole % 60)} min`;
}
function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) { count /= 1024; unit++; }
  return unit ? `${count.toFixed(count < 10 ? 2 : count < 100 ? 1 : 0)} ${units[unit]}` : `${Math.round(count)} B`;
}
function short(count) {
  if (count < 1000) return count < 10 && count % 1 ? count.toFixed(1) : String(Math.round(count));
  const [unit, name] = count < 1e6 ? [1e3, "k"] : count < 1e9 ? [1e6, "M"] : [1e9, "G"];
  return `${(count / unit).toFixed(count / unit < 10 ? 2 : count / unit < 100 ? 1 : 0)}${name}`;
}
const number = (count) => Math.round(count).toLocaleString("en-US");
const percent = (part, whole) => (whole > 0 ? `${Math.round(100 * part / whole)}%` : "–");
const legend = (id, entries) => byId(id).replaceChildren(...entries.map(([background, words]) => element("span", {}, swatch(background), words)));
const functionColour = (place) => (place >= 0 ? COLOURS[place % COLOURS.length] : place === -2 ? colour("disk") : colour("other"));
const functionName = (place) => (place >= 0 ? state.functions[place]?.name ?? "a function" : place === -2 ? "moves values to or from disk" : "tasks of many functions");

// What a variable of the style sheet is now, as canvases want it.
const probe = element("span", { hidden: "" });
const colours = new Map();
function colour(name) {
  if (!colours.has(name)) {
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    colours.set(name, getComputedStyle(probe).color);
    probe.remove();
  }
  return colours.get(name);
}

// Rank 0's milliseconds since the run began, now.
const now = () => (state.over ? state.at : Math.max(state.at, clock.at + performance.now() - clock.seen));
const workers = () => run.ranks.map((rank, place) => ({ ...rank, ...state.ranks[place] })).filter((rank) => rank.works);

// A bar of parts, each a share and a colour.
function bar(parts, tip, into) {
  const made = into ?? element("div", { class: "bar" });
  made.dataset.tip = tip;
  while (made.children.length < parts.length) made.append(element("div"));
  parts.forEach(([share, background], place) => {
    const style = made.children[place].style;
    style.width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
    style.background = background;
  });
  return made;
}
// Rows that stay where they are while their numbers change.
function rows(into, items, key, make, update) {
  const old = new Map([...into.children].map((row) => [row.dataset.key, row]));
  const wanted = items.map((item) => {
    const name = String(key(item));
    let row = old.get(name);
    if (!row) {
      row = make(item);
      row.dataset.key = name;
    }
    update(row, item);
    return row;
  });
  if (wanted.length !== into.children.length || wanted.some((row, place) => into.children[place] !== row)) into.replaceChildren(...wanted);
}

function header() {
  byId("program").textContent = run.program || "A run";
  document.title = `${run.program || "maniple"} – ${percent(tasks().done, tasks().total)}`;
  const hosts = new Set(run.ranks.map((rank) => rank.host)).size;
  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
  byId("about").textContent = `${count(run.ranks.length, "rank")} on ${count(hosts, "host")} · since ${new Date(run.started * 1000).toLocaleTimeString()} · ${run.transport ?? ""} · maniple ${run.version}`;
}
function badge(kind, words) {
  byId("state").className = `badge ${kind}`;
  byId("state").textContent = words;
}
const tasks = () => {
  const all = [...state.functions, state.others];
  return { total: total(all, (one) => one.total), done: total(all, (one) => one.done), failed: total(all, (one) => one.failed), running: total(all, (one) => one.running) };
};
const drawn = {
  status() {
    const at = now() / 1000, last = points.at(-1) ?? {}, sums = tasks(), all = workers();
    const threads = total(all, (worker) => worker.threads), limit = total(all, (worker) => worker.limit);
    const grows = state.grows && !state.over ? "+" : "";
    const cards = [
      [sums.total < 1e4 ? `${number(sums.done)} / ${number(sums.total)}${grows}` : `${short(sums.done)} / ${short(sums.total)}${grows}`, sums.failed ? `tasks done, ${number(sums.failed)} failed` : "tasks done", [[(sums.done - sums.failed) / sums.total, colour("done")], [sums.failed / sums.total, colour("failed")]]],
      [`${short(last.tasks ?? 0)}/s`, "tasks end", null],
      [`${(last.busy ?? 0).toFixed(1)} / ${threads}`, `threads busy on ${number(all.length)} ${all.length === 1 ? "worker" : "workers"}`, [[last.busy / threads, colour("running")]]],
      [bytes((last.memory ?? 0)), `of ${bytes(limit)} in values${last.spilled ? `, ${bytes(last.spilled)} on disk` : ""}`, [[last.memory / limit, colour("memory")], [last.spilled / limit, colour("disk")]]],
      [`${bytes(last.moved ?? 0)}/s`, last.disk ? `between ranks, ${bytes(last.disk)}/s disk` : "between ranks", null],
      [duration(at), state.over ? "the run took" : state.left !== null ? `since the run began, ${duration(state.left)} left` : "since the run began", null],
    ];
    rows(byId("cards"), cards, (card) => cards.indexOf(card), () => element("div", { class: "card" }, element("b"), element("span")), (row, [value, words, parts]) => {
      row.children[0].textContent = value;
      row.children[1].textContent = words;
      if (parts) {
        const old = row.querySelector(".bar");
        const made = bar(parts, "", old);
        if (!old) row.append(made);
      }
    });
    drawProgress();
    drawLoad(all);
    drawSpent(all);
    drawStream(all);
    drawPlots();
  },
  workers() { workersTable(); sessionsTable(); },
  graph() { drawGraph(); },
  task() { findTasks(); failedTable(); runningTable(); },
  log() { drawLog(); },
  system() { systemTables(); },
};
function draw() {
  if (!run || held) return;
  header();
  drawn[page]();
}

function drawProgress() {
  legend("progress-legend", [["var(--done)", "done"], ["var(--running)", "with workers"], ["var(--failed)", "failed"], ["var(--waiting)", "waiting"]]);
  // What goes on comes first, then what is to come, then what is over.
  const order = (one) => (one.done >= one.total ? 2 : one.running ? 0 : 1);
  const listed = state.functions.map((one, place) => ({ ...one, place })).sort((a, b) => order(a) - order(b) || a.place - b.place).slice(0, 100);
  rows(byId("progress"), listed, (one) => one.name, (one) => {
    const label = element("span", { class: "label", title: one.name }, swatch(functionColour(one.place)), shortName(one.name));
    label.firstChild.className = "dot";
    Object.assign(label.firstChild.style, { display: "inline-block", width: "9px", height: "9px", borderRadius: "50%", marginRight: "7px" });
    return element("div", { class: "line" }, label, bar([], ""), element("span", { class: "told" }));
  }, (row, one) => {
    const left = one.total - one.done, over = left <= 0;
    const part = (count) => count / one.total;
    const tip = `${one.name}\n${number(one.done - one.failed)} done, ${number(one.running)} with workers, ${number(Math.max(0, left - one.running))} waiting${one.failed ? `, ${number(one.failed)} failed` : ""}`;
    bar([[part(one.done - one.failed), colour("done")], [part(one.failed), colour("failed")], [part(one.running), colour("running")], [part(Math.max(0, left - one.running)), colour("waiting")]], tip, row.children[1]);
    row.children[2].textContent = over ? `${number(one.total)} done` : `${short(one.done)} of ${short(one.total)}${one.grows ? "+" : ""}${one.left !== null ? ` · ${duration(one.left)} left` : ""}`;
  });
  if (!listed.length) byId("progress").replaceChildren(element("p", { class: "quiet" }, "No task was submitted yet."));
}

function memoryBar(worker, into) {
  const limit = worker.limit || 1;
  // What is on disk, or on a device, is beside what fills the limit.
  const scale = Math.max(limit, worker.memory + worker.spilled + worker.deviceBytes);
  const tip = `${bytes(worker.memory)} of ${bytes(worker.limit)} in memory\n${bytes(worker.spilled)} on disk, ${bytes(worker.deviceBytes)} on the device\nwhole process ${bytes(worker.resident)}`;
  return bar([[worker.memory / scale, colour("memory")], [worker.spilled / scale, colour("disk")], [worker.deviceBytes / scale, colour("device")]], tip, into);
}
const SHOWN_MAX = 40;
function drawLoad(all) {
  legend("load-legend", [["var(--running)", "threads busy"], ["var(--memory)", "memory"], ["var(--disk)", "on disk"], ["var(--device)", "device"]]);
  rows(byId("load"), all.slice(0, SHOWN_MAX), (worker) => worker.rank, (worker) => element("div", { class: "line" }, element("span", { class: "label", title: `rank ${worker.rank} on ${worker.host}` }, `rank ${worker.rank}`), bar([], ""), bar([], ""), element("span", { class: "told" })), (row, worker) => {
    bar([[worker.busy / worker.threads, colour("running")]], `${worker.busy.toFixed(2)} of ${worker.threads} threads busy\n${number(worker.has)} tasks here, ${number(worker.done)} done`, row.children[1]);
    memoryBar(worker, row.children[2]);
    row.children[3].textContent = `${number(worker.has)} tasks`;
  });
  if (all.length > SHOWN_MAX) byId("load").append(element("p", { class: "quiet hint", "data-key": "more" }, `and ${number(all.length - SHOWN_MAX)} more on the page of workers`));
}

// What the workers' threads have spent their time on, all together.
const spentOf = (all) => [...SPENT.map((_, place) => total(all, (one) => one.spent[place])), ...run.causes.map((_, place) => total(all, (one) => one.idle[place]))];
function drawSpent(all) {
  const spent = spentOf(all), before = spentBefore[0]?.[1] ?? spent.map(() => 0);
  const whole = total(spent, (time) => time), lately = spent.map((time, place) => Math.max(0, time - before[place]));
  const latest = total(lately, (time) => time), idle = total(spent.slice(SPENT.length), (time) => time);
  const kinds = [...SPENT.map(([name, background]) => ({ name, background, advice: "" })), ...run.causes.map((cause, place) => ({ name: `idle: ${cause.name}`, background: IDLE_COLOURS[place], advice: cause.advice }))];
  const parts = kinds.map((kind, place) => ({ ...kind, place, time: spent[place], lately: lately[place] })).filter((part) => part.time > 0);
  byId("spent-words").textContent = whole ? `idle for ${percent(idle, whole)} of ${duration(whole / 1e9)} of all threads; causes are estimates, those of a report are exact` : "No worker has sent a sample yet.";
  bar(kinds.map((kind, place) => [spent[place] / whole, kind.background]), parts.map((part) => `${part.name} ${percent(part.time, whole)}`).join("\n"), byId("spent-bar"));
  table("spent-table", parts, [
    ["Threads", (part) => part.name, (part, cell) => { cell.className = "name"; cell.dataset.tip = part.advice; cell.replaceChildren(swatch(part.background), part.name); }],
    ["Time", (part) => part.time, (part) => duration(part.time / 1e9)],
    ["Share", (part) => part.time, (part) => percent(part.time, whole)],
    ["In the last 10 s", (part) => part.lately, (part) => percent(part.lately, latest)],
  ], (part) => part.place);
}

const LABELS = 92, AXIS = 22, STREAM_WORKERS = 64;
let streamRows = [];
function drawStream(all) {
  const canvas = byId("stream"), told = all.slice(0, STREAM_WORKERS);
  const threads = total(told, (worker) => worker.threads), byThread = threads <= 96;
  const starts = new Map();
  streamRows = [];
  for (const worker of told) {
    starts.set(worker.rank, streamRows.length);
    for (let lane = 0; lane < (byThread ? worker.threads : 1); lane++) streamRows.push({ worker, lane, first: lane === 0 });
  }
  const rowHeight = streamRows.length > 40 ? 9 : streamRows.length > 16 ? 14 : 20;
  const height = streamRows.length * rowHeight + AXIS, width = canvas.parentElement.clientWidth, ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const longest = Number(byId("window").value), seconds = Math.min(longest, Math.max(10, now() / 1000)), until = Math.max(now() / 1000, seconds), from = until - seconds, today = now() / 1000;
  const x = (at) => LABELS + (at - from) / seconds * (width - LABELS);
  canvas.view = { from, seconds, rowHeight, width, byThread, starts };
  streamRows.forEach((row, place) => {
    const top = place * rowHeight;
    pen.fillStyle = colour(place % 2 ? "card" : "row");
    pen.fillRect(LABELS, top, width - LABELS, rowHeight);
    if (!row.first) return;
    pen.fillStyle = colour("text");
    pen.textAlign = "left";
    if (byThread || rowHeight > 12 || place % 2 === 0) pen.fillText(`rank ${row.worker.rank}`, 2, top + rowHeight / 2 + 1);
  });
  const step = [1, 2, 5, 10, 20, 30, 60].find((step) => seconds / step <= 10) ?? 60;
  for (let at = Math.ceil(Math.max(0, from) / step) * step; at <= until; at += step) {
    pen.fillStyle = colour("line");
    pen.fillRect(x(at), 0, 1, height - AXIS);
    pen.fillStyle = colour("quiet");
    pen.textAlign = "center";
    if (x(at) < width - 20) pen.fillText(at < 60 ? `${at} s` : `${Math.floor(at / 60)}:${String(at % 60).padStart(2, "0")}`, x(at), height - AXIS / 2);
  }
  const present = new Map(), perPixel = seconds / (width - LABELS);
  const pixels = streamRows.map(() => new Pixels(width - LABELS));
  // What is shorter than a pixel, or of one of several threads, adds up in pixels.
  const paint = (rank, lane, place, start, end, share) => {
    const row = starts.get(rank) + (byThread ? lane : 0);
    if (streamRows[row]?.worker.rank !== rank || end < from) return;
    const left = (start - from) / perPixel, right = (end - from) / perPixel;
    present.set(place, (present.get(place) ?? 0) + (end - Math.max(start, from)) * share);
    if (!byThread || right - left < 1) return pixels[row].add(left, right, share, place);
    const wide = right - Math.max(0, left);
    pen.globalAlpha = Math.max(0.35, share);
    pen.fillStyle = functionColour(place);
    pen.fillRect(LABELS + Math.max(0, left), row * rowHeight + 1, Math.max(1, wide - (wide > 4 ? 0.5 : 0)), rowHeight - 2);
  };
  for (const [rank, lane, place, , , start, length, busy] of spans) {
    // The disk has no row of its own here: it is drawn thin on the first thread's.
    if (place !== -2) paint(rank, lane, place, start / 1e6, (start + length) / 1e6, Math.min(1, busy / length));
  }
  const places = new Map(state.functions.map((one, place) => [one.name, place]));
  for (const worker of told) {
    for (const [lane, , , name, microseconds] of worker.running) {
      if (!state.over) paint(worker.rank, lane, places.get(name) ?? -1, worker.heard / 1000 - microseconds / 1e6, today, 0.45);
    }
  }
  pixels.forEach((row, place) => row.draw(pen, LABELS, place * rowHeight + 1, rowHeight - 2, byThread ? 1 : streamRows[place].worker.threads, functionColour));
  for (const [rank, , place, , , start, length] of spans) {
    const first = starts.get(rank);
    if (place !== -2 || first === undefined || (start + length) / 1e6 < from) continue;
    pen.globalAlpha = 1;
    pen.fillStyle = colour("disk");
    pen.fillRect(Math.max(LABELS, x(start / 1e6)), first * rowHeight, Math.max(1, length / 1e6 / seconds * (width - LABELS)), 3);
    present.set(-2, 1);
  }
  pen.globalAlpha = 1;
  const named = [...present].sort((a, b) => b[1] - a[1]).slice(0, COLOURS.length).map(([place]) => [functionColour(place), shortName(functionName(place))]);
  legend("stream-legend", named.length ? named : [["transparent", "Nothing has run lately."]]);
}
function streamAt(event) {
  const canvas = byId("stream"), view = canvas.view;
  if (!view) return null;
  const box = canvas.getBoundingClientRect(), row = streamRows[Math.floor((event.clientY - box.top) / view.rowHeight)];
  if (!row || event.clientX - box.left < LABELS) return null;
  const at = (view.from + (event.clientX - box.left - LABELS) / (view.width - LABELS) * view.seconds) * 1e6;
  const slack = 2 * view.seconds * 1e6 / (view.width - LABELS);
  let found = null;
  for (const span of spans) {
    const [rank, lane, place, , , start, length] = span;
    if (place === -2 || rank !== row.worker.rank || view.byThread && lane !== row.lane || at < start - slack || at > start + length + slack) continue;
    if (!found || length > found[6]) found = span;
  }
  return found;
}

// Plots: points in columns, the first that of time.
const plots = {};
function plot(id, series, format, stacked) {
  const holder = byId(id), size = () => ({ width: Math.max(200, holder.clientWidth), height: 190 });
  const axis = { stroke: () => colour("quiet"), grid: { stroke: () => colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const last = (place) => place ?? points.length - 1;
  const clockWords = (_, values) => values.map((at) => (at < 0 ? "" : at < 60 ? `${at} s` : `${Math.floor(at / 60)}:${String(Math.round(at % 60)).padStart(2, "0")}`));
  // Where nobody points at a moment, it is the last one.
  const value = (name) => (_, __, ___, place) => format(points[last(place)]?.[name] ?? 0);
  const made = new uPlot({
    ...size(), legend: { live: true }, cursor: { points: { size: 6 } },
    scales: { x: { time: false, range: (_, low, high) => [low, Math.max(high, low + 10)] }, y: { range: (_, __, most) => [0, Math.max(most * 1.08, 1)] } },
    axes: [{ ...axis, values: clockWords, space: 70 }, { ...axis, values: (_, values) => values.map(format), size: 66, ...(format === bytes && { incrs: Array.from({ length: 60 }, (_, power) => 2 ** power) }) }],
    // Between one that is stacked and the next below it.
    bands: stacked ? series.slice(1).map((_, place) => ({ series: [place + 1, place + 2] })) : [],
    series: [
      { label: "at", value: (_, __, ___, place) => duration((points[last(place)]?.at ?? 0) / 1000) },
      ...series.map(([name, label, variable, line]) => ({
        label, stroke: () => colour(variable), width: 1.6, points: { show: false }, value: value(name),
        fill: line ? undefined : () => colour(variable).replace("rgb(", "rgba(").replace(")", ", 0.28)"),
      })),
    ],
  }, [[], ...series.map(() => [])], holder);
  new ResizeObserver(() => made.setSize(size())).observe(holder);
  plots[id] = () => {
    const columns = series.map(([name]) => points.map((point) => point[name]));
    // The first is drawn lowest, over what is stacked on it.
    if (stacked) for (let place = 0; place < points.length; place++) for (let one = columns.length - 2; one >= 0; one--) columns[one][place] += columns[one + 1][place];
    made.setData([points.map((point) => point.at / 1000), ...columns]);
  };
  plots[id].redraw = () => made.redraw();
}
function drawPlots() {
  if (!plots["memory-plot"]) {
    plot("memory-plot", [["device", "device", "device"], ["spilled", "on disk", "disk"], ["memory", "memory", "memory"]], bytes, true);
    plot("tasks-plot", [["tasks", "end", "done"]], short, false);
    plot("busy-plot", [["busy", "busy", "running"]], (count) => (count % 1 ? count.toFixed(1) : short(count)), false);
    plot("bytes-plot", [["moved", "between ranks", "running"], ["disk", "to and from disk", "disk", true]], bytes, false);
  }
  Object.values(plots).forEach((update) => update());
}

// A table that is sorted by a click, and keeps its rows.
const sorting = {};
function table(id, items, columns, key) {
  const into = byId(id);
  if (!into.tBodies.length) {
    into.append(element("thead", {}, element("tr", {}, ...columns.map(([words], place) => {
      const button = element("button", { type: "button" }, words), head = element("th", { scope: "col" }, button);
      button.addEventListener("click", () => { sorting[id] = [place, sorting[id]?.[0] === place ? !sorting[id][1] : true]; draw(); });
      return head;
    }))), element("tbody"));
  }
  const [by, down] = sorting[id] ?? [];
  [...into.tHead.rows[0].cells].forEach((head, place) => (place === by ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
  let sorted = items;
  if (by !== undefined) {
    const of = columns[by][1], sign = down ? -1 : 1;
    sorted = [...items].sort((a, b) => { const [x, y] = [of(a), of(b)]; return sign * (x < y ? -1 : x > y ? 1 : 0); });
  }
  rows(into.tBodies[0], sorted, key, () => element("tr", {}, ...columns.map(() => element("td"))), (row, item) => {
    row.className = item.late ? "late" : "";
    columns.forEach(([, of, show, bars], place) => {
      const cell = row.cells[place], value = of(item);
      if (typeof value === "number" && !bars) {
        cell.classList.add("number");
        into.tHead.rows[0].cells[place].classList.add("number");
      }
      const shown = show ? show(item, cell) : String(value);
      if (typeof shown === "string") { if (cell.textContent !== shown) cell.textContent = shown; }
      else if (shown && shown.parentElement !== cell) cell.replaceChildren(shown);
    });
  });
}
const or = (value, words) => (value ? words : "–");
function workersTable() {
  const wanted = byId("worker-filter").value.trim().toLowerCase();
  const all = run.ranks.map((rank, place) => ({ ...rank, ...state.ranks[place] }));
  const shown = all.filter((rank) => `${rank.role} ${rank.host} ${rank.device ?? ""} rank ${rank.rank}`.toLowerCase().includes(wanted)).map((rank) => ({ ...rank, late: !state.over && rank.heard !== null && now() - rank.heard > LATE }));
  table("workers-table", shown, [
    ["Rank", (rank) => rank.rank],
    ["Role", (rank) => rank.role],
    ["Host", (rank) => rank.host],
    ["Load", (rank) => rank.busy / (rank.threads || 1), (rank, cell) => (rank.works ? bar([[rank.busy / rank.threads, colour("running")]], `${rank.busy.toFixed(2)} of ${rank.threads} threads busy`, cell.querySelector(".bar")) : "–"), true],
    ["Threads", (rank) => rank.threads, (rank) => or(rank.works, `${rank.running.length}/${rank.threads}`)],
    ["Has", (rank) => rank.has, (rank) => or(rank.works, number(rank.has))],
    ["Done", (rank) => rank.done, (rank) => or(rank.works, number(rank.done))],
    ["Tasks/s", (rank) => rank.rate, (rank) => or(rank.works, short(rank.rate))],
    ["Memory", (rank) => rank.memory / (rank.limit || 1), (rank, cell) => (rank.works ? memoryBar(rank, cell.querySelector(".bar")) : "–"), true],
    ["Values", (rank) => rank.memory, (rank) => bytes(rank.memory)],
    ["On disk", (rank) => rank.spilled, (rank) => or(rank.spilled, bytes(rank.spilled))],
    ["Resident", (rank) => rank.resident, (rank) => bytes(rank.resident)],
    ["In", (rank) => rank.received, (rank) => or(rank.received, `${bytes(rank.received)}/s`)],
    ["Out", (rank) => rank.sent, (rank) => or(rank.sent, `${bytes(rank.sent)}/s`)],
    ["Device", (rank) => rank.device ?? "", (rank) => (rank.device ? `${rank.device}, ${bytes(rank.deviceBytes)}` : "–")],
    ["Heard", (rank) => (rank.heard === null ? Infinity : now() - rank.heard), (rank) => (rank.heard === null ? "not yet" : state.over ? "ended" : `${duration(Math.max(0, now() - rank.heard) / 1000)} ago`)],
    ["Process", (rank) => rank.pid, (rank) => String(rank.pid)],
  ], (rank) => rank.rank);
  const late = shown.filter((rank) => rank.late).length;
  byId("workers-note").textContent = late ? `${late} ${late === 1 ? "rank was" : "ranks were"} not heard of for over ${LATE / 1000} s.` : "Every rank tells about once a second how it stands.";
}
function sessionsTable() {
  byId("sessions").hidden = !state.sessions.length;
  table("sessions-table", state.sessions, [
    ["Session", (one) => one.rank, (one) => `rank ${one.rank}`],
    ["Tasks", (one) => one.total, (one) => number(one.total)],
    ["Done", (one) => one.done, (one) => number(one.done)],
    ["Failed", (one) => one.failed, (one) => or(one.failed, number(one.failed))],
    ["Open", (one) => one.total - one.done, (one) => number(one.total - one.done)],
  ], (one) => one.rank);
}

function drawGraph() {
  legend("graph-legend", [["var(--done)", "done"], ["var(--running)", "with workers"], ["var(--failed)", "failed"], ["var(--waiting)", "waiting"]]);
  const nodes = state.functions.slice(0, 80), WIDE = 210, HIGH = 62, ACROSS = 34, DOWN = 46;
  // A function is below those that it needs; rank 0 has left out what would close a circle.
  const needs = nodes.map((node) => node.needs.filter((needed) => needed < nodes.length));
  const depth = new Map();
  const deep = (place) => {
    if (!depth.has(place)) depth.set(place, Math.max(-1, ...needs[place].map(deep)) + 1);
    return depth.get(place);
  };
  nodes.forEach((_, place) => deep(place));
  const levels = [];
  for (const [place, level] of [...depth].sort((a, b) => a[0] - b[0])) (levels[level] ??= []).push(place);
  const spot = new Map(), widest = Math.max(1, ...levels.map((level) => level.length));
  const width = widest * (WIDE + ACROSS);
  // Each stands below the middle of those that it needs, as far as there is room.
  levels.forEach((level, row) => {
    const middle = (place) => { const above = needs[place].map((needed) => spot.get(needed)?.[0]).filter((x) => x !== undefined); return above.length ? total(above, (x) => x) / above.length : width / 2; };
    if (row) level.sort((a, b) => middle(a) - middle(b));
    const left = (width - level.length * (WIDE + ACROSS)) / 2;
    level.forEach((place, order) => spot.set(place, [left + (order + 0.5) * (WIDE + ACROSS), row * (HIGH + DOWN) + HIGH / 2 + 6]));
  });
  const height = levels.length * (HIGH + DOWN);
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Functions, and which need which" });
  picture.append(svg("defs", {}, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { class: "tip", d: "M0 0 L8 4 L0 8 z" }))));
  needs.forEach((all, place) => all.forEach((needed) => {
    const [x1, y1] = spot.get(needed), [x2, y2] = spot.get(place), bend = (y2 - y1 - HIGH) / 2;
    picture.append(svg("path", { class: "edge", "marker-end": "url(#arrow)", d: `M${x1} ${y1 + HIGH / 2} C${x1} ${y1 + HIGH / 2 + bend} ${x2} ${y2 - HIGH / 2 - bend} ${x2} ${y2 - HIGH / 2 - 1}` }));
  }));
  nodes.forEach((node, place) => {
    const [x, y] = spot.get(place), left = x - WIDE / 2, top = y - HIGH / 2, inner = WIDE - 24;
    const kind = node.failed ? "bad" : node.done >= node.total ? "over" : node.running || node.done ? "now" : "";
    const name = shortName(node.name), label = name.length > 28 ? `${name.slice(0, 27)}…` : name;
    const group = svg("g", { class: kind }, svg("title", {}, node.name), svg("rect", { class: "node", x: left, y: top, width: WIDE, height: HIGH, rx: 9 }), svg("text", { x: left + 12, y: top + 21 }, label));
    let from = left + 12;
    for (const [count, name] of [[node.done - node.failed, "done"], [node.failed, "failed"], [node.running, "running"], [node.total - node.done - node.running, "waiting"]]) {
      const wide = Math.max(0, inner * count / Math.max(1, node.total));
      if (wide > 0) group.append(svg("rect", { x: from, y: top + 29, width: wide, height: 8, fill: colour(name) }));
      from += wide;
    }
    group.append(svg("text", { class: "small", x: left + 12, y: top + 53 }, `${short(node.done)} of ${short(node.total)}${node.running ? ` · ${short(node.running)} with workers` : ""}${node.failed ? ` · ${short(node.failed)} failed` : ""}`));
    picture.append(group);
  });
  byId("graph-picture").replaceChildren(nodes.length ? picture : element("p", { class: "quiet" }, "No task was submitted yet."));
  const more = state.functions.length + state.others.count - nodes.length;
  const leftOut = state.leftOut.map(([needed, by]) => `${shortName(functionName(needed))} → ${shortName(functionName(by))}`);
  byId("graph-note").textContent = [
    "Each box is a function; its tasks need values of those above it.",
    leftOut.length ? `Not drawn, since they close a circle: ${leftOut.join(", ")}.` : "",
    more > 0 ? `And ${number(more)} more functions.` : "",
  ].join(" ");
}

function runningTable() {
  const all = workers().flatMap((worker) => worker.running.map(([lane, first, count, name, microseconds]) => ({ worker, lane, first, count, name, since: microseconds / 1e6 + (state.over ? 0 : Math.max(0, now() - worker.heard) / 1000) })));
  table("running-table", all.slice(0, 500), [
    ["Function", (one) => one.name, (one, cell) => { cell.className = "name"; return one.name; }],
    ["Task", (one) => one.first, (one, cell) => taskButton(cell, one.first, one.count)],
    ["Rank", (one) => one.worker.rank],
    ["Host", (one) => one.worker.host],
    ["Thread", (one) => one.lane],
    ["Since", (one) => one.since, (one) => duration(one.since)],
  ], (one) => `${one.worker.rank} ${one.lane}`);
}
function taskButton(cell, task, count) {
  const button = cell.querySelector("button") ?? element("button", { class: "link", type: "button" });
  button.textContent = count > 1 ? `${task} and ${number(count - 1)} more` : String(task);
  button.onclick = () => ask(task);
  return button;
}
// What is asked for is a task's number, or part of a function's name.
const isNumber = (words) => /^\d+(\.\d+)?$/.test(words);
function findTasks() {
  if (!state) return;
  const wanted = byId("task-number").value.trim(), found = [];
  if (wanted && !isNumber(wanted)) {
    for (const one of state.functions) {
      if (one.name.toLowerCase().includes(wanted.toLowerCase())) one.tasks.forEach(([task, count]) => found.push({ name: one.name, task, count }));
    }
  }
  byId("found").hidden = !found.length;
  if (wanted && !isNumber(wanted)) byId("story").textContent = found.length ? "" : `No function is called so: ${wanted}`;
  table("found-table", found.slice(0, 100), [
    ["Function", (one) => one.name, (one, cell) => { cell.className = "name"; return one.name; }],
    ["Tasks", (one) => one.task, (one, cell) => taskButton(cell, one.task, one.count)],
  ], (one) => one.task);
}
function failedTable() {
  byId("failed").hidden = !failures.length;
  const all = failures.map((one, place) => ({ ...one, place })).reverse();
  table("failed-table", all, [
    ["Function", (one) => one.name, (one, cell) => { cell.className = "name"; return one.name; }],
    ["Task", (one) => one.task, (one, cell) => taskButton(cell, one.task, one.count)],
    ["Rank", (one) => one.rank ?? "–"],
    ["Error", (one) => one.words, (one, cell) => { cell.className = "error"; return one.words; }],
  ], (one) => one.place);
}
async function ask(task) {
  byId("task-number").value = task;
  findTasks();
  byId("story").textContent = "…";
  try {
    const answer = await fetch(`/api/task?id=${encodeURIComponent(task)}`);
    byId("story").textContent = answer.ok ? (await answer.json()).words : await answer.text();
  } catch {
    byId("story").textContent = "The run does not answer.";
  }
}

function drawLog() {
  const wanted = byId("log-filter").value.trim().toLowerCase(), into = byId("lines");
  const atEnd = into.scrollTop + into.clientHeight >= into.scrollHeight - 20;
  const shown = lines.filter((line) => line.toLowerCase().includes(wanted));
  into.replaceChildren(...shown.map((line) => element("span", { class: / (WARN|ERROR) /.test(line) ? "warn" : null }, `${line}\n`)));
  if (!shown.length) into.textContent = "Nothing was said yet.";
  if (atEnd) into.scrollTop = into.scrollHeight;
}
function facts(id, pairs) {
  byId(id).replaceChildren(...pairs.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value))));
}
function systemTables() {
  const all = workers();
  facts("run-table", [
    ["Program", run.program], ["Command", commandLine(run.command)], ["Began", new Date(run.started * 1000).toLocaleString()], ["Has run for", duration(now() / 1000)],
    ["Maniple", run.version], ["Transport", run.transport ?? "–"], ["Ranks", number(run.ranks.length)],
    ["Workers", `${number(all.length)} with ${number(total(all, (worker) => worker.threads))} threads`],
    ["Memory limit", bytes(total(all, (worker) => worker.limit))],
    ["Devices", number(all.filter((worker) => worker.device).length)],
  ]);
  const server = state.server;
  facts("server-table", [
    ["Address", location.origin], ["Served by", `rank 0 on ${run.ranks[0].host}, process ${run.ranks[0].pid}`],
    ["Streams", number(server.streams)], ["Connections", `${number(server.connections)} of ${number(server.connectionsMax)}`],
    ["Refused connections", number(server.refused)], ["States told", number(state.number)],
  ]);
  const hosts = new Map();
  run.ranks.forEach((rank, place) => {
    const host = hosts.get(rank.host) ?? { host: rank.host, ranks: [], threads: 0, limit: 0, devices: [], processes: new Map() };
    host.ranks.push(rank.rank);
    host.threads += rank.threads;
    host.limit += rank.limit;
    if (rank.device) host.devices.push(rank.device);
    host.processes.set(rank.pid, state.ranks[place].resident);
    hosts.set(rank.host, host);
  });
  table("hosts-table", [...hosts.values()], [
    ["Host", (host) => host.host],
    ["Ranks", (host) => String(host.ranks.length), (host) => (host.ranks.length > 12 ? `${number(host.ranks.length)}: ${host.ranks[0]} to ${host.ranks.at(-1)}` : host.ranks.join(", "))],
    ["Threads", (host) => host.threads],
    ["Memory limit", (host) => host.limit, (host) => bytes(host.limit)],
    ["Processes have", (host) => total([...host.processes.values()], (one) => one), (host) => bytes(total([...host.processes.values()], (one) => one))],
    ["Devices", (host) => host.devices.join("; "), (host) => host.devices.join("; ") || "–"],
  ], (host) => host.host);
}

function turnTo(name, byHand) {
  page = PAGES.includes(name) ? name : "status";
  for (const one of PAGES) {
    byId(one).hidden = one !== page;
    const tab = byId(`tab-${one}`);
    tab.setAttribute("aria-selected", String(one === page));
    tab.tabIndex = one === page ? 0 : -1;
  }
  if (byHand) history.replaceState(null, "", `#${page}`);
  draw();
}
function tell(words, event) {
  const tip = byId("tip");
  tip.hidden = !words;
  if (!words) return;
  tip.textContent = words;
  tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${event.clientY + 18 + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18}px`;
}
function theme(choice) {
  if (choice) document.documentElement.dataset.theme = choice; else delete document.documentElement.dataset.theme;
  byId("theme").textContent = `Theme: ${choice || "system"}`;
  try { localStorage.setItem("maniple-theme", choice); } catch { /* It is the system's next time. */ }
  repaint();
}
function repaint() {
  colours.clear();
  Object.values(plots).forEach((update) => update.redraw());
  draw();
}
function hold() {
  held = !held;
  byId("pause").setAttribute("aria-pressed", String(held));
  byId("pause").textContent = held ? "Go on" : "Hold";
  draw();
}
function steer() {
  const nextTheme = () => theme({ "": "light", light: "dark", dark: "" }[document.documentElement.dataset.theme ?? ""]);
  PAGES.forEach((name) => byId(`tab-${name}`).addEventListener("click", () => turnTo(name, true)));
  byId("pause").addEventListener("click", hold);
  byId("theme").addEventListener("click", nextTheme);
  byId("window").addEventListener("change", draw);
  byId("worker-filter").addEventListener("input", draw);
  byId("log-filter").addEventListener("input", draw);
  byId("task-form").addEventListener("submit", (event) => { event.preventDefault(); const wanted = byId("task-number").value.trim(); if (isNumber(wanted)) ask(wanted); else findTasks(); });
  byId("task-number").addEventListener("input", findTasks);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey || typing && event.key !== "Escape") return;
    const place = PAGES.indexOf(page);
    if (event.key >= "1" && event.key <= String(PAGES.length)) turnTo(PAGES[event.key - 1], true);
    else if (event.target.getAttribute?.("role") === "tab" && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      turnTo(PAGES[(place + (event.key === "ArrowRight" ? 1 : PAGES.length - 1)) % PAGES.length], true);
      byId(`tab-${page}`).focus();
    } else if (event.key === " " && event.target.tagName !== "BUTTON") hold();
    else if (event.key === "t") nextTheme();
    else if (event.key === "/") { turnTo("task", true); byId("task-number").focus(); }
    else if (event.key === "Escape") { event.target.blur?.(); tell("", event); return; } else return;
    event.preventDefault();
  });
  const stream = byId("stream");
  stream.addEventListener("pointermove", (event) => {
    const span = streamAt(event);
    if (!span) return tell("", event);
    const [rank, lane, place, task, count, , length] = span;
    tell(`${functionName(place)}\n${count > 1 ? `${number(count)} tasks in` : `task ${task}:`} ${duration(length / 1e6)}\nrank ${rank}, thread ${lane}`, event);
  });
  stream.addEventListener("pointerleave", (event) => tell("", event));
  stream.addEventListener("click", (event) => {
    const span = streamAt(event);
    if (span && span[2] >= 0) { turnTo("task", true); ask(span[3]); }
  });
  document.addEventListener("pointermove", (event) => {
    if (event.target === stream) return;
    tell(event.target.closest?.("[data-tip]")?.dataset.tip ?? "", event);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  window.addEventListener("resize", draw);
  window.addEventListener("hashchange", () => turnTo(location.hash.slice(1)));
  let chosen = "";
  try { chosen = localStorage.getItem("maniple-theme") ?? ""; } catch { /* The system's. */ }
  theme(chosen);
}

// Adds what is new, or begins again if all is told.
function take(told) {
  if (told.run) {
    run = told.run;
    points = []; spans = []; lines = []; failures = []; spentBefore = [];
  }
  state = told;
  spentBefore.push([told.at, spentOf(workers())]);
  while (spentBefore.length > 1 && spentBefore[1][0] <= told.at - LATELY) spentBefore.shift();
  clock = { at: told.at, seen: performance.now() };
  points = points.concat(told.points).slice(-POINTS_MAX);
  for (let at = 0; at < told.spans.length; at += 8) spans.push(told.spans.slice(at, at + 8));
  spans = spans.slice(-SPANS_MAX);
  lines = lines.concat(told.log).slice(-LINES_MAX);
  failures = failures.concat(told.failures).slice(-FAILURES_MAX);
  badge(told.over ? "ended" : "running", told.over ? "ended" : "running");
  draw();
}
function listen() {
  const events = new EventSource("/api/events");
  events.onmessage = (message) => {
    const told = JSON.parse(message.data);
    take(told);
    if (told.over) events.close();
  };
  // The browser tries again by itself, unless it was refused.
  events.onerror = () => badge("lost", events.readyState === EventSource.CLOSED ? "not allowed: open the printed address again" : "no connection, tries again");
}
steer();
turnTo(location.hash.slice(1));
listen();
// Between the states only time goes on.
setInterval(() => { if (run && !held && !state.over && page === "status" && !document.hidden) drawStream(workers()); }, 250);
