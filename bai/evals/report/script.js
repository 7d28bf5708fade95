"use strict";
// Filters the list of trajectories; the page reads just as well without it.
const rows = [...document.querySelectorAll("details.trajectory")];
const fields = [...document.querySelectorAll(".filters select")];
const search = document.querySelector(".filters input");
const count = document.querySelector(".filters output");
const texts = new Map();
function textOf(row) {
  if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
  return texts.get(row);
}
function filter() {
  const wanted = search.value.trim().toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const fits = fields.every((field) => !field.value || row.dataset[field.name] === field.value);
    row.hidden = !(fits && (!wanted || textOf(row).includes(wanted)));
    shown += row.hidden ? 0 : 1;
  }
  count.textContent = `${shown} of ${rows.length} shown`;
}
if (search) {
  for (const field of [search, ...fields]) field.addEventListener("input", filter);
  document.querySelector(".filters").hidden = false;
  filter();
}
