"use strict";
/* Reads the picture out: point at it, or focus it and use the arrow keys. The page is complete without this. */
(function () {
  const picture = JSON.parse(document.getElementById("picture").textContent);
  const figure = document.getElementById("timeline");
  if (!picture || !figure) return;
  const readout = document.getElementById("readout");
  const still = readout.textContent;
  const hint = "Point at the picture, or focus it and use ← →, to read any moment. ";
  const count = picture.columns.length;
  const step = (picture.end - picture.start) / count;
  let place = -1;
  readout.textContent = hint + still;

  function layout() {
    const wide = figure.querySelector("svg.wide");
    return getComputedStyle(wide).display === "none"
      ? { svg: figure.querySelector("svg.narrow"), edges: picture.narrow }
      : { svg: wide, edges: picture.wide };
  }
  function offset(seconds) {
    const sign = seconds < 0 ? "−" : "+";
    const size = Math.abs(seconds);
    return sign + size.toFixed(size < 10 ? 2 : 1) + "\u00a0s";
  }
  function latency(value) {
    return value >= 1000 ? (value / 1000).toFixed(1) + "\u00a0s" : Math.round(value) + "\u00a0ms";
  }
  function words(column) {
    const [n, failed, silent, served, median, , slowest] = column;
    if (!n) return "nothing was observed";
    const by = served.map((ok, i) => (ok ? picture.regions[i] + " " + ok : "")).filter(Boolean).join(", ") || "nobody";
    let said = n - failed + " of " + n + " succeeded, served by " + by;
    if (silent) said += "; " + silent + " got no answer";
    if (median !== null) said += "; median " + latency(median);
    if (slowest !== null) said += ", slowest " + latency(slowest);
    return said;
  }
  function show(index) {
    place = Math.max(0, Math.min(count - 1, index));
    const { svg, edges } = layout();
    const x = edges[0] + ((place + 0.5) / count) * (edges[1] - edges[0]);
    figure.querySelectorAll(".cursor").forEach((line) => {
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.classList.toggle("seen", svg.contains(line));
    });
    figure.tell(picture.start + (place + 0.5) * step, picture.columns[place]);
  }
  figure.tell = (at, column) => { readout.textContent = offset(at) + ": " + words(column) + "."; };
  function leave() {
    place = -1;
    figure.querySelectorAll(".cursor").forEach((line) => line.classList.remove("seen"));
    readout.textContent = hint + still;
  }
  figure.addEventListener("pointermove", (event) => {
    const { svg, edges } = layout();
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    if (event.clientY > box.bottom || x < edges[0] || x > edges[1]) return;
    show(Math.floor(((x - edges[0]) / (edges[1] - edges[0])) * count));
  });
  window.addEventListener("beforeprint", () => { readout.textContent = still; });
  window.addEventListener("afterprint", leave);
  figure.addEventListener("pointerleave", leave);
  figure.addEventListener("blur", leave);
  figure.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: place - far, ArrowRight: place + far, Home: 0, End: count - 1 }[event.key];
    if (event.key === "Escape") leave();
    if (to === undefined) return;
    event.preventDefault();
    show(place < 0 && event.key === "ArrowLeft" ? count - 1 : to);
  });
})();
