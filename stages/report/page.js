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
const colour = (name) => data.colours[name] ?? "var(--ink)";
const share = (part, decimals = 2) => `${(100 * part).toFixed(decimals)}\u00a0%`;

// Charts ------------------------------------------------------------------------------------------------------------

const views = {};
let charts;

/** Return the text of a compressed element. */
async function unpack(id) {
  const packed = Uint8Array.from(atob(byId(id).textContent), (character) => character.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

async function loadCharts() {
  const [library, specifications] = await Promise.all([unpack("library"), unpack("charts")]);
  document.head.append(make("script", {}, library));
  charts = JSON.parse(specifications);
}

/** Draw a chart into #chart-PLACE, with signals set before it is first rendered. */
async function draw(place, name, signals = {}) {
  views[place]?.finalize();
  const view = new vega.View(vega.parse(charts[name]), {
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
  return draw("classes", "classes", { model: model.value, colour: colour(model.value), measure: checked(form, "measure")[0] });
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
    const line = make("tr", {}, make("th", { scope: "row", title: data.classes[i] }, make("span", {}, data.classes[i])));
    row.forEach((count, j) => {
      const outcome = i === j ? "correct" : `predicted as ${data.classes[j]}`;
      const cell = make("td");
      if (count) {
        const title = `${data.classes[i]}, ${outcome}: ${count} of ${totals[i]} (${share(part(i, j))})`;
        const button = make("button", { type: "button", title, "aria-label": title, tabindex: -1 }, String(count));
        button.addEventListener("click", () => showCell(i, j));
        cell.append(button);
      }
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
    (most ? `The strongest colour stands for ${share(full)} of the actual class. Select a cell to see its images.`
      : "No test image is misclassified."));
  byId("matrix").replaceChildren(caption, make("thead", {}, head), body);
  byId("matrix").querySelector("button").tabIndex = 0;
  byId("matrix").classList.toggle("long", long);
}

/** Show the images of a cell of the matrix; "" stands for any class. */
function showCell(actual, predicted) {
  if (!errors) return;
  byId("actual").value = actual;
  byId("predicted").value = predicted;
  showGallery(model.value);
  byId("errors").scrollIntoView();
  byId("actual").focus({ preventScroll: true });
}

/** Arrow keys move between the cells that have images, of which one is in the tab order. */
function moveInMatrix(event) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!steps || event.target.tagName !== "BUTTON") return;
  event.preventDefault();
  const rows = byId("matrix").tBodies[0].rows;
  let [row, column] = [event.target.closest("tr").sectionRowIndex, event.target.parentElement.cellIndex];
  let button;
  do {
    row += steps[0];
    column += steps[1];
    if (!rows[row]?.cells[column]) return;
    button = rows[row].cells[column].querySelector("button");
  } while (!button);
  event.target.tabIndex = -1;
  button.tabIndex = 0;
  button.focus();
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
  byId("this-colour").style.color = colour(name);
  return views.classes?.signal("model", name).signal("colour", colour(name)).runAsync();
}

function showSummary(name) {
  const counts = data.confusion[name];
  const total = counts.flat().reduce((sum, count) => sum + count, 0);
  const right = counts.reduce((sum, row, i) => sum + row[i], 0);
  byId("model-summary").textContent = `test accuracy ${share(right / total)}, ${(total - right).toLocaleString("en")} errors`;
}

// Errors ------------------------------------------------------------------------------------------------------------

let errors;
const isWrong = (name, k) => errors.predicted[name][k] !== errors.actual[k];
const wrongModels = (k) => data.models.filter((name) => isWrong(name, k)).length;
const images = (count) => `${count.toLocaleString("en")} image${count === 1 ? "" : "s"}`;

async function setUpErrors() {
  errors = JSON.parse(await unpack("errors-data"));
  errors.order = errors.rows.map((_, k) => k).sort((a, b) => wrongModels(b) - wrongModels(a));
  for (const id of ["actual", "predicted"]) {
    byId(id).append(make("option", { value: "" }, "any"), ...data.classes.map((label, i) => make("option", { value: i }, label)));
  }
  byId("errors-controls").addEventListener("change", () => showGallery(model.value));
  byId("any").addEventListener("click", () => showCell("", ""));
  byId("gallery").classList.toggle("long", data.classes.some((label) => label.length > 3));
  showGallery(model.value);
}

function image(k) {
  const style = `--column: ${k % errors.columns}; --row: ${Math.floor(k / errors.columns)}`;
  return make("span", { class: "image", style });
}

function tile(name, k) {
  const actual = data.classes[errors.actual[k]];
  const predicted = data.classes[errors.predicted[name][k]];
  const dots = data.models.map((other) => (isWrong(other, k) ? "●" : "○")).join("");
  const wrong = `${wrongModels(k)} of ${data.models.length} models are wrong`;
  const button = make("button", {
    type: "button", class: "tile", title: `${actual} → ${predicted}`,
    "aria-label": `Image of ${actual}: ${name} predicts ${predicted}; ${wrong}`,
  }, image(k), make("span", { class: "caption" }, make("bdi", {}, actual), " ",
    make("span", { class: isWrong(name, k) ? "vote-wrong" : "vote-right" }, "→\u00a0", make("bdi", {}, predicted))),
  make("span", { class: "votes", "aria-hidden": "true" }, dots));
  button.addEventListener("click", () => showPredictions(k));
  return make("li", {}, button);
}

function showGallery(name) {
  document.querySelectorAll(".chosen").forEach((element) => { element.textContent = name; });
  if (!errors) return;
  const [actual, predicted] = ["actual", "predicted"].map((id) => (byId(id).value === "" ? null : Number(byId(id).value)));
  const correct = actual !== null && actual === predicted;
  const fits = (i, j) => (correct || i !== j) && (actual ?? i) === i && (predicted ?? j) === j;
  const shown = errors.order.filter((k) => fits(errors.actual[k], errors.predicted[name][k]));
  let found = 0;
  data.confusion[name].forEach((row, i) => row.forEach((count, j) => { if (fits(i, j)) found += count; }));
  byId("any").hidden = actual === null && predicted === null;
  byId("gallery").replaceChildren(...shown.map((k) => tile(name, k)));

  const of = actual === null ? "" : ` of class ${data.classes[actual]}`;
  const as = predicted === null ? "misclassifies" : `predicts as ${data.classes[predicted]}`;
  let sentence = `${images(found)}${of} that ${name} ${as}`;
  if (correct) sentence += `; ${shown.length.toLocaleString("en")} that another model misclassifies are shown`;
  else if (shown.length < found) {
    sentence += `; ${shown.length.toLocaleString("en")} are shown, as this page stays below 1 MB`;
  }
  byId("errors-count").textContent = `${sentence}.`;
}

function showPredictions(k) {
  const body = make("tbody");
  for (const name of data.models) {
    const [mark, style] = isWrong(name, k) ? ["✗", "vote-wrong"] : ["✓", "vote-right"];
    const vote = make("span", { class: style }, `${mark}\u00a0`, make("bdi", {}, data.classes[errors.predicted[name][k]]));
    body.append(make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "left" }, vote)));
  }
  const head = make("tr", {}, make("th", { scope: "col" }, "model"), make("th", { scope: "col", class: "left" }, "prediction"));
  const table = make("table", { class: "numbers" }, make("thead", {}, head), body);
  const picture = image(k);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `Test image ${errors.rows[k]}`);
  enlarge(`${data.classes[errors.actual[k]]}: ${wrongModels(k)} of ${data.models.length} models are wrong`,
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
byId("matrix").addEventListener("keydown", moveInMatrix);

(async () => {
  try {
    if (byId("gallery")) await setUpErrors();
    await loadCharts();
    await Promise.all([draw("leaderboard", "leaderboard"), setUpClasses(), byId("chart-curves") && setUpCurves()]);
    document.documentElement.dataset.drawn = "true";
  } catch (error) {
    byId("trouble").textContent = "This browser is too old for the charts and the list of errors. The tables are complete.";
    byId("trouble").hidden = false;
    throw error;
  }
})();
