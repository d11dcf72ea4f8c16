// What the forms do as one types: the counters, the words in braces, and that what is
// ticked is what is chosen. Without it the server says the same.
(() => {
  "use strict";

  // Characters are counted as the server counts them.
  const han = /\p{Script=Han}/u;
  const count = (input) => {
    const counter = document.getElementById(input.dataset.counter);
    const text = input.value.trim();
    const limit = Number(han.test(text) ? input.dataset.han : input.dataset.limit);
    const n = [...text].length;
    counter.textContent = `${n} / ${limit}`;
    counter.classList.toggle("over", n > limit);
  };
  let last = null; // where a word in braces goes
  document.addEventListener("input", (e) => {
    if (e.target.matches("[data-limit]")) count(e.target);
  });
  document.addEventListener("focusin", (e) => {
    if (e.target.matches("[data-fill]")) last = e.target;
  });

  const buttons = () => {
    for (const word of document.querySelectorAll("code[data-insert]")) {
      const button = Object.assign(document.createElement("button"), {type: "button", className: "word", textContent: word.dataset.insert});
      button.dataset.insert = word.dataset.insert;
      word.replaceWith(button);
    }
  };
  document.addEventListener("click", (e) => {
    const word = e.target.closest("button[data-insert]");
    const input = last?.isConnected ? last : document.querySelector("[data-fill]");
    if (!word || !input) return;
    input.setRangeText(word.dataset.insert, input.selectionStart, input.selectionEnd, "end");
    input.dispatchEvent(new Event("input", {bubbles: true}));
    input.focus();
  });

  // Who ticks a group means its kind; who chooses another audience does not mean the groups.
  document.addEventListener("change", (e) => {
    const kind = e.target.closest(".kind[data-kind]");
    if (e.target.type === "checkbox" && kind && e.target.checked) {
      kind.querySelector("input[type=radio]").checked = true;
    }
    if (e.target.name !== "to" && !(kind && e.target.type === "checkbox" && e.target.checked)) return;
    for (const other of document.querySelectorAll(".kind[data-kind]")) {
      const chosen = other.querySelector("input[type=radio]").checked;
      if (!chosen) other.querySelectorAll("input[type=checkbox]").forEach((box) => { box.checked = false; });
      else other.querySelector("details")?.setAttribute("open", "");
    }
  }, true);

  // What the server does not answer is not up to date, and says so.
  for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(failure, (e) => {
      const target = e.detail.target;
      if (!target?.dataset.stale || target.querySelector(".stale")) return;
      target.prepend(Object.assign(document.createElement("p"), {className: "reason stale", textContent: target.dataset.stale}));
    });
  }
  document.addEventListener("htmx:afterSettle", buttons);
  buttons();
})();
