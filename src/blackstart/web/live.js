"use strict";
/* Keeps a running drill's page up to date; without it the page loads itself anew. What did not change is left alone, so that
   a selection, the focus and a screen reader stay where they are. */
(function () {
  const scene = document.getElementById("scene");
  const connection = document.getElementById("connection");
  const PATIENCE = 5000;
  let source = null;
  let heard = Date.now();

  function clock(moment) {
    return new Date(moment).toISOString().slice(11, 19) + "Z";
  }
  function show(told) {
    const fresh = new DOMParser().parseFromString(told.html, "text/html");
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = scene.querySelector('[data-part="' + part.dataset.part + '"]');
      if (old && old.outerHTML !== part.outerHTML) old.replaceWith(part);
    }
    document.title = told.title;
  }
  function alive() {
    heard = Date.now();
    connection.hidden = true;
    scene.classList.remove("stale");
  }
  function listen() {
    source = new EventSource(scene.dataset.stream);
    source.addEventListener("scene", function (event) {
      alive();
      show(JSON.parse(event.data));
    });
    source.addEventListener("waiting", alive);
    source.addEventListener("over", function () {
      source.close();
      source = null;
      location.reload();
    });
  }
  setInterval(function () {
    if (source === null || Date.now() - heard < PATIENCE) return;
    connection.textContent =
      "Nothing came from blackstart serve since " + clock(heard) + ": what stands here is as old as that.";
    connection.hidden = false;
    scene.classList.add("stale");
    if (source.readyState === EventSource.CLOSED) listen();
  }, 1000);
  document.addEventListener("visibilitychange", function () {
    if (document.hidden && source !== null) {
      source.close();
      source = null;
    } else if (!document.hidden && source === null) {
      heard = Date.now();
      listen();
    }
  });
  listen();
})();
