"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const model = byId("model");

/** Create an element with attributes and children; strings become text nodes. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const checked = (form, name) => [...form.querySelectorAll(`[name="${name}"]:checked`)].map((input) => input.value);
const share = (part, decimals = 2) => `${(100 * part).toFixed(decimals)}\u00a0%`;

// Charts ------------------------------------------------------------------------------------------------------------

const views = {};

/** Decompress Vega, which is stored in a third of its size. */
async function loadLibrary() {
  const packed = Uint8Array.from(atob(byId("library").textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = make("script", {}, await new Response(stream).text());
  document.head.append(script);
}

/** Draw a chart into #chart-PLACE, with signals set before it is first rendered. */
async function draw(place, name, signals = {}) {
  views[place]?.finalize();
  const view = new vega.View(vega.parse(data.charts[name]), {
    renderer: "svg",
    container: byId(`chart-${place}`),
    hover: true,
    tooltip: showTooltip,
  });
  for (const [signal, value] of Object.entries(signals)) view.signal(signal, value);
  views[place] = view;
  await view.runAsync();
}

function showTooltip(handler, event, item, value) {
  const tooltip = byId("tooltip");
  tooltip.hidden = !value;
  if (!value) return;
  tooltip.replaceChildren();
  for (const [name, text] of Object.entries(value)) {
    if (text !== "") tooltip.append(make("span", {}, name), make("b", {}, String(text)));
  }
  const box = tooltip.getBoundingClientRect();
  const x = Math.max(8, Math.min(event.clientX + 14, document.documentElement.clientWidth - box.width - 8));
  const above = event.clientY - box.height - 14;
  tooltip.style.translate = `${x}px ${above < 8 ? event.clientY + 18 : above}px`;
}

function setUpCurves() {
  const form = byId("curves-controls");
  const chosen = () => ({ nets: checked(form, "net"), sets: checked(form, "set") });
  const redraw = () => draw("curves", checked(form, "measure")[0], chosen());
  form.addEventListener("change", (event) => {
    if (event.target.name === "measure") return redraw();
    for (const [signal, value] of Object.entries(chosen())) views.curves.signal(signal, value);
    return views.curves.runAsync();
  });
  return redraw();
}

function setUpClasses() {
  const form = byId("classes-controls");
  form.addEventListener("change", () => views.classes.signal("measure", checked(form, "measure")[0]).runAsync());
  return draw("classes", "classes", { model: model.value, measure: checked(form, "measure")[0] });
}

// Model details ---------------------------------------------------------------------------------------------------------

function showMatrix(name) {
  const counts = data.confusion[name];
  const totals = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const part = (i, j) => (totals[i] ? counts[i][j] / totals[i] : 0);
  let most = 0;
  counts.forEach((row, i) => row.forEach((_, j) => { if (i !== j) most = Math.max(most, part(i, j)); }));
  // One error in 2,000 stays pale.
  const full = Math.max(most, 0.005);

  const head = make("tr", {}, make("td", { class: "corner", style: "border:0" }));
  data.classes.forEach((label) => head.append(make("th", { scope: "col", title: label }, label)));
  const body = make("tbody");
  counts.forEach((row, i) => {
    const line = make("tr", {}, make("th", { scope: "row", title: data.classes[i] }, data.classes[i]));
    row.forEach((count, j) => {
      const outcome = i === j ? "correct" : `predicted as ${data.classes[j]}`;
      const cell = make("td", { title: `${data.classes[i]}, ${outcome}: ${count} of ${totals[i]} (${share(part(i, j))})` });
      if (count || i === j) cell.append(String(count));
      if (i === j) cell.className = "hit";
      else if (count) {
        cell.className = "miss";
        cell.style.setProperty("--strength", (part(i, j) / full).toFixed(3));
      }
      line.append(cell);
    });
    body.append(line);
  });
  const long = data.classes.some((label) => label.length > 3);
  const caption = make("caption", {},
    `Rows: actual class. Columns: class predicted by ${name}. ` +
    (most ? `The strongest colour stands for ${share(full)} of the actual class.` : "No test image is misclassified."));
  byId("matrix").replaceChildren(caption, make("thead", {}, head), body);
  byId("matrix").classList.toggle("long", long);
}

function showClasses(name) {
  const head = make("tr");
  for (const title of ["class", "precision", "recall", "F1", "images"]) head.append(make("th", { scope: "col" }, title));
  const body = make("tbody");
  data.perClass[name].forEach(([precision, recall, f1, support], i) => {
    const line = make("tr", {}, make("th", { scope: "row" }, data.classes[i]));
    for (const value of [precision, recall, f1]) line.append(make("td", {}, value.toFixed(4)));
    line.append(make("td", {}, String(support)));
    body.append(line);
  });
  const caption = make("caption", {}, `Scores of ${name} on the test images of each class.`);
  byId("classes").replaceChildren(caption, make("thead", {}, head), body);
  byId("this-model").textContent = name;
  return views.classes?.signal("model", name).runAsync();
}

function showSummary(name) {
  const counts = data.confusion[name];
  const total = counts.flat().reduce((sum, count) => sum + count, 0);
  const right = counts.reduce((sum, row, i) => sum + row[i], 0);
  byId("model-summary").textContent = `test accuracy ${share(right / total)}, ${(total - right).toLocaleString("en")} errors`;
}

// Errors ------------------------------------------------------------------------------------------------------------

const errors = data.errors;
const isWrong = (name, k) => errors.votes[name][k] !== errors.actual[k];
const wrongVotes = (k) => data.models.filter((name) => isWrong(name, k)).length;

function digit(k) {
  const style = `--column: ${k % errors.columns}; --row: ${Math.floor(k / errors.columns)}`;
  return make("span", { class: "digit", style });
}

function vote(name, k) {
  const mark = isWrong(name, k) ? "✗" : "✓";
  return make("span", { class: isWrong(name, k) ? "vote-wrong" : "vote-right" },
    `${mark}\u00a0${data.classes[errors.votes[name][k]]}`);
}

function showGallery(name) {
  const gallery = byId("gallery");
  if (!gallery) return;
  const [which] = checked(byId("errors-controls"), "which");
  const shown = errors.rows.map((_, k) => k).filter((k) => which === "all" || isWrong(name, k) === (which === "wrong"));
  gallery.replaceChildren(...shown.map((k) => {
    const actual = data.classes[errors.actual[k]];
    const predicted = data.classes[errors.votes[name][k]];
    const dots = make("span", { class: "votes", "aria-hidden": "true" });
    for (const other of data.models) dots.append(make("i", { class: isWrong(other, k) ? "wrong" : undefined }));
    const button = make("button", {
      type: "button", class: "tile",
      "aria-label": `Image of ${actual}: ${name} predicts ${predicted}; ${wrongVotes(k)} of ${data.models.length} models are wrong`,
    }, digit(k), make("span", { class: "predicted" }, `${actual}: `, vote(name, k)), dots);
    button.addEventListener("click", () => showVotes(k));
    return make("li", {}, button);
  }));
  byId("errors-count").textContent = `${shown.length} of ${errors.rows.length} shown.`;
  document.querySelectorAll(".chosen").forEach((element) => { element.textContent = name; });
}

function showVotes(k) {
  const body = make("tbody");
  for (const name of data.models) {
    body.append(make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "left" }, vote(name, k))));
  }
  const head = make("tr", {}, make("th", { scope: "col" }, "model"), make("th", { scope: "col", class: "left" }, "prediction"));
  const table = make("table", { class: "numbers" }, make("thead", {}, head), body);
  const picture = digit(k);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `Test image ${errors.rows[k]}`);
  enlarge(`${data.classes[errors.actual[k]]}: ${wrongVotes(k)} of ${data.models.length} models are wrong`,
    make("div", { class: "one" }, picture, table));
}

// Dialog ------------------------------------------------------------------------------------------------------------

function enlarge(title, content) {
  byId("enlarged-title").textContent = title;
  byId("enlarged-content").replaceChildren(content);
  byId("enlarged").showModal();
}

byId("close").addEventListener("click", () => byId("enlarged").close());
byId("enlarged").addEventListener("click", (event) => {
  // The backdrop is part of the dialog; its content is not.
  if (event.target === event.currentTarget) event.currentTarget.close();
});
document.querySelectorAll(".enlarge").forEach((button) => {
  button.addEventListener("click", () => {
    const picture = button.querySelector("img").cloneNode();
    enlarge(picture.alt.split(",")[0], make("div", { class: "sheet", tabindex: "0" }, picture));
  });
});

// Start -------------------------------------------------------------------------------------------------------------

function showModel() {
  showSummary(model.value);
  showMatrix(model.value);
  showGallery(model.value);
  return showClasses(model.value);
}

// A reloaded page may keep its selected model.
showModel();
model.addEventListener("change", showModel);
byId("errors-controls")?.addEventListener("change", () => showGallery(model.value));

(async () => {
  try {
    await loadLibrary();
    await Promise.all([draw("leaderboard", "leaderboard"), setUpClasses(), byId("chart-curves") && setUpCurves()]);
    document.documentElement.dataset.drawn = "true";
  } catch (error) {
    byId("trouble").textContent = "This browser is too old to draw the charts. The tables are complete.";
    byId("trouble").hidden = false;
    throw error;
  }
})();
