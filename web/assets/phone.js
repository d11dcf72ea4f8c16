// Shows the demo's two phones from one event stream and sends what is typed,
// tapped and switched. Every entry has a number, and those that were seen are
// left out, so a stream that begins again repeats nothing.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const main = byId("demo");
  const phones = {};
  for (const element of document.querySelectorAll("[data-phone]")) {
    phones[element.dataset.phone] = {element, log: element.querySelector(".log")};
  }

  // A chat stays at its end, whatever its size becomes, until someone scrolls up.
  for (const phone of Object.values(phones)) {
    phone.atEnd = true;
    phone.height = phone.log.clientHeight;
    phone.log.addEventListener("scroll", () => {
      if (phone.log.clientHeight !== phone.height) return; // its size changed, nobody scrolled
      phone.atEnd = phone.log.scrollHeight - phone.log.scrollTop - phone.height < 60;
    });
    new ResizeObserver(() => {
      phone.height = phone.log.clientHeight;
      if (phone.atEnd) toEnd(phone);
    }).observe(phone.log);
  }

  function toEnd(phone) {
    phone.atEnd = true;
    phone.log.scrollTop = phone.log.scrollHeight;
  }

  function node(name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  }

  // A link to this machine, such as that to a progress page, can be followed.
  function linked(element, text) {
    for (const part of text.split(/(http:\/\/127\.0\.0\.1:\d+\/\S+)/)) {
      if (!part.startsWith("http://")) {
        element.append(part);
        continue;
      }
      const link = node("a", "", part);
      link.href = part;
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      element.append(link);
    }
    return element;
  }

  function card(c) {
    const element = node("div", "card");
    element.append(node("p", "card-title", c.title), node("p", "card-time", c.time));
    const fields = node("dl", "card-fields");
    for (const {label, value} of c.fields) {
      const field = node("div");
      field.append(node("dt", "", label), node("dd", "", value));
      fields.append(field);
    }
    element.append(fields);
    if (c.details) {
      const details = node("p", "card-details");
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      for (const [name, value] of Object.entries({viewBox: "0 0 8 14", width: 7, height: 12, "aria-hidden": "true"})) svg.setAttribute(name, value);
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", "M1 1l6 6-6 6");
      svg.append(path);
      details.append(node("span", "", c.details), svg);
      element.append(details);
    }
    return element;
  }

  function said(e) {
    const element = node("div", "said came " + e.kind);
    element.append(node("span", "hidden", (e.kind === "out" ? main.dataset.you : main.dataset.account) + ": "));
    return linked(element, e.text);
  }

  let seen = 0;
  function show(e) {
    if (e.number <= seen) return;
    seen = e.number;
    const phone = phones[e.phone];
    if (!phone) return;
    const log = phone.log;
    if (e.kind === "card") {
      const item = node("div");
      item.append(card(e.card));
      log.append(item);
    } else if (e.kind === "note") {
      log.append(node("div", "note-line", e.text));
    } else {
      log.append(said(e));
    }
    if (phone.atEnd || e.kind === "out") toEnd(phone);
    if (main.dataset.tab !== e.phone && e.kind !== "note") unread(e.phone, true);
  }

  function unread(tab, yes) {
    const mark = document.querySelector(`[data-tab=${tab}] .unread`);
    if (mark) mark.hidden = !yes;
  }

  function setText(id, text) {
    const element = byId(id);
    if (element.textContent !== text) element.textContent = text;
  }

  function showProgress(p) {
    byId("strip-none").hidden = p !== null;
    byId("strip-some").hidden = p === null;
    if (p === null) return;
    byId("strip").dataset.state = p.state;
    setText("strip-name", p.name);
    setText("strip-badge", p.badge);
    setText("strip-percent", p.percent + "%");
    setText("strip-figures", p.figures);
    setText("strip-counts", p.counts);
    setText("strip-reason", p.reason);
    byId("strip-reason").hidden = p.reason === "";
    const bar = byId("strip-bar");
    bar.setAttribute("aria-valuenow", p.percent);
    bar.setAttribute("aria-valuetext", `${p.badge}, ${p.percent}%, ${p.figures}`);
    let x = 0;
    bar.querySelectorAll("rect").forEach((rect, i) => {
      rect.setAttribute("x", x + "%");
      rect.setAttribute("width", p.widths[i] + "%");
      x += p.widths[i];
    });
  }

  function showState(state) {
    showProgress(state.progress);
    for (const control of document.querySelectorAll("[data-switch]")) {
      control.setAttribute("aria-checked", String(Boolean(state.on[control.dataset.switch])));
    }
    const left = Boolean(state.on.left);
    phones.lin.element.dataset.left = String(left);
    phones.lin.element.querySelector(".left-note").hidden = !left;
    if (state.ledger) setText("ledger", state.ledger);
    setText("answers", state.answers);
  }

  async function send(path, what) {
    setText("trouble", "");
    try {
      const answer = await fetch(path, {
        method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(what),
      });
      if (answer.ok) return true;
    } catch {
      // the stream notices too, and says what is the matter
    }
    setText("trouble", main.dataset.failed);
    return false;
  }

  for (const [name, phone] of Object.entries(phones)) {
    const form = phone.element.querySelector("form");
    const input = form.querySelector("textarea");
    const grow = () => {
      input.style.height = "auto"; // as high as its text, as far as the style allows
      input.style.height = input.scrollHeight + input.offsetHeight - input.clientHeight + "px";
    };
    const write = (text) => {
      input.value = text;
      grow();
    };
    input.addEventListener("input", grow);
    if (matchMedia("(pointer: fine)").matches) input.placeholder = input.dataset.lines; // there is a Shift key
    input.addEventListener("keydown", (e) => {
      // While Chinese is being typed, Enter takes over what was typed.
      if (e.key !== "Enter" || e.shiftKey || e.isComposing || e.keyCode === 229) return;
      e.preventDefault();
      form.requestSubmit();
    });
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      const text = input.value.trim();
      if (text === "") return;
      write("");
      if (!await send("say", {phone: name, text}) && input.value === "") write(text);
    });
    phone.element.querySelector(".quick").addEventListener("click", (e) => {
      const text = e.target.dataset.say;
      if (!text) return;
      if (!text.includes("\n")) return send("say", {phone: name, text});
      write(text); // to be changed first
      input.focus();
    });
  }
  for (const control of document.querySelectorAll("[data-switch]")) {
    control.addEventListener("click", () => {
      send("switch", {name: control.dataset.switch, on: control.getAttribute("aria-checked") !== "true"});
    });
  }
  byId("right").addEventListener("click", () => send("right", {}));

  const tabs = document.querySelectorAll("button[data-tab]");
  function choose(tab) {
    main.dataset.tab = tab;
    for (const button of tabs) button.setAttribute("aria-pressed", String(button.dataset.tab === tab));
    unread(tab, false);
    if (phones[tab]) toEnd(phones[tab]);
  }
  for (const button of tabs) button.addEventListener("click", () => choose(button.dataset.tab));
  choose("admin");

  // The demo's address is another one after each start, so a few tries will do.
  let tries = 0;
  function open() {
    const stream = new EventSource("events" + location.search);
    stream.addEventListener("entry", (e) => show(JSON.parse(e.data)));
    stream.addEventListener("state", (e) => {
      tries = 0;
      setText("gone", "");
      showState(JSON.parse(e.data));
    });
    stream.addEventListener("error", () => {
      stream.close();
      setText("gone", main.dataset.ended);
      if (++tries < 4) setTimeout(open, 1000 * tries);
    });
  }
  open();
})();
