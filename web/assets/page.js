// Keeps a progress page up to date from its event stream. Every event is the
// whole state, so a lost one is made good by the next; what is older than what
// is shown is left out, so progress never goes back.
(() => {
  "use strict";
  const quietAfter = 25_000; // without a sign of life, beats come every 10 s
  const sayEvery = 15_000; // to a screen reader, unless the state changes
  const byId = (id) => document.getElementById(id);
  const page = byId("page");
  const source = page && page.dataset.events;
  if (!source || !window.EventSource) return;

  const words = {};
  for (const word of byId("words").content.querySelectorAll("[data-word]")) {
    words[word.dataset.word] = word.textContent;
  }
  const texts = new Map([...document.querySelectorAll("[data-t]")].map((e) => [e.dataset.t, e]));

  let rank = -1;
  let stream = null;
  let heard = 0; // when the server last gave a sign of life
  let tries = 0;
  let again = 0; // the timer of the next try
  let saidAt = 0;
  let saidState = "";

  function live(how) {
    const mark = byId("live");
    if (mark.dataset.live === how) return;
    mark.dataset.live = how;
    byId("live-word").textContent = words[how];
  }

  function setText(name, text) {
    const element = texts.get(name);
    if (!element || element.textContent === text) return;
    element.textContent = text;
    element.hidden = text === "";
  }

  function node(name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  }

  function showBar(parts) {
    const rects = page.querySelectorAll("#progress rect");
    parts.forEach((part, i) => {
      rects[i].setAttribute("x", part.x + "%");
      rects[i].setAttribute("width", part.width + "%");
    });
  }

  let failuresShown = "";
  function showFailures(list) {
    const key = JSON.stringify(list);
    if (key === failuresShown) return;
    failuresShown = key;
    byId("failures-none").hidden = list.length > 0;
    byId("failures-some").hidden = list.length === 0;
    byId("failures-rows").replaceChildren(...list.map((f) => {
      const row = node("tr");
      const cause = node("th");
      cause.scope = "row";
      const what = node("span", "what");
      const mark = node("span", "key fill-" + f.kind);
      mark.setAttribute("aria-hidden", "true");
      what.append(mark, f.what);
      cause.append(what);
      if (f.code) cause.append(" ", node("span", "code", f.code));
      cause.append(node("span", "do", f.todo));
      row.append(cause, node("td", "num", f.count));
      return row;
    }));
  }

  function say(view) {
    const now = Date.now();
    if (view.state === saidState && now - saidAt < sayEvery) return;
    const text = view.text.value;
    if (byId("said").textContent !== text) byId("said").textContent = text;
    saidAt = now;
    saidState = view.state;
  }

  // What an admin can do depends on the state, so the server says it anew; not all
  // pages ask at the same moment.
  function renewActions() {
    const actions = byId("actions");
    if (!actions) return;
    setTimeout(async () => {
      try {
        const answer = await fetch(page.dataset.self);
        const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("actions");
        if (fresh && !actions.contains(document.activeElement)) actions.replaceWith(fresh);
      } catch {
        // The server refuses what can't be done any more.
      }
    }, 2000 * Math.random());
  }

  function show(view) {
    if (view.rank < rank) return;
    rank = view.rank;
    if (page.dataset.state !== view.state) renewActions();
    page.dataset.state = view.state;
    for (const [name, text] of Object.entries(view.text)) setText(name, text);
    byId("reason").hidden = view.text.reason === "";
    const progress = byId("progress");
    progress.setAttribute("aria-valuenow", view.percent);
    progress.setAttribute("aria-valuetext", view.text.value);
    showBar(view.bar);
    byId("chart").hidden = view.chart.line === "";
    byId("chart-line").setAttribute("d", view.chart.line);
    byId("chart-area").setAttribute("d", view.chart.area);
    showFailures(view.failures);
    say(view);
  }

  function alive() {
    heard = Date.now();
    tries = 0;
    live("live");
  }

  function open() {
    clearTimeout(again);
    if (stream) stream.close();
    heard = Date.now();
    live("connecting");
    const mine = new EventSource(source);
    stream = mine;
    mine.addEventListener("state", (e) => {
      if (mine !== stream) return;
      alive();
      show(JSON.parse(e.data));
    });
    mine.addEventListener("beat", (e) => {
      if (mine !== stream) return;
      alive();
      setText("at", e.data);
    });
    mine.addEventListener("stale", () => {
      if (mine !== stream) return;
      heard = Date.now();
      live("stale");
    });
    mine.addEventListener("error", () => {
      if (mine === stream) retry();
    });
  }

  // A browser gives up on a stream that is refused, so the tries are our own:
  // soon at first, then every half minute, at random lest all come at once.
  function retry() {
    stream.close();
    live("stale");
    const wait = Math.min(30_000, 1000 * 2 ** tries) * (0.5 + Math.random());
    tries = Math.min(tries + 1, 5);
    clearTimeout(again);
    again = setTimeout(open, wait);
  }

  // A phone that slept may not have noticed that the stream is gone.
  function awake() {
    if (document.visibilityState === "visible" && (stream.readyState === EventSource.CLOSED || Date.now() - heard > 12_000)) {
      tries = 0;
      open();
    }
  }

  setInterval(() => {
    if (stream.readyState === EventSource.OPEN && Date.now() - heard > quietAfter) retry();
  }, 5000);
  document.addEventListener("visibilitychange", awake);
  addEventListener("pageshow", (e) => e.persisted && awake());
  addEventListener("online", awake);
  open();
})();
