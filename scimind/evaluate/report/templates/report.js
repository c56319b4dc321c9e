"use strict";
(() => {
  const PAGE = 20;
  const data = JSON.parse(document.getElementById("data").textContent);
  const { items, columns, flags, drawings } = data;
  const total = items.id.length;
  const find = (id) => document.getElementById(id);
  const everything = Array.from({ length: total }, (_, i) => i);
  const state = { search: "", matchCase: false, sort: "", order: 1, pressed: new Set(), page: 0, shown: everything };

  function make(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children);
    return element;
  }

  function shorten(value) {
    if (Number.isInteger(value)) return String(value);
    return Math.abs(value) < 10 ? value.toFixed(3) : value.toFixed(1);
  }

  // Filters for the items, each with the filter that contradicts it.
  const filters = [];
  for (const flag of flags) {
    const values = items.flags[flag.key];
    filters.push({ id: flag.key, name: flag.yes, rival: `no ${flag.key}`, test: (i) => values[i] === 1 });
    filters.push({ id: `no ${flag.key}`, name: flag.no, rival: flag.key, test: (i) => values[i] === 0 });
  }
  filters.push({ id: "empty", name: "empty output", test: (i) => items.output[i] !== null && !items.output[i].trim() });
  filters.push({ id: "drawn", name: "drawn", test: (i) => i in drawings });
  for (const filter of filters) filter.count = everything.filter(filter.test).length;

  // The units of a text as Python splits it: words separated by these characters, or code points.
  function units(text) {
    if (!data.byWords) return Array.from(text, (unit) => [unit, ""]);
    const parts = text.split(/([ \t\r\n]+)/);
    const found = [];
    for (let i = 0; i < parts.length; i += 2) found.push([parts[i], parts[i + 1] || ""]);
    return found;
  }

  // Appends a text and marks what is not in `runs`; `side` 0 is the reference, 1 the output.
  function appendMarked(parent, text, runs, side, tag) {
    if (!runs) return void parent.append(text);
    const all = units(text);
    const isCommon = new Array(all.length).fill(false);
    for (let k = 0; k < runs.length; k += 3) isCommon.fill(true, runs[k + side], runs[k + side] + runs[k + 2]);
    let start = 0;
    while (start < all.length) {
      let end = start + 1;
      while (end < all.length && isCommon[end] === isCommon[start]) end += 1;
      const last = all[end - 1];
      const inside = all.slice(start, end - 1).map((unit) => unit[0] + unit[1]).join("") + last[0];
      parent.append(isCommon[start] || !inside ? inside : make(tag, "", inside), last[1]);
      start = end;
    }
  }

  // Reference and output are molecules, or complete a reaction.
  const isPaired = data.group === "molecules" || data.group === "reactions";
  const titles = { input: "Input", reference: "Reference", output: "Output" };

  // Molecules and proteins: without white space, and neither words nor labels.
  function isSequence(text) {
    if (text === null || /\s/.test(text.trim())) return false;
    return isPaired || data.group === "proteins" || text.length > 30 || /[()=#[\]]/.test(text);
  }

  function textBlock(i, name, tag) {
    const text = items[name][i];
    const block = make("p", isSequence(text) ? "text sequence" : "text", make("b", "", titles[name]));
    if (text === null) block.append(make("span", "none", "missing"));
    else if (!text.trim()) block.append(make("span", "none", "empty"));
    else if (tag) appendMarked(block, text, items.common[i], tag === "ins" ? 1 : 0, tag);
    else block.append(text);
    return block;
  }

  function picture(svg, label) {
    const drawn = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    drawn.setAttribute("role", "img");
    drawn.setAttribute("aria-label", label);
    return document.importNode(drawn, true);
  }

  // A picture with the height that its neighbours need, or a box that says why there is none.
  function frame(svg, label, isInvalid) {
    if (svg) return make("div", "frame", picture(svg, label));
    return make("div", "frame", make("span", "absent", isInvalid ? "invalid" : "not drawn"));
  }

  // The answers to a prompt side by side, or texts of several words below each other.
  function answerList(i) {
    const { shown, more } = data.answers[i];
    const drawing = drawings[i];
    const list = make("ol", data.byWords ? "answers" : "answers narrow");
    list.setAttribute("aria-label", "Answers, best first");
    shown.forEach((answer, place) => {
      const facts = make("p", "scores", make("b", "", `${answer.rank}`));
      if (answer.isExact) facts.append(make("span", "right", "equals the reference"));
      if (answer.logLikelihood !== null) facts.append(make("span", "", `log-likelihood ${shorten(answer.logLikelihood)}`));
      if (answer.isInvalid) facts.append(make("span", "bad", "invalid"));
      else if (answer.similarity !== null) facts.append(make("span", "", `similarity ${shorten(answer.similarity)}`));
      const entry = make("li", answer.isExact ? "right" : "", facts);
      if (drawing && isPaired) {
        const svg = place ? drawing.further[place - 1] : drawing.right;
        entry.append(frame(svg, `Answer ${answer.rank}, drawn`, answer.isInvalid));
      }
      const isBlank = !answer.text.trim();
      entry.append(make("p", isSequence(answer.text) ? "text sequence" : "text", isBlank ? make("span", "none", "empty") : answer.text));
      list.append(entry);
    });
    const block = make("div", "", list);
    if (more) block.append(make("p", "quiet", `${more.toLocaleString("en")} more ${more > 1 ? "answers" : "answer"}`));
    return block;
  }

  function card(i) {
    const scores = make("span", "scores");
    for (const column of columns) {
      const value = items.scores[column.key][i];
      if (value !== null && !column.key.endsWith("_tokens")) scores.append(make("span", "", `${column.name} ${shorten(value)}`));
    }
    for (const flag of flags) {
      const value = items.flags[flag.key][i];
      const isBad = value === 0 && (flag.key === "valid" || flag.key === "right");
      if (value === 1 || isBad) scores.append(make("span", isBad ? "bad" : "", value ? flag.yes : flag.no));
    }
    const drawing = drawings[i];
    const article = make("article", "card", make("header", "", make("h4", "", items.id[i]), scores));
    if (drawing && drawing.shared) {
      scores.append(make("span", "", `${drawing.shared}${drawing.isCut ? " or more" : ""} atoms shared`));
    }
    if (items.input[i] !== null) article.append(textBlock(i, "input"));
    if (drawing && !isPaired && drawing.left) article.append(picture(drawing.left, "The molecule"));
    const sides = make("div", data.group === "reactions" ? "sides stacked" : "sides");
    for (const [name, tag, key] of [["reference", "del", "left"], ["output", "ins", "right"]]) {
      if (items[name][i] === null) continue;
      const side = make("div", "");
      if (drawing && isPaired) {
        const isInvalid = name === "output" && items.flags.valid && items.flags.valid[i] === 0;
        side.append(frame(drawing[key], `${titles[name]}, drawn`, isInvalid));
      }
      side.append(textBlock(i, name, tag));
      sides.append(side);
    }
    if (sides.childElementCount) article.append(sides);
    if (i in data.answers) article.append(answerList(i));
    return article;
  }

  function texts(i) {
    const answers = i in data.answers ? data.answers[i].shown.map((answer) => answer.text) : [];
    return [items.id[i], items.input[i], items.reference[i], items.output[i], ...answers];
  }

  let haystacks = null;
  function haystack(i) {
    haystacks ||= new Array(total);
    return (haystacks[i] ||= texts(i).join("\n").toLowerCase());
  }

  function matches(i) {
    if (!state.search) return true;
    if (!state.matchCase) return haystack(i).includes(state.search.toLowerCase());
    return texts(i).some((t) => t && t.includes(state.search));
  }

  function choose() {
    const tests = filters.filter((filter) => state.pressed.has(filter.id)).map((filter) => filter.test);
    const chosen = everything.filter((i) => tests.every((test) => test(i)) && matches(i));
    if (state.sort) {
      const values = items.scores[state.sort];
      // Items without a score come last in either order.
      const known = chosen.filter((i) => values[i] !== null);
      known.sort((a, b) => state.order * (values[a] - values[b]) || a - b);
      state.shown = known.concat(chosen.filter((i) => values[i] === null));
    } else {
      state.shown = state.order < 0 ? chosen.reverse() : chosen;
    }
    state.page = 0;
    show();
  }

  function show() {
    const pages = Math.max(1, Math.ceil(state.shown.length / PAGE));
    const chosen = state.shown.slice(state.page * PAGE, (state.page + 1) * PAGE);
    find("list").replaceChildren(...chosen.map(card));
    find("count").textContent = `${state.shown.length.toLocaleString("en")} of ${total.toLocaleString("en")} items`;
    find("page").textContent = `page ${state.page + 1} of ${pages}`;
    find("previous").disabled = state.page === 0;
    find("next").disabled = state.page >= pages - 1;
  }

  function turn(by) {
    state.page += by;
    show();
    find("count").scrollIntoView({ block: "start" });
  }

  for (const filter of filters) {
    if (!filter.count || filter.count === total) continue;
    const button = make("button", "", `${filter.name} ${filter.count.toLocaleString("en")}`);
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.dataset.filter = filter.id;
    button.addEventListener("click", () => {
      if (state.pressed.has(filter.id)) state.pressed.delete(filter.id);
      else {
        state.pressed.add(filter.id);
        state.pressed.delete(filter.rival);
      }
      for (const other of find("filters").children) {
        other.setAttribute("aria-pressed", String(state.pressed.has(other.dataset.filter)));
      }
      choose();
    });
    find("filters").append(button);
  }
  find("filters").hidden = !find("filters").childElementCount;

  find("sort").append(new Option("position in the file", ""), ...columns.map((column) => new Option(column.name, column.key)));
  find("sort").addEventListener("change", (event) => {
    state.sort = event.target.value;
    choose();
  });
  find("order").addEventListener("change", (event) => {
    state.order = Number(event.target.value);
    choose();
  });
  let waiting = 0;
  find("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      state.search = event.target.value;
      choose();
    }, 120);
  });
  find("case").addEventListener("change", (event) => {
    state.matchCase = event.target.checked;
    choose();
  });
  find("controls").addEventListener("submit", (event) => event.preventDefault());
  find("previous").addEventListener("click", () => turn(-1));
  find("next").addEventListener("click", () => turn(1));

  for (const name of ["best", "worst"]) if (find(name)) find(name).replaceChildren(...data[name].map(card));
  show();
})();
