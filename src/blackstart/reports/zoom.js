/* A closer look at part of the picture: drag across it, or use the buttons, or + − 0 where the picture has the focus.
   The picture stays as it is above; what is drawn here comes from four times as many columns. */
(function () {
  const picture = JSON.parse(document.getElementById("picture").textContent);
  const figure = document.getElementById("timeline");
  if (!picture || !figure || picture.detail.length < 8) return;
  const SVG = figure.querySelector("svg").namespaceURI;
  const HEIGHT = 262, SERVED = 24, REQUESTS = 52, LATENCY = 104, AXIS = 226;
  const detail = picture.detail;
  const slice = (picture.end - picture.start) / detail.length;
  const narrowest = Math.max(8 * slice, 0.05);
  const panel = document.createElement("div");
  const readout = document.getElementById("readout");
  let span = null;
  let drag = null;
  const stretches = [];
  const names = [];  // written last, so that nothing crosses them out

  function make(parent, name, attributes, words) {
    const made = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    if (words !== undefined) made.textContent = words;
    parent.appendChild(made);
    return made;
  }
  function layout() {
    const wide = figure.querySelector("svg.wide");
    return getComputedStyle(wide).display === "none"
      ? { svg: figure.querySelector("svg.narrow"), edges: picture.narrow, name: "narrow" }
      : { svg: wide, edges: picture.wide, name: "wide" };
  }
  function seconds(value) {
    const places = span[1] - span[0] < 2 ? 2 : span[1] - span[0] < 20 ? 1 : 0;
    return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(places) + "\u00a0s";
  }
  function timeUnder(clientX) {
    const { svg, edges } = layout();
    const box = svg.getBoundingClientRect();
    const x = ((clientX - box.left) / box.width) * edges[2];
    const share = Math.min(Math.max((x - edges[0]) / (edges[1] - edges[0]), 0), 1);
    return picture.start + share * (picture.end - picture.start);
  }
  function whole() { return [picture.start, picture.end]; }
  function set(from, to) {
    const width = Math.max(to - from, narrowest);
    if (width >= picture.end - picture.start) return close();
    const start = Math.min(Math.max((from + to - width) / 2, picture.start), picture.end - width);
    span = [start, start + width];
    draw();
  }
  function by(factor) {
    const [from, to] = span || whole();
    const middle = span ? (from + to) / 2 : outage().reduce((a, b) => a + b) / 2;
    const half = ((to - from) * factor) / 2;
    set(middle - half, middle + half);
  }
  function move(share) {
    if (span) set(span[0] + share * (span[1] - span[0]), span[1] + share * (span[1] - span[0]));
  }
  function outage() {
    const [from, to] = picture.outage || (picture.fault === null ? whole() : [-1, 9]);
    return [from - 0.1 * (to - from), to + 0.1 * (to - from)];
  }
  function close() {
    span = null;
    panel.querySelector("svg")?.remove();
    panel.classList.remove("open");
    brushes().forEach((each) => each.remove());
    tell();
  }
  function tell() {
    state.textContent = span
      ? "Shown closer: " + seconds(span[0]) + " to " + seconds(span[1]) + "."
      : "Drag across the picture to look closer.";
    panel.querySelectorAll("[data-zoomed]").forEach((button) => { button.disabled = !span; });
  }
  function brushes() { return figure.querySelectorAll(".brush"); }
  function brush(from, to) {
    brushes().forEach((each) => each.remove());
    const { svg, edges } = layout();
    const at = (value) => edges[0] + ((value - picture.start) / (picture.end - picture.start)) * (edges[1] - edges[0]);
    const size = { x: at(from), y: 20, width: Math.max(at(to) - at(from), 1), height: svg.viewBox.baseVal.height - 58 };
    make(svg, "rect", { ...size, class: "brush" });
  }

  function draw() {
    panel.querySelector("svg")?.remove();
    panel.classList.add("open");
    const { edges, name } = layout();
    const [left, right, width] = edges;
    const svg = make(panel, "svg", { viewBox: `0 0 ${width} ${HEIGHT}`, class: "timeline closer", role: "img" });
    const label = `A closer look, ${seconds(span[0])} to ${seconds(span[1])}`;
    svg.setAttribute("aria-label", label);
    const x = (value) => left + (Math.min(Math.max((value - span[0]) / (span[1] - span[0]), 0), 1)) * (right - left);
    const first = Math.max(Math.floor((span[0] - picture.start) / slice), 0);
    const last = Math.min(Math.ceil((span[1] - picture.start) / slice), detail.length);
    const shown = [];
    for (let i = first; i < last; i += 1) {
      const start = picture.start + i * slice;
      shown.push({ from: x(start), to: x(start + slice), column: detail[i] });
    }
    shade(svg, x);
    rowNames(svg, name === "wide" ? 0 : left, name === "wide" ? "bold" : "muted small halo");
    served(svg, shown);
    shown.forEach((each) => requests(svg, each));
    latency(svg, shown, left, right);
    marks(svg, x);
    axis(svg, x, left, right);
    names.splice(0).forEach(({ x: at, y, css, words }) => make(svg, "text", { x: at, y, class: css }, words));
    svg.addEventListener("pointermove", (event) => point(svg, shown, event));
    brush(span[0], span[1]);
    tell();
  }
  function point(svg, shown, event) {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const place = shown.findIndex(({ from, to }) => at >= from && at < to);
    if (place < 0) return;
    const first = Math.max(Math.floor((span[0] - picture.start) / slice), 0);
    figure.tell(picture.start + (first + place + 0.5) * slice, shown[place].column);
  }
  function inside(value) { return value !== null && value >= span[0] && value <= span[1]; }
  function shade(svg, x) {
    if (!picture.outage) return;
    const [from, to] = picture.outage.map(x);
    if (to > from) make(svg, "rect", { x: from, y: 16, width: to - from, height: AXIS - 16, class: "shade" });
  }
  function rowNames(svg, x, css) {
    const beside = css === "bold";
    const lost = picture.lost.some(inside) ? [[beside ? LATENCY - 1 : LATENCY + 10, "Lost writes"]] : [];
    const rows = beside ? [[SERVED + 13, "Served by"], [REQUESTS + 24, "Succeeding"], [LATENCY + 60, "Latency"]]
      : [[REQUESTS - 3, "Requests succeeding"], [AXIS - 3, "Latency (log)"]];
    [...rows, ...lost].forEach(([y, words]) => names.push({ x, y, css, words }));
  }
  function served(svg, shown) {
    let last = null;
    shown.forEach(({ from, to, column }) => {
      const [n, , , counts] = column;
      const most = counts.indexOf(Math.max(...counts));
      const whole = counts[most] >= 0.8 * n || n - counts[most] <= 1;
      const css = !counts[most] ? "closer-nobody" : "region-" + picture.colours[most] + (whole ? "" : "-pale");
      if (!n) last = null;
      else if (last && last.css === css) last.to = to;
      else stretches.push((last = { from, to, css, words: counts[most] ? picture.regions[most] : "nobody" }));
    });
    stretches.splice(0).forEach(({ from, to, css, words }) => {
      make(svg, "rect", { x: from, y: SERVED, width: to - from, height: 18, class: css });
      if (words.length * 8 > to - from) return;
      const on = "bold " + css.replace("region-", "on-").replace("closer-nobody", "on-nobody");
      make(svg, "text", { x: (from + to) / 2, y: SERVED + 13, "text-anchor": "middle", class: on }, words);
    });
  }
  function requests(svg, { from, to, column }) {
    const [n, failed] = column;
    if (!n) return;
    const size = { x: from, y: REQUESTS, width: to - from, "shape-rendering": "crispEdges" };
    make(svg, "rect", { ...size, height: 40, class: "success" });
    if (failed) make(svg, "rect", { ...size, height: Math.max((40 * failed) / n, 4), class: "failure" });
  }
  function latency(svg, shown, left, right) {
    const known = shown.filter((each) => each.column[6] !== null);
    const values = known.flatMap((each) => [each.column[6], each.column[7] ?? each.column[6]]).filter((v) => v > 0);
    if (!values.length) return;
    const low = Math.min(...values) * 0.8, high = Math.max(...values) * 1.25;
    const y = (value) => AXIS - 8 - (Math.log(Math.max(value, low) / low) / Math.log(high / low)) * (AXIS - 16 - LATENCY);
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000].forEach((value) => {
      if (value < low || value > high) return;
      make(svg, "line", { x1: left, x2: right, y1: y(value), y2: y(value), class: "grid" });
      const words = value >= 1000 ? value / 1000 + "\u00a0s" : value + (left > 60 ? "\u00a0ms" : "");
      make(svg, "text", { x: left - 7, y: y(value) + 4, "text-anchor": "end" }, words);
    });
    const middle = (each) => (each.from + each.to) / 2;
    runs(shown, (each) => each.column[4] !== null).forEach((run) => {
      const points = (place) => run.map((each) => `${middle(each).toFixed(1)} ${y(each.column[place] ?? low).toFixed(1)}`);
      make(svg, "path", { d: "M" + [...points(5), ...points(7).reverse()].join("L") + "Z", class: "band" });
      make(svg, "path", { d: "M" + points(4).join("L") + (run.length > 1 ? "" : "h2"), class: "median" });
    });
    known.forEach((each) => make(svg, "circle", { cx: middle(each), cy: y(each.column[6]), r: 1.5, class: "slowest" }));
  }
  function runs(shown, wanted) {
    const found = [[]];
    shown.forEach((each) => (wanted(each) ? found[found.length - 1].push(each) : found.push([])));
    return found.filter((run) => run.length);
  }
  function marks(svg, x) {
    picture.lost.filter(inside).forEach((at) =>
      make(svg, "rect", { x: x(at) - 0.8, y: LATENCY - 10, width: 1.6, height: 10, class: "failure" }));
    [["fault", "Fault", "line-fault"], ["recovered", "Recovered", "line-recovered"], ["undone", "Undo", "line-undo"]]
      .filter(([key]) => inside(picture[key]))
      .forEach(([key, words, css]) => {
        const at = x(picture[key]);
        make(svg, "line", { x1: at, x2: at, y1: 4, y2: AXIS, class: css });
        const before = at > svg.viewBox.baseVal.width - 90;
        make(svg, "text", { x: at + (before ? -5 : 5), y: 14, "text-anchor": before ? "end" : "start",
          class: key === "fault" ? "bold bad halo" : "bold halo" }, words);
      });
  }
  function axis(svg, x, left, right) {
    make(svg, "line", { x1: left, x2: right, y1: AXIS, y2: AXIS, class: "axis" });
    const room = Math.max(Math.floor((right - left) / 90), 2);
    const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
    const step = steps.find((each) => (span[1] - span[0]) / each <= room) || 7200;
    for (let at = Math.ceil(span[0] / step) * step; at <= span[1]; at += step) {
      const anchor = x(at) - left < 24 ? "start" : right - x(at) < 24 ? "end" : "middle";
      make(svg, "line", { x1: x(at), x2: x(at), y1: AXIS, y2: AXIS + 5, class: "axis" });
      make(svg, "text", { x: x(at), y: AXIS + 19, "text-anchor": anchor }, Math.abs(at) < 1e-9 ? "0\u00a0s" : seconds(at));
    }
  }

  function button(words, zoomed, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = words;
    if (zoomed) made.dataset.zoomed = "";
    made.addEventListener("click", act);
    tools.appendChild(made);
  }
  const tools = document.createElement("p");
  tools.className = "tools";
  const state = document.createElement("span");
  state.setAttribute("role", "status");
  tools.appendChild(state);
  button("Closer", false, () => by(0.5));
  button("Wider", true, () => by(2));
  button("Earlier", true, () => move(-0.5));
  button("Later", true, () => move(0.5));
  if (picture.outage) button("Outage", false, () => set(...outage()));
  button("Whole drill", true, close);
  panel.className = "zoom";
  panel.appendChild(tools);
  figure.insertBefore(panel, readout.nextSibling);
  tell();

  figure.addEventListener("pointerdown", (event) => {
    if (event.button || !event.target.closest("svg.wide, svg.narrow")) return;
    drag = { x: event.clientX, at: timeUnder(event.clientX) };
  });
  window.addEventListener("pointermove", (event) => {
    if (drag && Math.abs(event.clientX - drag.x) > 4) {
      const now = timeUnder(event.clientX);
      brush(Math.min(now, drag.at), Math.max(now, drag.at));
    }
  });
  window.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const begun = drag;
    drag = null;
    const now = timeUnder(event.clientX);
    if (Math.abs(event.clientX - begun.x) > 4) set(Math.min(now, begun.at), Math.max(now, begun.at));
  });
  window.addEventListener("pointercancel", () => { drag = null; if (span) brush(...span); else close(); });
  figure.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("button")) return;
    const act = { "+": () => by(0.5), "=": () => by(0.5), "-": () => by(2), "0": close, Escape: close }[event.key];
    if (!act || (event.key === "-" && !span)) return;
    event.preventDefault();
    act();
  });
  window.addEventListener("resize", () => { if (span) draw(); });
})();
