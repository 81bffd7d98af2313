// What the page asks for and shows. Whatever came from a client is put in as text, never as markup.
"use strict";

const PAUSE = 2000;
const byId = (id) => document.getElementById(id);
let order = { key: "requests", falls: true };
let last = null;
let rounds = 0;
let before = null;

const element = (name, text, kind) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};
const number = (value) => Math.round(value).toLocaleString("en");
const rate = (value) => (value > 0 && value < 10 ? value.toFixed(1) : number(value));
const percent = (part, whole) => (whole > 0 ? `${(100 * part / whole).toFixed(1)} %` : "–");
const bytes = (value) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value.toFixed(unit && value < 100 ? 1 : 0)} ${units[unit]}`;
};
const seconds = (value) => {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${(1000 * value).toFixed(value < 0.01 ? 2 : 0)} ms`;
  if (value < 120) return `${value.toFixed(1)} s`;
  if (value < 7200) return `${(value / 60).toFixed(0)} min`;
  return `${(value / 3600).toFixed(1)} h`;
};
// What a histogram tells lies between two of its steps.
const about = (value) => (value === null || value === undefined ? "–" : `~${seconds(value)}`);
const time = (at) => new Date(at).toLocaleTimeString("en-GB");

// What is read aloud is set only where it is another text: else it would be read again with every look at the process.
function tell(id, text) {
  const place = byId(id);
  if (place.textContent !== text) place.textContent = text;
  place.hidden = text === "";
}

async function ask(path, body) {
  const token = sessionStorage.getItem("token");
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const options = { headers, cache: "no-store" };
  if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body), headers: { ...headers, "content-type": "application/json" } });
  const answer = await fetch(path, options);
  const value = await answer.json().catch(() => ({ error: "The answer is no JSON." }));
  if (answer.status === 401) askForToken(token);
  if (!answer.ok) throw new Error(value.error || `status ${answer.status}`);
  return value;
}

// A token that was given since that request was sent stays.
function askForToken(refused) {
  if (sessionStorage.getItem("token") !== refused) return;
  sessionStorage.removeItem("token");
  tell("refused", refused === null ? "" : "That is not the token of this listener.");
  byId("login").hidden = false;
  byId("main").hidden = true;
  byId("what").textContent = "";
}

function fill(id, rows, whenNone) {
  const body = byId(id).tBodies[0];
  const made = rows.map((cells) => {
    const row = element("tr");
    row.setAttribute("role", "row");
    cells.forEach((text, index) => {
      const cell = element("td", String(text));
      cell.setAttribute("role", "cell");
      // Where the columns stand below one another.
      cell.dataset.label = byId(id).tHead.rows[0].cells[index].textContent;
      row.append(cell);
    });
    return row;
  });
  if (made.length === 0) {
    const cell = element("td", whenNone, "none");
    cell.colSpan = byId(id).tHead.rows[0].cells.length;
    const row = element("tr");
    row.append(cell);
    made.push(row);
  }
  body.replaceChildren(...made);
}

// Lines over the last hour, or over what there is of it, if that is less: `lines` are [class, values], where null is a gap.
function draw(id, times, lines, shown) {
  const svg = byId(id);
  const [width, height, top, bottom] = [600, 110, 14, 96];
  const made = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const most = Math.max(...lines.flatMap(([, values]) => values.filter((value) => value !== null)), 0) || 1;
  const end = times.length ? times[times.length - 1] : 0;
  const span = Math.min(3600000, Math.max(300000, end - (times[0] || 0)));
  const x = (at) => width - (end - at) / span * width;
  const y = (value) => bottom - value / most * (bottom - top);
  const nodes = [made("path", { class: "axis", d: `M0 ${bottom}H${width}` })];
  for (const [kind, values] of lines) {
    let path = "";
    let dots = "";
    let pen = "M";
    values.forEach((value, index) => {
      if (value === null) { pen = "M"; return; }
      path += `${pen}${x(times[index]).toFixed(1)} ${y(value).toFixed(1)}${pen === "M" ? "h0" : ""}`;
      pen = "L";
      // What stands alone is no line: a dot, and all of it within the picture.
      const alone = (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null;
      if (alone) dots += `M${Math.min(x(times[index]), width - 3).toFixed(1)} ${y(value).toFixed(1)}h0.1`;
    });
    nodes.push(made("path", { class: kind, d: path || "M0 0" }));
    if (dots) nodes.push(made("path", { class: `${kind} dot`, d: dots }));
  }
  svg.replaceChildren(...nodes);
  const caption = svg.previousElementSibling;
  const peak = caption.querySelector(".peak") || caption.appendChild(element("span", "", "peak"));
  peak.textContent = lines.some(([, values]) => values.some((value) => value !== null)) ? `at most ${shown(most)} in ${seconds(span / 1000)}` : "nothing so far";
}

function showFigures(recent, status) {
  const { figures, series, current } = recent;
  const now = performance.now();
  // After a restart the figures begin anew.
  if (before && figures.requests >= before.requests) {
    const taken = (now - before.now) / 1000;
    byId("rate").textContent = rate((figures.requests - before.requests) / taken);
  }
  before = { now, requests: figures.requests };
  // Of the last whole step; of the one that goes on where that has none.
  const last = series[series.length - 1];
  const step = (name) => last?.[name] ?? current?.[name] ?? null;
  byId("ratio").textContent = percent(figures.hits, figures.hits + figures.misses);
  byId("hit").textContent = about(step("hit_p99"));
  byId("origin").textContent = about(step("origin_p99"));
  byId("saved").textContent = seconds(figures.saved_origin_seconds);
  byId("old").textContent = status.verify.mode === "off" ? "off" : `${number(status.verify.old)} of ${number(status.verify.compared)}`;
  byId("old").className = status.verify.old > 0 ? "bad" : "";
  const times = series.map((one) => one.at);
  const each = (of) => series.map(of);
  draw("chart-rate", times, [["one", each((one) => one.requests / one.seconds)], ["two", each((one) => one.hits / one.seconds)]], rate);
  draw("chart-ratio", times, [["two", each((one) => (one.requests ? one.hits / one.requests : null))]], (value) => `${(100 * value).toFixed(0)} %`);
  draw("chart-hit", times, [["one", each((one) => one.hit_p99)], ["two", each((one) => one.hit_p50)]], seconds);
  draw("chart-origin", times, [["one", each((one) => one.origin_p99)], ["two", each((one) => one.origin_p50)]], seconds);
}

function showParts(status) {
  const { store, pending, origin, config } = status;
  const facts = [["Store", `${store.url}: ${store.up ? "up" : `down${store.why_down ? `, ${store.why_down}` : ""}`}`, !store.up]];
  if (store.lease) facts.push(["Lease", store.lease.valid ? `valid for ${seconds(store.lease.ends_in_ms / 1000)}` : `none: ${store.lease.why || "?"}`, !store.lease.valid]);
  for (const peer of store.peers) facts.push(["Node", peer.silent_ms === null ? `${peer.id} is there` : `${peer.id} is silent for ${seconds(peer.silent_ms / 1000)}`, peer.silent_ms !== null]);
  facts.push(["Pending", pending ? `${number(pending)} invalidations are not confirmed` : "nothing", pending > 0]);
  if (store.rules_differ) facts.push(["Rules", "nodes have different rules: every write drops everything", true]);
  facts.push(["Memory", `${bytes(store.memory_bytes)} of ${bytes(store.memory_limit_bytes)}`, false]);
  for (const one of origin.addresses) {
    const fine = one.circuit === "closed" && one.healthy;
    facts.push(["API", `${one.url}: ${fine ? "in use" : "out of use"}, ${one.inflight} under way`, !fine]);
  }
  facts.push(["Rules", `${config.file || "no file"}, loaded ${config.loaded_at}`, false]);
  byId("parts").replaceChildren(...facts.flatMap(([name, text, bad]) => [element("dt", name), element("dd", text, bad ? "bad" : "")]));
}

function showRoutes() {
  const dropped = new Map();
  for (const write of last.recent.writes) {
    if (!write.dropped) continue;
    for (const route of last.status.routes) {
      const one = (write.by || []).find((by) => (by.route === route.name && (by.route !== "-" || write.route === "-")) || (by.route === "*" && (write.dropped === "everything" || (by.rule === "default" && route.dropped_by_default))));
      // A word says why; a rule of the file says by itself which writes it is about.
      if (one && !dropped.has(route.name)) dropped.set(route.name, one.rule.includes(" ") ? one.rule : `${write.method} ${write.path} (${one.rule})`);
    }
  }
  const old = new Map(last.verify.routes.map((route) => [route.route, route.old]));
  const rows = last.status.routes.map((route) => ({
    name: route.name,
    requests: route.requests,
    ratio: route.hits + route.misses ? route.hits / (route.hits + route.misses) : -1,
    bytes: route.cache_bytes + route.origin_bytes,
    saved: route.saved_origin_seconds,
    old: old.get(route.name) || 0,
  }));
  const { key, falls } = order;
  rows.sort((a, b) => (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0) * (falls ? -1 : 1));
  fill("routes", rows.map((row) => [row.name === "-" ? "- (paths without a route)" : row.name, number(row.requests), row.ratio < 0 ? "–" : percent(row.ratio, 1), bytes(row.bytes), seconds(row.saved), row.old, dropped.get(row.name) || "–"]), "no route");
  for (const button of byId("routes").querySelectorAll("th button")) {
    const sorted = button.dataset.key === key ? (falls ? "descending" : "ascending") : "none";
    button.closest("th").setAttribute("aria-sort", sorted);
  }
}

async function refresh() {
  try {
    // What the evidence says takes the process a while to work out, and changes slowly.
    const known = last && rounds % 5 !== 0;
    rounds += 1;
    const [status, recent, verify] = await Promise.all([ask("/status"), ask("/recent"), known ? last.verify : ask("/verify")]);
    last = { status, recent, verify };
    byId("main").hidden = false;
    byId("login").hidden = true;
    tell("trouble", "");
    byId("what").textContent = `${status.version}, up ${seconds(status.uptime_seconds)}, ${status.ready ? "serving" : "not serving"} ${status.listen.join(" and ")}`;
    showFigures(recent, status);
    showParts(status);
    showRoutes();
    fill("writes", recent.writes.slice(0, 20).map((write) => [time(write.at), `${write.method} ${write.path}`, write.status ?? "–", write.dropped ? `${write.dropped}${write.done === "confirmed" ? "" : ` (${write.done})`}` : "nothing", write.rule || write.purge?.asked_by || "–"]), "no write so far");
    fill("misses", recent.misses.map((miss) => [number(miss.count), miss.sentence, miss.path]), "no miss so far");
  } catch (error) {
    tell("trouble", byId("login").hidden ? `The process does not answer as it should: ${error.message}` : "");
  }
}

byId("routes").addEventListener("click", (event) => {
  const key = event.target.dataset.key;
  if (!key || !last) return;
  order = { key, falls: order.key === key ? !order.falls : key !== "name" };
  showRoutes();
});

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value;
  byId("token").value = "";
  // A header takes no others.
  if (!/^[\x21-\x7e]+$/.test(token)) { tell("refused", "A token is of letters, digits and signs, without spaces."); return; }
  sessionStorage.setItem("token", token);
  refresh();
});

byId("explain").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const said = byId("explained");
  said.hidden = false;
  try {
    const told = await ask(`/explain?method=${encodeURIComponent(form.get("method"))}&url=${encodeURIComponent(form.get("url"))}`);
    said.textContent = told.text;
  } catch (error) {
    said.textContent = error.message;
  }
});

byId("purge").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const [what, name, soft] = [form.get("what"), form.get("name").trim(), form.get("soft") === "on"];
  if (what !== "all" && !name) { byId("purged").textContent = `Which ${what}?`; return; }
  const named = what === "all" ? "everything that is stored" : `the ${what === "url" ? "URL" : what} ${name}`;
  byId("sure-what").textContent = `Purge ${named}${soft ? ", softly" : ""}, on every node that shares the store?`;
  const sure = byId("sure");
  sure.onclose = async () => {
    if (sure.returnValue !== "yes") return;
    try {
      const body = { [what]: what === "all" ? true : name, ...(soft ? { soft: true } : {}) };
      const { matched, more } = await ask("/purge", body);
      byId("purged").textContent = `Purged ${named}${matched === null || matched === undefined ? "" : `: ${number(matched)} ${matched === 1 && !more ? "entry" : "entries"}${more ? " or more" : ""}`}.`;
      refresh();
    } catch (error) {
      byId("purged").textContent = error.message;
    }
  };
  sure.returnValue = "no";
  sure.showModal();
});

(async () => {
  for (;;) {
    if (!document.hidden && byId("login").hidden) await refresh();
    await new Promise((done) => setTimeout(done, PAUSE));
  }
})();
